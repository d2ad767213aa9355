//! The configuration as a whole: defaults, precedence, secrets.

mod errors;

use std::fmt::Write as _;
use std::time::Duration;

use super::*;
use crate::kafka::settings::{BrakeSettings, CommitSettings, DeliverySettings, MemorySettings};
use crate::pipeline::code::Warning;
use crate::pipeline::enrich::internal::Internal;
use crate::pipeline::enrich::{Enrich, Enrichment};
use crate::pipeline::record::Kind;
use crate::pipeline::settings::{Format, Key, Limits};
use crate::reference::Files;

/// What a test gives: the file's text, variables and `--set`.
#[derive(Default)]
struct Given<'a> {
    file: &'a str,
    variables: &'a [(&'a str, &'a str)],
    set: &'a [&'a str],
    flags: &'a [(&'static str, &'static str, &'a str)],
}

impl Given<'_> {
    fn load(&self) -> Result<Loaded, ConfigError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("netsieve.toml");
        std::fs::write(&path, self.file).unwrap();
        std::fs::write(directory.path().join("password"), "from a file\n").unwrap();
        let flags = self.flags.iter();
        load(&Sources {
            file: Some(path),
            environment: self.variables.iter().copied().collect(),
            set: self.set.iter().map(ToString::to_string).collect(),
            flags: flags.map(|(f, k, v)| (*f, *k, (*v).to_owned())).collect(),
        })
    }

    fn config(&self) -> Config {
        self.load().unwrap().config
    }

    /// The error's line; the directory of the file is left out.
    fn error(&self) -> String {
        let line = self.load().unwrap_err().to_string();
        assert!(!line.contains('\n'), "{line}");
        let words = line.split(' ').map(|word| match word.rsplit_once('/') {
            Some((_, name)) if name.starts_with("netsieve.toml") => name,
            _ => word,
        });
        words.collect::<Vec<_>>().join(" ")
    }
}

fn of_file(file: &str) -> Given<'_> {
    Given {
        file,
        ..Given::default()
    }
}

#[test]
fn every_key_has_a_default_that_works() {
    let config = load(&Sources::default()).unwrap().config;
    assert_eq!(config, of_file("").config());
    assert_eq!(config.kafka.bootstrap, "localhost:9092");
    assert_eq!(config.source.topics, ["network_connection"]);
    assert_eq!(config.dead_letters_topic, "network_connection.dead_letters");
    assert_eq!(config.validate.limits, Limits::default());
    assert_eq!(config.commit, CommitSettings::default());
    assert_eq!(config.retry, DeliverySettings::default());
    assert_eq!(config.memory, MemorySettings::default());
    assert_eq!(config.brake, BrakeSettings::default());
    assert!(config.validate.reject.is_empty());
    assert_eq!(config.enrich, Enrich::default());
    let outputs = config.outputs.iter();
    let outputs: Vec<_> = outputs
        .map(|o| (o.topic.as_str(), o.kinds.as_slice()))
        .collect();
    let expected: [(_, &[Kind]); 2] = [
        (
            "network_connection.connections",
            &[Kind::Connection, Kind::Idle],
        ),
        ("network_connection.listeners", &[Kind::Listener]),
    ];
    assert_eq!(outputs, expected);
    for output in &config.outputs {
        assert_eq!(
            (output.format, output.key),
            (Format::Protobuf, Key::Connection)
        );
    }
}

#[test]
fn patience_and_memory_reach_the_kafka_side() {
    let given = of_file(
        "[kafka]\nconnect_timeout = \"3s\"\n\
         [retry]\nmax_failures = 2\nbackoff = \"1ms\"\nmax_backoff = \"5ms\"\n\
         [memory]\nmax_read_ahead = \"4 MiB\"\nmax_in_flight = \"8 MiB\"",
    );
    let settings = given.config().kafka_settings("a".to_owned());
    assert_eq!(settings.connect_timeout, Duration::from_secs(3));
    let retry = DeliverySettings {
        max_failures: 2,
        backoff: Duration::from_millis(1),
        max_backoff: Duration::from_millis(5),
    };
    assert_eq!(settings.delivery, retry);
    let memory = MemorySettings {
        max_read_ahead_bytes: 4 << 20,
        max_in_flight_bytes: 8 << 20,
    };
    assert_eq!(settings.memory, memory);
}

#[test]
fn every_key_is_read_and_shown() {
    let loaded = Given {
        file: r#"
            instance = "a"
            networks.labels = "l.csv"
            [reference]
            geo = "city.mmdb"
            asn = "asn.mmdb"
            vendors = ["oui.csv", "mam.csv", "oui36.csv"]
            process_categories = "c.csv"
            [schema_registry]
            url = "http://r:8081"
            username = "u"
            password = "hunter2"
            [[outputs]]
            name = "b"
            topic = "b"
            filter.exposure = "any"
        "#,
        ..Given::default()
    };
    let loaded = loaded.load().unwrap();
    for key in keys::KEYS {
        let path = key.path.replace("[]", "[0]");
        let is_list = matches!(key.form, keys::Form::Tables);
        let shown = loaded.shown.iter().any(|shown| shown.path == path);
        assert!(shown || is_list, "{path} is not shown");
    }
}

#[test]
fn later_sources_go_over_earlier_ones() {
    let mut given = of_file("workers = 2\n[source]\ngroup = \"file\"");
    assert_eq!(given.config().workers, 2);
    given.variables = &[("NETSIEVE__WORKERS", "3"), ("NETSIEVE_WORKERS", "9")];
    assert_eq!(given.config().workers, 3);
    given.set = &["workers=4", "workers = 5"];
    assert_eq!(given.config().workers, 5);
    assert_eq!(given.config().source.group, "file");
    given.flags = &[("--bootstrap", "kafka.bootstrap", "b:1")];
    assert_eq!(given.config().kafka.bootstrap, "b:1");
    let origins = given.load().unwrap().shown;
    let origin = |path: &str| {
        let shown = origins.iter().find(|shown| shown.path == path);
        shown.unwrap().origin.clone()
    };
    assert_eq!(origin("workers"), Origin::Set);
    assert_eq!(origin("kafka.bootstrap"), Origin::Flag("--bootstrap"));
    assert!(matches!(
        origin("source.group"),
        Origin::File { line: 3, .. }
    ));
    assert_eq!(origin("source.format"), Origin::Default);
}

#[test]
fn values_are_read_in_their_forms() {
    let config = of_file(
        r#"
        instance = "pod-1"
        [kafka]
        static_membership = true
        [source]
        topic = ["a", "^b[0-9]+$"]
        [commit]
        interval = "1s"
        max_bytes = "1 MiB"
        [validate]
        reject = ["zero_local_port", "expired", "expired"]
        max_event_bytes = 2048
        [networks]
        internal = ["198.51.100.0/24", "shared"]
        labels = "/etc/netsieve/labels.csv"
        [reference]
        geo = ["a.mmdb", "b.mmdb"]
        asn = "asn.mmdb"
        [enrich]
        disable = ["community_id"]
        community_id_seed = 7
        [brake]
        max_rejected_share = 1
        [http]
        listen = "off"
        [[outputs]]
        topic = "all"
        [[outputs]]
        name = "two"
        topic = "json.two"
        format = "json"
        key = "none"
        kinds = ["idle"]
        "#,
    );
    let config = config.config();
    assert_eq!(config.instance.as_deref(), Some("pod-1"));
    assert!(config.kafka.static_membership);
    assert_eq!(config.source.topics, ["a", "^b[0-9]+$"]);
    assert_eq!(config.commit.interval, Duration::from_secs(1));
    assert_eq!(config.commit.max_bytes, 1 << 20);
    let reject: Vec<_> = config.validate.reject.iter().collect();
    assert_eq!(reject, [Warning::Expired, Warning::ZeroLocalPort]);
    assert_eq!(config.validate.limits.max_event_bytes, 2048);
    let files = Files {
        network_labels: Some("/etc/netsieve/labels.csv".into()),
        geo: vec!["a.mmdb".into(), "b.mmdb".into()],
        asn: vec!["asn.mmdb".into()],
        ..Files::default()
    };
    assert_eq!(config.reference, files);
    let internal = Internal::parse(["198.51.100.0/24", "shared"]);
    assert_eq!(config.enrich.internal, internal.unwrap());
    assert_eq!(config.enrich.community_id_seed, 7);
    let enabled = config.enrich.enabled;
    assert!(!enabled.has(Enrichment::CommunityId) && enabled.has(Enrichment::Direction));
    assert_eq!(config.brake.max_rejected_share.to_bits(), 1f64.to_bits());
    assert_eq!(config.http_listen, None);
    assert_eq!(config.outputs[0].name, "all");
    assert_eq!(config.outputs[0].kinds, Kind::ALL);
    assert_eq!(config.outputs[1].name, "two");
    assert_eq!(config.outputs[1].format, Format::Json);
    assert_eq!(config.outputs[1].key, Key::None);
}

#[test]
fn a_key_of_one_output_can_be_set() {
    let given = Given {
        variables: &[("NETSIEVE__OUTPUTS__CONNECTIONS__TOPIC", "conns")],
        set: &["outputs.listeners.format=json"],
        ..Given::default()
    };
    let outputs = given.config().outputs;
    assert_eq!(outputs[0].topic, "conns");
    assert_eq!(outputs[1].format, Format::Json);
}

#[test]
fn every_format_has_a_name_in_the_configuration() {
    for format in Format::ALL {
        let set = format!("outputs.connections.format={}", format.name());
        let given = Given {
            set: &[&set],
            ..Given::default()
        };
        assert_eq!(given.config().outputs[0].format, *format);
    }
}

#[test]
fn properties_pass_through_however_they_are_written() {
    let quoted = "[kafka]\n\"client.rack\" = \"c\"\n[kafka.consumer]\n\"fetch.min.bytes\" = 7\n\"check.crcs\" = true";
    let dotted =
        "[kafka]\nclient.rack = \"c\"\nconsumer.fetch.min.bytes = 7\nconsumer.check.crcs = true";
    assert_eq!(of_file(quoted).config(), of_file(dotted).config());
    let given = Given {
        file: dotted,
        variables: &[("NETSIEVE__KAFKA__PRODUCER__COMPRESSION_TYPE", "lz4")],
        set: &[
            "kafka.\"socket.timeout.ms\"=2000",
            "kafka.consumer.client.rack=007",
        ],
        ..Given::default()
    };
    let kafka = given.config().kafka;
    let texts = |properties: &Properties| {
        let texts = properties.iter();
        let texts: Vec<_> = texts
            .map(|(name, text)| format!("{name}={}", text.expose()))
            .collect();
        texts.join(" ")
    };
    assert_eq!(
        texts(&kafka.consumer),
        "check.crcs=true client.rack=007 fetch.min.bytes=7 socket.timeout.ms=2000"
    );
    assert_eq!(
        texts(&kafka.producer),
        "client.rack=c compression.type=lz4 socket.timeout.ms=2000"
    );
}

#[test]
fn secrets_are_never_shown() {
    let given = Given {
        file: r#"
            [kafka]
            "sasl.username" = "${env:THE_USER}"
            "sasl.password" = "hunter2"
            "ssl.key.password" = "${file:password}"
            "client.rack" = "plain"
        "#,
        variables: &[("THE_USER", "hunter2"), ("OTHER", "hunter2")],
        set: &["kafka.producer.sasl.oauthbearer.config=hunter2"],
        ..Given::default()
    };
    let loaded = given.load().unwrap();
    let consumer = &loaded.config.kafka.consumer;
    assert_eq!(consumer["sasl.username"].expose(), "hunter2");
    assert_eq!(consumer["ssl.key.password"].expose(), "from a file");
    let kafka = loaded.config.kafka_settings("a".to_owned());
    assert_eq!(kafka.consumer["sasl.username"], "hunter2");
    let mut printed = format!("{loaded:?} {loaded:#?} {kafka:?}");
    for property in consumer
        .values()
        .chain(loaded.config.kafka.producer.values())
    {
        writeln!(printed, "{property} {property:?}").unwrap();
    }
    let environment: Environment = given.variables.iter().copied().collect();
    writeln!(printed, "{environment:?}").unwrap();
    assert!(
        !printed.contains("hunter2") && !printed.contains("from a file"),
        "{printed}"
    );
    assert!(printed.contains("plain") && printed.contains("<hidden>"));
}

#[test]
fn an_error_never_has_a_secret() {
    let files = [
        "kafka.\"sasl.password\" = [\"hunter2\"]",
        "kafka.\"sasl.password\" = \"hunter2\\u0000\"",
        "kafka.\"sasl.pasword\" = \"hunter2\"",
        "kafka.\"sasl.password\" = \"hunter2${what:x}\"",
        "kafka.\"sasl.password\" = 'hunter2\nworkers = 1",
        "kafka.\"enable.ssl.certificate.verification\" = \"${env:SECRET}\"",
        "sasl.password = \"hunter2\"",
    ];
    for file in files {
        let mut given = of_file(file);
        given.variables = &[("SECRET", "hunter2")];
        let error = given.error();
        assert!(!error.contains("hunter2"), "{error}");
    }
    let given = Given {
        set: &["hunter2"],
        ..Given::default()
    };
    assert!(!given.error().contains("hunter2"));
}

#[test]
fn a_filter_is_read_from_the_file_a_variable_and_an_argument() {
    use crate::pipeline::filter::{Condition, Field, LabelPart, Test};
    let word = |field: Field, words: &[&str]| {
        let known = field.words().into_iter();
        let bits = known.filter(|(word, _)| words.contains(word));
        let words = bits.map(|(_, bit)| bit).sum();
        Condition::Is(Test::Word { field, words })
    };
    let not = |condition| Condition::Not(Box::new(condition));
    let mut given = of_file(
        r#"
        networks.labels = "l.csv"
        [[outputs]]
        topic = "exposed"
        filter = { all = [
            { kind = "listener" },
            { exposure = ["global", "any"] },
            { not = { category = "browser" } },
        ] }
        [[outputs]]
        topic = "dmz"
        kinds = ["connection"]
        [outputs.filter]
        state = ["established", "SYN_SENT"]
        direction = { perimeter = "inbound" }
        label.role = ["dmz", "web"]
        [[outputs]]
        topic = "rest"
        "#,
    );
    let outputs = given.config().outputs;
    let exposed = Condition::All(vec![
        word(Field::Kind, &["listener"]),
        word(Field::Exposure, &["global", "any"]),
        not(word(Field::Category, &["browser"])),
    ]);
    assert_eq!(outputs[0].filter, Some(exposed));
    let roles = Condition::Is(Test::Label {
        part: LabelPart::Role,
        texts: vec!["dmz".to_owned(), "web".to_owned()],
    });
    let dmz = Condition::All(vec![
        Condition::All(vec![word(Field::Perimeter, &["inbound"])]),
        Condition::All(vec![roles]),
        word(Field::State, &["ESTABLISHED", "SYN_SENT"]),
    ]);
    assert_eq!(outputs[1].filter.as_ref(), Some(&dmz));
    let both = Condition::All(vec![word(Field::Kind, &["connection"]), dmz]);
    assert_eq!(outputs[1].condition(), both);
    assert_eq!(outputs[2].condition(), Condition::All(Vec::new()));

    let idle = Some(word(Field::Kind, &["idle"]));
    given.set = &["outputs.rest.filter={ kind = \"idle\" }"];
    assert_eq!(given.config().outputs[2].filter, idle);
    let shown = given.load().unwrap().shown;
    let shown = shown.iter().find(|shown| shown.path == "outputs[2].filter");
    assert_eq!(shown.unwrap().value, "{ kind = \"idle\" }");
    given.set = &[];
    given.variables = &[("NETSIEVE__OUTPUTS__REST__FILTER", "{ kind = \"idle\" }")];
    assert_eq!(given.config().outputs[2].filter, idle);
}

#[test]
fn a_framed_output_has_its_subject_and_the_registry_its_credentials() {
    use crate::registry::Framed;
    let given = Given {
        file: r#"
        [schema_registry]
        url = "https://registry.example:8081/apis/ccompat/v7"
        username = "me"
        password = "${env:SECRET}"
        timeout = "2s"
        register = false
        [[outputs]]
        topic = "a"
        framing = "confluent"
        [[outputs]]
        topic = "b"
        format = "json"
        framing = "confluent"
        subject = "topic_record"
        [[outputs]]
        topic = "c"
        "#,
        variables: &[("SECRET", "hunter2")],
        ..Given::default()
    };
    let loaded = given.load().unwrap();
    let framed = |subject: &str, format| {
        let subject = subject.to_owned();
        Some(Framed { subject, format })
    };
    let expected = [
        framed("a-value", Format::Protobuf),
        framed("b-netsieve.v1.Event", Format::Json),
        None,
    ];
    let found: Vec<_> = loaded
        .config
        .outputs
        .iter()
        .map(|of| of.framed.clone())
        .collect();
    assert_eq!(found, expected);
    let registry = loaded.config.schema_registry.unwrap();
    assert_eq!(registry.timeout, Duration::from_secs(2));
    assert!(!registry.register);
    let (username, password) = registry.credentials.clone().unwrap();
    assert_eq!((username.as_str(), password.expose()), ("me", "hunter2"));
    let shown = format!("{:?}{registry:?}", loaded.shown);
    assert!(!shown.contains("hunter2"), "{shown}");
}
