//! The load generator: the same bytes each time, the asked share of bad ones, and everything
//! that it claims to cover.

use std::collections::{BTreeMap, BTreeSet};

use std::process::Command;
use std::time::{Duration, Instant};

use netsieve::generate::{
    Carrier, Encodings, Expected, Generated, Generator, MessageOutcome, Options, RecordOutcome,
    SEQUENCE_HEADER, Tool,
};
use netsieve::kafka::mock::EmbeddedCluster;
use netsieve::pipeline::code::{Rejection, Warning};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use sha1::Digest as _;

fn load(options: Options) -> Vec<Generated> {
    let messages = options.messages.or(Some(2_000));
    Generator::new(Options {
        messages,
        ..options
    })
    .collect()
}

#[test]
fn the_same_seed_gives_the_same_messages_and_another_seed_others() {
    let first = load(Options::default());
    assert_eq!(first, load(Options::default()));
    let other = load(Options {
        seed: 2,
        ..Options::default()
    });
    assert!(
        first
            .iter()
            .zip(&other)
            .all(|(a, b)| a.value != b.value || a.value.len() < 4)
    );
}

/// A load is named in bug reports by its seed alone, and so it must stay what it is, on every
/// platform. Whoever changes the generator on purpose changes this too.
#[test]
fn the_default_load_is_this_one() {
    let mut hash = sha1::Sha1::new();
    for message in load(Options::default()) {
        hash.update(&message.value);
        hash.update(serde_json::to_vec(&message.expected).unwrap());
    }
    let digest = hash.finalize();
    let digits = digest.iter().map(|byte| format!("{byte:02x}"));
    assert_eq!(
        digits.collect::<String>(),
        "e1969b176d747b594b8d859d1aeb59688c2d5ba1"
    );
}

#[test]
fn a_shorter_load_is_the_beginning_of_a_longer_one() {
    let short = load(Options {
        messages: Some(100),
        ..Options::default()
    });
    assert_eq!(short, load(Options::default())[..100]);
}

#[test]
fn the_share_of_bad_ones_is_near_what_was_asked() {
    for bad in [0.0, 0.02, 0.2] {
        let messages = load(Options {
            bad,
            ..Options::default()
        });
        let rejected =
            |message: &&Generated| matches!(message.expected.outcome, MessageOutcome::Reject(_));
        let share = messages.iter().filter(rejected).count() as f64 / messages.len() as f64;
        assert!(
            (share - bad).abs() <= bad / 3.0,
            "messages: {share} for {bad}"
        );
        let records: Vec<_> = messages.iter().flat_map(|m| m.expected.records()).collect();
        let bad_records = records
            .iter()
            .filter(|r| matches!(r, RecordOutcome::Reject(_)));
        let share = bad_records.count() as f64 / records.len() as f64;
        assert!(
            (share - bad).abs() <= bad / 3.0,
            "records: {share} for {bad}"
        );
    }
}

#[test]
fn record_counts_stay_within_what_was_asked() {
    let messages = load(Options {
        min_records: 3,
        max_records: 5,
        ..Options::default()
    });
    let records = messages
        .iter()
        .filter_map(|message| match &message.expected.outcome {
            MessageOutcome::Records(records) => Some(records.len()),
            MessageOutcome::Reject(_) => None,
        });
    let counts: BTreeSet<_> = records.collect();
    assert_eq!(counts, BTreeSet::from([0, 3, 4, 5]));
}

fn rejections(messages: &[Generated]) -> BTreeSet<&str> {
    messages
        .iter()
        .flat_map(|message| message.expected.rejects())
        .collect()
}

/// The codes that break a size limit are generated only where that is asked for, and no event
/// can be too large under the default limits.
const OF_SIZE: [Rejection; 4] = [
    Rejection::MessageTooLarge,
    Rejection::BatchTooLarge,
    Rejection::FieldTooLong,
    Rejection::EventTooLarge,
];

#[test]
fn every_rejection_warning_tool_and_kind_occurs() {
    let messages = load(Options::default());
    let expected = Rejection::ALL.iter().filter(|code| !OF_SIZE.contains(code));
    let expected: BTreeSet<_> = expected.map(|code| code.name()).collect();
    assert_eq!(rejections(&messages), expected);

    let tools: BTreeSet<_> = messages.iter().map(|message| message.tool).collect();
    assert_eq!(tools, Tool::ALL.iter().copied().collect());

    let mut warnings = BTreeSet::new();
    let mut kinds: BTreeMap<&str, u32> = BTreeMap::new();
    let mut states = BTreeSet::new();
    for record in messages
        .iter()
        .flat_map(|message| message.expected.records())
    {
        if let RecordOutcome::Event(event) = record {
            warnings.extend(event.warnings.iter().map(String::as_str));
            states.extend(event.state.as_deref());
            *kinds.entry(&event.kind).or_default() += 1;
        }
    }
    assert_eq!(
        warnings,
        Warning::ALL.iter().map(|code| code.name()).collect()
    );
    assert_eq!(states.len(), 12, "{states:?}");
    assert_eq!(
        kinds.keys().copied().collect::<Vec<_>>(),
        ["connection", "idle", "listener"]
    );
}

#[test]
fn sizes_are_broken_only_when_that_is_asked() {
    let options = Options {
        messages: Some(300),
        max_records: 3,
        bad: 0.1,
        encodings: Encodings::Protobuf,
        carrier: Carrier::File,
        oversized: true,
        ..Options::default()
    };
    let messages = load(options);
    let found = rejections(&messages);
    for code in &OF_SIZE[..3] {
        assert!(found.contains(code.name()), "{} in {found:?}", code.name());
    }
    assert!(
        messages
            .iter()
            .any(|message| message.value.len() > 16 << 20)
    );
}

#[test]
fn only_messages_that_are_said_to_be_empty_are_so() {
    let messages = load(Options {
        messages: Some(3_000),
        min_records: 0,
        max_records: 0,
        bad: 0.5,
        encodings: Encodings::Protobuf,
        ..Options::default()
    });
    let empty = Rejection::EmptyMessage.name();
    for message in messages {
        let is_said = message.expected.outcome == MessageOutcome::Reject(empty.to_owned());
        assert_eq!(message.value.is_empty(), is_said, "{message:?}");
    }
}

#[test]
fn commands_are_long_only_when_that_is_asked() {
    let longest = |long_commands| {
        let messages = load(Options {
            messages: Some(50),
            long_commands,
            ..Options::default()
        });
        let records = messages.iter().flat_map(|of| of.expected.records());
        let lengths = records.filter_map(|record| match record {
            RecordOutcome::Event(event) => Some(event.process.as_ref()?.len()),
            RecordOutcome::Reject(_) => None,
        });
        lengths.max().unwrap()
    };
    assert!(longest(0.0) < 256);
    assert!((8 << 10..20 << 10).contains(&longest(0.1)));
}

#[test]
fn messages_for_files_are_lines() {
    let messages = load(Options {
        encodings: Encodings::Json,
        carrier: Carrier::File,
        ..Options::default()
    });
    assert!(
        messages
            .iter()
            .all(|message| !message.value.contains(&b'\n'))
    );
    assert!(!rejections(&messages).contains(Rejection::UnknownFormat.name()));
}

#[test]
fn each_message_can_be_told_from_the_others() {
    let messages = load(Options::default());
    let ids: BTreeSet<_> = messages.iter().map(|m| &m.expected.message_id).collect();
    assert_eq!(ids.len(), messages.len());
    for message in &messages {
        let header = message
            .headers
            .iter()
            .find(|(name, _)| name == SEQUENCE_HEADER);
        let value = header.and_then(|(_, value)| value.clone()).unwrap();
        assert_eq!(
            String::from_utf8(value).unwrap(),
            message.sequence.to_string()
        );
        assert_eq!(message.key, message.expected.key);
    }
}

#[test]
fn the_manifest_reads_back() {
    for message in load(Options {
        messages: Some(200),
        ..Options::default()
    }) {
        let line = serde_json::to_string(&message.expected).unwrap();
        assert_eq!(
            serde_json::from_str::<Expected>(&line).unwrap(),
            message.expected
        );
    }
}

/// What a message must look like on its topic.
type Sent = (String, Vec<u8>, i64, Vec<(String, Option<Vec<u8>>)>);

/// Reads that many messages of a topic of one partition.
fn read(bootstrap: &str, topic: &str, count: usize) -> Vec<Sent> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "test")
        .set("enable.auto.commit", "false")
        .create()
        .unwrap();
    let mut assignment = TopicPartitionList::new();
    assignment
        .add_partition_offset(topic, 0, Offset::Beginning)
        .unwrap();
    consumer.assign(&assignment).unwrap();
    let mut found = Vec::new();
    let start = Instant::now();
    while found.len() < count && start.elapsed() < Duration::from_secs(60) {
        let Some(message) = consumer.poll(Duration::from_millis(100)) else {
            continue;
        };
        let message = message.unwrap();
        let headers = message.headers().unwrap().iter();
        let headers =
            headers.map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec)));
        found.push((
            String::from_utf8(message.key().unwrap().to_vec()).unwrap(),
            message.payload().unwrap_or_default().to_vec(),
            message.timestamp().to_millis().unwrap(),
            headers.collect(),
        ));
    }
    found
}

#[test]
fn the_command_sends_the_load_to_kafka_as_the_library_gives_it() {
    let cluster = EmbeddedCluster::start(&[("load", 1)]).unwrap();
    let bootstrap = cluster.bootstrap_servers();
    let folder = tempfile::tempdir().unwrap();
    let manifest = folder.path().join("manifest");
    let output = Command::new(env!("CARGO_BIN_EXE_netsieve"))
        .args(["generate", "--bootstrap", &bootstrap, "--topic", "load"])
        .args(["--messages", "300", "--bad", "0.2", "--rate", "2500"])
        .arg("--manifest")
        .arg(&manifest)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let expected = load(Options {
        messages: Some(300),
        bad: 0.2,
        // Paced messages are as old as they say.
        interval_us: 400,
        ..Options::default()
    });
    let span_ms = expected[299].timestamp_ms - expected[0].timestamp_ms;
    assert_eq!(span_ms, 119);
    let manifest = std::fs::read_to_string(manifest).unwrap();
    let foretold: Vec<Expected> = manifest
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(
        foretold
            .iter()
            .eq(expected.iter().map(|message| &message.expected))
    );
    let sent: Vec<Sent> = expected
        .into_iter()
        .map(|message| {
            (
                message.key,
                message.value,
                message.timestamp_ms,
                message.headers,
            )
        })
        .collect();
    assert_eq!(read(&bootstrap, "load", sent.len()), sent);
}
