//! Sends a load to the source topic, and learns where each message of it came to lie.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use netsieve::generate::{Expected, Generated, Generator, Options};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use rdkafka::{ClientConfig, ClientContext, Message};

/// Longest time that the brokers may take to acknowledge all that was sent.
const PATIENCE: Duration = Duration::from_secs(120);
/// Every so many messages one is of another size.
const LARGE_EVERY: usize = 50;

/// A load of mostly small messages and some large ones: 1 to 200 records each, 7 in the mean.
pub(crate) fn mixed(options: Options) -> impl Iterator<Item = Generated> {
    let of = move |seed, max_records| {
        Generator::new(Options {
            seed,
            max_records,
            ..options
        })
    };
    let (mut small, mut large) = (of(1, 10), of(2, 200));
    (1_usize..).map_while(move |number| {
        if number.is_multiple_of(LARGE_EVERY) {
            large.next()
        } else {
            small.next()
        }
    })
}

/// A message that lies in the source topic.
pub(crate) struct Sent {
    pub(crate) expected: Box<Expected>,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
}

#[derive(Default)]
struct Deliveries(Mutex<Vec<Sent>>);

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Box<Expected>;

    fn delivery(&self, result: &DeliveryResult<'_>, expected: Box<Expected>) {
        // Polls are ours, so that a panic here ends the test.
        let message = result.as_ref().map_err(|(error, _)| error).unwrap();
        self.0.lock().unwrap().push(Sent {
            expected,
            partition: message.partition(),
            offset: message.offset(),
        });
    }
}

/// A producer to one topic.
pub(crate) struct Feed {
    producer: BaseProducer<Deliveries>,
    topic: String,
}

impl Feed {
    /// A producer; a transactional one where an id is given.
    pub(crate) fn connect(bootstrap: &str, topic: &str, transactional_id: Option<&str>) -> Self {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", bootstrap)
            .set("enable.idempotence", "true")
            .set("compression.type", "lz4");
        if let Some(id) = transactional_id {
            config.set("transactional.id", id);
        }
        let producer: BaseProducer<_> = config.create_with_context(Deliveries::default()).unwrap();
        if transactional_id.is_some() {
            producer.init_transactions(PATIENCE).unwrap();
        }
        Self {
            producer,
            topic: topic.to_owned(),
        }
    }

    /// Hands one message over.
    pub(crate) fn send(&self, message: &Generated, partition: i32) {
        let mut headers = OwnedHeaders::new();
        for (key, value) in &message.headers {
            let value = value.as_ref();
            headers = headers.insert(Header { key, value });
        }
        let expected = Box::new(message.expected.clone());
        let mut record = BaseRecord::with_opaque_to(&self.topic, expected)
            .partition(partition)
            .timestamp(message.timestamp_ms)
            .key(&message.key)
            .payload(&message.value)
            .headers(headers);
        let since = Instant::now();
        while let Err((error, refused)) = self.producer.send(record) {
            let is_full = error == KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull);
            assert!(is_full && since.elapsed() < PATIENCE, "{error}");
            self.producer.poll(Duration::from_millis(10));
            record = refused;
        }
        self.producer.poll(Duration::ZERO);
    }

    /// Waits until all lies where it was sent, and gives it.
    pub(crate) fn take_sent(&self) -> Vec<Sent> {
        self.producer.flush(PATIENCE).unwrap();
        std::mem::take(&mut self.producer.context().0.lock().unwrap())
    }

    /// Sends these messages, partition by partition in turn, in a transaction that is then
    /// committed or aborted.
    pub(crate) fn transaction<'m>(
        &self,
        messages: impl IntoIterator<Item = (&'m Generated, i32)>,
        is_aborted: bool,
    ) -> Vec<Sent> {
        self.producer.begin_transaction().unwrap();
        for (message, partition) in messages {
            self.send(message, partition);
        }
        // Flushed first, so that what is aborted does lie in the topic.
        let sent = self.take_sent();
        let ended = if is_aborted {
            self.producer.abort_transaction(PATIENCE)
        } else {
            self.producer.commit_transaction(PATIENCE)
        };
        ended.unwrap();
        sent
    }
}
