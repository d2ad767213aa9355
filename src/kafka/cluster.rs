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
use super::settings::KafkaSettings;

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

/// A cluster that can be asked.
pub(super) struct Cluster<'s> {
    settings: &'s KafkaSettings,
    consumer: BaseConsumer<GroupContext>,
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
    pub(super) refused: Option<String>,
}

impl MaxMessageBytes {
    fn refused(why: &dyn ToString) -> Self {
        Self {
            told: Vec::new(),
            refused: Some(why.to_string()),
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
        let config = client::inspector(settings)?;
        let consumer = BaseConsumer::from_config_and_context(&config, GroupContext::default())
            .map_err(|error| client::refused(&error, "consumer"))?;
        Ok(Self {
            settings,
            consumer,
            deadline: Instant::now() + settings.connect_timeout,
        })
    }

    fn answer_timeout(&self) -> Duration {
        let left = self.deadline.saturating_duration_since(Instant::now());
        left.clamp(LEAST_TIMEOUT, ANSWER_TIMEOUT)
    }

    /// Waits until a broker answers, and gives the ids of all.
    ///
    /// A refused connection is tried again until the time is over: of several addresses only one
    /// may answer, or it may come up yet. Refused credentials stay refused.
    pub(super) fn connect(&self, give_up: &dyn Fn() -> bool) -> Result<Vec<i32>, KafkaError> {
        let bootstrap = self.settings.bootstrap.clone();
        let mut reason = "no answer".to_owned();
        loop {
            let topic = Some(self.settings.dead_letters.as_str());
            if let Ok(metadata) = self.consumer.fetch_metadata(topic, CONNECT_TRY) {
                return Ok(metadata.brokers().iter().map(MetadataBroker::id).collect());
            }
            // Errors are told while polling, one or none each time.
            for _ in 0..EVENTS_AT_ONCE {
                drop(self.consumer.poll(Duration::ZERO));
            }
            if let Some((code, text)) = self.consumer.context().notes().take_error() {
                let text = text.replace(['\n', '\r'], " ");
                if is_authentication(code) {
                    let reason = text;
                    return Err(KafkaError::Authentication { bootstrap, reason });
                }
                // "All brokers are down" comes again and again, and says nothing of the cause.
                if code != RDKafkaErrorCode::AllBrokersDown {
                    reason = text;
                }
            }
            if Instant::now() >= self.deadline || give_up() {
                let seconds = self.settings.connect_timeout.as_secs();
                return Err(KafkaError::Unreachable {
                    bootstrap,
                    seconds,
                    reason,
                });
            }
        }
    }

    /// The topic of that name.
    pub(super) fn topic(&self, name: &str, role: &'static str) -> Result<Topic, KafkaError> {
        loop {
            let asked = self
                .consumer
                .fetch_metadata(Some(name), self.answer_timeout());
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
                    return Err(KafkaError::Unauthorized {
                        bootstrap,
                        what: format!("Describe on {role} topic {name}"),
                    });
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
                Some(RDKafkaErrorCode::GroupAuthorizationFailed) => KafkaError::Unauthorized {
                    bootstrap: self.settings.bootstrap.clone(),
                    what: format!("Read on group {}", self.settings.group),
                },
                _ => KafkaError::client("reading the group's offsets", error),
            })?;
        let known = |of: &TopicPartitionListElem<'_>| matches!(of.offset(), Offset::Offset(_));
        Ok(committed.elements().iter().filter(|of| known(of)).count())
    }

    /// What the brokers tell of `max.message.bytes` of these topics.
    ///
    /// `broker` is any of them, since any knows: without one named, librdkafka would ask the
    /// controller, and wait for it.
    pub(super) fn max_message_bytes(
        &self,
        topics: &[&str],
        broker: Option<i32>,
    ) -> Result<MaxMessageBytes, KafkaError> {
        let config = client::administrator(self.settings)?;
        let admin: AdminClient<DefaultClientContext> =
            AdminClient::from_config_and_context(&config, DefaultClientContext)
                .map_err(|error| client::refused(&error, "producer"))?;
        let timeout = self.answer_timeout();
        let options = AdminOptions::new()
            .broker_id(broker)
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
                let refused = described.iter().find_map(|of| of.as_ref().err());
                let refused = refused.map(ToString::to_string);
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
            | RDKafkaErrorCode::SSL
    )
}
