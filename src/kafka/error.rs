//! What can go wrong on the Kafka side, each in one line: what, where, what to do.

use rdkafka::types::RDKafkaErrorCode;
use thiserror::Error;

/// Why the Kafka side cannot start, or had to end.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum KafkaError {
    /// A pass-through property that netsieve sets itself.
    #[error("property `{property}` of the {side} cannot be set: {why}")]
    ReservedProperty {
        /// The property.
        property: String,
        /// `consumer` or `producer`.
        side: &'static str,
        /// Why, and what to set instead.
        why: &'static str,
    },
    /// A property that librdkafka does not take. Its value is not shown: it may be a secret.
    #[error("property `{property}` of the {side} is not accepted by librdkafka: {reason}")]
    InvalidProperty {
        /// The property; empty where librdkafka does not name one.
        property: String,
        /// `consumer` or `producer`.
        side: &'static str,
        /// librdkafka's reason.
        reason: String,
    },
    /// Settings that contradict each other.
    #[error("{0}")]
    Settings(String),
    /// A source topic is also written to, which would feed events back for ever.
    #[error(
        "source {source_topic} also reads topic {topic}, which netsieve writes to: rename one, or narrow the pattern"
    )]
    Loop {
        /// The source topic or pattern.
        source_topic: String,
        /// The topic that is both read and written.
        topic: String,
    },
    /// No broker answered.
    #[error(
        "no broker answered at {bootstrap} within {seconds} s ({reason}): check the address and that the brokers are up"
    )]
    Unreachable {
        /// The addresses.
        bootstrap: String,
        /// How long was waited, in seconds.
        seconds: u64,
        /// What librdkafka saw last.
        reason: String,
    },
    /// The brokers do not accept our credentials, or we theirs.
    #[error(
        "{bootstrap} refused the connection ({reason}): check security.protocol, the sasl.* and the ssl.* properties"
    )]
    Authentication {
        /// The addresses.
        bootstrap: String,
        /// What the broker or the TLS library said.
        reason: String,
    },
    /// A right is missing.
    #[error("not authorized for {what} at {bootstrap}: grant it to this principal")]
    Unauthorized {
        /// The addresses.
        bootstrap: String,
        /// The topic or group, and the right that is missing.
        what: String,
    },
    /// A topic does not exist.
    #[error(
        "{role} topic {topic} does not exist at {bootstrap}: create it (kafka-topics.sh --bootstrap-server {bootstrap} --create --topic {topic}) or correct its name"
    )]
    MissingTopic {
        /// The topic.
        topic: String,
        /// `source`, `output` or `dead-letter`.
        role: &'static str,
        /// The addresses.
        bootstrap: String,
    },
    /// Records were deleted before they were read.
    #[error(
        "{topic} [{partition}]: offset {offset} is out of range ({low} to {high}): records were deleted before they were read, or the topic was made anew; set on_data_loss = \"continue\" to go on with what is left"
    )]
    DataLoss {
        /// Topic.
        topic: String,
        /// Partition.
        partition: i32,
        /// The next offset to be read, had it been there.
        offset: i64,
        /// First offset that is left.
        low: i64,
        /// Offset after the last one.
        high: i64,
    },
    /// Deliveries kept failing.
    #[error(
        "delivery to {topic} failed {failures} times in a row ({code}): nothing after the last delivered record is committed; check the brokers and the topic, then start again"
    )]
    Delivery {
        /// Topic of the last failure.
        topic: String,
        /// Failures without progress between them.
        failures: u32,
        /// The last failure's code.
        code: RDKafkaErrorCode,
    },
    /// Transactions kept failing.
    #[error(
        "transaction {id} was aborted {failures} times in a row ({reason}): nothing of it is committed; check the brokers, then start again"
    )]
    Transaction {
        /// The transactional id.
        id: String,
        /// Failures without progress between them.
        failures: u32,
        /// What went wrong last.
        reason: String,
    },
    /// The transactional id was taken over again and again.
    #[error(
        "transactional id {id} was fenced twice within {seconds} s: another process uses it, give each its own `instance`; or transactions take longer than transaction.timeout.ms"
    )]
    ProducerFenced {
        /// The id.
        id: String,
        /// Within how many seconds.
        seconds: u64,
    },
    /// Another member took over this static member's id.
    #[error(
        "group instance id {id} is in use by another process: give each process its own `instance`"
    )]
    Fenced {
        /// The id.
        id: String,
    },
    /// The group could not be left in time.
    #[error("shutdown took longer than {seconds} s: what was not committed will be read again")]
    ShutdownTimedOut {
        /// The limit, in seconds.
        seconds: u64,
    },
    /// A worker thread could not be started or died.
    #[error("worker {worker} died: {reason}")]
    Worker {
        /// The worker's number, from 0.
        worker: usize,
        /// Why.
        reason: String,
    },
    /// Anything else that librdkafka reports and that cannot be recovered from.
    #[error("{what}: {source}")]
    Client {
        /// What was being done.
        what: String,
        /// librdkafka's error.
        source: rdkafka::error::KafkaError,
    },
}

impl KafkaError {
    /// Wraps librdkafka's error with what was being done.
    pub(super) fn client(what: impl Into<String>, source: rdkafka::error::KafkaError) -> Self {
        Self::Client {
            what: what.into(),
            source,
        }
    }

    /// Whether the configuration is at fault rather than the world.
    pub fn is_configuration(&self) -> bool {
        matches!(
            self,
            Self::ReservedProperty { .. }
                | Self::InvalidProperty { .. }
                | Self::Settings(_)
                | Self::Loop { .. }
        )
    }
}
