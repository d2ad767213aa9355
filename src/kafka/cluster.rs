//! Questions to a cluster, each bounded in time. No group is joined and nothing is written.

use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigResource, OwnedResourceSpecifier, ResourceSpecifier,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};
use rdkafka::metadata::{MetadataBroker, MetadataPartition, MetadataTopic};
use rdkafka::{Offset, topic_partition_list::TopicPartitionListElem};

use super::client;
use super::context::GroupContext;
use super::error::KafkaError;
use super::native::rights::{self, Rights, TopicRights};
use super::settings::KafkaSettings;
use super::topics::SOURCE;

/// How long one question may take; a broker that takes us and does not answer within it will not
/// answer at all.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(4);
/// How long one question may take at least, however late it is asked.
const LEAST_TIMEOUT: Duration = Duration::from_millis(500);
/// How long one try to connect may take.
const CONNECT_TRY: Duration = Duration::from_millis(500);
/// Pause before a question is asked again.
const RETRY_PAUSE: Duration = Duration::from_millis(200);
/// How many of the client's events are looked at after a try to connect.
const EVENTS_AT_ONCE: usize = 16;

/// A cluster that can be asked: about what is read with the consumers' credentials, about what is
/// written with those of the producers.
pub(super) struct Cluster<'s> {
    settings: &'s KafkaSettings,
    consumer: BaseConsumer<GroupContext>,
    /// No producer, since these have brokers make the topics that they ask about.
    as_producer: BaseConsumer<GroupContext>,
    /// Any broker, once one has answered.
    broker: Option<i32>,
    deadline: Instant,
}

/// A topic that is there.
pub(super) struct Topic {
    /// Its name.
    pub(super) name: String,
    /// The numbers of its partitions; at least one.
    pub(super) partitions: Vec<i32>,
    /// How many of them have no leader.
    pub(super) leaderless: usize,
}

/// What the brokers tell of `max.message.bytes`.
pub(super) struct MaxMessageBytes {
    /// The topics of which they tell it, in bytes.
    pub(super) told: Vec<(String, usize)>,
    /// Why they do not tell it of others, where they say why.
    pub(super) refused: Option<Refusal>,
}

/// Why brokers do not tell a topic's configuration.
#[derive(Debug, PartialEq)]
pub(super) enum Refusal {
    /// The principal has no right to it.
    Unauthorized(RDKafkaErrorCode),
    /// Anything else, such as brokers that have no DescribeConfigs, or do not answer in time.
    Other(String),
}

impl MaxMessageBytes {
    fn refused(why: &dyn ToString) -> Self {
        Self {
            told: Vec::new(),
            refused: Some(Refusal::Other(why.to_string())),
        }
    }
}

impl Refusal {
    fn of(code: RDKafkaErrorCode) -> Self {
        match code {
            RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::ClusterAuthorizationFailed => Self::Unauthorized(code),
            other => Self::Other(other.to_string()),
        }
    }
}

impl Topic {
    fn judge(found: &MetadataTopic) -> Result<Self, RDKafkaErrorCode> {
        let partitions = found.partitions();
        match found.error() {
            Some(error) => Err(error.into()),
            None if partitions.is_empty() => Err(RDKafkaErrorCode::LeaderNotAvailable),
            None => Ok(Self {
                name: found.name().to_owned(),
                partitions: partitions.iter().map(MetadataPartition::id).collect(),
                leaderless: partitions.iter().filter(|of| of.leader() < 0).count(),
            }),
        }
    }
}

impl<'s> Cluster<'s> {
    /// A client that asks; it has `connect_timeout` from now on.
    pub(super) fn new(settings: &'s KafkaSettings) -> Result<Self, KafkaError> {
        let consumer = |config| {
            BaseConsumer::from_config_and_context(&config, GroupContext::default())
                .map_err(|error| client::refused(&error, "consumer"))
        };
        Ok(Self {
            settings,
            consumer: consumer(client::inspector(settings)?)?,
            as_producer: consumer(client::inspector_as_producer(settings))?,
            broker: None,
            deadline: Instant::now() + settings.connect_timeout,
        })
    }

    /// How long the next question may take.
    pub(super) fn answer_timeout(&self) -> Duration {
        let left = self.deadline.saturating_duration_since(Instant::now());
        left.clamp(LEAST_TIMEOUT, ANSWER_TIMEOUT)
    }

    /// The client with the credentials of those that need a topic of that role.
    fn client(&self, role: &str) -> &BaseConsumer<GroupContext> {
        if role == SOURCE {
            &self.consumer
        } else {
            &self.as_producer
        }
    }

    /// Waits until a broker answers, and gives how many there are.
    ///
    /// A refused connection is tried again until the time is over: of several addresses only one
    /// may answer, or it may come up yet. Refused credentials stay refused.
    pub(super) fn connect(&mut self, give_up: &dyn Fn() -> bool) -> Result<usize, KafkaError> {
        self.connect_as(&self.consumer, give_up)?;
        let brokers = self.connect_as(&self.as_producer, give_up)?;
        self.broker = brokers.first().copied();
        Ok(brokers.len())
    }

    fn connect_as(
        &self,
        client: &BaseConsumer<GroupContext>,
        give_up: &dyn Fn() -> bool,
    ) -> Result<Vec<i32>, KafkaError> {
        let bootstrap = self.settings.bootstrap.clone();
        let mut reason = None;
        loop {
            let topic = Some(self.settings.dead_letters.as_str());
            if let Ok(metadata) = client.fetch_metadata(topic, CONNECT_TRY) {
                return Ok(metadata.brokers().iter().map(MetadataBroker::id).collect());
            }
            // Errors are told while polling, one or none each time.
            for _ in 0..EVENTS_AT_ONCE {
                drop(client.poll(Duration::ZERO));
            }
            if let Some((code, text)) = client.context().notes().take_error() {
                let text = text.replace(['\n', '\r'], " ");
                if code == RDKafkaErrorCode::SSL {
                    let reason = text;
                    return Err(KafkaError::Tls { bootstrap, reason });
                }
                if is_authentication(code) {
                    let reason = text;
                    return Err(KafkaError::Authentication { bootstrap, reason });
                }
                // "All brokers are down" comes again and again, and says nothing of the cause.
                if code != RDKafkaErrorCode::AllBrokersDown {
                    reason = Some(text);
                }
            }
            if Instant::now() >= self.deadline || give_up() {
                let seconds = self.settings.connect_timeout.as_secs();
                let disconnected = || client.context().notes().take_disconnect();
                return Err(KafkaError::Unreachable {
                    bootstrap,
                    seconds,
                    reason: reason
                        .or_else(disconnected)
                        .unwrap_or_else(|| "no answer".to_owned()),
                });
            }
        }
    }

    /// The topic of that name.
    pub(super) fn topic(&self, name: &str, role: &'static str) -> Result<Topic, KafkaError> {
        loop {
            let (topic, timeout) = (Some(name), self.answer_timeout());
            let asked = self.client(role).fetch_metadata(topic, timeout);
            let code = match asked {
                Ok(metadata) => match metadata.topics().iter().find(|of| of.name() == name) {
                    None => RDKafkaErrorCode::UnknownTopicOrPartition,
                    Some(found) => match Topic::judge(found) {
                        Ok(topic) => return Ok(topic),
                        Err(code) => code,
                    },
                },
                Err(error) => error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail),
            };
            let bootstrap = self.settings.bootstrap.clone();
            match code {
                RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic => {
                    return Err(KafkaError::MissingTopic {
                        topic: name.to_owned(),
                        role,
                        bootstrap,
                    });
                }
                RDKafkaErrorCode::TopicAuthorizationFailed => {
                    let right = if role == SOURCE { "READ" } else { "WRITE" };
                    // To whom may not even describe it, brokers do not tell whether it is there.
                    let what = format!(
                        "{right} on {role} topic {name}, not even DESCRIBE; it may also not exist"
                    );
                    return Err(KafkaError::Unauthorized { bootstrap, what });
                }
                // A topic just made has no leader yet.
                _ if Instant::now() < self.deadline => std::thread::sleep(RETRY_PAUSE),
                _ => {
                    let what = format!("asking about {role} topic {name}");
                    return Err(KafkaError::client(what, ClientError::MetadataFetch(code)));
                }
            }
        }
    }

    /// The names of all topics, each with the topic where nothing is wrong with it.
    pub(super) fn topics(&self) -> Result<Vec<(String, Option<Topic>)>, KafkaError> {
        let metadata = self
            .consumer
            .fetch_metadata(None, self.answer_timeout())
            .map_err(|error| KafkaError::client("listing the topics", error))?;
        let topics = metadata.topics().iter();
        Ok(topics
            .map(|of| (of.name().to_owned(), Topic::judge(of).ok()))
            .collect())
    }

    /// Of how many partitions of these topics the group has offsets.
    pub(super) fn committed(&self, topics: &[Topic]) -> Result<usize, KafkaError> {
        let mut partitions = TopicPartitionList::new();
        for topic in topics {
            for partition in &topic.partitions {
                partitions.add_partition(&topic.name, *partition);
            }
        }
        let committed = self
            .consumer
            .committed_offsets(partitions, self.answer_timeout())
            .map_err(|error| match error.rdkafka_error_code() {
                Some(RDKafkaErrorCode::GroupAuthorizationFailed) => self.no_right_to_the_group(),
                _ => KafkaError::client("reading the group's offsets", error),
            })?;
        let known = |of: &TopicPartitionListElem<'_>| matches!(of.offset(), Offset::Offset(_));
        Ok(committed.elements().iter().filter(|of| known(of)).count())
    }

    fn no_right_to_the_group(&self) -> KafkaError {
        KafkaError::Unauthorized {
            bootstrap: self.settings.bootstrap.clone(),
            what: format!("READ on group {}, not even DESCRIBE", self.settings.group),
        }
    }

    /// What may be done to these topics of one role, where the brokers tell it.
    pub(super) fn topic_rights(&self, topics: &[&str], role: &str) -> TopicRights {
        if topics.is_empty() {
            return TopicRights::new();
        }
        let timeout = self.answer_timeout();
        let told = rights::of_topics(self.client(role).client(), self.broker, topics, timeout);
        // Brokers and what stands between may be older than the question.
        told.unwrap_or_default()
    }

    /// What may be done to the group, where the brokers tell it.
    pub(super) fn group_rights(&self) -> Result<Option<Rights>, KafkaError> {
        let group = &self.settings.group;
        match rights::of_group(self.consumer.client(), group, self.answer_timeout()) {
            Ok(rights) => Ok(rights),
            Err(RDKafkaErrorCode::GroupAuthorizationFailed) => Err(self.no_right_to_the_group()),
            Err(_) => Ok(None),
        }
    }

    /// What the brokers tell of `max.message.bytes` of these topics.
    pub(super) fn max_message_bytes(&self, topics: &[&str]) -> Result<MaxMessageBytes, KafkaError> {
        let config = client::administrator(self.settings)?;
        let admin: AdminClient<DefaultClientContext> =
            AdminClient::from_config_and_context(&config, DefaultClientContext)
                .map_err(|error| client::refused(&error, "producer"))?;
        let timeout = self.answer_timeout();
        // Any broker knows: librdkafka would ask the controller, and wait for it.
        let options = AdminOptions::new()
            .broker_id(self.broker)
            .request_timeout(Some(timeout))
            .operation_timeout(Some(timeout));
        let resources: Vec<_> = topics
            .iter()
            .map(|name| ResourceSpecifier::Topic(name))
            .collect();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build();
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => return Ok(MaxMessageBytes::refused(&error)),
        };
        let answer = admin.describe_configs(&resources, &options);
        let answer = async { tokio::time::timeout(timeout, answer).await };
        Ok(match runtime.block_on(answer) {
            Ok(Ok(described)) => {
                let refusals = described.iter().filter_map(|of| of.as_ref().err());
                // Of several the one that can be mended by a right.
                let refused =
                    refusals
                        .map(|code| Refusal::of(*code))
                        .reduce(|one, next| match one {
                            Refusal::Unauthorized(_) => one,
                            Refusal::Other(_) => next,
                        });
                let told = described.iter().flatten().filter_map(limit).collect();
                MaxMessageBytes { told, refused }
            }
            Ok(Err(error)) => MaxMessageBytes::refused(&error),
            Err(_) => MaxMessageBytes::refused(&"no answer in time"),
        })
    }
}

fn limit(described: &ConfigResource) -> Option<(String, usize)> {
    let OwnedResourceSpecifier::Topic(name) = &described.specifier else {
        return None;
    };
    let entry = described.get("max.message.bytes")?;
    let bytes = entry.value.as_ref()?.parse().ok()?;
    Some((name.clone(), bytes))
}

fn is_authentication(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::Authentication
            | RDKafkaErrorCode::SaslAuthenticationFailed
            | RDKafkaErrorCode::UnsupportedSASLMechanism
    )
}
