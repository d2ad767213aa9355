//! One record that its topic does not take, among others that it takes.

use std::process::Command;
use std::time::{Duration, Instant};

use netsieve::proto::v1;
use prost::Message as _;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{BorrowedMessage, Headers};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

use crate::proof::process::Process;
use crate::proof::stage::PATIENCE;
use crate::stage::Stage;

const RECORDS: u16 = 40;
/// Its process has a name of 30,000 bytes, and no other record of its message comes near.
const LARGE: u16 = 17;
/// Less than the large event takes.
const TOPIC_TAKES: usize = 16 << 10;

#[test]
#[ignore = "needs a real cluster: ./with-kafka cargo test --test kafka -- --include-ignored"]
fn halved_to_the_one_refused_record_which_becomes_a_dead_letter() {
    for delivery in ["exactly_once", "at_least_once"] {
        let mut stage = Stage::new("halved");
        let process = Process::start(&stage.config(delivery), "a", &[]);
        // What the topic takes is read before, and lowered now.
        stage.feed(4);
        stage.wait_for_all();
        let before = read(&stage, "connections").len();
        limit(&stage, "connections");
        send(&stage);
        stage.wait_for(stage.end() + 1);
        let log = process.log();
        process.stop();
        assert!(log.contains("a batch was refused for its size"), "{log}");
        assert!(log.contains("a record was refused for its size"), "{log}");

        let came = read(&stage, "connections").split_off(before);
        let mut neighbours: Vec<_> = came.iter().map(|record| record.index).collect();
        if delivery == "at_least_once" {
            neighbours.sort_unstable();
            neighbours.dedup();
        }
        let all_others: Vec<_> = (0..u32::from(RECORDS))
            .filter(|index| *index != u32::from(LARGE))
            .collect();
        assert_eq!(neighbours, all_others);
        let letters = read(&stage, "dead_letters");
        let ours = letters.iter().filter(|of| of.reason == "event_too_large");
        let mut ours: Vec<_> = ours.map(|record| record.index).collect();
        ours.dedup();
        assert_eq!(ours, [u32::from(LARGE)]);
    }
}

/// Lowers what that topic takes.
fn limit(stage: &Stage, topic: &str) {
    let mut command = Command::new("kafka-configs");
    command.args(["--alter", "--entity-type", "topics"]);
    command.args(["--entity-name", &format!("{}.{topic}", stage.name)]);
    command.args(["--add-config", &format!("max.message.bytes={TOPIC_TAKES}")]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// Sends one message with all records, to the partition that got the first of the stage's.
fn send(stage: &Stage) {
    let record = |index: u16| {
        let process = if index == LARGE {
            incompressible(30_000)
        } else {
            format!("process-{index}")
        };
        serde_json::json!({
            "local_address": format!("172.16.111.218:{}", 50_000 + index),
            "remote_address": "172.16.111.171:443",
            "protocol": "tcp,ipv4",
            "state": "ESTABLISHED",
            "process_id": 1260,
            "process_name": process,
        })
    };
    let message = serde_json::json!({
        "metadata": {
            "agent_id": "339429212", "agent_type": "beacon", "automated": 1,
            "data_type": "network_connection", "source": "DC", "project": "ASSESS-X",
            "timestamp": "2026-11-24T08:51:35", "expiration": "2036-11-24T00:00:00Z",
        },
        "data": (0..RECORDS).map(record).collect::<Vec<_>>(),
    });
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &stage.bootstrap);
    let producer: BaseProducer = config.create().unwrap();
    let payload = message.to_string();
    let record = BaseRecord::<(), _>::to(&stage.name)
        .partition(0)
        .payload(&payload);
    producer.send(record).map_err(|(error, _)| error).unwrap();
    producer.flush(PATIENCE).unwrap();
}

/// Text that no codec makes much shorter: brokers measure what was compressed.
fn incompressible(len: usize) -> String {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = || {
        // Marsaglia's xorshift.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'!' + u8::try_from(state >> 32 & 0xFF).unwrap() % 90)
    };
    (0..len)
        .map(|_| next())
        .filter(|c| *c != '"' && *c != '\\')
        .collect()
}

/// What a record that was written says of where it comes from.
struct Written {
    index: u32,
    reason: String,
}

/// Everything that was committed to that topic, in the order of the source's records.
fn read(stage: &Stage, topic: &str) -> Vec<Written> {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &stage.bootstrap)
        .set("group.id", "reader")
        .set("enable.partition.eof", "true");
    let consumer: BaseConsumer = config.create().unwrap();
    let topic = format!("{}.{topic}", stage.name);
    let metadata = consumer.fetch_metadata(Some(&topic), PATIENCE).unwrap();
    let mut all = TopicPartitionList::new();
    for partition in metadata.topics()[0].partitions() {
        let added = all.add_partition_offset(&topic, partition.id(), Offset::Beginning);
        added.unwrap();
    }
    consumer.assign(&all).unwrap();
    let (mut open, mut came, since) = (all.count(), Vec::new(), Instant::now());
    while open > 0 {
        assert!(since.elapsed() < PATIENCE, "{open} partitions not read");
        match consumer.poll(Duration::from_millis(100)) {
            None => {}
            Some(Ok(message)) => came.push(written(&message)),
            Some(Err(rdkafka::error::KafkaError::PartitionEOF(_))) => open -= 1,
            Some(Err(error)) => panic!("{error}"),
        }
    }
    // By where they come from, since one message's events go to several partitions.
    came.sort_by_key(|(origin, _)| *origin);
    came.into_iter().map(|(_, written)| written).collect()
}

fn written(message: &BorrowedMessage<'_>) -> ((i64, u32), Written) {
    let header = |name: &str| {
        let mut headers = message.headers().into_iter().flat_map(Headers::iter);
        let found = headers.find(|header| header.key == name)?;
        std::str::from_utf8(found.value?).ok().map(str::to_owned)
    };
    if let Some(reason) = header("netsieve.reason") {
        let index = header("netsieve.record_index").map_or(0, |index| index.parse().unwrap());
        let offset = header("__connect.errors.offset").unwrap().parse().unwrap();
        return ((offset, index), Written { index, reason });
    }
    let event = v1::Event::decode(message.payload().unwrap()).unwrap();
    let ingest = event.ingest.unwrap();
    let index = ingest.record_index;
    let reason = String::new();
    ((ingest.offset, index), Written { index, reason })
}
