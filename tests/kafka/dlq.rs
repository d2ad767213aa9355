//! Dead letters of mixed reasons are counted, shown, mended and sent back: those that are meant
//! exactly once, whatever is killed, and the others not at all.

use std::collections::BTreeMap;
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use netsieve::pipeline::code::Warnings;
use netsieve::pipeline::emit::Emitted;
use netsieve::pipeline::enrich::Enrich;
use netsieve::pipeline::message::Input;
use netsieve::pipeline::settings::{Limits, Settings, SourceFormat};
use netsieve::pipeline::{Workspace, process};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, Headers, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use tempfile::TempDir;

use crate::proof::stage::{PATIENCE, SOURCE_PARTITIONS, wait};
use crate::stage::Stage;

/// Dead letters in the ordinary test, and in the long one.
const FEW: u64 = 5_000;
const MANY: u64 = 100_000;
/// Batches that they come in, at least.
const BATCHES: u64 = 200;
const KILLS: usize = 3;
const NUMBER: &str = "x-number";
const MEND: [&str; 4] = [
    "--reason",
    "missing_protocol",
    "--mend",
    "data.protocol=tcp,ipv4",
];

#[test]
#[ignore = "needs a real cluster: ./with-kafka cargo test --test kafka -- --include-ignored"]
fn a_replay_that_is_killed_three_times_sends_each_letter_once() {
    replayed("dlq", FEW);
}

#[test]
#[ignore = "takes minutes: ./with-kafka cargo test --test kafka -- --ignored a_hundred_thousand_dead_letters"]
fn a_hundred_thousand_dead_letters_are_replayed_exactly_once() {
    replayed("dlq-long", MANY);
}

fn replayed(test: &str, letters: u64) {
    let stage = Yard::new(test, letters);
    stage.counts(letters);
    let (code, stdout, _) = stage.run("show", &["--reason", "missing_protocol", "--limit", "1"]);
    assert_eq!(code, Some(0));
    assert!(
        stdout.contains("\n> data.protocol            (absent)\n"),
        "{stdout}"
    );

    let meant = letters.div_ceil(3);
    let mut least = 0;
    for _ in 0..KILLS {
        let replay = stage.start();
        least += letters / 10;
        stage.wait_for(least);
        replay.kill();
        let sent = stage.sent().len() as u64;
        assert!(sent > 0 && sent < meant, "{sent} of {meant} after a kill");
    }
    let (code, stdout, stderr) = stage.run("replay", &MEND);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains(" sent back, "), "{stdout}");
    stage.check(letters);

    // What is finished does nothing.
    let (code, stdout, stderr) = stage.run("replay", &MEND);
    assert_eq!(
        (code, &*stdout),
        (Some(0), "0 sent back, 0 not meant\n"),
        "{stderr}"
    );
    stage.check(letters);
    // Dead letters are never taken away.
    stage.counts(letters);
}

#[test]
#[ignore = "needs a real cluster: ./with-kafka cargo test --test kafka -- --include-ignored"]
fn a_second_run_of_a_replay_is_refused_while_one_runs() {
    let stage = Yard::new("dlq-twice", FEW);
    let first = stage.start();
    stage.wait_for(1);
    let (code, stdout, stderr) = stage.run("replay", &MEND);
    assert_eq!((code, &*stdout), (Some(1), ""), "{stderr}");
    let last = stderr.lines().last().unwrap();
    assert!(
        last.starts_with("netsieve: this replay runs already ("),
        "{stderr}"
    );
    // Asked to end, it commits what is done and says how to go on.
    let before = stage.progress();
    first.signal("TERM");
    let (code, stderr) = first.ended();
    assert_eq!(code, Some(1), "{stderr}");
    assert!(
        stderr.contains("interrupted, this command: run it again"),
        "{stderr}"
    );
    assert!(before < FEW, "it was still at work");
    let (code, _, stderr) = stage.run("replay", &MEND);
    assert_eq!(code, Some(0), "{stderr}");
    stage.check(FEW);
}

/// A dead letter by its number: of each three one has no protocol, one a broken address, and one
/// no project.
fn source_message(number: u64) -> Vec<u8> {
    let metadata = r#""agent_id":"7","timestamp":"2026-09-21T12:00:00Z""#;
    let project = if number % 3 == 2 {
        ""
    } else {
        r#","project":"P""#
    };
    let row = match number % 3 {
        0 => format!(r#"{{"local_address":"10.0.0.1:{}"}}"#, 1 + number % 65_000),
        _ => format!(r#"{{"local_address":"10.0.0.1:9{number:06}","protocol":"tcp,ipv4"}}"#),
    };
    format!(r#"{{"metadata":{{{metadata}{project}}},"data":[{row}]}}"#).into_bytes()
}

/// A record of a topic.
#[derive(Debug)]
struct Record {
    key: Option<Vec<u8>>,
    value: Vec<u8>,
    timestamp_ms: Option<i64>,
    headers: Vec<(String, Vec<u8>)>,
}

/// A stage with dead letters on it.
struct Yard {
    stage: Stage,
    folder: TempDir,
    /// The name that the replay has by itself.
    name: String,
    /// The timestamp of all of them: brokers delete what is old, however new it is to them.
    now_ms: i64,
}

impl Yard {
    fn new(test: &str, letters: u64) -> Self {
        let stage = Stage::new(test);
        let folder = tempfile::tempdir().unwrap();
        let config = stage.config("exactly_once");
        std::fs::write(folder.path().join("netsieve.toml"), config).unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let mut yard = Self {
            stage,
            folder,
            name: String::new(),
            now_ms: i64::try_from(now.as_millis()).unwrap() - 60_000,
        };
        let (_, _, stderr) = yard.run("replay", &[&MEND[..], &["--dry-run"]].concat());
        let mut lines = stderr.lines();
        let name = lines.find_map(|line| line.strip_prefix("replay "));
        yard.name = name.unwrap().into();
        yard.fill(letters);
        yard
    }

    fn dead_letters(&self) -> String {
        format!("{}.dead_letters", self.stage.name)
    }

    fn fill(&self, letters: u64) {
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", &self.stage.bootstrap)
            .set("enable.idempotence", "true")
            .set("compression.type", "lz4")
            .set("batch.num.messages", (letters / BATCHES).to_string())
            .create()
            .unwrap();
        let (mut workspace, mut emitted) = (Workspace::default(), Emitted::default());
        let (core, topic) = (core(), self.dead_letters());
        for number in 0..letters {
            let value = source_message(number);
            let text = number.to_string();
            let headers = [(NUMBER, Some(text.as_bytes()))];
            let input = Input {
                value: &value,
                key: Some(text.as_bytes()),
                headers: &headers,
                topic: &self.stage.name,
                partition: 1,
                offset: i64::try_from(number).unwrap(),
                timestamp_ms: Some(self.now_ms),
            };
            process(&input, &core, &mut workspace, &mut emitted);
            assert_eq!(emitted.dead_letters().len(), 1);
            for letter in emitted.dead_letters() {
                let headers = letter.headers(&input);
                let headers = headers.fold(OwnedHeaders::new(), |all, (key, value)| {
                    all.insert(Header { key, value })
                });
                let record = BaseRecord::to(&topic)
                    .key(&*text)
                    .payload(emitted.dead_letter_value(letter))
                    .timestamp(self.now_ms)
                    .headers(headers);
                send(&producer, record);
            }
        }
        producer.flush(PATIENCE).unwrap();
    }

    fn command(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_netsieve"));
        command.env_clear().args(["dlq", name]).args(arguments);
        command
            .arg("--config")
            .arg(self.folder.path().join("netsieve.toml"));
        command.stdin(Stdio::null());
        command
    }

    /// Runs a command to its end: exit code, stdout and stderr.
    fn run(&self, name: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
        let output = self.command(name, arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    }

    /// Starts a replay that reads one batch of each partition in a tenth of a second.
    fn start(&self) -> Replay {
        let slow = [
            "max.partition.fetch.bytes=1",
            "queued.min.messages=1",
            "fetch.queue.backoff.ms=100",
        ];
        let slow = slow.map(|property| format!("kafka.consumer.{property}"));
        let mut command = self.command("replay", &MEND);
        for property in &slow {
            command.args(["--set", property]);
        }
        let command = command.stderr(Stdio::piped()).stdout(Stdio::null());
        Replay(command.spawn().unwrap())
    }

    fn counts(&self, letters: u64) {
        let (code, stdout, stderr) = self.run("ls", &["--json"]);
        assert_eq!(code, Some(0), "{stderr}");
        let counts: serde_json::Value = serde_json::from_str(&stdout).unwrap();
        assert_eq!(counts["letters"], letters);
        let of = |remainder: u64| (letters + 2 - remainder) / 3;
        let expected = serde_json::json!({
            "missing_protocol": of(0),
            "invalid_local_address": of(1),
            "missing_project": of(2),
        });
        assert_eq!(counts["reasons"], expected);
    }

    /// Waits until a replay has committed so many dead letters.
    fn wait_for(&self, letters: u64) {
        let since = Instant::now();
        while self.progress() < letters {
            assert!(
                since.elapsed() < PATIENCE,
                "{letters} letters are not reached"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// How many offsets of the dead-letter topic the replay has committed.
    fn progress(&self) -> u64 {
        let group = format!("{}-replay-{}", self.stage.name, self.name);
        let client: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &self.stage.bootstrap)
            .set("group.id", group)
            .create()
            .unwrap();
        let mut all = TopicPartitionList::new();
        let topic = self.dead_letters();
        for (_, partition) in self.stage.written().filter(|of| of.0 == topic) {
            all.add_partition(&topic, partition);
        }
        let Ok(committed) = client.committed_offsets(all, PATIENCE) else {
            return 0;
        };
        let elements = committed.elements();
        let offsets = elements.iter().map(|element| match element.offset() {
            Offset::Offset(offset) => offset.unsigned_abs(),
            _ => 0,
        });
        offsets.sum()
    }

    /// Everything that was committed to the source topic.
    fn sent(&self) -> Vec<Record> {
        wait("every transaction has ended", || {
            let low = self.reader("read_committed");
            let all = self.reader("read_uncommitted");
            let is_decided = |partition| {
                let of = |reader: &BaseConsumer| {
                    let asked = reader.fetch_watermarks(&self.stage.name, partition, PATIENCE);
                    asked.ok().map(|of| of.1)
                };
                of(&low).is_some() && of(&low) == of(&all)
            };
            (0..SOURCE_PARTITIONS).all(is_decided).then_some(())
        });
        let reader = self.reader("read_committed");
        let mut assignment = TopicPartitionList::new();
        for partition in 0..SOURCE_PARTITIONS {
            let name = &self.stage.name;
            assignment
                .add_partition_offset(name, partition, Offset::Beginning)
                .unwrap();
        }
        reader.assign(&assignment).unwrap();
        let (mut open, mut records, since) = (SOURCE_PARTITIONS, Vec::new(), Instant::now());
        while open > 0 {
            assert!(since.elapsed() < PATIENCE, "{open} partitions not read");
            match reader.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => records.push(record(&message)),
                Some(Err(KafkaError::PartitionEOF(_))) => open -= 1,
                None | Some(Err(_)) => {}
            }
        }
        records
    }

    fn reader(&self, isolation_level: &str) -> BaseConsumer {
        ClientConfig::new()
            .set("bootstrap.servers", &self.stage.bootstrap)
            .set("group.id", "reader")
            .set("enable.auto.commit", "false")
            .set("isolation.level", isolation_level)
            .set("enable.partition.eof", "true")
            .create()
            .unwrap()
    }

    /// Each letter that is meant came back once, mended, and nothing else did.
    fn check(&self, letters: u64) {
        let mut times: BTreeMap<u64, u32> = BTreeMap::new();
        for record in self.sent() {
            let header = |name: &str| {
                let mut found = record.headers.iter().filter(|(of, _)| of == name);
                let value = found
                    .next()
                    .map(|(_, value)| String::from_utf8(value.clone()).unwrap());
                assert!(found.next().is_none(), "{name} twice: {record:?}");
                value
            };
            let number = header(NUMBER).unwrap();
            assert_eq!(header("netsieve.attempt").as_deref(), Some("2"));
            assert_eq!(header("netsieve.ordinal").as_deref(), Some("0"));
            assert_eq!(record.headers.len(), 3, "{record:?}");
            assert_eq!(record.key.as_deref(), Some(number.as_bytes()));
            assert_eq!(record.timestamp_ms, Some(self.now_ms));
            let number = number.parse().unwrap();
            let sent = String::from_utf8(source_message(number)).unwrap();
            let mended = sent.replace("\"}]}", "\",\"protocol\":\"tcp,ipv4\"}]}");
            assert_eq!(String::from_utf8(record.value).unwrap(), mended);
            *times.entry(number).or_default() += 1;
        }
        let meant = (0..letters).step_by(3);
        let lost: Vec<_> = meant.clone().filter(|of| !times.contains_key(of)).collect();
        let doubled: Vec<_> = times.iter().filter(|(_, times)| **times > 1).collect();
        assert!(
            lost.is_empty() && doubled.is_empty(),
            "lost {lost:?}, doubled {doubled:?}"
        );
        assert_eq!(times.len(), meant.count(), "others came back");
    }
}

fn core() -> Settings {
    Settings {
        format: SourceFormat::Auto,
        reject: Warnings::NONE,
        limits: Limits::default(),
        enrich: Enrich::default(),
        outputs: Vec::new(),
        dead_letter_max_bytes: usize::MAX,
    }
}

/// Sends a record, waiting for room.
fn send(producer: &BaseProducer, mut record: BaseRecord<'_, str, [u8]>) {
    while let Err((error, refused)) = producer.send(record) {
        assert_eq!(
            error,
            KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull)
        );
        producer.poll(Duration::from_millis(10));
        record = refused;
    }
}

fn record(message: &impl Message) -> Record {
    let headers = message.headers().into_iter();
    let headers = headers.flat_map(|headers| headers.iter().collect::<Vec<_>>());
    let pair = |header: Header<'_, &[u8]>| {
        let value = header.value.unwrap_or_default();
        (header.key.to_owned(), value.to_vec())
    };
    Record {
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().unwrap_or_default().to_vec(),
        timestamp_ms: message.timestamp().to_millis(),
        headers: headers.map(pair).collect(),
    }
}

/// A replay at work; it is killed, by its id, when the test fails.
struct Replay(Child);

impl Drop for Replay {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Replay {
    fn signal(&self, name: &str) {
        let id = self.0.id().to_string();
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &id])
            .status();
        assert!(sent.unwrap().success());
    }

    /// Ends it where it stands.
    fn kill(mut self) {
        assert_eq!(self.0.try_wait().unwrap(), None, "it runs");
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// Waits until it has ended: its exit code and stderr.
    fn ended(mut self) -> (Option<i32>, String) {
        let status = wait("the replay ends", || self.0.try_wait().unwrap());
        let mut stderr = String::new();
        self.0
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut stderr)
            .unwrap();
        (status.code(), stderr)
    }
}
