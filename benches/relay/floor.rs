//! The floor: a bare loop over librdkafka that reads the source and writes, for each message, the
//! records that netsieve has made of it before. It looks at nothing, and keeps account of no more
//! than it takes to commit offsets. Its clients are set up by netsieve's own settings.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use netsieve::kafka::KafkaSettings;
use netsieve::kafka::client::{self, DEFAULT_MAX_MESSAGE_BYTES};
use netsieve::kafka::settings::Guarantee;
use netsieve::proto::v1;
use prost::Message as _;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedHeaders, BorrowedMessage, DeliveryResult, Headers, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientContext, Message, Offset, TopicPartitionList};

use crate::stage::{self, ANSWER, PARTITIONS};

/// Commits are not sent more often than this, as netsieve's are not.
const LEAST_INTERVAL: Duration = Duration::from_millis(10);
const MOMENT: Duration = Duration::from_millis(1);

/// A record as netsieve has made it.
pub(crate) struct Ready {
    /// Index of its topic.
    topic: usize,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: OwnedHeaders,
}

/// What netsieve has made of each message of a source that has so many.
pub(crate) fn ready_made(topics: &[String], messages: usize) -> Vec<Vec<Ready>> {
    let mut ready: Vec<Vec<Ready>> = Vec::new();
    ready.resize_with(messages, Vec::new);
    stage::read(topics, |message| {
        let topic = topics.iter().position(|topic| topic == message.topic());
        let record = Ready {
            topic: topic.expect("it is one of those that are read"),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers: message
                .headers()
                .map(BorrowedHeaders::detach)
                .unwrap_or_default(),
        };
        let (partition, offset) = origin(message);
        ready[number(partition, offset)].push(record);
    });
    ready
}

/// Which message of the source it was.
fn number(partition: i32, offset: i64) -> usize {
    let number = offset * i64::from(PARTITIONS) + i64::from(partition);
    usize::try_from(number).expect("offsets are not negative")
}

/// Partition and offset of the message that a record came of.
fn origin(record: &BorrowedMessage<'_>) -> (i32, i64) {
    let number = |name| {
        let mut headers = record.headers()?.iter();
        let value = headers.find(|header| header.key == name)?.value?;
        std::str::from_utf8(value).ok()?.parse::<i64>().ok()
    };
    if let Some(partition) = number("__connect.errors.partition") {
        let offset = number("__connect.errors.offset").expect("both are given");
        return (i32::try_from(partition).expect("a few"), offset);
    }
    let event = v1::Event::decode(record.payload().unwrap_or_default());
    let ingest = event.ok().and_then(|event| event.ingest);
    let ingest = ingest.expect("an event says where it comes from");
    (ingest.partition, ingest.offset)
}

/// Counts what is acknowledged.
#[derive(Default)]
struct Acknowledged(AtomicU64);

impl ClientContext for Acknowledged {}

impl ProducerContext for Acknowledged {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        assert!(result.is_ok(), "a record was not delivered");
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// The loop's clients and what they have done.
struct Floor {
    settings: KafkaSettings,
    topics: Vec<String>,
    ready: Vec<Vec<Ready>>,
    consumer: BaseConsumer,
    producer: BaseProducer<Acknowledged>,
    sent: u64,
    /// Messages that wait for their last record, and the offset after them.
    waiting: VecDeque<(u64, i32, i64)>,
    /// What may be committed.
    next: Vec<Option<i64>>,
    at_end: Vec<bool>,
    is_open: bool,
    messages: u64,
    begun: Instant,
    last: Instant,
}

/// Works as that configuration with these settings says until it is killed; `sample` are the topics
/// that netsieve has written to for a source of so many messages, which that of this run repeats.
pub(crate) fn relay(config: &Path, settings: &[String], sample: &[String], messages: usize) {
    let config = stage::config(config, settings);
    let settings = config.kafka_settings("floor".to_owned());
    let mut floor = Floor::new(settings, ready_made(sample, messages));
    loop {
        floor.turn();
    }
}

impl Floor {
    fn new(settings: KafkaSettings, ready: Vec<Vec<Ready>>) -> Self {
        let bytes = DEFAULT_MAX_MESSAGE_BYTES;
        let mut consumer = client::consumer(&settings, 0).expect("the settings are valid");
        consumer.set("auto.offset.reset", "earliest");
        let mut producer =
            client::producer(&settings, 0, bytes, bytes).expect("the settings are valid");
        // What netsieve tells by the statistics, nobody asks of a bare loop.
        for config in [&mut consumer, &mut producer] {
            config.set("statistics.interval.ms", "0");
        }
        let consumer: BaseConsumer = consumer.create().expect("the properties are valid");
        let producer: BaseProducer<_> = producer
            .create_with_context(Acknowledged::default())
            .expect("the properties are valid");
        if settings.guarantee == Guarantee::ExactlyOnce {
            producer
                .init_transactions(ANSWER)
                .expect("the brokers answer");
        }
        consumer
            .subscribe(&[&settings.sources[0]])
            .expect("there is a source");
        let partitions = usize::try_from(PARTITIONS).expect("a few");
        Self {
            topics: settings.written_topics().map(str::to_owned).collect(),
            settings,
            ready,
            consumer,
            producer,
            sent: 0,
            waiting: VecDeque::new(),
            next: vec![None; partitions],
            at_end: vec![false; partitions],
            is_open: false,
            messages: 0,
            begun: Instant::now(),
            last: Instant::now(),
        }
    }

    fn turn(&mut self) {
        self.producer.poll(Duration::ZERO);
        self.take_acknowledged();
        if self.is_due() {
            self.commit();
        }
        let message = match self.consumer.poll(3 * MOMENT) {
            None => return,
            Some(Ok(message)) => message,
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                self.at_end[usize::try_from(partition).expect("a few")] = true;
                return;
            }
            Some(Err(error)) => panic!("{error}"),
        };
        if self.is_transactional() && !self.is_open {
            let begun = self.producer.begin_transaction();
            begun.expect("a transaction can begin");
            (self.is_open, self.begun) = (true, Instant::now());
        }
        let (partition, offset) = (message.partition(), message.offset());
        let ready = &self.ready[number(partition, offset) % self.ready.len()];
        let timestamp_ms = message.timestamp().to_millis().unwrap_or(0);
        for record in ready {
            send(&self.producer, &self.topics, record, timestamp_ms);
        }
        self.sent += ready.len() as u64;
        self.messages += 1;
        self.at_end[usize::try_from(partition).expect("a few")] = false;
        self.waiting.push_back((self.sent, partition, offset + 1));
    }

    fn is_transactional(&self) -> bool {
        self.settings.guarantee == Guarantee::ExactlyOnce
    }

    /// Acknowledgements come in another order than records were sent in; for what is measured
    /// here their number is enough.
    fn take_acknowledged(&mut self) {
        let acknowledged = self.producer.context().0.load(Ordering::Relaxed);
        while let Some(&(last, partition, next)) = self.waiting.front()
            && last <= acknowledged
        {
            self.waiting.pop_front();
            self.next[usize::try_from(partition).expect("a few")] = Some(next);
        }
    }

    fn is_due(&self) -> bool {
        let commit = &self.settings.commit;
        let may = self.last.elapsed() >= LEAST_INTERVAL;
        let enough = self.messages >= commit.max_records;
        if self.is_transactional() {
            let at_end = self.at_end.iter().all(|at_end| *at_end);
            return self.is_open
                && (self.begun.elapsed() >= commit.interval || may && (enough || at_end));
        }
        self.last.elapsed() >= commit.interval || may && enough
    }

    fn commit(&mut self) {
        if self.is_transactional() {
            while self.producer.in_flight_count() > 0 {
                std::thread::sleep(MOMENT);
                self.producer.poll(Duration::ZERO);
            }
            self.take_acknowledged();
        }
        let mut offsets = TopicPartitionList::new();
        for (partition, next) in (0..).zip(&mut self.next) {
            if let Some(next) = next.take() {
                let source = &self.settings.sources[0];
                let added = offsets.add_partition_offset(source, partition, Offset::Offset(next));
                added.expect("the offset is valid");
            }
        }
        if self.is_transactional() {
            let group = self.consumer.group_metadata().expect("it is a member");
            let producer = &self.producer;
            let sent = producer.send_offsets_to_transaction(&offsets, &group, ANSWER);
            sent.expect("the brokers take offsets");
            let committed = producer.commit_transaction(ANSWER);
            committed.expect("the brokers commit");
        } else if offsets.count() > 0 {
            let committed = self.consumer.commit(&offsets, CommitMode::Async);
            committed.expect("offsets can be sent");
        }
        self.is_open = false;
        self.messages = 0;
        self.last = Instant::now();
    }
}

fn send(
    producer: &BaseProducer<Acknowledged>,
    topics: &[String],
    record: &Ready,
    timestamp_ms: i64,
) {
    let mut outgoing = BaseRecord {
        topic: topics[record.topic].as_str(),
        partition: None,
        payload: record.value.as_deref(),
        key: record.key.as_deref(),
        timestamp: Some(timestamp_ms),
        headers: Some(record.headers.clone()),
        delivery_opaque: (),
    };
    loop {
        outgoing = match producer.send(outgoing) {
            Ok(()) => return,
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), record)) => record,
            Err((error, _)) => panic!("cannot send: {error}"),
        };
        std::thread::sleep(MOMENT);
        producer.poll(Duration::ZERO);
    }
}
