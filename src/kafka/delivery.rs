//! The producer of a worker: hands records to librdkafka and keeps account of those that are
//! not yet acknowledged.

use std::time::{Duration, Instant};

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::OwnedHeaders;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, PurgeConfig};

use super::client;
use super::context::{ClientNotes, DeliveryContext, Failure, Reports, Size};
use super::error::KafkaError;
use super::offsets::Ticket;
use super::settings::KafkaSettings;

/// How many events of the producer's queue are looked at in one go; one event is a whole batch
/// of acknowledgements.
const EVENTS_AT_ONCE: usize = 64;

/// Largest records and batches that are produced, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    /// Largest record of any topic.
    pub(super) record_bytes: usize,
    /// Largest batch: the brokers measure batches, so it is the limit of the topic that takes
    /// the least. A larger record goes out alone.
    pub(super) batch_bytes: usize,
}

/// A worker's producer.
pub(super) struct Delivery {
    producer: BaseProducer<DeliveryContext>,
    reports: Reports,
    in_flight_bytes: usize,
    max_in_flight_bytes: usize,
}

/// A record that is to be produced.
pub(super) struct Record<'r> {
    /// Topic.
    pub(super) topic: &'r str,
    /// Key.
    pub(super) key: Option<&'r [u8]>,
    /// Value; nothing is a null value.
    pub(super) value: Option<&'r [u8]>,
    /// Timestamp in milliseconds since 1970.
    pub(super) timestamp_ms: Option<i64>,
    /// Headers.
    pub(super) headers: OwnedHeaders,
    /// The input that it came of.
    pub(super) ticket: Ticket,
}

/// Why a record was not taken.
pub(super) enum Refused<'r> {
    /// There is no room until something is acknowledged; the record comes back.
    Full(Record<'r>),
    /// It cannot be delivered.
    Failed(Failure),
}

impl Delivery {
    /// A producer that is about to connect.
    pub(super) fn new(
        settings: &KafkaSettings,
        worker: usize,
        limits: Limits,
    ) -> Result<Self, KafkaError> {
        let config = client::producer(settings, worker, limits.record_bytes, limits.batch_bytes)?;
        let topics = settings.written_topics().map(str::to_owned).collect();
        let context = DeliveryContext::new(topics);
        let producer = BaseProducer::from_config_and_context(&config, context)
            .map_err(|error| client::refused(&error, "producer"))?;
        Ok(Self {
            producer,
            reports: Reports::default(),
            in_flight_bytes: 0,
            max_in_flight_bytes: settings.memory.max_in_flight_bytes,
        })
    }

    /// Hands a record to librdkafka, which copies it.
    pub(super) fn send<'r>(&mut self, record: Record<'r>) -> Result<(), Refused<'r>> {
        let len = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
        let Size { bytes, cost } =
            Size::of(len(record.key), len(record.value), Some(&record.headers));
        // A record that is larger than the limit alone goes out when nothing else is in flight.
        if self.in_flight_bytes > 0 && self.in_flight_bytes + cost > self.max_in_flight_bytes {
            return Err(Refused::Full(record));
        }
        let outgoing = BaseRecord {
            topic: record.topic,
            partition: None,
            payload: record.value,
            key: record.key,
            timestamp: record.timestamp_ms,
            headers: Some(record.headers),
            delivery_opaque: record.ticket.to_opaque(),
        };
        match self.producer.send(outgoing) {
            Ok(()) => {
                self.in_flight_bytes += cost;
                Ok(())
            }
            Err((error, returned)) => {
                let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
                if code == RDKafkaErrorCode::QueueFull {
                    return Err(Refused::Full(Record {
                        headers: returned.headers.unwrap_or_default(),
                        ..record
                    }));
                }
                Err(Refused::Failed(Failure {
                    topic: returned.topic.to_owned(),
                    code,
                    bytes,
                    invalid: Vec::new(),
                }))
            }
        }
    }

    /// Serves what librdkafka has to tell, and gives the reports since the last call. Where there
    /// are none it looks again after `timeout`.
    pub(super) fn serve(&mut self, timeout: Duration) -> &Reports {
        self.producer.poll(Duration::ZERO);
        self.producer.context().swap_reports(&mut self.reports);
        if self.reports.records == 0 && !timeout.is_zero() {
            // rust-rdkafka's own wait spins through what is less than a millisecond.
            std::thread::sleep(timeout);
            self.producer.poll(Duration::ZERO);
            self.producer.context().swap_reports(&mut self.reports);
        }
        self.in_flight_bytes = self.in_flight_bytes.saturating_sub(self.reports.cost);
        if self.reports.failure.is_none() {
            self.reports.failure = self.fatal_error();
        }
        &self.reports
    }

    /// Serves without waiting until there is nothing left to tell for now.
    pub(super) fn serve_all(&mut self, mut take: impl FnMut(&Reports)) {
        for _ in 0..EVENTS_AT_ONCE {
            let reports = self.serve(Duration::ZERO);
            let nothing = reports.records == 0 && reports.failure.is_none();
            take(reports);
            if nothing {
                return;
            }
        }
    }

    /// Takes back what is still queued and waits until the rest is acknowledged or given up,
    /// but not longer than `limit`.
    pub(super) fn take_back(&mut self, limit: Duration, mut take: impl FnMut(&Reports)) {
        let deadline = Instant::now() + limit;
        self.producer.purge(PurgeConfig::default().queue());
        while self.in_flight() > 0 && Instant::now() < deadline {
            take(self.serve(Duration::from_millis(1)));
        }
        self.producer
            .purge(PurgeConfig::default().queue().inflight());
        take(self.serve(Duration::ZERO));
    }

    /// How many records are not yet acknowledged, or acknowledged and not yet looked at.
    pub(super) fn in_flight(&self) -> usize {
        usize::try_from(self.producer.in_flight_count()).unwrap_or(0)
    }

    /// Bytes of records that are not yet acknowledged, their overhead included.
    pub(super) fn in_flight_bytes(&self) -> usize {
        self.in_flight_bytes
    }

    /// Whether there is room again after it was full: half of it is free.
    pub(super) fn has_room(&self) -> bool {
        self.in_flight_bytes <= self.max_in_flight_bytes / 2
    }

    /// Whether nothing more should be taken in.
    pub(super) fn is_full(&self) -> bool {
        self.in_flight_bytes >= self.max_in_flight_bytes
    }

    /// The producer, for what is transactional.
    pub(super) fn producer(&self) -> &BaseProducer<DeliveryContext> {
        &self.producer
    }

    /// The notes on this client.
    pub(super) fn notes(&self) -> &ClientNotes {
        self.producer.context().notes()
    }

    /// An error after which librdkafka refuses to produce any more.
    fn fatal_error(&self) -> Option<Failure> {
        let (code, _) = self.producer.client().fatal_error()?;
        Some(Failure {
            topic: String::new(),
            code,
            bytes: 0,
            invalid: Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::message::Header;

    use super::*;
    use crate::kafka::mock::EmbeddedCluster;
    use crate::kafka::settings::Guarantee;

    #[test]
    fn what_is_in_flight_is_counted_with_its_headers_and_wholly_given_back() {
        let cluster = EmbeddedCluster::start(&[("out", 1), ("dead", 1)]).unwrap();
        let bootstrap = cluster.bootstrap_servers();
        let mut settings =
            KafkaSettings::new(&bootstrap, "in", vec!["out".to_owned()], "dead", "g");
        settings.guarantee = Guarantee::AtLeastOnce;
        let limits = Limits {
            record_bytes: 1_000_000,
            batch_bytes: 1_000_000,
        };
        let mut delivery = Delivery::new(&settings, 0, limits).unwrap();
        for (key, value, header) in [
            (Some("key"), Some("value"), Some(vec![7; 50_000])),
            (None, None, None),
        ] {
            let headers = OwnedHeaders::new().insert(Header {
                key: "name",
                value: header.as_deref(),
            });
            let record = Record {
                topic: "out",
                key: key.map(str::as_bytes),
                value: value.map(str::as_bytes),
                timestamp_ms: None,
                headers,
                ticket: Ticket::from_opaque(0),
            };
            assert!(delivery.send(record).is_ok());
        }
        let cost = delivery.in_flight_bytes();
        assert!(cost > 5_000, "{cost}");
        let mut given_back = 0;
        for _ in 0..1_000 {
            given_back += delivery.serve(Duration::from_millis(20)).cost;
            if given_back >= cost {
                break;
            }
        }
        assert_eq!(given_back, cost);
        assert_eq!(delivery.in_flight_bytes(), 0);
    }
}
