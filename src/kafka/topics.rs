//! What is asked of the cluster before anything is read: whether it answers, whether the topics
//! are there, and how large their records may be.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, OwnedResourceSpecifier, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};
use rdkafka::metadata::{Metadata, MetadataBroker};
use regex_lite::Regex;

use super::client::{self, DEFAULT_MAX_MESSAGE_BYTES};
use super::context::GroupContext;
use super::delivery::Limits;
use super::error::KafkaError;
use super::settings::KafkaSettings;

/// How long one question may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// What was found out about a cluster and its topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// The source topics that are there, with their numbers of partitions.
    pub sources: Vec<(String, usize)>,
    /// Largest record that each output's topic takes, in bytes, in the order of the outputs.
    pub output_bytes: Vec<usize>,
    /// Largest record that the dead-letter topic takes, in bytes.
    pub dead_letter_bytes: usize,
}

impl Inspection {
    /// The limits of the producer.
    pub(super) fn limits(&self) -> Limits {
        let topics = || self.output_bytes.iter().chain([&self.dead_letter_bytes]);
        Limits {
            record_bytes: topics().copied().max().unwrap_or(DEFAULT_MAX_MESSAGE_BYTES),
            batch_bytes: topics().copied().min().unwrap_or(DEFAULT_MAX_MESSAGE_BYTES),
        }
    }
}

/// Asks the cluster about the topics, without joining the group. Takes about as long as
/// `connect_timeout` at most.
pub fn inspect(settings: &KafkaSettings) -> Result<Inspection, KafkaError> {
    client::check(settings)?;
    let patterns = patterns(settings)?;
    refuse_loops(settings, &patterns)?;
    let config = client::inspector(settings)?;
    let inspector = BaseConsumer::from_config_and_context(&config, GroupContext::default())
        .map_err(|error| client::refused(&error, "consumer"))?;
    let deadline = Instant::now() + settings.connect_timeout;
    let broker = connect(&inspector, settings, deadline)?;
    let mut sources = Vec::new();
    for topic in settings.sources.iter().filter(|source| !is_pattern(source)) {
        let partitions = partitions(&inspector, settings, topic, "source", deadline)?;
        sources.push((topic.clone(), partitions));
    }
    for topic in &settings.outputs {
        partitions(&inspector, settings, topic, "output", deadline)?;
    }
    let dead_letters = &settings.dead_letters;
    partitions(&inspector, settings, dead_letters, "dead-letter", deadline)?;
    if !patterns.is_empty() {
        sources.extend(matching(&inspector, settings, &patterns, deadline)?);
    }
    let bytes = max_message_bytes(settings, broker)?;
    let of = |topic: &str| {
        let found = bytes.iter().find(|(name, _)| name == topic);
        found.map_or(DEFAULT_MAX_MESSAGE_BYTES, |(_, bytes)| *bytes)
    };
    Ok(Inspection {
        sources,
        output_bytes: settings.outputs.iter().map(|topic| of(topic)).collect(),
        dead_letter_bytes: of(dead_letters),
    })
}

/// Whether a source is a pattern rather than a name.
fn is_pattern(source: &str) -> bool {
    source.starts_with('^')
}

/// The patterns among the sources.
fn patterns(settings: &KafkaSettings) -> Result<Vec<(String, Regex)>, KafkaError> {
    let patterns = settings.sources.iter().filter(|source| is_pattern(source));
    patterns
        .map(|pattern| match Regex::new(pattern) {
            Ok(regex) => Ok((pattern.clone(), regex)),
            Err(error) => Err(KafkaError::Settings(format!(
                "the pattern is no regular expression ({error}), source {pattern}: correct it"
            ))),
        })
        .collect()
}

/// Refuses sources that are also written to. It is checked again at each assignment, by the
/// names of the topics themselves.
fn refuse_loops(settings: &KafkaSettings, patterns: &[(String, Regex)]) -> Result<(), KafkaError> {
    for topic in settings.written_topics() {
        let by_name = settings.sources.iter().find(|source| *source == topic);
        let by_pattern = patterns.iter().find(|(_, regex)| regex.is_match(topic));
        if let Some(source) = by_name.or(by_pattern.map(|(pattern, _)| pattern)) {
            return Err(KafkaError::Loop {
                source_topic: source.clone(),
                topic: topic.to_owned(),
            });
        }
    }
    Ok(())
}

/// Waits until a broker answers, and gives the id of one.
fn connect(
    inspector: &BaseConsumer<GroupContext>,
    settings: &KafkaSettings,
    deadline: Instant,
) -> Result<Option<i32>, KafkaError> {
    let bootstrap = settings.bootstrap.clone();
    let mut reason = "no answer".to_owned();
    loop {
        let answer = inspector.fetch_metadata(Some(&settings.dead_letters), ANSWER_TIMEOUT / 4);
        if let Ok(metadata) = answer {
            return Ok(metadata.brokers().first().map(MetadataBroker::id));
        }
        // Errors are told while polling.
        for _ in 0..16 {
            drop(inspector.poll(Duration::ZERO));
        }
        if let Some((code, text)) = inspector.context().notes().take_error() {
            if is_authentication(code) {
                let reason = text;
                return Err(KafkaError::Authentication { bootstrap, reason });
            }
            // "All brokers are down" comes again and again, and says nothing of the cause.
            if code != RDKafkaErrorCode::AllBrokersDown {
                reason = text;
            }
        }
        if Instant::now() >= deadline {
            let seconds = settings.connect_timeout.as_secs();
            return Err(KafkaError::Unreachable {
                bootstrap,
                seconds,
                reason,
            });
        }
    }
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

/// The number of partitions of a topic.
fn partitions(
    inspector: &BaseConsumer<GroupContext>,
    settings: &KafkaSettings,
    topic: &str,
    role: &'static str,
    deadline: Instant,
) -> Result<usize, KafkaError> {
    loop {
        let code = match inspector.fetch_metadata(Some(topic), ANSWER_TIMEOUT) {
            Ok(metadata) => match judge(&metadata, topic) {
                Ok(partitions) => return Ok(partitions),
                Err(code) => code,
            },
            Err(error) => error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail),
        };
        let bootstrap = settings.bootstrap.clone();
        match code {
            RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic => {
                return Err(KafkaError::MissingTopic {
                    topic: topic.to_owned(),
                    role,
                    bootstrap,
                });
            }
            RDKafkaErrorCode::TopicAuthorizationFailed => {
                return Err(KafkaError::Unauthorized {
                    bootstrap,
                    what: format!("{role} topic {topic} (DESCRIBE)"),
                });
            }
            // A topic just made has no leader yet.
            _ if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(200)),
            _ => {
                let what = format!("asking {bootstrap} about {role} topic {topic}");
                let source = ClientError::MetadataFetch(code);
                return Err(KafkaError::client(what, source));
            }
        }
    }
}

fn judge(metadata: &Metadata, topic: &str) -> Result<usize, RDKafkaErrorCode> {
    let mut topics = metadata.topics().iter();
    let Some(found) = topics.find(|found| found.name() == topic) else {
        return Err(RDKafkaErrorCode::UnknownTopicOrPartition);
    };
    match found.error() {
        Some(error) => Err(error.into()),
        None if found.partitions().is_empty() => Err(RDKafkaErrorCode::LeaderNotAvailable),
        None => Ok(found.partitions().len()),
    }
}

/// The topics that match a pattern now; more may come.
fn matching(
    inspector: &BaseConsumer<GroupContext>,
    settings: &KafkaSettings,
    patterns: &[(String, Regex)],
    deadline: Instant,
) -> Result<Vec<(String, usize)>, KafkaError> {
    let timeout = deadline.saturating_duration_since(Instant::now());
    let metadata = inspector
        .fetch_metadata(None, timeout.max(ANSWER_TIMEOUT))
        .map_err(|error| {
            KafkaError::client(
                format!("listing the topics of {}", settings.bootstrap),
                error,
            )
        })?;
    let mut found = Vec::new();
    for (pattern, regex) in patterns {
        let before = found.len();
        for topic in metadata
            .topics()
            .iter()
            .filter(|of| regex.is_match(of.name()))
        {
            found.push((topic.name().to_owned(), topic.partitions().len()));
        }
        if found.len() == before {
            tracing::warn!(pattern, "no topic matches the source pattern yet");
        }
    }
    Ok(found)
}

/// `max.message.bytes` of every topic that is written to, in bytes, where the brokers tell.
///
/// Any broker knows; without one named, librdkafka would ask the controller, and wait for it.
fn max_message_bytes(
    settings: &KafkaSettings,
    broker: Option<i32>,
) -> Result<Vec<(String, usize)>, KafkaError> {
    let config = client::administrator(settings)?;
    let admin: AdminClient<DefaultClientContext> =
        AdminClient::from_config_and_context(&config, DefaultClientContext)
            .map_err(|error| client::refused(&error, "producer"))?;
    let topics: Vec<_> = settings
        .written_topics()
        .map(ResourceSpecifier::Topic)
        .collect();
    let options = AdminOptions::new()
        .broker_id(broker)
        .request_timeout(Some(ANSWER_TIMEOUT * 2))
        .operation_timeout(Some(ANSWER_TIMEOUT * 2));
    let answer = block_on(admin.describe_configs(&topics, &options));
    let described = match answer {
        Ok(described) => described,
        Err(error) => {
            tracing::debug!(%error, "max.message.bytes of the topics cannot be read, the brokers' default is taken");
            return Ok(Vec::new());
        }
    };
    let mut sizes = Vec::new();
    for resource in described {
        let Ok(resource) = resource else {
            tracing::debug!(
                "max.message.bytes of a topic cannot be read, the brokers' default is taken"
            );
            continue;
        };
        let value = resource
            .get("max.message.bytes")
            .and_then(|entry| entry.value.as_ref());
        let bytes = value.and_then(|value| value.parse().ok());
        if let (OwnedResourceSpecifier::Topic(name), Some(bytes)) = (&resource.specifier, bytes) {
            sizes.push((name.clone(), bytes));
        }
    }
    Ok(sizes)
}

/// Runs one future on this thread; rdkafka's own thread completes it.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(sources: &[&str]) -> KafkaSettings {
        let outputs = vec!["in.connections".to_owned(), "in.listeners".to_owned()];
        let mut settings = KafkaSettings::new("127.0.0.1:9", "in", outputs, "in.dead", "g");
        settings.sources = sources.iter().map(|source| (*source).to_owned()).collect();
        settings
    }

    fn check(sources: &[&str]) -> Result<(), KafkaError> {
        let settings = settings(sources);
        refuse_loops(&settings, &patterns(&settings)?)
    }

    #[test]
    fn a_source_that_is_written_to_is_refused_by_name_and_by_pattern() {
        assert_eq!(check(&["in", "other"]), Ok(()));
        assert_eq!(check(&["^in$"]), Ok(()));
        for sources in [&["other", "in.dead"][..], &["^in"], &["^in\\.l.*"]] {
            let error = check(sources).unwrap_err();
            assert!(matches!(error, KafkaError::Loop { .. }), "{error}");
            assert!(error.is_configuration());
        }
        let error = check(&["^(in"]).unwrap_err();
        assert!(error.to_string().contains("^(in"), "{error}");
    }

    #[test]
    fn batches_fit_the_smallest_topic_and_records_the_largest() {
        let inspection = Inspection {
            sources: Vec::new(),
            output_bytes: vec![5_000_000, 200_000],
            dead_letter_bytes: 1_000_000,
        };
        let limits = inspection.limits();
        assert_eq!(
            (limits.record_bytes, limits.batch_bytes),
            (5_000_000, 200_000)
        );
    }

    #[test]
    fn a_broker_that_is_not_there_is_one_line_that_names_it() {
        let mut settings = settings(&["in"]);
        settings.connect_timeout = Duration::from_millis(300);
        let error = inspect(&settings).unwrap_err();
        assert!(matches!(error, KafkaError::Unreachable { .. }), "{error}");
        let text = error.to_string();
        assert!(
            text.contains("127.0.0.1:9") && text.contains("refused") && !text.contains('\n'),
            "{text}"
        );
    }

    #[test]
    fn a_future_that_is_completed_by_another_thread_is_waited_for() {
        let mut polls = 0;
        let future = std::future::poll_fn(|context| {
            polls += 1;
            if polls == 2 {
                return Poll::Ready(7);
            }
            let waker = context.waker().clone();
            std::thread::spawn(move || waker.wake());
            Poll::Pending
        });
        assert_eq!(block_on(future), 7);
    }
}
