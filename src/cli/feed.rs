//! Messages to a Kafka topic.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::KafkaError as ClientError;
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use rdkafka::types::RDKafkaErrorCode;

use super::CliError;
use crate::config::are_brokers;
use crate::config::keys::Form;
use crate::generate::Generated;
use crate::kafka::client;
use crate::kafka::{KafkaError, lock};

/// A librdkafka property as a flag gives it, `KEY=VALUE`.
pub(super) fn property(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("give KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// Brokers as a flag gives them that is no key of the configuration.
pub(super) fn brokers(text: &str) -> Result<String, String> {
    if are_brokers(text) {
        return Ok(text.to_owned());
    }
    Err(format!("give {}", Form::Brokers.expected()))
}

/// How long the brokers may take to answer at first, and to acknowledge what is left at last.
const PATIENCE: Duration = Duration::from_secs(15);

/// A producer of messages to one topic.
pub(super) struct Feed {
    producer: ThreadedProducer<Notes>,
    topic: String,
}

/// A message to be sent.
pub(super) struct Message {
    pub(super) key: String,
    pub(super) headers: Vec<(String, Option<Vec<u8>>)>,
    pub(super) timestamp_ms: i64,
    pub(super) value: Vec<u8>,
}

impl From<Generated> for Message {
    fn from(message: Generated) -> Self {
        Self {
            key: message.key,
            headers: message.headers,
            timestamp_ms: message.timestamp_ms,
            value: message.value,
        }
    }
}

/// What the producer's own thread tells of.
#[derive(Default)]
struct Notes {
    /// The first delivery that failed.
    failed: Mutex<Option<ClientError>>,
    /// Why brokers could not be reached, as librdkafka said it last.
    unreachable: Mutex<Option<String>>,
}

impl ClientContext for Notes {
    fn error(&self, error: ClientError, reason: &str) {
        // "All brokers are down" follows the cause and would hide it.
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::AllBrokersDown) {
            *lock(&self.unreachable) = Some(reason.to_owned());
        }
    }
}

impl ProducerContext for Notes {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            lock(&self.failed).get_or_insert_with(|| error.clone());
        }
    }
}

impl Feed {
    /// Connects, and makes sure that the topic is there.
    ///
    /// Brokers know the producer by `client_id`, in their logs and quotas.
    pub(super) fn connect(
        client_id: &str,
        bootstrap: &str,
        topic: &str,
        properties: &[(String, String)],
    ) -> Result<Self, CliError> {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", bootstrap)
            .set("client.id", client_id)
            .set("enable.idempotence", "true")
            // As Java's clients do, so that keys go where they would go from real agents.
            .set("partitioner", "murmur2_random")
            .set("compression.type", "zstd")
            .set("linger.ms", "5");
        for (name, value) in properties {
            config.set(name, value);
        }
        let producer: ThreadedProducer<Notes> = config
            .create_with_context(Notes::default())
            .map_err(|error| CliError::usage(client::refused(&error, "producer")))?;
        let feed = Self {
            producer,
            topic: topic.to_owned(),
        };
        feed.find_topic(bootstrap)?;
        Ok(feed)
    }

    fn find_topic(&self, bootstrap: &str) -> Result<(), CliError> {
        let deadline = Instant::now() + PATIENCE;
        let topic = &self.topic;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let metadata = self.producer.client().fetch_metadata(Some(topic), left);
            let metadata = metadata.map_err(|error| {
                CliError::from(KafkaError::Unreachable {
                    bootstrap: bootstrap.to_owned(),
                    seconds: PATIENCE.as_secs(),
                    reason: lock(&self.notes().unreachable)
                        .take()
                        .unwrap_or_else(|| error.to_string()),
                })
            })?;
            let of_topic = metadata.topics().first();
            if of_topic.is_some_and(|of| of.error().is_none() && !of.partitions().is_empty()) {
                return Ok(());
            }
            // A broker that creates topics when they are asked for needs a moment to do so.
            if deadline < Instant::now() + PATIENCE / 2 {
                return Err(CliError::from(KafkaError::MissingTopic {
                    topic: topic.clone(),
                    role: "source",
                    bootstrap: bootstrap.to_owned(),
                }));
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Hands a message over; waits while too much is not yet acknowledged.
    pub(super) fn send(&self, message: &Message) -> Result<(), CliError> {
        self.check()?;
        let mut headers = OwnedHeaders::new_with_capacity(message.headers.len());
        for (key, value) in &message.headers {
            let value = value.as_ref();
            headers = headers.insert(Header { key, value });
        }
        let mut record = BaseRecord::to(&self.topic)
            .key(&message.key)
            .payload(&message.value)
            .timestamp(message.timestamp_ms)
            .headers(headers);
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((ClientError::MessageProduction(RDKafkaErrorCode::QueueFull), returned)) => {
                    record = returned;
                    std::thread::sleep(Duration::from_millis(2));
                    self.check()?;
                }
                Err((error, _)) => return Err(self.undelivered(&error)),
            }
        }
    }

    /// Waits until everything is acknowledged.
    pub(super) fn finish(&self) -> Result<(), CliError> {
        let flushed = self.producer.flush(PATIENCE);
        self.check()?;
        flushed.map_err(|error| self.undelivered(&error))
    }

    fn check(&self) -> Result<(), CliError> {
        match &*lock(&self.notes().failed) {
            Some(error) => Err(self.undelivered(error)),
            None => Ok(()),
        }
    }

    fn notes(&self) -> &Notes {
        self.producer.client().context()
    }

    fn undelivered(&self, error: &ClientError) -> CliError {
        let topic = &self.topic;
        CliError::failure(format!(
            "cannot deliver ({error}), topic {topic}: check the brokers and the topic's limits"
        ))
    }
}
