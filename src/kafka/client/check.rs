//! Properties held against what librdkafka takes, without connecting anywhere.

use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::KafkaError as ClientError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, ProducerContext};
use rdkafka::types::RDKafkaConfRes;
use rdkafka::{ClientConfig, ClientContext};

use super::{DEFAULT_MAX_MESSAGE_BYTES, consumer, producer, start_at};
use crate::kafka::error::KafkaError;
use crate::kafka::settings::KafkaSettings;

/// Checks every property, and that they go together, by making a client of each kind. Nothing is
/// connected: these clients know no brokers.
pub fn check(settings: &KafkaSettings) -> Result<(), KafkaError> {
    start_at(settings)?;
    let consumer = consumer(settings, 0)?;
    let limit = DEFAULT_MAX_MESSAGE_BYTES;
    let producer = producer(settings, 0, limit, limit)?;
    make::<BaseConsumer<Unheard>>(consumer, "consumer")
        .and_then(|()| make::<BaseProducer<Unheard>>(producer, "producer"))
        .map_err(|error| without_values(error, settings))
}

/// What librdkafka says of properties that do not go together may repeat values, and these may be
/// secrets.
fn without_values(error: KafkaError, settings: &KafkaSettings) -> KafkaError {
    const SHORTEST_SECRET: usize = 4;
    let KafkaError::InvalidProperties { side, mut reason } = error else {
        return error;
    };
    let values = settings.consumer.values().chain(settings.producer.values());
    for value in values.filter(|value| value.len() >= SHORTEST_SECRET) {
        reason = reason.replace(value.as_str(), "…");
    }
    KafkaError::InvalidProperties { side, reason }
}

/// Makes a client, only to see whether it can be made.
pub(super) fn make<C: FromClientConfigAndContext<Unheard>>(
    mut config: ClientConfig,
    side: &'static str,
) -> Result<(), KafkaError> {
    config.remove("bootstrap.servers");
    let made = C::from_config_and_context(&config, Unheard);
    made.map(drop).map_err(|error| refused(&error, side))
}

/// Nobody listens to a client that is made only to be dropped.
pub(super) struct Unheard;

impl ClientContext for Unheard {
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}
    fn error(&self, _: ClientError, _: &str) {}
}

impl ConsumerContext for Unheard {}

impl ProducerContext for Unheard {
    type DeliveryOpaque = ();
    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}

/// librdkafka's refusal of a property, without the value.
pub(crate) fn refused(error: &ClientError, side: &'static str) -> KafkaError {
    match error {
        // librdkafka's own reason repeats the value.
        ClientError::ClientConfig(result, _, property, _) => KafkaError::InvalidProperty {
            property: property.clone(),
            side,
            reason: match result {
                RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN => "there is no such property".to_owned(),
                _ => "the value is not one that it takes".to_owned(),
            },
        },
        ClientError::ClientCreation(reason) => KafkaError::InvalidProperties {
            side,
            reason: reason.replace(['\n', '\r'], " "),
        },
        other => KafkaError::InvalidProperties {
            side,
            reason: other.to_string(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::settings;
    use super::*;
    use crate::kafka::settings::GroupProtocol;

    #[test]
    fn a_refusal_shows_no_values() {
        let mut settings = settings();
        let given = [
            ("security.protocol", "SASL_SSL"),
            ("sasl.mechanisms", "HUSHHUSH"),
            ("sasl.password", "geheim"),
        ];
        for (property, value) in given {
            settings
                .consumer
                .insert(property.to_owned(), value.to_owned());
            settings
                .producer
                .insert(property.to_owned(), value.to_owned());
        }
        let error = check(&settings).unwrap_err().to_string();
        assert!(error.contains("mechanism"), "{error}");
        assert!(
            !error.contains("HUSHHUSH") && !error.contains("geheim"),
            "{error}"
        );
    }

    #[test]
    fn the_defaults_are_accepted_by_librdkafka() {
        check(&settings()).unwrap();
        let mut kip_848 = settings();
        kip_848.group_protocol = GroupProtocol::Consumer;
        check(&kip_848).unwrap();
    }

    #[test]
    fn a_wrong_value_is_refused_without_being_shown() {
        for (is_consumer, property) in [(true, "ssl.ca.locatoin"), (false, "compression.type")] {
            let mut settings = settings();
            let side = if is_consumer {
                &mut settings.consumer
            } else {
                &mut settings.producer
            };
            side.insert(property.to_owned(), "hunter2".to_owned());
            let error = check(&settings).unwrap_err().to_string();
            assert!(error.contains(property), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn properties_that_do_not_go_together_are_refused_by_librdkafkas_reason() {
        let mut settings = settings();
        let properties = [
            ("security.protocol", "ssl"),
            ("ssl.ca.location", "/nonexistent/ca.pem"),
        ];
        for (name, value) in properties {
            settings.consumer.insert(name.to_owned(), value.to_owned());
        }
        let error = check(&settings).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("consumer") && text.contains("ssl.ca.location"),
            "{text}"
        );
        assert!(!text.contains('\n'), "{text}");
        assert!(error.is_configuration());
    }
}
