//! What comes out of the demo's topics.

use std::time::Duration;

use prost::Message as _;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError as ClientError;
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::cli::CliError;
use crate::generate::SEQUENCE_HEADER;
use crate::proto::v1;

/// Something that came out.
pub(super) enum Came {
    /// An event, and the topic that it came from.
    Event {
        topic: String,
        event: Box<v1::Event>,
    },
    Reject(Reject),
}

/// Something that came out where events are JSON.
pub(super) enum CameAsJson {
    Event(Vec<u8>),
    Reject(Reject),
}

impl Came {
    /// Which record of its message it comes from; absent for a whole message.
    pub(super) fn record_index(&self) -> Option<u32> {
        match self {
            Self::Event { event, .. } => event.ingest.as_ref().map(|of| of.record_index),
            Self::Reject(reject) => reject.record_index,
        }
    }
}

/// A dead letter, by its headers.
pub(super) struct Reject {
    pub(super) sequence: Option<u64>,
    pub(super) record_index: Option<u32>,
    pub(super) reason: String,
    pub(super) sentence: String,
}

/// A consumer of all output topics, without a group.
pub(super) struct Reader {
    consumer: BaseConsumer,
    dead_letters: String,
}

impl Reader {
    /// Begins to read the topics from their beginning.
    pub(super) fn start(
        bootstrap: &str,
        topics: &[(&str, i32)],
        dead_letters: &str,
    ) -> Result<Self, CliError> {
        let failed = |error: ClientError| {
            CliError::failure(format!(
                "cannot read what comes out ({error}), {bootstrap}: try again"
            ))
        };
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            .set("client.id", "netsieve-demo-reader")
            // An assignment by hand needs a group's name, yet joins none.
            .set("group.id", "netsieve-demo-reader")
            .set("enable.auto.commit", "false")
            .set("fetch.queue.backoff.ms", "5")
            .set("fetch.wait.max.ms", "20")
            .create()
            .map_err(failed)?;
        let mut assignment = TopicPartitionList::new();
        for (topic, partitions) in topics {
            for partition in 0..*partitions {
                assignment
                    .add_partition_offset(topic, partition, Offset::Beginning)
                    .map_err(failed)?;
            }
        }
        consumer.assign(&assignment).map_err(failed)?;
        Ok(Self {
            consumer,
            dead_letters: dead_letters.to_owned(),
        })
    }

    fn poll(&self, wait: Duration) -> Result<Option<BorrowedMessage<'_>>, CliError> {
        let message = self.consumer.poll(wait).transpose();
        message.map_err(|error| {
            CliError::failure(format!(
                "cannot read what comes out ({error}), the embedded broker: try again"
            ))
        })
    }

    /// The next thing that came as JSON, waiting for it so long.
    pub(super) fn next_as_json(&self, wait: Duration) -> Result<Option<CameAsJson>, CliError> {
        let message = self.poll(wait)?;
        Ok(message.map(|message| {
            if message.topic() == self.dead_letters {
                CameAsJson::Reject(reject(&message))
            } else {
                CameAsJson::Event(message.payload().unwrap_or_default().to_vec())
            }
        }))
    }

    /// The next thing that came, waiting for it so long.
    pub(super) fn next(&self, wait: Duration) -> Result<Option<Came>, CliError> {
        let Some(message) = self.poll(wait)? else {
            return Ok(None);
        };
        if message.topic() == self.dead_letters {
            return Ok(Some(Came::Reject(reject(&message))));
        }
        let event = v1::Event::decode(message.payload().unwrap_or_default());
        let event = event.map_err(|error| {
            let topic = message.topic();
            CliError::failure(format!(
                "what came out is no event ({error}), topic {topic}: report it"
            ))
        })?;
        let topic = message.topic().to_owned();
        Ok(Some(Came::Event {
            topic,
            event: Box::new(event),
        }))
    }
}

fn reject(message: &BorrowedMessage<'_>) -> Reject {
    let header = |name: &str| {
        let found = message
            .headers()?
            .iter()
            .find(|header| header.key == name)?;
        std::str::from_utf8(found.value?).ok().map(str::to_owned)
    };
    Reject {
        sequence: header(SEQUENCE_HEADER).and_then(|text| text.parse().ok()),
        record_index: header("netsieve.record_index").and_then(|text| text.parse().ok()),
        reason: header("netsieve.reason").unwrap_or_default(),
        sentence: header("__connect.errors.exception.message").unwrap_or_default(),
    }
}
