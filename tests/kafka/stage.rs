//! Topics of their own for one test on the real cluster, the load that goes in, and what comes
//! out, as a reader of committed records sees it.

use std::process::Command;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use netsieve::generate::{ExpectedEvent, Generator, Options, SEQUENCE_HEADER};
use netsieve::proto::v1;
use prost::Message as _;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Header, Headers, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

use crate::checker::{self, Came, Due, Outcome, Promise, Role};

pub(crate) const SOURCE_PARTITIONS: i32 = 4;
const WRITTEN: [(Role, &str, i32); 3] = [
    (Role::Connections, "connections", 3),
    (Role::Listeners, "listeners", 2),
    (Role::DeadLetters, "dead_letters", 2),
];
const ANSWER: Duration = Duration::from_secs(15);
/// Longest time that anything here is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Who takes the brokers down has the cluster alone.
static CLUSTER: RwLock<()> = RwLock::new(());

/// One test's part of the cluster.
pub(crate) struct Stage {
    alone: Option<RwLockWriteGuard<'static, ()>>,
    #[expect(dead_code, reason = "it is only held")]
    beside: Option<RwLockReadGuard<'static, ()>>,
    pub(crate) bootstrap: String,
    /// Name of the source topic and of the group; the other topics' names begin with it.
    pub(crate) name: String,
    load: Generator,
    producer: BaseProducer,
    due: Due,
    pub(crate) sent: i64,
}

impl Stage {
    /// Makes the topics, beside those of other tests.
    pub(crate) fn new(test: &str) -> Self {
        let beside = CLUSTER.read().unwrap_or_else(PoisonError::into_inner);
        Self {
            beside: Some(beside),
            ..Self::open(test)
        }
    }

    /// Makes the topics on another cluster.
    pub(crate) fn at(bootstrap: &str, test: &str) -> Self {
        Self::made(bootstrap.to_owned(), test)
    }

    /// Makes the topics when no other test is at work, and keeps it so.
    pub(crate) fn alone(test: &str) -> Self {
        let alone = CLUSTER.write().unwrap_or_else(PoisonError::into_inner);
        Self {
            alone: Some(alone),
            ..Self::open(test)
        }
    }

    fn open(test: &str) -> Self {
        let bootstrap = std::env::var("NETSIEVE_KAFKA_BOOTSTRAP")
            .expect("a cluster: ./with-kafka cargo test --test kafka -- --include-ignored");
        Self::made(bootstrap, test)
    }

    fn made(bootstrap: String, test: &str) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let now_ms = i64::try_from(now.as_millis()).unwrap();
        let name = format!("{test}-{now_ms}");
        create_topics(&bootstrap, &name);
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &bootstrap)
            .set("enable.idempotence", "true");
        // The brokers delete old records by these times.
        let options = Options {
            start_ms: now_ms - 60_000,
            ..Options::default()
        };
        Self {
            alone: None,
            beside: None,
            producer: config.create().unwrap(),
            bootstrap,
            name,
            load: Generator::new(options),
            due: Due::new(),
            sent: 0,
        }
    }

    /// The configuration of a processor.
    pub(crate) fn config(&self, delivery: &str) -> String {
        let name = &self.name;
        format!(
            r#"
delivery = "{delivery}"
[kafka]
bootstrap = "{}"
[source]
topic = "{name}"
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
            self.bootstrap
        )
    }

    /// Sends so many more messages, over all partitions in turn.
    pub(crate) fn feed(&mut self, messages: usize) {
        for message in self.load.by_ref().take(messages) {
            let partitions = i64::from(SOURCE_PARTITIONS);
            let (partition, offset) = (self.sent % partitions, self.sent / partitions);
            let partition = i32::try_from(partition).unwrap();
            let mut headers = OwnedHeaders::new();
            for (key, value) in &message.headers {
                let value = value.as_ref();
                headers = headers.insert(Header { key, value });
            }
            let record = BaseRecord::to(&self.name)
                .partition(partition)
                .timestamp(message.timestamp_ms)
                .key(&message.key)
                .payload(&message.value)
                .headers(headers);
            let sent = self.producer.send(record).map_err(|(error, _)| error);
            sent.unwrap();
            self.producer.poll(Duration::ZERO);
            checker::enter(&mut self.due, &message.expected, partition, offset);
            self.sent += 1;
        }
        self.producer.flush(ANSWER).unwrap();
    }

    /// How many messages the group has committed.
    pub(crate) fn committed(&self) -> i64 {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.bootstrap)
            .set("group.id", &self.name)
            // Does not wait for a transaction that is under way.
            .set("isolation.level", "read_uncommitted");
        let client: BaseConsumer = config.create().unwrap();
        let mut all = TopicPartitionList::new();
        all.add_partition_range(&self.name, 0, SOURCE_PARTITIONS - 1);
        // While a coordinator is being found or a transaction ends there may be no answer.
        let Ok(committed) = client.committed_offsets(all, ANSWER) else {
            return 0;
        };
        let elements = committed.elements();
        let offsets = elements.iter().map(|element| match element.offset() {
            Offset::Offset(offset) => offset,
            _ => 0,
        });
        offsets.sum()
    }

    /// Waits until the group has committed so many messages.
    pub(crate) fn wait_for(&self, messages: i64) {
        let since = Instant::now();
        loop {
            let committed = self.committed();
            if committed >= messages {
                return;
            }
            assert!(
                since.elapsed() < PATIENCE,
                "waited in vain: {committed} of {messages} messages committed"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until the group has committed everything, and no more.
    pub(crate) fn wait_for_all(&self) {
        self.wait_for(self.sent);
        assert_eq!(self.committed(), self.sent);
    }

    /// Sets the largest batch that the topics which are written to take.
    pub(crate) fn limit_bytes(&self, bytes: usize) {
        for (_, topic, _) in WRITTEN {
            let mut command = Command::new("kafka-configs");
            command.args(["--alter", "--entity-type", "topics"]);
            command.args(["--entity-name", &format!("{}.{topic}", self.name)]);
            command.args(["--add-config", &format!("max.message.bytes={bytes}")]);
            let output = command.output().unwrap();
            assert!(output.status.success(), "{output:?}");
        }
    }

    /// Does something to all brokers; only for who has the cluster alone.
    pub(crate) fn all_brokers(&self, order: &str) {
        assert!(self.alone.is_some());
        let control = std::env::var("NETSIEVE_KAFKA_CTL").unwrap();
        let output = Command::new(control).args([order, "all"]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    /// Compares what came out with what must have.
    pub(crate) fn check(&self, promise: Promise) {
        let came = self.read();
        let differences = checker::differences(&self.due, &came, promise);
        assert!(
            differences.is_empty(),
            "{} of {} records came, {} differences, among them {:#?}",
            came.len(),
            self.due.len(),
            differences.len(),
            &differences[..differences.len().min(10)]
        );
    }

    /// Everything that was written and committed.
    fn read(&self) -> Vec<Came> {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.bootstrap)
            .set("group.id", format!("{}-reader", self.name))
            .set("enable.auto.commit", "false")
            .set("isolation.level", "read_committed")
            .set("enable.partition.eof", "true")
            .set("fetch.queue.backoff.ms", "5");
        let consumer: BaseConsumer = config.create().unwrap();
        let mut all = TopicPartitionList::new();
        for (_, topic, partitions) in WRITTEN {
            let topic = format!("{}.{topic}", self.name);
            for partition in 0..partitions {
                all.add_partition_offset(&topic, partition, Offset::Beginning)
                    .unwrap();
            }
        }
        let mut open = all.count();
        consumer.assign(&all).unwrap();
        let (since, mut came) = (Instant::now(), Vec::new());
        while open > 0 {
            assert!(since.elapsed() < PATIENCE, "{open} partitions not read");
            match consumer.poll(Duration::from_millis(100)) {
                None => {}
                Some(Ok(message)) => came.push(self.came(&message)),
                // Nothing is written any more, so that each comes to its end once.
                Some(Err(KafkaError::PartitionEOF(_))) => open -= 1,
                Some(Err(error)) => panic!("{error}"),
            }
        }
        came
    }

    fn came(&self, message: &BorrowedMessage<'_>) -> Came {
        let topic = message.topic().strip_prefix(&self.name).unwrap();
        let of_topic = WRITTEN.iter().find(|(_, name, _)| topic[1..] == **name);
        let (role, ..) = *of_topic.unwrap();
        let value = message.payload().unwrap_or_default();
        let (origin, event_id, outcome) = if role == Role::DeadLetters {
            let number = |name| header(message, name).map(|text| text.parse::<u64>().unwrap());
            let partition = number("__connect.errors.partition").unwrap();
            let offset = number("__connect.errors.offset").unwrap();
            let index = number("netsieve.record_index").map(|index| index.try_into().unwrap());
            let outcome = Outcome::Reject {
                reason: header(message, "netsieve.reason").unwrap().to_owned(),
                sequence: number(SEQUENCE_HEADER).unwrap(),
            };
            let origin = (
                partition.try_into().unwrap(),
                offset.try_into().unwrap(),
                index,
            );
            (origin, None, outcome)
        } else {
            let event = v1::Event::decode(value).unwrap();
            let ingest = event.ingest.as_ref().unwrap();
            let origin = (ingest.partition, ingest.offset, Some(ingest.record_index));
            let outcome = Outcome::Event {
                message_id: event.message_id.clone(),
                event: Box::new(ExpectedEvent::from(&event)),
            };
            (origin, Some(event.event_id), outcome)
        };
        Came {
            role,
            partition: message.partition(),
            origin,
            event_id,
            outcome,
        }
    }
}

fn header<'m>(message: &'m BorrowedMessage<'_>, name: &str) -> Option<&'m str> {
    let mut headers = message.headers()?.iter();
    let found = headers.find(|header| header.key == name)?;
    std::str::from_utf8(found.value?).ok()
}

fn create_topics(bootstrap: &str, name: &str) {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap);
    let admin: AdminClient<DefaultClientContext> = config.create().unwrap();
    let names = WRITTEN.map(|(_, topic, partitions)| (format!("{name}.{topic}"), partitions));
    // As many replicas as the cluster has by default.
    let of = |topic, partitions| NewTopic::new(topic, partitions, TopicReplication::Fixed(-1));
    let written = names
        .iter()
        .map(|(topic, partitions)| of(topic, *partitions));
    let source = of(name, SOURCE_PARTITIONS);
    let topics: Vec<_> = written.chain([source]).collect();
    let options = AdminOptions::new().operation_timeout(Some(ANSWER));
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let created = runtime
        .unwrap()
        .block_on(admin.create_topics(&topics, &options));
    for result in created.unwrap() {
        result.unwrap();
    }
}
