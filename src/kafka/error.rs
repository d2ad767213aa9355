//! What can go wrong on the Kafka side, each in one line: what, where, what to do.

use rdkafka::error::KafkaError as ClientError;
use rdkafka::types::RDKafkaErrorCode;
use thiserror::Error;

/// Why the Kafka side cannot start, or had to end.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum KafkaError {
    /// A pass-through property that netsieve sets itself.
    #[error("property `{property}` cannot be set ({why}), {side}: remove it")]
    ReservedProperty {
        /// The property.
        property: String,
        /// `consumer` or `producer`.
        side: &'static str,
        /// Why, and what to set instead.
        why: &'static str,
    },
    /// A property that librdkafka does not take. Its value is not shown: it may be a secret.
    #[error("property `{property}` is not accepted by librdkafka ({reason}), {side}: correct it")]
    InvalidProperty {
        /// The property.
        property: String,
        /// `consumer` or `producer`.
        side: &'static str,
        /// librdkafka's reason.
        reason: String,
    },
    /// Properties that do not go together, or a file that one of them names and that is not there.
    #[error("the properties are not accepted by librdkafka ({reason}), {side}: correct them")]
    InvalidProperties {
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
        "the source takes in topic {topic}, which netsieve writes to, {source_topic}: rename one, or narrow the pattern"
    )]
    Loop {
        /// The source topic or pattern.
        source_topic: String,
        /// The topic that is both read and written.
        topic: String,
    },
    /// No broker answered.
    #[error(
        "no broker answered within {seconds} s ({reason}), {bootstrap}: check the address, that the brokers are up, and that this listener speaks what security.protocol says"
    )]
    Unreachable {
        /// The addresses.
        bootstrap: String,
        /// How long was waited, in seconds.
        seconds: u64,
        /// What librdkafka saw last.
        reason: String,
    },
    /// The brokers do not accept our credentials.
    #[error(
        "the connection was refused ({reason}), {bootstrap}: check sasl.username, sasl.password, sasl.mechanisms and security.protocol"
    )]
    Authentication {
        /// The addresses.
        bootstrap: String,
        /// What the broker said.
        reason: String,
    },
    /// A certificate is not accepted, by us or by the brokers.
    #[error(
        "TLS failed ({reason}), {bootstrap}: check ssl.ca.location, that the broker's certificate names this address and is not expired, and ssl.certificate.location if clients need one"
    )]
    Tls {
        /// The addresses.
        bootstrap: String,
        /// What the TLS library said.
        reason: String,
    },
    /// A right is missing.
    #[error("a right is missing ({what}), {bootstrap}: grant it to this principal")]
    Unauthorized {
        /// The addresses.
        bootstrap: String,
        /// The topic or group, and the right that is missing.
        what: String,
    },
    /// A topic does not exist.
    #[error(
        "{role} topic {topic} does not exist, {bootstrap}: create it (kafka-topics.sh --bootstrap-server {bootstrap} --create --topic {topic}) or correct its name"
    )]
    MissingTopic {
        /// The topic.
        topic: String,
        /// `source`, `output` or `dead-letter`.
        role: &'static str,
        /// The addresses.
        bootstrap: String,
    },
    /// Partitions that can be neither read nor written for now.
    #[error(
        "{without} of {partitions} partitions have no leader, {role} topic {topic}: see that their brokers are up"
    )]
    Leaderless {
        /// The topic.
        topic: String,
        /// `source`, `output` or `dead-letter`.
        role: &'static str,
        /// How many partitions have no leader.
        without: usize,
        /// How many partitions there are.
        partitions: usize,
    },
    /// Workers that would have nothing to read.
    #[error(
        "the source has {partitions} partitions for {workers} workers, so that some have nothing to do, {topics}: add partitions, or set `workers` to {partitions} at most"
    )]
    TooFewPartitions {
        /// The source topics, with commas between.
        topics: String,
        /// How many partitions they have together.
        partitions: usize,
        /// How many workers there are.
        workers: usize,
    },
    /// A pattern that no topic matches yet.
    #[error("no topic matches the pattern, source {pattern}: create one or correct the pattern")]
    UnmatchedPattern {
        /// The pattern.
        pattern: String,
    },
    /// The offset to go on from is not there: records were deleted before they were read, or the
    /// topic was made anew or has lost its end.
    #[error(
        "{}: set source.on_data_loss = \"continue\" to {}",
        out_of_range(topic, *partition, *offset, (*low, *high)),
        loss(*offset, *high).1
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
        "delivery failed {failures} times in a row ({code}), {place}: {}, then start again; nothing after the last delivered record is committed",
        remedy(*code),
        place = delivery_place(topic)
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
        "transactional id {id} was fenced twice within {seconds} s: another process uses it, give each its own `instance`"
    )]
    ProducerFenced {
        /// The id.
        id: String,
        /// Within how many seconds.
        seconds: u64,
    },
    /// Another member took over this static member's id.
    #[error(
        "another process is the same member of the group, group instance id {id}: give each process its own `instance`"
    )]
    Fenced {
        /// The id.
        id: String,
    },
    /// Another run of a replay is at work.
    #[error(
        "this replay runs already ({host}), group {group}: wait for it to end, or give this one a --name of its own"
    )]
    ReplayRuns {
        /// The replay's group.
        group: String,
        /// Where the other run is.
        host: String,
    },
    /// The group could not be left in time.
    #[error(
        "the shutdown took longer than {seconds} s, shutdown.timeout: raise it; what was not committed will be read again"
    )]
    ShutdownTimedOut {
        /// The limit, in seconds.
        seconds: u64,
    },
    /// The group was joined anew, with new clients, again and again.
    #[error(
        "the group was joined anew {failures} times in a row ({reason}), worker {worker}: check the brokers, then start again; it goes on from the last committed offsets"
    )]
    NoMember {
        /// The worker's number, from 0.
        worker: usize,
        /// Failures without progress between them.
        failures: u32,
        /// What went wrong last.
        reason: String,
    },
    /// A worker thread could not be started or died.
    #[error(
        "a worker died ({reason}), worker {worker}: start again, and report it if it was a bug"
    )]
    Worker {
        /// The worker's number, from 0.
        worker: usize,
        /// Why.
        reason: String,
    },
    /// Anything else that librdkafka reports and that cannot be recovered from.
    #[error(
        "{what} failed ({source}), kafka: see the brokers' log and the rights of this principal, then start again"
    )]
    Client {
        /// What was being done.
        what: String,
        /// librdkafka's error.
        source: ClientError,
    },
}

/// What has happened to a partition whose next offset is out of range, and how it would go on.
pub(super) fn loss(offset: i64, high: i64) -> (&'static str, &'static str) {
    if offset > high {
        (
            "the topic was made anew or has lost its end",
            "read it again from its first record",
        )
    } else {
        (
            "records were deleted before they were read",
            "go on with what is left",
        )
    }
}

/// A partition whose next offset is out of range, in words.
pub(super) fn out_of_range(
    topic: &str,
    partition: i32,
    offset: i64,
    (low, high): (i64, i64),
) -> String {
    let (what, _) = loss(offset, high);
    format!("{what} (offset {offset} is out of range, {low} to {high}), {topic} [{partition}]")
}

/// What to do about deliveries that keep failing.
fn remedy(code: RDKafkaErrorCode) -> &'static str {
    match code {
        RDKafkaErrorCode::InvalidTimestamp => {
            "compare the clocks of this host and the brokers, and message.timestamp.after.max.ms of the topic"
        }
        RDKafkaErrorCode::InvalidRecord => {
            "give the output a key if the topic is compacted, which takes no records without one"
        }
        RDKafkaErrorCode::TopicAuthorizationFailed => "grant WRITE on it to this principal",
        _ => "check the brokers and the topic",
    }
}

/// Where a delivery failed: the producer itself may, without a record and its topic.
fn delivery_place(topic: &str) -> String {
    if topic.is_empty() {
        "the producer".to_owned()
    } else {
        format!("topic {topic}")
    }
}

impl KafkaError {
    /// Wraps librdkafka's error with what was being done.
    pub(super) fn client(what: impl Into<String>, source: ClientError) -> Self {
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
                | Self::InvalidProperties { .. }
                | Self::Settings(_)
                | Self::Loop { .. }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_beyond_the_end_is_not_called_deleted_records() {
        let at = |offset| {
            let error = KafkaError::DataLoss {
                topic: "t".to_owned(),
                partition: 3,
                offset,
                low: 10,
                high: 20,
            };
            error.to_string()
        };
        assert_eq!(
            at(9),
            "records were deleted before they were read (offset 9 is out of range, 10 to 20), t [3]: set source.on_data_loss = \"continue\" to go on with what is left"
        );
        assert_eq!(
            at(21),
            "the topic was made anew or has lost its end (offset 21 is out of range, 10 to 20), t [3]: set source.on_data_loss = \"continue\" to read it again from its first record"
        );
    }

    #[test]
    fn a_producer_that_fails_without_a_topic_is_named_all_the_same() {
        let failed = |topic: &str| {
            let error = KafkaError::Delivery {
                topic: topic.to_owned(),
                failures: 1,
                code: RDKafkaErrorCode::Fenced,
            };
            error.to_string()
        };
        assert!(failed("").contains(", the producer: "), "{}", failed(""));
        assert!(failed("t").contains(", topic t: "), "{}", failed("t"));
    }
}
