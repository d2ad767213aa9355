//! The embedded broker's two ends: the load that goes in, and what comes out of it.

use std::time::Duration;

use netsieve::generate::{ExpectedEvent, Generated, SEQUENCE_HEADER};
use netsieve::proto::v1;
use prost::Message as _;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{BorrowedMessage, Header, Headers, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

use crate::books::{CONNECTIONS, Came, DEAD_LETTERS, LISTENERS, Outcome};

pub(crate) const SOURCE: &str = "network_connection";
pub(crate) const SOURCE_PARTITIONS: i32 = 4;
/// What is written to, with its partitions.
pub(crate) const WRITTEN: [(&str, i32); 3] = [(CONNECTIONS, 3), (LISTENERS, 2), (DEAD_LETTERS, 2)];
const ANSWER: Duration = Duration::from_secs(10);

/// Sends messages to places that are known beforehand.
pub(crate) struct Feed(BaseProducer);

impl Feed {
    pub(crate) fn connect(bootstrap: &str) -> Self {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", bootstrap)
            .set("enable.idempotence", "true")
            .set("compression.type", "lz4");
        Self(config.create().unwrap())
    }

    pub(crate) fn send(&self, message: &Generated, partition: i32) {
        let mut headers = OwnedHeaders::new();
        for (key, value) in &message.headers {
            let value = value.as_ref();
            headers = headers.insert(Header { key, value });
        }
        let record = BaseRecord::to(SOURCE)
            .partition(partition)
            .timestamp(message.timestamp_ms)
            .key(&message.key)
            .payload(&message.value)
            .headers(headers);
        self.0.send(record).map_err(|(error, _)| error).unwrap();
        self.0.poll(Duration::ZERO);
    }
}

/// Reads all that is written, from its beginning.
pub(crate) struct Outlet(BaseConsumer);

impl Outlet {
    pub(crate) fn open(bootstrap: &str) -> Self {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            .set("group.id", "outlet")
            .set("enable.auto.commit", "false")
            // What the broker dropped before it was read must not be passed over.
            .set("auto.offset.reset", "error")
            .set("fetch.wait.max.ms", "20")
            .set("fetch.queue.backoff.ms", "5")
            .create()
            .unwrap();
        let mut all = TopicPartitionList::new();
        for (topic, partition) in places() {
            all.add_partition_offset(topic, partition, Offset::Offset(0))
                .unwrap();
        }
        consumer.assign(&all).unwrap();
        Self(consumer)
    }

    /// What came next, waiting for it so long.
    pub(crate) fn next(&self, wait: Duration) -> Option<Came> {
        let message = self.0.poll(wait)?;
        Some(came(&message.unwrap()))
    }

    /// Whether all that is there was read.
    pub(crate) fn is_at_end(&self) -> bool {
        let read = self.0.position().unwrap();
        places().all(|(topic, partition)| {
            let (_, end) = self.0.fetch_watermarks(topic, partition, ANSWER).unwrap();
            let position = read.find_partition(topic, partition).unwrap().offset();
            // There is no position before the first record.
            end == 0 || position == Offset::Offset(end)
        })
    }
}

fn places() -> impl Iterator<Item = (&'static str, i32)> {
    let of_topic = |(topic, partitions)| (0..partitions).map(move |partition| (topic, partition));
    WRITTEN.into_iter().flat_map(of_topic)
}

fn came(message: &BorrowedMessage<'_>) -> Came {
    let value = message.payload().unwrap_or_default();
    let (origin, event_id, outcome) = if message.topic() == DEAD_LETTERS {
        let number = |name| header(message, name).map(|text| text.parse::<u64>().unwrap());
        let place = number("__connect.errors.partition").unwrap();
        let offset = number("__connect.errors.offset").unwrap();
        let index = number("netsieve.record_index").map(|index| index.try_into().unwrap());
        let outcome = Outcome::Reject {
            reason: header(message, "netsieve.reason").unwrap().to_owned(),
            sequence: number(SEQUENCE_HEADER).unwrap(),
        };
        let origin = (place.try_into().unwrap(), offset.try_into().unwrap(), index);
        (origin, None, outcome)
    } else {
        let event = v1::Event::decode(value).unwrap();
        let ingest = event.ingest.as_ref().unwrap();
        assert_eq!(ingest.topic, SOURCE);
        let index = Some(ingest.record_index);
        let outcome = Outcome::Event {
            message_id: event.message_id.clone(),
            event: Box::new(ExpectedEvent::from(&event)),
        };
        let origin = (ingest.partition, ingest.offset, index);
        (origin, Some(event.event_id), outcome)
    };
    Came {
        topic: message.topic().to_owned(),
        partition: message.partition(),
        origin,
        event_id,
        outcome,
        value: value.to_vec(),
    }
}

fn header<'m>(message: &'m BorrowedMessage<'_>, name: &str) -> Option<&'m str> {
    let mut headers = message.headers()?.iter();
    let found = headers.find(|header| header.key == name)?;
    std::str::from_utf8(found.value?).ok()
}

/// The group's committed offset of each source partition; 0 where there is none.
pub(crate) fn committed(bootstrap: &str) -> Vec<i64> {
    let client: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "netsieve")
        .create()
        .unwrap();
    let mut all = TopicPartitionList::new();
    all.add_partition_range(SOURCE, 0, SOURCE_PARTITIONS - 1);
    let committed = client.committed_offsets(all, ANSWER).unwrap();
    let elements = committed.elements();
    let offsets = elements.iter().map(|element| match element.offset() {
        Offset::Offset(offset) => offset,
        _ => 0,
    });
    offsets.collect()
}
