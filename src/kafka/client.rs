//! The librdkafka properties of consumers and producers: netsieve's own, and the user's over
//! them, except those that would break what netsieve promises.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::KafkaError as ClientError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, ProducerContext};
use rdkafka::types::RDKafkaConfRes;
use rdkafka::{ClientConfig, ClientContext};

use super::error::KafkaError;
use super::settings::{GroupProtocol, Guarantee, KafkaSettings};
use super::transaction;

mod aliases;

/// Largest record of a topic whose `max.message.bytes` is not known, in bytes: the brokers' own
/// default.
pub const DEFAULT_MAX_MESSAGE_BYTES: usize = 1_048_588;

/// What librdkafka takes as `message.max.bytes`; a topic's own limit may lie outside.
const MESSAGE_MAX_BYTES: std::ops::RangeInclusive<usize> = 1_000..=1_000_000_000;

/// How long librdkafka tries to deliver one record before it reports a failure, in milliseconds.
const MESSAGE_TIMEOUT_MS: &str = "8000";

const BOOTSTRAP: &str = "set `kafka.bootstrap` instead";
const OFFSETS: &str = "offsets are committed only when every event and dead letter is acknowledged";
const COMMITTED: &str = "only committed records may be read";
const ORDER: &str = "records must be delivered once and in order";
const LIMITS: &str = "it follows from max.message.bytes of the topics";
const ROOM: &str = "netsieve itself bounds what is in flight, by its bytes";

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
fn let_fetches_be_small(config: &mut ClientConfig) {
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

/// The static member id of a worker.
pub fn member_id(settings: &KafkaSettings, worker: usize) -> String {
    format!("{}-{worker}", settings.instance)
}

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
pub(super) fn transaction_timeout(settings: &KafkaSettings) -> Duration {
    let own = settings.producer.get(TRANSACTION_TIMEOUT);
    // What is no number librdkafka has refused.
    let own = own.and_then(|value| value.trim().parse().ok());
    Duration::from_millis(own.unwrap_or(TRANSACTION_TIMEOUT_MS))
}

/// librdkafka's own `batch.size`.
const DEFAULT_BATCH_BYTES: usize = 1_000_000;

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
pub(super) const LETTERS_AHEAD_BYTES: usize = 4 << 20;

/// The properties of a client that reads a topic from any place, as a reader of committed records
/// and without joining the group.
pub(super) fn reader(settings: &KafkaSettings) -> Result<ClientConfig, KafkaError> {
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
pub(super) fn inspector_as_producer(settings: &KafkaSettings) -> ClientConfig {
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
pub(super) fn administrator(settings: &KafkaSettings) -> Result<ClientConfig, KafkaError> {
    let mut config = base(settings, 0);
    config.set("client.id", check_name(settings));
    pass_through(&mut config, &settings.producer, "producer")?;
    Ok(config)
}

/// The properties of a producer like the first worker's that writes nothing. Exactly once, its
/// transactional id is no worker's: [`transaction::check_id`].
pub(super) fn prober(settings: &KafkaSettings) -> Result<ClientConfig, KafkaError> {
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

fn pass_through(
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

fn make<C: FromClientConfigAndContext<Unheard>>(
    mut config: ClientConfig,
    side: &'static str,
) -> Result<(), KafkaError> {
    config.remove("bootstrap.servers");
    let made = C::from_config_and_context(&config, Unheard);
    made.map(drop).map_err(|error| refused(&error, side))
}

/// Nobody listens to a client that is made only to be dropped.
struct Unheard;

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
    use super::*;

    fn settings() -> KafkaSettings {
        KafkaSettings::new("127.0.0.1:9", "in", vec!["out".to_owned()], "dead", "g")
    }

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

    #[test]
    fn limits_of_topics_that_librdkafka_does_not_know_are_brought_into_its_range() {
        for (topic_takes, message_max_bytes) in [(0, "1000"), (2_147_483_647, "1000000000")] {
            let config = producer(&settings(), 0, topic_takes, topic_takes).unwrap();
            assert_eq!(config.get("message.max.bytes"), Some(message_max_bytes));
            config.create_native_config().unwrap();
        }
    }

    #[test]
    fn a_wrong_value_is_refused_without_being_shown() {
        let mut settings = settings();
        let secret = "hunter2".to_owned();
        settings
            .consumer
            .insert("ssl.ca.locatoin".to_owned(), secret);
        let error = check(&settings).unwrap_err().to_string();
        assert!(error.contains("ssl.ca.locatoin"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
        let mut settings = self::settings();
        let secret = "hunter2".to_owned();
        settings
            .producer
            .insert("compression.type".to_owned(), secret);
        let error = check(&settings).unwrap_err().to_string();
        assert!(error.contains("compression.type"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
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
