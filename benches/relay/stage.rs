//! Topics of their own for one run on the real cluster, the load that goes in, and the
//! configuration of who works on it.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use netsieve::config::{Config, Sources, load};
use netsieve::generate::{Generated, Generator, Options};
use rdkafka::admin::{NewTopic, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use tempfile::TempDir;

use crate::topics;

/// Partitions of the source and of each topic that is written to.
pub(crate) const PARTITIONS: i32 = 4;
/// Largest message that a topic takes, in bytes: 10,000 records of JSON are more than the brokers
/// take by default.
const LARGEST: &str = "8388608";
/// How long the brokers may take to answer.
pub(crate) const ANSWER: Duration = Duration::from_secs(30);

/// The brokers' address.
pub(crate) fn bootstrap() -> String {
    std::env::var("NETSIEVE_KAFKA_BOOTSTRAP")
        .expect("a cluster: run it by ./with-kafka, see the head of the bench")
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(now.expect("it is after 1970").as_millis()).expect("it is before the year 3000")
}

/// Distinct messages of real agents' kinds.
pub(crate) fn messages(count: usize, options: Options) -> Vec<Generated> {
    // The brokers delete old records by these times.
    let start_ms = now_ms() - 60_000;
    let options = Options {
        start_ms,
        ..options
    };
    Generator::new(options).take(count).collect()
}

/// A source topic.
pub(crate) struct Source {
    pub(crate) topic: String,
    producer: BaseProducer,
    sent: usize,
}

impl Source {
    /// Makes the topic.
    pub(crate) fn new(topic: &str) -> Self {
        create_topics(&[topic.to_owned()]);
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", bootstrap())
            .set("enable.idempotence", "true")
            .set("compression.type", "zstd")
            .set("message.max.bytes", LARGEST)
            .set("linger.ms", "0")
            .set("socket.nagle.disable", "true");
        Self {
            topic: topic.to_owned(),
            producer: config.create().expect("the properties are valid"),
            sent: 0,
        }
    }

    /// Messages in it: the n-th is in partition n modulo [`PARTITIONS`].
    pub(crate) fn sent(&self) -> usize {
        self.sent
    }

    /// Sends one, and waits only while too much is not yet acknowledged.
    pub(crate) fn send(&mut self, message: &Generated, timestamp_ms: i64) {
        let partition = self.sent % usize::try_from(PARTITIONS).expect("a few");
        let mut headers = OwnedHeaders::new();
        for (key, value) in &message.headers {
            let value = value.as_ref();
            headers = headers.insert(Header { key, value });
        }
        let mut record = BaseRecord::to(&self.topic)
            .partition(i32::try_from(partition).expect("a few"))
            .timestamp(timestamp_ms)
            .key(&message.key)
            .payload(&message.value)
            .headers(headers);
        loop {
            self.producer.poll(Duration::ZERO);
            record = match self.producer.send(record) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), record)) => record,
                Err((error, _)) => panic!("cannot send: {error}"),
            };
            self.producer.poll(Duration::from_millis(5));
        }
        self.sent += 1;
    }

    /// Waits until everything is acknowledged.
    pub(crate) fn flush(&self) {
        self.producer
            .flush(ANSWER)
            .expect("the brokers acknowledge");
    }

    /// Sends messages over and over, until so many are sent.
    pub(crate) fn fill(&mut self, distinct: &[Generated], messages: usize) {
        for message in distinct.iter().cycle().take(messages) {
            self.send(message, message.timestamp_ms);
        }
        self.flush();
    }
}

/// One run: a name that its group and the topics that it writes to have, and its configuration.
pub(crate) struct Run {
    name: String,
    source: String,
    settings: Vec<String>,
    folder: TempDir,
}

impl Run {
    /// Makes the topics, and the configuration with these further settings, as `--set` takes them.
    pub(crate) fn new(name: &str, source: &Source, settings: Vec<String>) -> Self {
        let run = Self {
            name: format!("{name}-{}", now_ms()),
            source: source.topic.clone(),
            settings,
            folder: tempfile::tempdir().expect("there is room for a file"),
        };
        create_topics(&run.outputs());
        std::fs::write(run.config_path(), run.text()).expect("there is room for a file");
        run
    }

    fn text(&self) -> String {
        let Self { name, source, .. } = self;
        format!(
            r#"
[kafka]
bootstrap = "{}"
[source]
topic = "{source}"
group = "{name}"
[[outputs]]
name = "connections"
topic = "{name}.connections"
kinds = ["connection", "idle"]
[[outputs]]
name = "listeners"
topic = "{name}.listeners"
kinds = ["listener"]
[dead_letters]
topic = "{name}.dead_letters"
[http]
listen = "off"
"#,
            bootstrap()
        )
    }

    /// The topics that it writes to, the dead letters' last.
    pub(crate) fn outputs(&self) -> Vec<String> {
        ["connections", "listeners", "dead_letters"]
            .map(|topic| format!("{}.{topic}", self.name))
            .to_vec()
    }

    /// Where its configuration is.
    pub(crate) fn config_path(&self) -> PathBuf {
        self.folder.path().join("netsieve.toml")
    }

    /// What goes over its configuration, as `--set` takes it.
    pub(crate) fn settings(&self) -> &[String] {
        &self.settings
    }

    /// How many messages the group has committed.
    pub(crate) fn committed(&self, client: &BaseConsumer) -> usize {
        let mut all = TopicPartitionList::new();
        all.add_partition_range(&self.source, 0, PARTITIONS - 1);
        // While a coordinator is being found there may be no answer.
        let Ok(committed) = client.committed_offsets(all, ANSWER) else {
            return 0;
        };
        let elements = committed.elements();
        let offsets = elements.iter().map(|element| match element.offset() {
            Offset::Offset(offset) => usize::try_from(offset).unwrap_or(0),
            _ => 0,
        });
        offsets.sum()
    }

    /// A client that asks for what the group has committed.
    pub(crate) fn observer(&self) -> BaseConsumer {
        ClientConfig::new()
            .set("bootstrap.servers", bootstrap())
            .set("group.id", &self.name)
            // Does not wait for a transaction that is under way.
            .set("isolation.level", "read_uncommitted")
            .create()
            .expect("the properties are valid")
    }

    /// Deletes the topics that it has written to.
    pub(crate) fn delete(self) {
        let outputs = self.outputs();
        let outputs: Vec<_> = outputs.iter().map(String::as_str).collect();
        topics::delete(&bootstrap(), &outputs);
    }
}

/// The configuration in a file with these settings over it, as `netsieve run` would have it.
pub(crate) fn config(path: &Path, settings: &[String]) -> Config {
    let sources = Sources {
        file: Some(path.to_owned()),
        set: settings.to_vec(),
        ..Sources::default()
    };
    load(&sources).expect("the configuration is valid").config
}

/// A reader of committed records of these topics, from their beginnings.
pub(crate) fn reader(topics: &[String]) -> BaseConsumer {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap())
        .set("group.id", "reader")
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true")
        .set("fetch.queue.backoff.ms", "5")
        .set("socket.nagle.disable", "true")
        .create()
        .expect("the properties are valid");
    let mut all = TopicPartitionList::new();
    for topic in topics {
        for partition in 0..PARTITIONS {
            all.add_partition_offset(topic, partition, Offset::Beginning)
                .expect("the offset is valid");
        }
    }
    consumer.assign(&all).expect("the partitions are there");
    consumer
}

/// Reads topics to their ends.
pub(crate) fn read(topics: &[String], mut take: impl FnMut(&BorrowedMessage<'_>)) {
    let consumer = reader(topics);
    let mut open = topics.len() * usize::try_from(PARTITIONS).expect("a few");
    while open > 0 {
        match consumer.poll(ANSWER) {
            None => panic!("{open} partitions are not read"),
            Some(Ok(message)) => take(&message),
            // Nothing is written any more, so that each comes to its end once.
            Some(Err(KafkaError::PartitionEOF(_))) => open -= 1,
            Some(Err(error)) => panic!("{error}"),
        }
    }
}

fn create_topics(names: &[String]) {
    let new = |name| {
        let topic = NewTopic::new(name, PARTITIONS, TopicReplication::Fixed(-1));
        topic.set("max.message.bytes", LARGEST)
    };
    let topics: Vec<_> = names.iter().map(|name| new(name.as_str())).collect();
    topics::create(&bootstrap(), &topics);
}
