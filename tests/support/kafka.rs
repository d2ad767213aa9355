//! An embedded cluster, something to feed it with, and something to read it with.

#![allow(unreachable_pub, dead_code)] // a module of several tests, each of which uses a part

use std::collections::BTreeSet;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use netsieve::kafka::mock::EmbeddedCluster;
use netsieve::kafka::settings::Guarantee;
use netsieve::kafka::status::State;
use netsieve::kafka::{self, KafkaError, KafkaSettings, Shutdown, Status, Summary};
use netsieve::pipeline::code::Warnings;
use netsieve::pipeline::filter::{Condition, Filter};
use netsieve::pipeline::record::Kind;
use netsieve::pipeline::settings::{Format, Key, Limits, Output, Settings, SourceFormat};
use netsieve::reference::Live;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaError as ClientError;
use rdkafka::message::{Header, Headers, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

pub const SOURCE: &str = "in";
pub const OUTPUT: &str = "in.connections";
pub const LISTENERS: &str = "in.listeners";
pub const DEAD_LETTERS: &str = "in.dead_letters";
pub const PARTITIONS: i32 = 4;
pub const KEY: &str = "agent-1";
pub const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const GROUP: &str = "netsieve";
const TIME_LIMIT: Duration = Duration::from_secs(90);

/// Source partition, source offset and index of a record.
pub type Origin = (i32, i64, u64);

pub fn cluster() -> EmbeddedCluster {
    EmbeddedCluster::start(&[
        (SOURCE, PARTITIONS),
        (OUTPUT, 3),
        (LISTENERS, 2),
        (DEAD_LETTERS, 2),
    ])
    .unwrap()
}

pub fn settings(bootstrap: &str) -> KafkaSettings {
    let outputs = vec![OUTPUT.to_owned(), LISTENERS.to_owned()];
    KafkaSettings {
        // The embedded broker shows what a transaction has aborted.
        guarantee: Guarantee::AtLeastOnce,
        ..KafkaSettings::new(bootstrap, SOURCE, outputs, DEAD_LETTERS, GROUP)
    }
}

fn core() -> Settings {
    let output = |kinds: &[Kind]| Output {
        filter: Filter::new(&Condition::kinds(kinds)),
        ..Output::new(Format::Json, Key::Connection)
    };
    Settings {
        format: SourceFormat::Auto,
        reject: Warnings::NONE,
        limits: Limits::default(),
        enrich: netsieve::pipeline::enrich::Enrich::default(),
        outputs: vec![
            output(&[Kind::Connection, Kind::Idle]),
            output(&[Kind::Listener]),
        ],
        dead_letter_max_bytes: 0,
    }
}

/// A processor that runs in this process.
pub struct Processor {
    pub status: Status,
    shutdown: Shutdown,
    run: JoinHandle<Result<Summary, KafkaError>>,
}

impl Processor {
    pub fn start(settings: KafkaSettings) -> Self {
        Self::start_with_tables(settings, Live::default())
    }

    /// A processor that enriches from those tables.
    pub fn start_with_tables(settings: KafkaSettings, tables: Live) -> Self {
        // Shows what went on when a test fails: RUST_LOG=debug.
        let logs = tracing_subscriber::fmt().with_test_writer();
        let filter = tracing_subscriber::EnvFilter::from_default_env();
        let _ = logs.with_env_filter(filter).try_init();
        let status = Status::new(settings.workers, settings.watchdog_stalled_after);
        let shutdown = Shutdown::default();
        let (of_run, told) = (shutdown.clone(), status.clone());
        let run = std::thread::spawn(move || kafka::run(settings, core(), &of_run, &told, &tables));
        Self {
            status,
            shutdown,
            run,
        }
    }

    /// Asks it to stop and waits for it.
    pub fn stop(self) -> Result<Summary, KafkaError> {
        self.shutdown.request();
        self.join()
    }

    /// Waits until it ends by itself.
    pub fn join(self) -> Result<Summary, KafkaError> {
        wait_until("the processor ends", || self.run.is_finished());
        self.run.join().unwrap()
    }

    pub fn states(&self) -> Vec<State> {
        let workers = self.status.workers().iter();
        workers.map(|worker| worker.snapshot().state).collect()
    }

    /// How many partitions it owns.
    pub fn owned(&self) -> usize {
        let workers = self.status.workers().iter();
        workers
            .map(|worker| worker.snapshot().partitions.len())
            .sum()
    }
}

/// Waits until something is so; panics with what was waited for when that takes too long.
#[track_caller]
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let since = Instant::now();
    while !is_so() {
        assert!(since.elapsed() < TIME_LIMIT, "still waiting until {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Waits until the group has committed all that was fed.
#[track_caller]
pub fn wait_until_committed(bootstrap: &str, fed: &Fed) {
    wait_until("all is committed", || committed(bootstrap) == fed.ends());
}

/// What was fed to the source topic.
#[derive(Default)]
pub struct Fed {
    /// Records that must become events.
    pub good: BTreeSet<Origin>,
    /// Records that must become dead letters.
    pub bad: BTreeSet<Origin>,
    /// Partition of the next message.
    pub next_partition: i32,
    ends: [i64; PARTITIONS as usize],
    messages: u64,
}

impl Fed {
    /// The end of each source partition.
    pub fn ends(&self) -> Vec<i64> {
        self.ends.to_vec()
    }
}

/// The Kafka timestamp of a fed message.
pub fn timestamp_ms(partition: i32, offset: i64) -> i64 {
    1_700_000_000_000 + i64::from(partition) * 1_000_000 + offset
}

/// Feeds messages of one to five records over all partitions; every seventh record is bad.
pub fn feed(bootstrap: &str, fed: &mut Fed, messages: usize) {
    let mut values = Vec::new();
    for _ in 0..messages {
        fed.messages += 1;
        let count = fed.messages % 5 + 1;
        let rows: Vec<_> = (0..count)
            .map(|index| row(fed.messages * 5 + index))
            .collect();
        values.push(message(&rows));
    }
    feed_values(bootstrap, fed, &values);
}

fn row(number: u64) -> String {
    let port = 1_024 + number % 60_000;
    if number.is_multiple_of(7) {
        return format!(r#"{{"local_address":"10.0.0.1:{port}"}}"#);
    }
    if number.is_multiple_of(3) {
        return format!(
            r#"{{"local_address":"0.0.0.0:{port}","remote_address":"0.0.0.0:0","protocol":"tcp,ipv4","state":"LISTEN"}}"#
        );
    }
    format!(
        r#"{{"local_address":"10.0.0.1:{port}","remote_address":"10.0.0.2:443","protocol":"tcp,ipv4","state":"ESTABLISHED"}}"#
    )
}

fn message(rows: &[String]) -> Vec<u8> {
    let rows = rows.join(",");
    format!(
        r#"{{"metadata":{{"agent_id":"1","agent_type":"beacon","automated":true,"data_type":"network_connection","project":"TEST","source":"HOST","timestamp":"2023-11-14T22:13:20Z","expiration":"2030-01-01T00:00:00Z"}},"data":[{rows}]}}"#
    )
    .into_bytes()
}

/// A valid message of one record whose event is large.
pub fn large_message() -> Vec<u8> {
    let text = "x".repeat(30_000);
    message(&[format!(
        r#"{{"local_address":"10.0.0.1:1024","remote_address":"10.0.0.2:443","protocol":"tcp,ipv4","process_name":"{text}","service":"{text}"}}"#
    )])
}

/// A valid message without records, of about that size.
pub fn filler(bytes: usize) -> Vec<u8> {
    let mut value = message(&[]);
    value.resize(value.len() + bytes, b' ');
    value
}

/// Feeds messages over all partitions in turn, with key, timestamp and headers, and notes what
/// must come of them.
pub fn feed_values(bootstrap: &str, fed: &mut Fed, values: &[Vec<u8>]) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("enable.idempotence", "true")
        .create()
        .unwrap();
    for value in values {
        let partition = fed.next_partition;
        fed.next_partition = (partition + 1) % PARTITIONS;
        let end = &mut fed.ends[usize::try_from(partition).unwrap()];
        let headers = [("x-sender", "agent"), ("traceparent", TRACE)];
        let headers = headers
            .into_iter()
            .fold(OwnedHeaders::new(), |all, (key, value)| {
                let value = Some(value);
                all.insert(Header { key, value })
            });
        let record = BaseRecord::to(SOURCE)
            .partition(partition)
            .timestamp(timestamp_ms(partition, *end))
            .key(KEY)
            .payload(value)
            .headers(headers);
        producer.send(record).map_err(|(error, _)| error).unwrap();
        note(fed, partition, value);
    }
    producer.flush(TIME_LIMIT).unwrap();
}

fn note(fed: &mut Fed, partition: i32, value: &[u8]) {
    let end = &mut fed.ends[usize::try_from(partition).unwrap()];
    let offset = *end;
    *end += 1;
    let parsed: Option<serde_json::Value> = serde_json::from_slice(value).ok();
    let Some(rows) = parsed
        .as_ref()
        .and_then(|message| message["data"].as_array())
    else {
        fed.bad.insert((partition, offset, 0));
        return;
    };
    for (index, row) in rows.iter().enumerate() {
        let origin = (partition, offset, index as u64);
        let is_good = row.get("protocol").is_some();
        let set = if is_good { &mut fed.good } else { &mut fed.bad };
        set.insert(origin);
    }
}

/// A record of an output or of the dead-letter topic.
#[derive(Debug)]
pub struct Record {
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    pub key: Option<Vec<u8>>,
    pub value: Vec<u8>,
    pub timestamp_ms: i64,
    headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Record {
    /// Where the event came from.
    pub fn origin(&self) -> Origin {
        let event: serde_json::Value = serde_json::from_slice(&self.value).unwrap();
        let ingest = &event["ingest"];
        let number = |name: &str| ingest[name].as_u64().unwrap();
        (
            i32::try_from(number("partition")).unwrap(),
            i64::try_from(number("offset")).unwrap(),
            number("record_index"),
        )
    }

    /// Where the dead letter came from.
    pub fn rejected_origin(&self) -> Origin {
        let number = |name| self.header(name).map(|text| text.parse::<u64>().unwrap());
        let partition = number("__connect.errors.partition").unwrap();
        let offset = number("__connect.errors.offset").unwrap();
        (
            i32::try_from(partition).unwrap(),
            i64::try_from(offset).unwrap(),
            number("netsieve.record_index").unwrap_or(0),
        )
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(key, _)| key == name)?;
        std::str::from_utf8(value.as_ref()?).ok()
    }
}

/// Every event of both outputs.
pub fn events(bootstrap: &str) -> Vec<Record> {
    let mut events = read(bootstrap, OUTPUT);
    events.extend(read(bootstrap, LISTENERS));
    events
}

/// Every record of a topic.
pub fn read(bootstrap: &str, topic: &str) -> Vec<Record> {
    let reader: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "reader")
        .set("enable.partition.eof", "true")
        .set("enable.auto.commit", "false")
        .create()
        .unwrap();
    let metadata = reader.fetch_metadata(Some(topic), TIME_LIMIT).unwrap();
    let mut left = metadata.topics()[0].partitions().len();
    let mut all = TopicPartitionList::new();
    for partition in metadata.topics()[0].partitions() {
        all.add_partition_offset(topic, partition.id(), Offset::Beginning)
            .unwrap();
    }
    reader.assign(&all).unwrap();
    let mut records = Vec::new();
    wait_until("a topic is read to its end", || {
        while left > 0 {
            match reader.poll(Duration::from_millis(200)) {
                None => return false,
                Some(Err(ClientError::PartitionEOF(_))) => left -= 1,
                Some(Err(error)) => panic!("{error}"),
                Some(Ok(message)) => records.push(record(&message)),
            }
        }
        true
    });
    records
}

fn record(message: &impl Message) -> Record {
    let headers = message.headers();
    let headers = headers.into_iter().flat_map(|headers| {
        let pairs = headers.iter();
        let pairs = pairs.map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec)));
        pairs.collect::<Vec<_>>()
    });
    Record {
        topic: message.topic().to_owned(),
        partition: message.partition(),
        offset: message.offset(),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().unwrap_or_default().to_vec(),
        timestamp_ms: message.timestamp().to_millis().unwrap(),
        headers: headers.collect(),
    }
}

fn group_client(bootstrap: &str) -> BaseConsumer {
    ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", GROUP)
        .create()
        .unwrap()
}

/// The group's committed offset of each source partition; 0 where there is none.
pub fn committed(bootstrap: &str) -> Vec<i64> {
    let client = group_client(bootstrap);
    let mut all = TopicPartitionList::new();
    all.add_partition_range(SOURCE, 0, PARTITIONS - 1);
    let committed = client.committed_offsets(all, TIME_LIMIT).unwrap();
    let elements = committed.elements();
    elements
        .iter()
        .map(|element| match element.offset() {
            Offset::Offset(offset) => offset,
            _ => 0,
        })
        .collect()
}

/// Commits an offset on behalf of the group.
pub fn commit(bootstrap: &str, partition: i32, offset: i64) {
    let client = group_client(bootstrap);
    let mut one = TopicPartitionList::new();
    one.add_partition_offset(SOURCE, partition, Offset::Offset(offset))
        .unwrap();
    client.commit(&one, CommitMode::Sync).unwrap();
}
