//! Reads the dead-letter topic from its first record to its end as it is at the start, without
//! joining a group.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError as ClientError;
use rdkafka::message::BorrowedMessage;
use rdkafka::{Message, Offset, TopicPartitionList};

use super::client;
use super::cluster::Cluster;
use super::context::GroupContext;
use super::error::KafkaError;
use super::processor;
use super::settings::KafkaSettings;
use super::shutdown::Shutdown;
use super::sources::Sources;
use super::topics::SOURCE;
use crate::dead_letters::Letter;
use crate::pipeline::message::Header;

/// The role of the topic in errors.
const ROLE: &str = "dead-letter";
/// How long the brokers may give nothing before they are given up.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long one wait for a record lasts.
const WAIT: Duration = Duration::from_millis(100);
/// Pause before a question is asked again.
const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// Some offsets of a partition: from the first up to, and without, the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) partition: i32,
    pub(super) first: i64,
    pub(super) end: i64,
}

/// What reading comes across.
pub enum Seen<'a> {
    /// So many offsets are to be read; some of them may have no record.
    Total(u64),
    /// A dead letter.
    Letter(&'a Letter<'a>),
    /// So many offsets are behind.
    Position(u64),
}

/// Which part of the topic is read.
#[derive(Clone, Copy)]
pub struct Part<'p> {
    /// The offsets of a partition that may be of interest, the last one exclusive.
    pub bounds: &'p dyn Fn(i32) -> Option<(i64, i64)>,
    /// Whether it begins where the group of the settings has come to.
    pub from_group: bool,
}

/// Reads the dead letters partition by partition, each in its order, until `see` has seen enough,
/// a shutdown is requested, or all that was there at the start is read. Whether it came so far.
pub fn read(
    settings: &KafkaSettings,
    part: Part<'_>,
    shutdown: &Shutdown,
    see: &mut dyn FnMut(Seen<'_>) -> ControlFlow<()>,
) -> Result<bool, KafkaError> {
    let topic = settings.dead_letters.as_str();
    let partitions = partitions(settings, shutdown)?;
    let consumer =
        BaseConsumer::from_config_and_context(&client::reader(settings)?, GroupContext::default())
            .map_err(|error| client::refused(&error, "consumer"))?;
    let mut spans = spans(&consumer, topic, &partitions, shutdown)?;
    if part.from_group {
        begin_at_group(&consumer, topic, &mut spans)?;
    }
    spans.retain_mut(|span| {
        let Some((first, end)) = (part.bounds)(span.partition) else {
            return false;
        };
        span.first = span.first.max(first);
        span.end = span.end.min(end);
        span.first < span.end
    });
    let total: i64 = spans.iter().map(|span| span.end - span.first).sum();
    let count = |offsets: i64| u64::try_from(offsets).unwrap_or(0);
    if see(Seen::Total(count(total))).is_break() {
        return Ok(true);
    }
    let mut behind = 0;
    for span in spans {
        let mut told = |at: Seen<'_>| match at {
            Seen::Position(within) => see(Seen::Position(behind + within)),
            other => see(other),
        };
        match read_span(&consumer, topic, span, shutdown, &mut told)? {
            Ended::All => behind += count(span.end - span.first),
            Ended::Enough => return Ok(true),
            Ended::Shutdown => return Ok(false),
        }
    }
    Ok(true)
}

/// Why a span is read no further.
enum Ended {
    All,
    Enough,
    Shutdown,
}

fn read_span(
    consumer: &BaseConsumer<GroupContext>,
    topic: &str,
    span: Span,
    shutdown: &Shutdown,
    see: &mut dyn FnMut(Seen<'_>) -> ControlFlow<()>,
) -> Result<Ended, KafkaError> {
    let failed = |error| KafkaError::client(format!("reading {topic}"), error);
    let mut assignment = TopicPartitionList::new();
    assignment
        .add_partition_offset(topic, span.partition, Offset::Offset(span.first))
        .map_err(failed)?;
    consumer.assign(&assignment).map_err(failed)?;
    let mut since = Instant::now();
    loop {
        if shutdown.is_requested() {
            return Ok(Ended::Shutdown);
        }
        match consumer.poll(WAIT) {
            Some(Ok(message)) => {
                if message.partition() != span.partition {
                    continue;
                }
                since = Instant::now();
                let next = message.offset() + 1;
                if message.offset() < span.end {
                    let headers = processor::headers(&message);
                    let enough = see(Seen::Letter(&letter(&message, &headers))).is_break();
                    let within = u64::try_from(next - span.first).unwrap_or(0);
                    if enough || see(Seen::Position(within)).is_break() {
                        return Ok(Ended::Enough);
                    }
                }
                if next >= span.end {
                    return Ok(Ended::All);
                }
            }
            // Aborted records and the marks of transactions take up offsets too.
            Some(Err(ClientError::PartitionEOF(partition))) if partition == span.partition => {
                return Ok(Ended::All);
            }
            Some(Err(error)) if since.elapsed() > PATIENCE => return Err(failed(error)),
            None if since.elapsed() > PATIENCE => {
                return Err(failed(ClientError::MessageConsumption(
                    rdkafka::types::RDKafkaErrorCode::OperationTimedOut,
                )));
            }
            // Most errors pass by themselves.
            None | Some(Err(_)) => {}
        }
    }
}

/// The message as a dead letter.
pub(super) fn letter<'m>(
    message: &'m BorrowedMessage<'_>,
    headers: &'m [Header<'m>],
) -> Letter<'m> {
    Letter {
        partition: message.partition(),
        offset: message.offset(),
        timestamp_ms: message.timestamp().to_millis(),
        key: message.key(),
        value: message.payload(),
        headers,
    }
}

/// The partitions of the dead-letter topic, once a broker answers.
fn partitions(settings: &KafkaSettings, shutdown: &Shutdown) -> Result<Vec<i32>, KafkaError> {
    let mut cluster = Cluster::new(settings)?;
    cluster.connect(&|| shutdown.is_requested())?;
    // It is read with the consumers' credentials, as a source is.
    let topic = cluster.topic(&settings.dead_letters, SOURCE);
    let topic = topic.map_err(|error| match error {
        KafkaError::MissingTopic {
            topic, bootstrap, ..
        } => KafkaError::MissingTopic {
            topic,
            role: ROLE,
            bootstrap,
        },
        other => other,
    })?;
    let mut partitions = topic.partitions;
    partitions.sort_unstable();
    Ok(partitions)
}

/// What each partition holds now, as a reader of committed records sees it.
pub(super) fn spans(
    consumer: &BaseConsumer<GroupContext>,
    topic: &str,
    partitions: &[i32],
    shutdown: &Shutdown,
) -> Result<Vec<Span>, KafkaError> {
    let since = Instant::now();
    let mut spans = Vec::with_capacity(partitions.len());
    for partition in partitions {
        let partition = *partition;
        let (first, end) = loop {
            match consumer.fetch_watermarks(topic, partition, PATIENCE / 6) {
                Ok(watermarks) => break watermarks,
                Err(error) if since.elapsed() > PATIENCE || shutdown.is_requested() => {
                    let what = format!("reading the range of {topic} [{partition}]");
                    return Err(KafkaError::client(what, error));
                }
                Err(_) => std::thread::sleep(RETRY_PAUSE),
            }
        };
        spans.push(Span {
            partition,
            first,
            end,
        });
    }
    Ok(spans)
}

fn begin_at_group(
    consumer: &BaseConsumer<GroupContext>,
    topic: &str,
    spans: &mut [Span],
) -> Result<(), KafkaError> {
    let mut asked = TopicPartitionList::new();
    for span in &*spans {
        asked.add_partition(topic, span.partition);
    }
    let committed = consumer.committed_offsets(asked, PATIENCE);
    let committed =
        committed.map_err(|error| KafkaError::client("reading the group's offsets", error))?;
    for span in spans {
        let found = committed.find_partition(topic, span.partition);
        if let Some(Offset::Offset(offset)) = found.map(|of| of.offset()) {
            span.first = span.first.max(offset);
        }
    }
    Ok(())
}

/// The source topics of the settings by name: of a pattern those that there are.
pub fn sources(settings: &KafkaSettings, shutdown: &Shutdown) -> Result<Vec<String>, KafkaError> {
    let sources = Sources::new(&settings.sources)
        .map_err(|invalid| KafkaError::Settings(invalid.to_string()))?;
    let mut names = sources.names().to_vec();
    if sources.patterns().is_empty() {
        return Ok(names);
    }
    let mut cluster = Cluster::new(settings)?;
    cluster.connect(&|| shutdown.is_requested())?;
    let is_written = |name: &String| settings.written_topics().any(|written| written == name);
    for (name, _) in cluster.topics()? {
        let is_new = !names.contains(&name) && !is_written(&name);
        if is_new && sources.taking_in(&name).is_some() {
            names.push(name);
        }
    }
    Ok(names)
}
