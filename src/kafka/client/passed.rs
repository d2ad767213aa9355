//! What passes of the user's own properties: not what would break what netsieve promises.

use std::collections::BTreeMap;

use rdkafka::ClientConfig;

use super::aliases;
use crate::kafka::error::KafkaError;

const BOOTSTRAP: &str = "set `kafka.bootstrap` instead";
const OFFSETS: &str = "offsets are committed only when every event and dead letter is acknowledged";
const COMMITTED: &str = "only committed records may be read";
const ORDER: &str = "records must be delivered once and in order";
const LIMITS: &str = "it follows from max.message.bytes of the topics";
const ROOM: &str = "netsieve itself bounds what is in flight, by its bytes";

/// Properties that are not passed through, and why.
const RESERVED: &[(&str, &str)] = &[
    ("bootstrap.servers", BOOTSTRAP),
    ("metadata.broker.list", BOOTSTRAP),
    ("enable.auto.commit", OFFSETS),
    ("enable.auto.offset.store", OFFSETS),
    ("auto.commit.enable", OFFSETS),
    ("auto.commit.interval.ms", "set `commit.interval` instead"),
    ("isolation.level", COMMITTED),
    ("enable.partition.eof", "the lag is told by it"),
    (
        "partition.assignment.strategy",
        "rebalances are cooperative-sticky",
    ),
    ("group.id", "set `source.group` instead"),
    ("group.instance.id", "set `kafka.static_membership` instead"),
    ("group.protocol", "set `kafka.group_protocol` instead"),
    ("client.id", "set `instance` instead"),
    ("enable.idempotence", ORDER),
    ("enable.gapless.guarantee", ORDER),
    ("acks", ORDER),
    ("request.required.acks", ORDER),
    ("transactional.id", "set `delivery` instead"),
    ("delivery.report.only.error", "every delivery is counted"),
    ("message.max.bytes", LIMITS),
    ("queue.buffering.max.kbytes", ROOM),
    ("queue.buffering.max.messages", ROOM),
    (
        "statistics.interval.ms",
        "lag and confirmed commits are told by the statistics",
    ),
    ("test.mock.num.brokers", "run `netsieve demo` instead"),
];

/// Why a property is not passed through, where it is not.
pub fn reserved(property: &str) -> Option<&'static str> {
    let found = RESERVED.iter().find(|(reserved, _)| *reserved == property);
    found.map(|(_, why)| *why)
}

/// Sets the user's properties of one side, over ours.
pub(super) fn pass_through(
    config: &mut ClientConfig,
    properties: &BTreeMap<String, String>,
    side: &'static str,
) -> Result<(), KafkaError> {
    for (key, value) in properties {
        if let Some(why) = reserved(key) {
            return Err(KafkaError::ReservedProperty {
                property: key.clone(),
                side,
                why,
            });
        }
        if let Some(other) = aliases::other_name(key) {
            if properties.contains_key(other) {
                let reason = format!("`{key}` and `{other}` are one property");
                return Err(KafkaError::InvalidProperties { side, reason });
            }
            // Ours, which would hold as often as not.
            config.remove(other);
        }
        config.set(key, value);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rdkafka::error::KafkaError as ClientError;
    use rdkafka::types::RDKafkaConfRes;

    use super::super::{check, settings};
    use super::*;

    #[test]
    fn librdkafka_knows_every_reserved_property() {
        for (property, _) in RESERVED {
            let tried = ClientConfig::new()
                .set(*property, "")
                .create_native_config();
            let unknown = matches!(
                tried,
                Err(ClientError::ClientConfig(
                    RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN,
                    ..
                ))
            );
            assert!(!unknown, "{property}");
        }
    }

    #[test]
    fn what_would_break_the_guarantee_is_refused_by_name() {
        for (property, _) in RESERVED {
            let mut settings = settings();
            settings
                .consumer
                .insert((*property).to_owned(), "x".to_owned());
            let error = check(&settings).unwrap_err();
            assert!(error.to_string().contains(property), "{error}");
            assert!(error.is_configuration());
        }
    }
}
