//! The properties of a worker's producer.

use std::time::Duration;

use rdkafka::ClientConfig;

use super::passed::pass_through;
use super::{MESSAGE_MAX_BYTES, base};
use crate::kafka::error::KafkaError;
use crate::kafka::settings::{Guarantee, KafkaSettings};
use crate::kafka::transaction;

/// How long librdkafka tries to deliver one record before it reports a failure, in milliseconds.
const MESSAGE_TIMEOUT_MS: &str = "8000";

/// librdkafka's own `batch.size`.
const DEFAULT_BATCH_BYTES: usize = 1_000_000;

/// How long the brokers leave a transaction open, in milliseconds. After a crash those who read
/// committed records only wait so long, and at most 10 s more, for what was in the air.
const TRANSACTION_TIMEOUT_MS: u64 = 10_000;
const TRANSACTION_TIMEOUT: &str = "transaction.timeout.ms";

/// How long a connection may be idle, in milliseconds, while a transactional call can be under way.
///
/// Adding offsets to a transaction asks the group's coordinator, and librdkafka (2.12.1) takes up a
/// question that was lost only when the state of a connection changes, without any limit of time:
/// after an outage of all brokers the call may wait for ever although all of them are back. While
/// it waits nothing is sent; so the connections are closed, opened again, and it goes on.
const IDLE_CONNECTION_MS: &str = "10000";

/// The properties of a worker's producer, for topics that take records of up to
/// `max_message_bytes` and batches of up to `max_batch_bytes`.
pub fn producer(
    settings: &KafkaSettings,
    worker: usize,
    max_message_bytes: usize,
    max_batch_bytes: usize,
) -> Result<ClientConfig, KafkaError> {
    let mut config = base(settings, worker);
    let max_message_bytes =
        max_message_bytes.clamp(*MESSAGE_MAX_BYTES.start(), *MESSAGE_MAX_BYTES.end());
    // A queue that is smaller than a record would never take it.
    let queue_bytes = settings
        .memory
        .max_in_flight_bytes
        .max(2 * max_message_bytes);
    let kilobytes = (queue_bytes >> 10) + 1;
    for (key, value) in [
        ("enable.idempotence", "true"),
        ("partitioner", "murmur2_random"),
        ("compression.type", "lz4"),
        // Under load records gather while the requests before them are on their way; without
        // load there is nothing to wait for.
        ("linger.ms", "0"),
        ("message.timeout.ms", MESSAGE_TIMEOUT_MS),
        // Bounded by bytes alone, which the worker counts with every record's overhead.
        ("queue.buffering.max.messages", "0"),
    ] {
        config.set(key, value);
    }
    config.set("queue.buffering.max.kbytes", kilobytes.to_string());
    if settings.guarantee == Guarantee::ExactlyOnce {
        config.set("transactional.id", transaction::id(settings, worker));
        config.set(TRANSACTION_TIMEOUT, TRANSACTION_TIMEOUT_MS.to_string());
        config.set("connections.max.idle.ms", IDLE_CONNECTION_MS);
    }
    pass_through(&mut config, &settings.producer, "producer")?;
    config.set("message.max.bytes", max_message_bytes.to_string());
    let wished = settings.producer.get("batch.size");
    let wished = wished.and_then(|bytes| bytes.parse().ok());
    let batch_bytes = max_batch_bytes
        .min(wished.unwrap_or(DEFAULT_BATCH_BYTES))
        .max(1);
    config.set("batch.size", batch_bytes.to_string());
    Ok(config)
}

/// How long the brokers leave a transaction of these settings open.
pub(in crate::kafka) fn transaction_timeout(settings: &KafkaSettings) -> Duration {
    let own = settings.producer.get(TRANSACTION_TIMEOUT);
    // librdkafka also takes other spellings of a number, which nobody uses.
    let own = own.and_then(|value| value.trim().parse().ok());
    Duration::from_millis(own.unwrap_or(TRANSACTION_TIMEOUT_MS))
}

#[cfg(test)]
mod tests {
    use super::super::settings;
    use super::*;

    #[test]
    fn the_time_out_of_a_transaction_may_be_the_users() {
        let mut settings = settings();
        let of = |settings: &KafkaSettings| {
            let config = producer(settings, 0, 1_000, 1_000).unwrap();
            let told = config.get(TRANSACTION_TIMEOUT).unwrap().parse().unwrap();
            assert_eq!(transaction_timeout(settings), Duration::from_millis(told));
            told
        };
        assert_eq!(of(&settings), TRANSACTION_TIMEOUT_MS);
        let own = (TRANSACTION_TIMEOUT.to_owned(), "60000".to_owned());
        settings.producer.insert(own.0, own.1);
        assert_eq!(of(&settings), 60_000);
    }

    #[test]
    fn the_users_properties_go_over_ours() {
        let mut settings = settings();
        let properties = [("compression.type", "zstd"), ("batch.size", "1000")];
        for (key, value) in properties {
            settings.producer.insert(key.to_owned(), value.to_owned());
        }
        let config = producer(&settings, 0, 5_000_000, 2_000_000).unwrap();
        assert_eq!(config.get("compression.type"), Some("zstd"));
        assert_eq!(config.get("batch.size"), Some("1000"));
        assert_eq!(config.get("message.max.bytes"), Some("5000000"));
        config.create_native_config().unwrap();
    }

    #[test]
    fn limits_of_topics_that_librdkafka_does_not_know_are_brought_into_its_range() {
        for (topic_takes, message_max_bytes) in [(0, "1000"), (2_147_483_647, "1000000000")] {
            let config = producer(&settings(), 0, topic_takes, topic_takes).unwrap();
            assert_eq!(config.get("message.max.bytes"), Some(message_max_bytes));
            config.create_native_config().unwrap();
        }
    }
}
