//! A worker's metrics: handles made once, counts handed over in batches.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

use super::status::Counts;
use crate::observe::logs::{RateLimited, Suppressed};
use crate::observe::metrics as names;
use crate::pipeline::code::{Level, Reason, Warning};
use crate::pipeline::emit::Tally;
use crate::pipeline::enrich::Enrichment;

/// So many lines of each reason go to the log in a window; the others are summed up at its end.
const LOG_FIRST: u64 = 3;
const LOG_WINDOW: Duration = Duration::from_secs(60);

/// Handles of the metrics that a worker touches often.
pub(super) struct Meters {
    messages: Counter,
    events: Counter,
    rejected: Counter,
    unrouted: Counter,
    truncated: Counter,
    produced: Vec<Counter>,
    routed: Vec<Counter>,
    pub(super) process_seconds: Histogram,
    pub(super) end_to_end_seconds: Histogram,
    pub(super) transaction_commit_seconds: Histogram,
    pub(super) in_flight_bytes: Gauge,
    pub(super) brake: Gauge,
    pub(super) rejected_share: Gauge,
    pub(super) up: Gauge,
    /// What was handed over so far.
    shown: Tally,
    log: RateLimited<&'static str>,
}

impl Meters {
    /// The handles of worker `number`, which writes to `topics` for the outputs of those names.
    pub(super) fn new(number: usize, topics: &[String], outputs: &[String]) -> Self {
        let worker = number.to_string();
        let of_worker = |name| gauge!(name, "worker" => worker.clone());
        Self {
            messages: counter!(names::MESSAGES),
            events: counter!(names::RECORDS, "outcome" => "event"),
            rejected: counter!(names::RECORDS, "outcome" => "rejected"),
            unrouted: counter!(names::UNROUTED),
            truncated: counter!(names::TRUNCATED),
            produced: topics
                .iter()
                .map(|topic| counter!(names::PRODUCED, "topic" => topic.clone()))
                .collect(),
            routed: outputs
                .iter()
                .map(|output| counter!(names::ROUTED, "output" => output.clone()))
                .collect(),
            process_seconds: histogram!(names::PROCESS_SECONDS),
            end_to_end_seconds: histogram!(names::END_TO_END_SECONDS),
            transaction_commit_seconds: histogram!(names::TRANSACTION_COMMIT_SECONDS),
            in_flight_bytes: of_worker(names::IN_FLIGHT_BYTES),
            brake: of_worker(names::BRAKE),
            rejected_share: of_worker(names::REJECTED_SHARE),
            up: of_worker(names::WORKER_UP),
            shown: Tally::default(),
            log: RateLimited::new(LOG_FIRST, LOG_WINDOW),
        }
    }

    /// Counts acknowledged records, by topic in the order of the topics given.
    pub(super) fn count_produced(&self, by_topic: &[u64], counts: &Counts) {
        let mut all = 0;
        for (counter, count) in self.produced.iter().zip(by_topic) {
            if *count > 0 {
                counter.increment(*count);
                all += count;
            }
        }
        counts.produced.fetch_add(all, Ordering::Relaxed);
    }

    /// Hands over what a tally has counted since the last time.
    pub(super) fn count_tally(&mut self, tally: &Tally, counts: &Counts) {
        let now = Instant::now();
        tell_untold(self.log.summaries(now));
        let before = std::mem::replace(&mut self.shown, tally.clone());
        let messages = tally.messages - before.messages;
        if messages == 0 {
            return;
        }
        self.messages.increment(messages);
        let records = tally.records - before.records;
        let rejected_records = tally.rejected_records - before.rejected_records;
        let rejected_messages = tally.rejected_messages - before.rejected_messages;
        self.events
            .increment(records.saturating_sub(rejected_records));
        self.rejected.increment(rejected_records);
        self.unrouted.increment(tally.unrouted - before.unrouted);
        for (output, counter) in self.routed.iter().enumerate() {
            counter.increment(tally.routed(output) - before.routed(output));
        }
        self.truncated.increment(tally.truncated - before.truncated);
        let add = |to: &AtomicU64, count| to.fetch_add(count, Ordering::Relaxed);
        add(&counts.messages, messages);
        add(&counts.records, records);
        add(&counts.rejected, rejected_records + rejected_messages);
        self.count_codes(tally, &before, now);
    }

    /// Tells what is not told yet.
    pub(super) fn finish(&mut self) {
        tell_untold(self.log.end());
    }

    /// Counts and logs the rare ones, which are looked up when they happen.
    fn count_codes(&mut self, tally: &Tally, before: &Tally, now: Instant) {
        let levels = Level::ALL.iter().copied();
        for (level, reason) in levels.flat_map(|level| Reason::all().map(move |of| (level, of))) {
            let count = tally.rejected_at(level, reason) - before.rejected_at(level, reason);
            if count > 0 {
                let labels = [("level", level.name()), ("reason", reason.name())];
                counter!(names::REJECTS, &labels).increment(count);
                if self.log.admit(reason.name(), count, now) {
                    tracing::warn!(
                        level = level.name(),
                        reason = reason.name(),
                        count,
                        "rejected, see the dead letters"
                    );
                }
            }
        }
        for warning in Warning::ALL {
            let count = tally.warned(*warning) - before.warned(*warning);
            if count > 0 {
                counter!(names::WARNINGS, "code" => warning.name()).increment(count);
            }
        }
        for enrichment in Enrichment::ALL {
            let count = tally.failed(*enrichment) - before.failed(*enrichment);
            if count > 0 {
                let name = enrichment.name();
                counter!(names::ENRICHMENT_FAILURES, "enrichment" => name).increment(count);
            }
        }
    }
}

fn tell_untold(summaries: Vec<Suppressed<&'static str>>) {
    for Suppressed { key, untold } in summaries {
        tracing::warn!(
            reason = key,
            count = untold,
            "rejected and not logged one by one"
        );
    }
}

/// What a run has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Source messages taken in; those read again after a failure count again.
    pub messages: u64,
    /// Records of messages that were not rejected as a whole.
    pub records: u64,
    /// Messages rejected as a whole.
    pub rejected_messages: u64,
    /// Records rejected by themselves.
    pub rejected_records: u64,
    /// Events and dead letters that the brokers acknowledged.
    pub produced: u64,
    /// How often each reason rejected a message or a record, where it did.
    pub rejects: Vec<(&'static str, u64)>,
}

impl Summary {
    /// The summary of one worker.
    pub(super) fn of(tally: &Tally, produced: u64) -> Self {
        Self {
            messages: tally.messages,
            records: tally.records,
            rejected_messages: tally.rejected_messages,
            rejected_records: tally.rejected_records,
            produced,
            rejects: Reason::all()
                .map(|reason| (reason.name(), tally.rejected(reason)))
                .filter(|(_, count)| *count > 0)
                .collect(),
        }
    }

    /// Adds another worker's.
    pub(super) fn add(&mut self, other: Self) {
        self.messages += other.messages;
        self.records += other.records;
        self.rejected_messages += other.rejected_messages;
        self.rejected_records += other.rejected_records;
        self.produced += other.produced;
        for (name, count) in other.rejects {
            match self.rejects.iter_mut().find(|(known, _)| *known == name) {
                Some((_, sum)) => *sum += count,
                None => self.rejects.push((name, count)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_each_output_took_is_counted_by_its_name() {
        let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        metrics::with_local_recorder(&recorder, || {
            let topics = ["t".to_owned(), "t".to_owned(), "dead".to_owned()];
            let outputs = ["all", "few"].map(str::to_owned);
            let mut meters = Meters::new(0, &topics, &outputs);
            let counts = Counts::default();
            for (all, few) in [(3, 0), (5, 2)] {
                meters.count_tally(&Tally::of_routes(all, &[all, few]), &counts);
            }
        });
        let text = handle.render();
        for line in [
            "netsieve_events_routed_total{output=\"all\"} 5\n",
            "netsieve_events_routed_total{output=\"few\"} 2\n",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }

    #[test]
    fn summaries_add_up_by_reason() {
        let of = |messages, rejects| Summary {
            messages,
            rejects,
            ..Summary::default()
        };
        let mut sum = of(2, vec![("expired", 1)]);
        sum.add(of(3, vec![("expired", 2), ("empty_message", 4)]));
        assert_eq!(sum, of(5, vec![("expired", 3), ("empty_message", 4)]));
    }
}
