//! The properties that librdkafka knows by two names.

/// Properties of two names for librdkafka: of both, the one that is set last holds, and a
/// [`rdkafka::ClientConfig`] has no order.
///
/// Source: the aliases of librdkafka 2.12.1, without those of which both names are reserved.
const TWO_NAMES: &[(&str, &str)] = &[
    ("compression.type", "compression.codec"),
    ("delivery.timeout.ms", "message.timeout.ms"),
    ("linger.ms", "queue.buffering.max.ms"),
    ("max.in.flight", "max.in.flight.requests.per.connection"),
    ("max.partition.fetch.bytes", "fetch.message.max.bytes"),
    ("retries", "message.send.max.retries"),
    ("sasl.mechanism", "sasl.mechanisms"),
    (
        "sasl.oauthbearer.client.credentials.client.id",
        "sasl.oauthbearer.client.id",
    ),
    (
        "sasl.oauthbearer.client.credentials.client.secret",
        "sasl.oauthbearer.client.secret",
    ),
];

/// The other name of a property, where it has two.
pub(super) fn other_name(property: &str) -> Option<&'static str> {
    TWO_NAMES.iter().find_map(|&(one, other)| match property {
        _ if property == one => Some(other),
        _ if property == other => Some(one),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use rdkafka::ClientConfig;

    use super::super::{check, consumer, producer, settings};
    use super::*;

    #[test]
    fn the_users_properties_go_over_ours_by_either_name() {
        let native = |config: &ClientConfig, name: &str| {
            let config = config.create_native_config().unwrap();
            config.get(name).unwrap()
        };
        // A map that is made anew has another order.
        for _ in 0..20 {
            let mut settings = settings();
            let (consumes, produces) = (&mut settings.consumer, &mut settings.producer);
            consumes.insert("max.partition.fetch.bytes".to_owned(), "77".to_owned());
            for (key, value) in [
                ("compression.codec", "zstd"),
                ("delivery.timeout.ms", "7000"),
                ("queue.buffering.max.ms", "7"),
            ] {
                produces.insert(key.to_owned(), value.to_owned());
            }
            let config = consumer(&settings, 0).unwrap();
            assert_eq!(native(&config, "fetch.message.max.bytes"), "77");
            let config = producer(&settings, 0, 5_000, 5_000).unwrap();
            assert_eq!(native(&config, "compression.codec"), "zstd");
            assert_eq!(native(&config, "queue.buffering.max.ms"), "7");
            // It is a property of topics, which cannot be asked for there.
            assert_eq!(config.get("delivery.timeout.ms"), Some("7000"));
            assert_eq!(config.get("message.timeout.ms"), None);
        }
    }

    #[test]
    fn a_property_is_not_set_by_both_of_its_names() {
        for (one, other) in TWO_NAMES {
            let mut settings = settings();
            for name in [one, other] {
                settings.producer.insert((*name).to_owned(), "1".to_owned());
            }
            let error = check(&settings).unwrap_err();
            let text = error.to_string();
            assert!(text.contains(one) && text.contains(other), "{text}");
            assert!(error.is_configuration());
        }
    }
}
