//! What librdkafka tells between two polls, kept until the worker looks at it.
//!
//! The callbacks only take notes. The worker, on its own thread and with all its state at hand,
//! acts on them after the poll: that is also where partitions are assigned and given away.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError as ClientError;
use rdkafka::message::{DeliveryResult, Headers};
use rdkafka::producer::ProducerContext;
use rdkafka::types::{RDKafkaErrorCode, RDKafkaRespErr};
use rdkafka::{ClientContext, Message, Statistics, TopicPartitionList};

use super::offsets::Ticket;
use crate::observe::logs::{RateLimited, Suppressed};

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

/// Notes on a client of some kind.
#[derive(Default)]
pub(super) struct Context<K> {
    client: ClientNotes,
    kind: K,
}

/// Notes on a consumer.
pub(super) type GroupContext = Context<GroupNotes>;

/// Notes on a producer.
pub(super) type DeliveryContext = Context<DeliveryNotes>;

/// Notes on what only a consumer is told.
#[derive(Default)]
pub(super) struct GroupNotes {
    rebalances: Mutex<VecDeque<Rebalance>>,
    closing: AtomicBool,
}

/// Notes on any client.
pub(super) struct ClientNotes {
    statistics: Mutex<Option<Statistics>>,
    error: Mutex<Option<(RDKafkaErrorCode, String)>>,
    disconnect: Mutex<Option<String>>,
    lines: Mutex<RateLimited<String>>,
}

impl Default for ClientNotes {
    fn default() -> Self {
        Self {
            statistics: Mutex::default(),
            error: Mutex::default(),
            disconnect: Mutex::default(),
            lines: Mutex::new(RateLimited::new(1, LINE_WINDOW)),
        }
    }
}

/// One line of each kind goes to the log in a window; the others are summed up at its end.
pub(super) const LINE_WINDOW: Duration = Duration::from_secs(5);

impl<K> Context<K> {
    /// The notes of every client.
    pub(super) fn notes(&self) -> &ClientNotes {
        &self.client
    }
}

impl GroupContext {
    /// The next change of the assignment.
    pub(super) fn next_rebalance(&self) -> Option<Rebalance> {
        lock(&self.kind.rebalances).pop_front()
    }

    /// From now on partitions are given away at once: the worker no longer listens.
    pub(super) fn close(&self) {
        self.kind.closing.store(true, Ordering::Relaxed);
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

    /// The latest lost connection that librdkafka does not take for an error, once: brokers that
    /// expect TLS hang up without a word.
    pub(super) fn take_disconnect(&self) -> Option<String> {
        lock(&self.disconnect).take()
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
        if facility == "FAIL" {
            // What follows the name of librdkafka's thread.
            let said = line.split_once("]: ").map_or(line, |(_, said)| said);
            *lock(&self.disconnect) = Some(said.to_owned());
        }
        self.sum_up_lines();
        if !lock(&self.lines).admit(facility.to_owned(), 1, Instant::now()) {
            return;
        }
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                tracing::error!(target: "librdkafka", facility, "{line}");
            }
            RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => {
                tracing::warn!(target: "librdkafka", facility, "{line}");
            }
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
                tracing::info!(target: "librdkafka", facility, "{line}");
            }
            RDKafkaLogLevel::Debug => {
                tracing::debug!(target: "librdkafka", facility, "{line}");
            }
        }
    }

    /// Takes note of statistics, which come regularly.
    fn note_statistics(&self, statistics: Statistics) {
        *lock(&self.statistics) = Some(statistics);
        self.sum_up_lines();
    }

    /// Tells how many lines were kept back in windows that are over.
    fn sum_up_lines(&self) {
        let over = lock(&self.lines).summaries(Instant::now());
        for Suppressed { key, untold } in over {
            let facility = key.as_str();
            tracing::info!(target: "librdkafka", facility, count = untold, "more lines like it");
        }
    }
}

impl<K: Send + Sync + 'static> ClientContext for Context<K> {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        self.client.log(level, facility, line);
    }

    fn stats(&self, statistics: Statistics) {
        self.client.note_statistics(statistics);
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
        if self.kind.closing.load(Ordering::Relaxed) {
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
        lock(&self.kind.rebalances).push_back(rebalance);
    }
}

/// A delivery that librdkafka gave up on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// Topic of the record.
    pub(super) topic: String,
    /// Why.
    pub(super) code: RDKafkaErrorCode,
    /// Size of the record's key, value and headers, in bytes.
    pub(super) bytes: usize,
    /// The inputs of the records that the broker found invalid by themselves; librdkafka no
    /// longer tells their timestamps.
    pub(super) invalid: Vec<Ticket>,
}

/// What librdkafka needs for a record beside its key, value and headers, in bytes.
const RECORD_OVERHEAD_BYTES: usize = 512;
/// What it needs for a header beside its name and value, in bytes.
const HEADER_OVERHEAD_BYTES: usize = 64;

/// How large a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    /// Key, value and headers, in bytes: a little less than it takes in a batch.
    pub(super) bytes: usize,
    /// What it takes in memory while it is in flight, in bytes.
    pub(super) cost: usize,
}

impl Size {
    /// The size of a record with a key and a value of these lengths.
    pub(super) fn of(key_len: usize, value_len: usize, headers: Option<&impl Headers>) -> Self {
        let mut bytes = key_len + value_len;
        let mut overhead = RECORD_OVERHEAD_BYTES;
        for header in headers.into_iter().flat_map(Headers::iter) {
            bytes += header.key.len() + header.value.map_or(0, <[u8]>::len);
            overhead += HEADER_OVERHEAD_BYTES;
        }
        let cost = bytes + overhead;
        Self { bytes, cost }
    }
}

/// What became of records since the last look.
#[derive(Default)]
pub(super) struct Reports {
    /// The input of each acknowledged record.
    pub(super) delivered: Vec<Ticket>,
    /// What the records that are no longer in flight took in memory, in bytes.
    pub(super) cost: usize,
    /// Records that are no longer in flight.
    pub(super) records: usize,
    /// Acknowledged records by topic, in the order of the topics given.
    pub(super) by_topic: Vec<u64>,
    /// The failure that says most: of the largest record that was too large, else the first.
    pub(super) failure: Option<Failure>,
}

/// Notes on what only a producer is told.
pub(super) struct DeliveryNotes {
    topics: Vec<String>,
    reports: Mutex<Reports>,
}

impl DeliveryContext {
    /// Notes on a producer that writes to these topics.
    pub(super) fn new(topics: Vec<String>) -> Self {
        let reports = Reports {
            by_topic: vec![0; topics.len()],
            ..Reports::default()
        };
        let reports = Mutex::new(reports);
        Self {
            client: ClientNotes::default(),
            kind: DeliveryNotes { topics, reports },
        }
    }

    /// Exchanges the reports so far for cleared ones, so that both keep their memory.
    pub(super) fn swap_reports(&self, other: &mut Reports) {
        other.delivered.clear();
        other.cost = 0;
        other.records = 0;
        other.failure = None;
        other.by_topic.clear();
        other.by_topic.resize(self.kind.topics.len(), 0);
        std::mem::swap(&mut *lock(&self.kind.reports), other);
    }
}

impl ProducerContext for DeliveryContext {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, opaque: usize) {
        let message = match result {
            Ok(message) | Err((_, message)) => message,
        };
        // They are ours, so that their names are UTF-8.
        let headers = message.headers();
        let size = Size::of(message.key_len(), message.payload_len(), headers);
        let mut reports = lock(&self.kind.reports);
        reports.cost += size.cost;
        reports.records += 1;
        match result {
            Ok(_) => {
                reports.delivered.push(Ticket::from_opaque(opaque));
                let topic = message.topic();
                let index = self.kind.topics.iter().position(|known| known == topic);
                if let Some(count) = index.and_then(|index| reports.by_topic.get_mut(index)) {
                    *count += 1;
                }
            }
            Err((error, _)) => {
                let code = error.rdkafka_error_code();
                let mut failure = Failure {
                    topic: message.topic().to_owned(),
                    code: code.unwrap_or(RDKafkaErrorCode::Fail),
                    bytes: size.bytes,
                    invalid: Vec::new(),
                };
                if failure.is_invalid() {
                    failure.invalid.push(Ticket::from_opaque(opaque));
                }
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

    /// Whether the broker refused the record by itself. Where several of a batch have an invalid
    /// timestamp, librdkafka calls each of them an invalid record.
    fn is_invalid(&self) -> bool {
        matches!(
            self.code,
            RDKafkaErrorCode::InvalidTimestamp | RDKafkaErrorCode::InvalidRecord
        )
    }

    /// Whether it only follows from another: we took the record back ourselves, another record of
    /// its batch is at fault, or the transaction had failed before.
    pub(super) fn is_consequence(&self) -> bool {
        matches!(
            self.code,
            RDKafkaErrorCode::PurgeQueue
                | RDKafkaErrorCode::PurgeInflight
                | RDKafkaErrorCode::InvalidDifferentRecord
                | RDKafkaErrorCode::State
        )
    }

    /// How much it tells.
    fn rank(&self) -> u8 {
        match self.code {
            _ if self.is_consequence() => 0,
            _ if self.is_too_large() => 3,
            _ if self.is_invalid() => 2,
            _ => 1,
        }
    }

    /// Of two failures the one that says more; of two invalid records of a topic what both say.
    pub(super) fn or_worse(mut self, other: Self) -> Self {
        if other.rank() > self.rank() || (other.is_too_large() && other.bytes > self.bytes) {
            return other;
        }
        if self.topic == other.topic && self.is_invalid() {
            self.invalid.extend(other.invalid);
        }
        self
    }
}

/// Locks, also what a thread held that panicked: none of it is ever half done.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
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
            invalid: Vec::new(),
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
    fn of_a_batch_all_records_at_fault_are_told() {
        let innocent = failure(RDKafkaErrorCode::InvalidDifferentRecord, 10);
        let invalid = |input| Failure {
            invalid: vec![Ticket::from_opaque(input)],
            ..failure(RDKafkaErrorCode::InvalidRecord, 10)
        };
        let elsewhere = Failure {
            topic: "other".to_owned(),
            ..invalid(3)
        };
        let all = [innocent, invalid(1), invalid(2), elsewhere];
        let told = all.into_iter().reduce(Failure::or_worse).unwrap();
        assert_eq!(told.topic, "t");
        assert_eq!(told.invalid, [1, 2].map(Ticket::from_opaque));
    }
}
