//! What is in Kafka, as a reader of committed records outside of the containers sees it, and what
//! must be there.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use netsieve::generate::{Expected, SEQUENCE_HEADER};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use serde_json::Value;

use crate::expected;
use crate::project::PATIENCE;
use crate::proof::checker::{Came, Checker, Due, Outcome, Promise, Role};
use crate::proof::outputs;

const SOURCE: &str = "network_connection";
const PARTITIONS: i32 = 4;
const WRITTEN: [(&str, Role); 3] = [
    ("network_connection.connections", Role::Connections),
    ("network_connection.listeners", Role::Listeners),
    ("network_connection.dead_letters", Role::DeadLetters),
];
const ANSWER: Duration = Duration::from_secs(10);

/// The topics, and the account of what was sent.
pub(crate) struct Topics {
    bootstrap: String,
    due: Due,
    /// How much of each source partition is entered.
    entered: [i64; PARTITIONS as usize],
}

impl Topics {
    /// The topics of a cluster into which nothing was sent yet.
    pub(crate) fn new(port: u16) -> Self {
        Self {
            bootstrap: format!("127.0.0.1:{port}"),
            due: Due::default(),
            entered: [0; PARTITIONS as usize],
        }
    }

    /// Finds out where a load has gone that came after all others, and enters what must come of
    /// it. All of it must be there, once.
    pub(crate) fn enter(&mut self, load: &[Expected]) {
        let mut found = BTreeMap::new();
        let places = (0..)
            .zip(self.entered)
            .map(|(partition, from)| (SOURCE, partition, from));
        for message in self.read(places.collect(), |message| Sent {
            sequence: number(message, SEQUENCE_HEADER).unwrap(),
            place: (message.partition(), message.offset()),
        }) {
            let before = found.insert(message.sequence, message.place);
            assert_eq!(before, None, "message {} was sent twice", message.sequence);
        }
        assert_eq!(found.len(), load.len(), "messages sent");
        for expected in load {
            let (partition, offset) = found[&expected.sequence];
            self.due.enter(expected, partition, offset);
            let entered = &mut self.entered[usize::try_from(partition).unwrap()];
            *entered = (*entered).max(offset + 1);
        }
    }

    /// How many messages are entered.
    pub(crate) fn sent(&self) -> i64 {
        self.entered.iter().sum()
    }

    /// How many messages netsieve's group has committed; 0 while nobody can tell.
    pub(crate) fn committed(&self) -> i64 {
        let client = self.consumer("netsieve", "read_uncommitted");
        let mut all = TopicPartitionList::new();
        all.add_partition_range(SOURCE, 0, PARTITIONS - 1);
        let committed = client.committed_offsets(all, ANSWER);
        let committed = committed.map(|list| {
            let elements = list.elements();
            let offsets = elements.iter().map(|element| match element.offset() {
                Offset::Offset(offset) => offset,
                _ => 0,
            });
            offsets.sum()
        });
        committed.unwrap_or(0)
    }

    /// How many records are due in each topic.
    pub(crate) fn due_by_topic(&self) -> BTreeMap<String, f64> {
        let count = |role| self.due.len_of(role) as f64;
        let counts = WRITTEN.map(|(topic, role)| (topic.to_owned(), count(role)));
        counts.into()
    }

    /// Compares what came out with what must have: the same records, each once, each equal to
    /// what the generator foretold, and in order.
    pub(crate) fn check(&self) {
        let places = WRITTEN
            .into_iter()
            .flat_map(|(topic, _)| (0..PARTITIONS).map(move |partition| (topic, partition, 0)));
        let came = self.read(places.collect(), came);
        let mut checker = Checker::new(&self.due, Promise::ExactlyOnce);
        for one in &came {
            checker.take(one);
        }
        let verdict = checker.finish();
        assert!(verdict.is_clean(), "of {} due {verdict}", self.due.len());
    }

    /// Reads partitions from an offset on to their end.
    fn read<T>(
        &self,
        places: Vec<(&str, i32, i64)>,
        take: impl Fn(&BorrowedMessage<'_>) -> T,
    ) -> Vec<T> {
        let consumer = self.consumer("reader", "read_committed");
        let mut all = TopicPartitionList::new();
        for (topic, partition, offset) in places {
            let offset = Offset::Offset(offset);
            all.add_partition_offset(topic, partition, offset).unwrap();
        }
        consumer.assign(&all).unwrap();
        let (since, mut open, mut taken) = (Instant::now(), all.count(), Vec::new());
        while open > 0 {
            assert!(since.elapsed() < PATIENCE, "{open} partitions not read");
            match consumer.poll(Duration::from_millis(100)) {
                None => {}
                Some(Ok(message)) => taken.push(take(&message)),
                // Nothing is written any more, so that each comes to its end once.
                Some(Err(KafkaError::PartitionEOF(_))) => open -= 1,
                Some(Err(error)) => panic!("{error}"),
            }
        }
        taken
    }

    fn consumer(&self, group: &str, isolation: &str) -> BaseConsumer {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.bootstrap)
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("isolation.level", isolation);
        config.create().unwrap()
    }
}

struct Sent {
    sequence: u64,
    place: (i32, i64),
}

fn came(message: &BorrowedMessage<'_>) -> Came {
    let topic = message.topic();
    let (_, role) = *WRITTEN.iter().find(|(of, _)| *of == topic).unwrap();
    if role == Role::DeadLetters {
        return outputs::came(message, SOURCE);
    }
    let value = message.payload().unwrap();
    let event: Value = serde_json::from_slice(value).unwrap();
    let text = |name: &str| event[name].as_str().unwrap().to_owned();
    let number = |name: &str| event["ingest"][name].as_i64().unwrap();
    assert_eq!(event["ingest"]["topic"], SOURCE);
    let index = number("record_index").try_into().unwrap();
    Came {
        topic: topic.to_owned(),
        role,
        partition: message.partition(),
        offset: message.offset(),
        origin: (
            number("partition").try_into().unwrap(),
            number("offset"),
            Some(index),
        ),
        ids: Some((text("event_id"), text("connection_key"))),
        outcome: Outcome::Event {
            message_id: text("message_id"),
            event: Box::new(expected::event(&event)),
        },
        value: value.to_vec(),
    }
}

fn number(message: &BorrowedMessage<'_>, name: &str) -> Option<u64> {
    header(message, name).map(|text| text.parse().unwrap())
}

fn header<'m>(message: &'m BorrowedMessage<'_>, name: &str) -> Option<&'m str> {
    let mut headers = message.headers()?.iter();
    let found = headers.find(|header| header.key == name)?;
    std::str::from_utf8(found.value?).ok()
}
