//! The properties of clients that ask, read or try out, and do no worker's work.

use rdkafka::ClientConfig;

use super::consumer::let_fetches_be_small;
use super::passed::pass_through;
use super::{DEFAULT_MAX_MESSAGE_BYTES, base, producer};
use crate::kafka::error::KafkaError;
use crate::kafka::settings::{Guarantee, KafkaSettings};
use crate::kafka::transaction;

/// The properties of a client that only asks about topics and the group's offsets. It joins no
/// group unless it subscribes.
pub fn inspector(settings: &KafkaSettings) -> Result<ClientConfig, KafkaError> {
    let mut config = base(settings, 0);
    config.set("client.id", check_name(settings));
    config.set("group.id", &settings.group);
    pass_through(&mut config, &settings.consumer, "consumer")?;
    config.set("auto.offset.reset", "error");
    config.set("allow.auto.create.topics", "false");
    let_fetches_be_small(&mut config);
    Ok(config)
}

/// Dead letters that are read ahead at most, in bytes of keys and values: librdkafka does not count
/// headers, of which they have many.
pub(in crate::kafka) const LETTERS_AHEAD_BYTES: usize = 4 << 20;

/// The properties of a client that reads a topic from any place, as a reader of committed records
/// and without joining the group.
pub(in crate::kafka) fn reader(settings: &KafkaSettings) -> Result<ClientConfig, KafkaError> {
    let mut config = inspector(settings)?;
    let read_ahead_bytes = settings.memory.max_read_ahead_bytes;
    let read_ahead_bytes = read_ahead_bytes.clamp(1 << 20, LETTERS_AHEAD_BYTES);
    for (key, value) in [
        ("enable.auto.commit", "false"),
        ("enable.auto.offset.store", "false"),
        ("isolation.level", "read_committed"),
        ("enable.partition.eof", "true"),
        // What is deleted while it is being read is gone.
        ("auto.offset.reset", "earliest"),
        ("fetch.queue.backoff.ms", "5"),
    ] {
        config.set(key, value);
    }
    config.set(
        "queued.max.messages.kbytes",
        (read_ahead_bytes >> 10).to_string(),
    );
    config.set("fetch.max.bytes", read_ahead_bytes.to_string());
    let_fetches_be_small(&mut config);
    Ok(config)
}

/// How the names of properties begin that say whom a client connects to and as whom, and that
/// clients of each kind take.
const CONNECTION: &[&str] = &[
    "security.",
    "sasl.",
    "ssl.",
    "enable.ssl.",
    "enable.sasl.",
    "https.",
    "socket.",
    "broker.",
];

/// The properties of a client that asks about the topics that are written to, with the
/// credentials of a producer.
pub(in crate::kafka) fn inspector_as_producer(settings: &KafkaSettings) -> ClientConfig {
    let mut config = base(settings, 0);
    config.set("client.id", check_name(settings));
    let connects = |key: &str| CONNECTION.iter().any(|begin| key.starts_with(begin));
    for (key, value) in settings.producer.iter().filter(|(key, _)| connects(key)) {
        config.set(key, value);
    }
    config.set("allow.auto.create.topics", "false");
    config
}

/// The properties of a client that only asks about the configuration of topics.
pub(in crate::kafka) fn administrator(
    settings: &KafkaSettings,
) -> Result<ClientConfig, KafkaError> {
    let mut config = base(settings, 0);
    config.set("client.id", check_name(settings));
    pass_through(&mut config, &settings.producer, "producer")?;
    Ok(config)
}

/// The properties of a producer like the first worker's that writes nothing. Exactly once, its
/// transactional id is no worker's: [`transaction::check_id`].
pub(in crate::kafka) fn prober(settings: &KafkaSettings) -> Result<ClientConfig, KafkaError> {
    let limit = DEFAULT_MAX_MESSAGE_BYTES;
    let mut config = producer(settings, 0, limit, limit)?;
    config.set("client.id", check_name(settings));
    // They tell when the brokers have given it a producer id.
    config.set("statistics.interval.ms", "50");
    if settings.guarantee == Guarantee::ExactlyOnce {
        config.set("transactional.id", transaction::check_id(settings));
    }
    Ok(config)
}

/// The client id of those that only ask.
fn check_name(settings: &KafkaSettings) -> String {
    format!("{}-check", settings.instance)
}

#[cfg(test)]
mod tests {
    use super::super::settings;
    use super::*;

    #[test]
    fn who_asks_about_what_is_written_is_who_writes_it() {
        let mut settings = settings();
        let reader = ("sasl.username".to_owned(), "reader".to_owned());
        settings.consumer.extend([reader]);
        for (key, value) in [("sasl.username", "writer"), ("linger.ms", "9")] {
            settings.producer.insert(key.to_owned(), value.to_owned());
        }
        let config = inspector_as_producer(&settings);
        assert_eq!(config.get("sasl.username"), Some("writer"));
        // A consumer would warn of it.
        assert_eq!(config.get("linger.ms"), None);
        assert_eq!(config.get("allow.auto.create.topics"), Some("false"));
        let config = inspector(&settings).unwrap();
        assert_eq!(config.get("sasl.username"), Some("reader"));
    }

    #[test]
    fn a_check_has_a_transactional_id_of_its_own() {
        let mut settings = settings();
        settings.guarantee = Guarantee::AtLeastOnce;
        assert_eq!(prober(&settings).unwrap().get("transactional.id"), None);
        settings.guarantee = Guarantee::ExactlyOnce;
        let id = |config: ClientConfig| config.get("transactional.id").map(str::to_owned);
        let worker = id(producer(&settings, 0, 5_000, 5_000).unwrap()).unwrap();
        let check = id(prober(&settings).unwrap());
        assert_eq!(check, Some(format!("{worker}-check")));
    }
}
