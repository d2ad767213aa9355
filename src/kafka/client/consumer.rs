//! The properties of a worker's consumer.

use rdkafka::ClientConfig;

use super::passed::pass_through;
use super::{MESSAGE_MAX_BYTES, base, member_id};
use crate::kafka::error::KafkaError;
use crate::kafka::settings::{GroupProtocol, KafkaSettings};

/// Where a partition is first read from, when the group has no offset of it yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StartAt {
    /// The first record there is.
    #[default]
    Earliest,
    /// The next record to come.
    Latest,
}

/// Where new partitions start, from the `auto.offset.reset` that was passed through.
///
/// librdkafka itself is always told `error`: it cannot tell a first start from records that were
/// deleted before they were read, so netsieve looks the starting offsets up itself and an offset
/// that is out of range comes to light.
pub fn start_at(settings: &KafkaSettings) -> Result<StartAt, KafkaError> {
    match settings.consumer.get("auto.offset.reset") {
        None => Ok(StartAt::Earliest),
        Some(value) => match value.as_str() {
            "earliest" | "smallest" | "beginning" => Ok(StartAt::Earliest),
            "latest" | "largest" | "end" => Ok(StartAt::Latest),
            _ => Err(KafkaError::ReservedProperty {
                property: "auto.offset.reset".to_owned(),
                side: "consumer",
                why: "it must be earliest or latest; offsets out of range are `source.on_data_loss`",
            }),
        },
    }
}

/// The part of what may be read ahead that one answer to a fetch may have.
const FETCHES_AHEAD: usize = 16;
/// The least that an answer to a fetch may have. A larger message comes all the same.
const LEAST_FETCH_BYTES: usize = 64 << 10;

/// The properties of a worker's consumer.
pub fn consumer(settings: &KafkaSettings, worker: usize) -> Result<ClientConfig, KafkaError> {
    let mut config = base(settings, worker);
    let read_ahead_bytes = settings.memory.max_read_ahead_bytes.max(1 << 20);
    for (key, value) in [
        ("group.id", settings.group.as_str()),
        ("enable.auto.commit", "false"),
        ("enable.auto.offset.store", "false"),
        ("isolation.level", "read_committed"),
        ("enable.partition.eof", "true"),
        ("auto.offset.reset", "error"),
        ("allow.auto.create.topics", "false"),
        // The default of 1 s starves a fast consumer whenever its queue was full for a moment.
        ("fetch.queue.backoff.ms", "5"),
        // How soon a new topic of a pattern is found.
        ("topic.metadata.refresh.interval.ms", "30000"),
    ] {
        config.set(key, value);
    }
    let kilobytes = (read_ahead_bytes >> 10).to_string();
    config.set("queued.max.messages.kbytes", kilobytes);
    // What is fetched is compressed, often to a tenth, and is unpacked whole, over and above what
    // is read ahead already.
    let fetch_bytes = (read_ahead_bytes / FETCHES_AHEAD).max(LEAST_FETCH_BYTES);
    config.set("fetch.max.bytes", fetch_bytes.to_string());
    config.set("fetch.message.max.bytes", (fetch_bytes / 4).to_string());
    membership(&mut config, settings, worker)?;
    pass_through(&mut config, &settings.consumer, "consumer")?;
    config.set("auto.offset.reset", "error");
    let_fetches_be_small(&mut config);
    Ok(config)
}

/// Sets `message.max.bytes` of a consumer: it bounds no message there, but librdkafka refuses
/// fetches that are smaller.
pub(super) fn let_fetches_be_small(config: &mut ClientConfig) {
    let fetch_bytes = config.get("fetch.max.bytes");
    let Some(bytes) = fetch_bytes.and_then(|bytes| bytes.parse::<usize>().ok()) else {
        return;
    };
    let bytes = bytes.clamp(*MESSAGE_MAX_BYTES.start(), *MESSAGE_MAX_BYTES.end());
    config.set("message.max.bytes", bytes.to_string());
}

fn membership(
    config: &mut ClientConfig,
    settings: &KafkaSettings,
    worker: usize,
) -> Result<(), KafkaError> {
    match settings.group_protocol {
        GroupProtocol::Classic => {
            config.set("group.protocol", "classic");
            config.set("partition.assignment.strategy", "cooperative-sticky");
            // After a crash the group goes on within one session.
            config.set("session.timeout.ms", "8000");
            config.set("heartbeat.interval.ms", "2000");
        }
        GroupProtocol::Consumer => {
            for property in ["session.timeout.ms", "heartbeat.interval.ms"] {
                if settings.consumer.contains_key(property) {
                    return Err(KafkaError::ReservedProperty {
                        property: property.to_owned(),
                        side: "consumer",
                        why: "with the consumer group protocol the broker sets it",
                    });
                }
            }
            if settings.static_membership {
                return Err(KafkaError::Settings(
                    "static membership does not survive a crash under the consumer group protocol, kafka.static_membership: use one of the two"
                        .to_owned(),
                ));
            }
            config.set("group.protocol", "consumer");
        }
    }
    if settings.static_membership {
        config.set("group.instance.id", member_id(settings, worker));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rdkafka::consumer::BaseConsumer;

    use super::super::check::{Unheard, check, make};
    use super::super::{inspector, reader, settings};
    use super::*;

    #[test]
    fn fetches_may_be_as_small_or_large_as_the_user_says() {
        for bytes in ["1000", "500000", "50000000", "2147483135"] {
            let mut settings = settings();
            settings.memory.max_read_ahead_bytes = 64 << 20;
            let fetch = ("fetch.max.bytes".to_owned(), bytes.to_owned());
            settings.consumer.extend([fetch]);
            check(&settings).unwrap();
            for config in [inspector(&settings), reader(&settings)] {
                make::<BaseConsumer<Unheard>>(config.unwrap(), "consumer").unwrap();
            }
        }
    }

    #[test]
    fn a_first_start_is_where_the_user_says_and_librdkafka_never_resets() {
        let mut settings = settings();
        assert_eq!(start_at(&settings).unwrap(), StartAt::Earliest);
        let latest = ("auto.offset.reset".to_owned(), "latest".to_owned());
        settings.consumer.extend([latest]);
        assert_eq!(start_at(&settings).unwrap(), StartAt::Latest);
        let config = consumer(&settings, 0).unwrap();
        assert_eq!(config.get("auto.offset.reset"), Some("error"));
        let none = ("auto.offset.reset".to_owned(), "none".to_owned());
        settings.consumer.extend([none]);
        assert!(check(&settings).is_err());
    }

    #[test]
    fn the_two_kinds_of_membership_exclude_each_other() {
        let mut settings = settings();
        settings.static_membership = true;
        let config = consumer(&settings, 2).unwrap();
        assert_eq!(config.get("group.instance.id"), Some("netsieve-2"));
        settings.group_protocol = GroupProtocol::Consumer;
        assert!(check(&settings).is_err());
    }
}
