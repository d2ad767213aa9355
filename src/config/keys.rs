//! Every key of the configuration: its path, its form, its default and its meaning. Reading,
//! error messages, documentation and the example file are made from this list.

/// One key.
#[derive(Debug)]
pub struct Key {
    /// Section and name; `outputs[].topic` is a key of each output.
    pub path: &'static str,
    /// What its value looks like.
    pub form: Form,
    /// The default, in TOML; absent where it is worked out or where the key must be given.
    pub default: Option<&'static str>,
    /// What it means, in a sentence or two.
    pub meaning: &'static str,
}

/// What the value of a key looks like, and its bounds, both included.
#[derive(Debug)]
pub enum Form {
    /// Text.
    Text,
    /// Letters, digits, `.`, `_` and `-`: what Kafka allows in a topic's name.
    Name,
    /// One text or a list of texts.
    Texts,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// Any of these words, in a list.
    AnyOf(&'static [&'static str]),
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Whole(u64, u64),
    /// A number between 0 and 1.
    Share,
    /// Bytes: a whole number, or text such as `"16 MiB"`.
    Size(u64, u64),
    /// Text such as `"100ms"`, `"30s"`, `"5m"` or `"1h"`; the bounds are milliseconds.
    Duration(u64, u64),
    /// Brokers, `HOST:PORT` with commas between.
    Brokers,
    /// `"ADDRESS:PORT"` or `"off"`.
    Address,
    /// A list of tables.
    Tables,
    /// A table of conditions on events.
    Filter,
    /// Text that is never shown, and may refer: `${env:NAME}`, `${file:PATH}`.
    Secret,
}

const fn key(path: &'static str, form: Form, default: &'static str, meaning: &'static str) -> Key {
    Key {
        path,
        form,
        default: Some(default),
        meaning,
    }
}

const fn key_without_default(path: &'static str, form: Form, meaning: &'static str) -> Key {
    Key {
        path,
        form,
        default: None,
        meaning,
    }
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const SECOND: u64 = 1_000;
const HOUR: u64 = 3_600 * SECOND;

/// Names of the warnings, in order.
const WARNINGS: &[&str] = &{
    use crate::pipeline::code::Warning;
    let mut names = [""; Warning::ALL.len()];
    let mut index = 0;
    while index < names.len() {
        names[index] = Warning::ALL[index].name();
        index += 1;
    }
    names
};

/// Names of the enrichments, in order.
const ENRICHMENTS: &[&str] = &{
    use crate::pipeline::enrich::Enrichment;
    let mut names = [""; Enrichment::ALL.len()];
    let mut index = 0;
    while index < names.len() {
        names[index] = Enrichment::ALL[index].name();
        index += 1;
    }
    names
};

/// Every key, section by section. Below `kafka`, `kafka.consumer` and `kafka.producer` any
/// property of librdkafka is a key as well.
pub const KEYS: &[Key] = &[
    key(
        "delivery",
        Form::OneOf(&["exactly_once", "at_least_once"]),
        "\"exactly_once\"",
        "What holds after a crash: with `exactly_once` readers of committed records (`isolation.level=read_committed`) see every event and dead letter once; with `at_least_once` some events may come again, under the same `event_id`, and all are seen a little sooner. See docs/delivery.md.",
    ),
    key(
        "workers",
        Form::Whole(1, 256),
        "1",
        "Threads that consume, each with its own consumer and producer. More than the source has partitions are idle.",
    ),
    key_without_default(
        "instance",
        Form::Name,
        "Name of this process in the consumer group and in logs. By default the host name and the HTTP port; a random one when HTTP is off.",
    ),
    key(
        "kafka.bootstrap",
        Form::Brokers,
        "\"localhost:9092\"",
        "Brokers to begin with; they tell of the others.",
    ),
    key(
        "kafka.static_membership",
        Form::Flag,
        "false",
        "Whether workers keep their place in the group over a restart. For StatefulSets with a fixed `instance`: a worker that goes for good is missed only after a session time-out.",
    ),
    key(
        "kafka.group_protocol",
        Form::OneOf(&["classic", "consumer"]),
        "\"classic\"",
        "The group protocol; `consumer` is that of KIP-848, and not for `kafka.static_membership`.",
    ),
    key(
        "kafka.connect_timeout",
        Form::Duration(SECOND, HOUR),
        "\"15s\"",
        "How long a start waits for the brokers to answer before it ends with an error.",
    ),
    key(
        "source.topic",
        Form::Texts,
        "\"network_connection\"",
        "The topics to read: a name, a list of names, or a pattern that begins with `^`.",
    ),
    key(
        "source.group",
        Form::Text,
        "\"netsieve\"",
        "The consumer group.",
    ),
    key(
        "source.format",
        Form::OneOf(&["auto", "json", "protobuf"]),
        "\"auto\"",
        "The encoding of messages without a `content-type` header; `auto` looks at the bytes.",
    ),
    key(
        "source.on_data_loss",
        Form::OneOf(&["stop", "continue"]),
        "\"stop\"",
        "What to do when messages were deleted before they were read: end with an error, or go on from the earliest there is.",
    ),
    key(
        "outputs",
        Form::Tables,
        r#"[{ name = "connections", topic = "network_connection.connections", kinds = ["connection", "idle"] }, { name = "listeners", topic = "network_connection.listeners", kinds = ["listener"] }]"#,
        "Where events go; an event goes to every output that takes it. A list given replaces the default one; `outputs.NAME.KEY` sets one key of the output of that name.",
    ),
    key_without_default(
        "outputs[].name",
        Form::Name,
        "Name of the output in settings, logs and metrics. By default its topic.",
    ),
    key_without_default(
        "outputs[].topic",
        Form::Name,
        "The topic. It must be given.",
    ),
    key(
        "outputs[].format",
        Form::OneOf(&["protobuf", "json", "ecs", "ocsf"]),
        "\"protobuf\"",
        "Format of the values: netsieve's own in protobuf or JSON, Elastic Common Schema, or OCSF's Network Activity; see docs/formats.md.",
    ),
    key(
        "outputs[].key",
        Form::OneOf(&["connection", "agent", "community_id", "source", "none"]),
        "\"connection\"",
        "The Kafka key: the `connection_key`, the agent's id, the Community ID where the event has one, the source, or none. Events of one key stay in order.",
    ),
    key(
        "outputs[].kinds",
        Form::AnyOf(&["connection", "listener", "idle"]),
        r#"["connection", "listener", "idle"]"#,
        "The kinds of events that go there: the short form of a filter.",
    ),
    key(
        "outputs[].framing",
        Form::OneOf(&["none", "confluent"]),
        "\"none\"",
        "What goes before each value: nothing, or the schema's id in the framing that clients of Confluent's schema registry expect; it needs `schema_registry.url`.",
    ),
    key(
        "outputs[].subject",
        Form::OneOf(&["topic", "record", "topic_record"]),
        "\"topic\"",
        "The subject of the schema of framed values: `TOPIC-value`, the record's name, or `TOPIC-RECORD`.",
    ),
    key_without_default(
        "outputs[].filter",
        Form::Filter,
        "Which events of those kinds go there, by what they say; by default all of them. See docs/outputs.md.",
    ),
    key_without_default(
        "schema_registry.url",
        Form::Text,
        "Where the API of a schema registry begins, `http://HOST:PORT` or `https://…`: that of Confluent or one that has its API. It is asked at the start only.",
    ),
    key_without_default(
        "schema_registry.username",
        Form::Text,
        "User name for basic authentication.",
    ),
    key_without_default(
        "schema_registry.password",
        Form::Secret,
        "Its password, best as `${env:NAME}` or `${file:PATH}`.",
    ),
    key(
        "schema_registry.timeout",
        Form::Duration(100, 5 * 60 * SECOND),
        "\"5s\"",
        "How long one request may take. A registry that does not answer is asked again; the start waits.",
    ),
    key(
        "schema_registry.register",
        Form::Flag,
        "true",
        "Whether schemas are registered at the start; otherwise they are only looked up, and one that is not there ends the run.",
    ),
    key(
        "dead_letters.topic",
        Form::Name,
        "\"network_connection.dead_letters\"",
        "The topic of what was rejected.",
    ),
    key(
        "commit.interval",
        Form::Duration(1, 60 * SECOND),
        "\"100ms\"",
        "Longest time between commits of offsets.",
    ),
    key(
        "commit.max_records",
        Form::Whole(1, 10_000_000),
        "10000",
        "Commit after so many records, if that is earlier.",
    ),
    key(
        "commit.max_bytes",
        Form::Size(KIB, GIB),
        "\"16 MiB\"",
        "Commit after so many bytes of messages, if that is earlier.",
    ),
    key(
        "retry.max_failures",
        Form::Whole(1, 1_000_000),
        "10",
        "Failures in a row, of deliveries or of joining the group, without a message finished between them, after which the run ends with an error.",
    ),
    key(
        "retry.backoff",
        Form::Duration(1, HOUR),
        "\"250ms\"",
        "Pause after the first failed delivery; it doubles with each further one.",
    ),
    key(
        "retry.max_backoff",
        Form::Duration(1, HOUR),
        "\"10s\"",
        "Longest pause after a failed delivery.",
    ),
    key(
        "memory.max_read_ahead",
        Form::Size(MIB, GIB),
        "\"16 MiB\"",
        "Messages that a worker has read and not yet begun, over all its partitions.",
    ),
    key(
        "memory.max_in_flight",
        Form::Size(MIB, GIB),
        "\"24 MiB\"",
        "Events and dead letters of a worker that are not yet acknowledged; beyond that it waits.",
    ),
    key(
        "validate.reject",
        Form::AnyOf(WARNINGS),
        "[]",
        "Warnings that reject instead of letting the event through.",
    ),
    key(
        "validate.max_message_bytes",
        Form::Size(KIB, GIB),
        "\"16 MiB\"",
        "Largest message; a larger one is `message_too_large`.",
    ),
    key(
        "validate.max_metadata_bytes",
        Form::Size(KIB, GIB),
        "\"64 KiB\"",
        "Largest metadata of a message, since each record's dead letter repeats them; larger ones make it `message_too_large`.",
    ),
    key(
        "validate.max_records",
        Form::Whole(1, 10_000_000),
        "100000",
        "Most records of a message; more make it `batch_too_large`.",
    ),
    key(
        "validate.max_field_bytes",
        Form::Size(64, GIB),
        "\"32 KiB\"",
        "Longest field of a record; a longer one is `field_too_long`.",
    ),
    key(
        "validate.max_event_bytes",
        Form::Size(KIB, GIB),
        "\"900 KiB\"",
        "Largest encoded event; a larger one is `event_too_large`. What the topic takes holds as well.",
    ),
    key(
        "networks.internal",
        Form::Texts,
        r#"["private", "unique_local", "loopback", "link_local"]"#,
        "The networks that are yours, for `direction.perimeter`: prefixes such as `198.51.100.0/24`, and names of scopes as `docs/events.md` lists them.",
    ),
    key_without_default(
        "networks.labels",
        Form::Text,
        "File of your names for networks, CSV or TOML: `prefix,name,role,site,tenant`. See docs/reference.md.",
    ),
    key(
        "enrich.disable",
        Form::AnyOf(ENRICHMENTS),
        "[]",
        "Enrichments that are switched off; they cost nothing then.",
    ),
    key(
        "enrich.community_id_seed",
        Form::Whole(0, 65_535),
        "0",
        "Seed of the Community ID; monitors that are to agree need the same.",
    ),
    key_without_default(
        "reference.geo",
        Form::Texts,
        "MaxMind databases of places (GeoIP2 or GeoLite2, City or Country), `.mmdb`; the first that knows an address answers. See docs/reference.md.",
    ),
    key_without_default(
        "reference.asn",
        Form::Texts,
        "MaxMind databases of autonomous systems (GeoIP2 or GeoLite2, ASN or ISP), `.mmdb`; the first that knows an address answers.",
    ),
    key_without_default(
        "reference.vendors",
        Form::Texts,
        "IEEE's files of MA-L, MA-M and MA-S, CSV: the makers of interfaces by MAC address.",
    ),
    key_without_default(
        "reference.process_categories",
        Form::Text,
        "File of your categories of programs, CSV: `executable,category`. They go over the built-in ones.",
    ),
    key(
        "brake.window",
        Form::Whole(10, 10_000_000),
        "1000",
        "How many of the last messages the brake looks at.",
    ),
    key(
        "brake.max_rejected_share",
        Form::Share,
        "0.5",
        "The brake acts when more than this share of them was rejected; 1 turns it off.",
    ),
    key(
        "brake.action",
        Form::OneOf(&["alert", "pause"]),
        "\"alert\"",
        "What the brake does: log and count, or stop reading for `brake.pause` as well.",
    ),
    key(
        "brake.pause",
        Form::Duration(SECOND, HOUR),
        "\"60s\"",
        "How long the brake stops reading.",
    ),
    key(
        "watchdog.stalled_after",
        Form::Duration(SECOND, HOUR),
        "\"60s\"",
        "A worker that has messages to read and makes no progress for so long is not ready.",
    ),
    key(
        "shutdown.timeout",
        Form::Duration(SECOND, HOUR),
        "\"25s\"",
        "Longest time to finish, commit and leave the group after SIGTERM or SIGINT.",
    ),
    key(
        "http.listen",
        Form::Address,
        "\"127.0.0.1:9898\"",
        "Where `/metrics`, `/livez`, `/readyz` and `/status` are served; `off` for nowhere.",
    ),
    key(
        "log.level",
        Form::OneOf(&["error", "warn", "info", "debug", "trace"]),
        "\"info\"",
        "The least severe level that is logged.",
    ),
    key(
        "log.format",
        Form::OneOf(&["auto", "text", "json"]),
        "\"auto\"",
        "Format of the log on stderr; `auto` is text on a terminal and JSON elsewhere.",
    ),
];

/// The key of that path.
pub(super) fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

/// Whether some key lies in the section of that path.
pub(super) fn is_section(path: &str) -> bool {
    ["kafka.consumer", "kafka.producer"].contains(&path)
        || KEYS.iter().any(|key| {
            key.path
                .strip_prefix(path)
                .is_some_and(|rest| rest.starts_with('.'))
        })
}

/// The key that was most likely meant by an unknown path: one spelt alike, or one of the same
/// name in another section.
pub(super) fn nearest(path: &str) -> Option<&'static str> {
    let name = |path: &str| path.rsplit('.').next().map(str::to_owned);
    most_alike(path, KEYS.iter().map(|key| key.path)).or_else(|| {
        let namesake = KEYS.iter().find(|key| name(key.path) == name(path));
        namesake.map(|key| key.path)
    })
}

/// Of `names`, the one that is spelt most alike, where one is alike at all.
pub(super) fn most_alike<'n>(given: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    const ALIKE: f64 = 0.7;
    let scored = names.map(|name| (name, strsim::normalized_damerau_levenshtein(name, given)));
    let (name, score) = scored.max_by(|(_, a), (_, b)| a.total_cmp(b))?;
    (score >= ALIKE).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_unique() {
        let paths: std::collections::BTreeSet<_> = KEYS.iter().map(|key| key.path).collect();
        assert_eq!(paths.len(), KEYS.len());
    }

    #[test]
    fn the_nearest_key_is_spelt_alike_or_named_alike() {
        assert_eq!(nearest("source.topc"), Some("source.topic"));
        assert_eq!(nearest("sorce.topic"), Some("source.topic"));
        assert_eq!(nearest("worker"), Some("workers"));
        assert_eq!(nearest("bootstrap"), Some("kafka.bootstrap"));
        assert_eq!(nearest("outputs[].fromat"), Some("outputs[].format"));
        assert_eq!(nearest("colour"), None);
    }
}
