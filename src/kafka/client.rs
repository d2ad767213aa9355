//! The librdkafka properties of consumers and producers: netsieve's own, and the user's over
//! them, except those that would break what netsieve promises.

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

use super::settings::KafkaSettings;

mod aliases;
mod check;
mod consumer;
mod inspector;
mod passed;
mod producer;

pub use check::check;
pub(crate) use check::refused;
pub use consumer::{StartAt, consumer, start_at};
pub use inspector::inspector;
pub(super) use inspector::{
    LETTERS_AHEAD_BYTES, administrator, inspector_as_producer, prober, reader,
};
pub use passed::reserved;
pub use producer::producer;
pub(super) use producer::transaction_timeout;

/// Largest record of a topic whose `max.message.bytes` is not known, in bytes: the brokers' own
/// default.
pub const DEFAULT_MAX_MESSAGE_BYTES: usize = 1_048_588;

/// What librdkafka takes as `message.max.bytes`; a topic's own limit may lie outside.
const MESSAGE_MAX_BYTES: std::ops::RangeInclusive<usize> = 1_000..=1_000_000_000;

/// The static member id of a worker.
pub fn member_id(settings: &KafkaSettings, worker: usize) -> String {
    format!("{}-{worker}", settings.instance)
}

/// What the clients of every kind have.
fn base(settings: &KafkaSettings, worker: usize) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set_log_level(RDKafkaLogLevel::Info);
    config.set("bootstrap.servers", &settings.bootstrap);
    config.set("client.id", member_id(settings, worker));
    config.set("statistics.interval.ms", "1000");
    // A small request need not wait until the one before it is acknowledged (Nagle's algorithm).
    config.set("socket.nagle.disable", "true");
    config
}

#[cfg(test)]
fn settings() -> KafkaSettings {
    KafkaSettings::new("127.0.0.1:9", "in", vec!["out".to_owned()], "dead", "g")
}
