//! What librdkafka tells between two polls, kept until the worker looks at it.
//!
//! The callbacks only take notes. The worker, on its own thread and with all its state at hand,
//! acts on them after the poll: that is also where partitions are assigned and given away.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError as ClientError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::ProducerContext;
use rdkafka::types::{RDKafkaErrorCode, RDKafkaRespErr};
use rdkafka::{ClientContext, Message, Statistics, TopicPartitionList};

use super::offsets::Ticket;

/// A change of the assignment that the worker has to answer.
pub(super) enum Rebalance {
    /// These partitions are ours now.
    Assign(TopicPartitionList),
    /// These partitions are to be given away.
    Revoke {
        /// The partitions.
        partitions: TopicPartitionList,
        /// Whether others may own them already, so that nothing may be committed any more.
        lost: bool,
    },
}

/// Notes on a consumer.
#[derive(Default)]
pub(super) struct GroupContext {
    rebalances: Mutex<VecDeque<Rebalance>>,
    client: ClientNotes,
    closing: AtomicBool,
}

/// Notes on any client.
#[derive(Default)]
pub(super) struct ClientNotes {
    statistics: Mutex<Option<Statistics>>,
    error: Mutex<Option<(RDKafkaErrorCode, String)>>,
    lines: LineLimit,
}

impl GroupContext {
    /// The next change of the assignment.
    pub(super) fn next_rebalance(&self) -> Option<Rebalance> {
        lock(&self.rebalances).pop_front()
    }

    /// The notes of every client.
    pub(super) fn notes(&self) -> &ClientNotes {
        &self.client
    }

    /// From now on partitions are given away at once: the worker no longer listens.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }
}

impl ClientNotes {
    /// The latest statistics, once.
    pub(super) fn take_statistics(&self) -> Option<Statistics> {
        lock(&self.statistics).take()
    }

    /// The latest error, once.
    pub(super) fn take_error(&self) -> Option<(RDKafkaErrorCode, String)> {
        lock(&self.error).take()
    }

    fn note_error(&self, error: &ClientError, reason: &str) {
        let Some(code) = error.rdkafka_error_code() else {
            return;
        };
        // "All brokers are down" follows the cause and would hide it.
        let mut last = lock(&self.error);
        if code != RDKafkaErrorCode::AllBrokersDown || last.is_none() {
            *last = Some((code, reason.to_owned()));
        }
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        let Some(suppressed) = self.lines.admit(facility) else {
            return;
        };
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                tracing::error!(target: "librdkafka", facility, suppressed, "{line}");
            }
            RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => {
                tracing::warn!(target: "librdkafka", facility, suppressed, "{line}");
            }
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
                tracing::info!(target: "librdkafka", facility, suppressed, "{line}");
            }
            RDKafkaLogLevel::Debug => {
                tracing::debug!(target: "librdkafka", facility, suppressed, "{line}");
            }
        }
    }
}

impl ClientContext for GroupContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        self.client.log(level, facility, line);
    }

    fn stats(&self, statistics: Statistics) {
        *lock(&self.client.statistics) = Some(statistics);
    }

    fn error(&self, error: ClientError, reason: &str) {
        self.client.note_error(&error, reason);
    }
}

impl ConsumerContext for GroupContext {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        event: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        if self.closing.load(Ordering::Relaxed) {
            // Failing to give away what one does not own is no loss.
            let _ = consumer.unassign();
            return;
        }
        let rebalance = if event == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            Rebalance::Assign(partitions.clone())
        } else {
            Rebalance::Revoke {
                partitions: partitions.clone(),
                lost: consumer.assignment_lost(),
            }
        };
        lock(&self.rebalances).push_back(rebalance);
    }
}

/// A delivery that librdkafka gave up on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// Topic of the record.
    pub(super) topic: String,
    /// Why.
    pub(super) code: RDKafkaErrorCode,
    /// Size of the record's key and value, in bytes.
    pub(super) bytes: usize,
}

/// What became of records since the last look.
#[derive(Default)]
pub(super) struct Reports {
    /// The input of each acknowledged record.
    pub(super) delivered: Vec<Ticket>,
    /// Bytes of keys and values of records that are no longer in flight.
    pub(super) bytes: usize,
    /// Records that are no longer in flight.
    pub(super) records: usize,
    /// Acknowledged records by topic, in the order of the topics given.
    pub(super) by_topic: Vec<u64>,
    /// The failure that says most: of the largest record that was too large, else the first.
    pub(super) failure: Option<Failure>,
}

/// Notes on a producer.
pub(super) struct DeliveryContext {
    topics: Vec<String>,
    reports: Mutex<Reports>,
    client: ClientNotes,
}

impl DeliveryContext {
    /// Notes on a producer that writes to these topics.
    pub(super) fn new(topics: Vec<String>) -> Self {
        let reports = Reports {
            by_topic: vec![0; topics.len()],
            ..Reports::default()
        };
        Self {
            topics,
            reports: Mutex::new(reports),
            client: ClientNotes::default(),
        }
    }

    /// Exchanges the reports so far for cleared ones, so that both keep their memory.
    pub(super) fn swap_reports(&self, other: &mut Reports) {
        other.delivered.clear();
        other.bytes = 0;
        other.records = 0;
        other.failure = None;
        other.by_topic.clear();
        other.by_topic.resize(self.topics.len(), 0);
        std::mem::swap(&mut *lock(&self.reports), other);
    }

    /// The notes of every client.
    pub(super) fn notes(&self) -> &ClientNotes {
        &self.client
    }
}

impl ClientContext for DeliveryContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        self.client.log(level, facility, line);
    }

    fn stats(&self, statistics: Statistics) {
        *lock(&self.client.statistics) = Some(statistics);
    }

    fn error(&self, error: ClientError, reason: &str) {
        self.client.note_error(&error, reason);
    }
}

impl ProducerContext for DeliveryContext {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, opaque: usize) {
        let message = match result {
            Ok(message) | Err((_, message)) => message,
        };
        let bytes = message.payload_len() + message.key_len();
        let mut reports = lock(&self.reports);
        reports.bytes += bytes;
        reports.records += 1;
        match result {
            Ok(_) => {
                reports.delivered.push(Ticket::from_opaque(opaque));
                let topic = message.topic();
                if let Some(index) = self.topics.iter().position(|known| known == topic) {
                    reports.by_topic[index] += 1;
                }
            }
            Err((error, _)) => {
                let code = error.rdkafka_error_code();
                let failure = Failure {
                    topic: message.topic().to_owned(),
                    code: code.unwrap_or(RDKafkaErrorCode::Fail),
                    bytes,
                };
                reports.failure = Some(match reports.failure.take() {
                    Some(other) => other.or_worse(failure),
                    None => failure,
                });
            }
        }
    }
}

impl Failure {
    /// Whether the broker found the record, or the batch that it was in, too large.
    pub(super) fn is_too_large(&self) -> bool {
        matches!(
            self.code,
            RDKafkaErrorCode::MessageSizeTooLarge | RDKafkaErrorCode::MessageBatchTooLarge
        )
    }

    /// Whether it only follows from another: we took the record back ourselves, or the
    /// transaction had failed before.
    pub(super) fn is_consequence(&self) -> bool {
        matches!(
            self.code,
            RDKafkaErrorCode::PurgeQueue
                | RDKafkaErrorCode::PurgeInflight
                | RDKafkaErrorCode::State
        )
    }

    /// Of two failures the one that says more.
    pub(super) fn or_worse(self, other: Self) -> Self {
        let larger = other.is_too_large() && (!self.is_too_large() || other.bytes > self.bytes);
        if larger || (self.is_consequence() && !other.is_consequence()) {
            other
        } else {
            self
        }
    }
}

/// Lets one line of each kind through in a while, and counts the others.
#[derive(Default)]
pub(super) struct LineLimit {
    kinds: Mutex<HashMap<String, (Instant, u64)>>,
}

impl LineLimit {
    const EVERY: Duration = Duration::from_secs(5);

    /// Whether a line of that kind may go out now, and how many did not since the last one.
    pub(super) fn admit(&self, kind: &str) -> Option<u64> {
        let mut kinds = lock(&self.kinds);
        let now = Instant::now();
        match kinds.get_mut(kind) {
            Some((last, suppressed)) if now.saturating_duration_since(*last) < Self::EVERY => {
                *suppressed += 1;
                None
            }
            Some((last, suppressed)) => {
                *last = now;
                Some(std::mem::take(suppressed))
            }
            None => {
                kinds.insert(kind.to_owned(), (now, 0));
                Some(0)
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(code: RDKafkaErrorCode, bytes: usize) -> Failure {
        Failure {
            topic: "t".to_owned(),
            code,
            bytes,
        }
    }

    #[test]
    fn the_largest_of_what_was_too_large_is_kept() {
        let timed_out = failure(RDKafkaErrorCode::MessageTimedOut, 900);
        let small = failure(RDKafkaErrorCode::MessageSizeTooLarge, 10);
        let large = failure(RDKafkaErrorCode::MessageSizeTooLarge, 20);
        let purged = failure(RDKafkaErrorCode::PurgeQueue, 5_000);
        let worst = [&timed_out, &large, &small, &purged].into_iter().cloned();
        assert_eq!(worst.reduce(Failure::or_worse), Some(large.clone()));
        assert_eq!(large.clone().or_worse(timed_out.clone()), large);
        assert_eq!(purged.or_worse(timed_out.clone()), timed_out);
        let after_another = failure(RDKafkaErrorCode::State, 1_000);
        assert_eq!(after_another.or_worse(small.clone()), small);
    }

    #[test]
    fn one_line_of_a_kind_goes_out_at_a_time() {
        let limit = LineLimit::default();
        assert_eq!(limit.admit("FAIL"), Some(0));
        assert_eq!(limit.admit("FAIL"), None);
        assert_eq!(limit.admit("OTHER"), Some(0));
    }
}
