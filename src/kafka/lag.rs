//! What librdkafka's statistics say of lag, queues and round trips.

use std::collections::HashMap;

use metrics::{Gauge, gauge};
use rdkafka::Statistics;
use rdkafka::statistics::Partition;

use super::offsets::{OffsetTracker, PartitionOffset, Slot};
use super::status::PartitionStatus;
use crate::observe::metrics as names;

/// The lag of each partition that a worker owns, and the gauges that show it.
#[derive(Default)]
pub(super) struct Lag {
    gauges: HashMap<(String, i32), (Gauge, Gauge)>,
    partitions: Vec<PartitionStatus>,
}

impl Lag {
    /// Takes in new statistics of the consumer. `now_ms` is the time in milliseconds since 1970.
    pub(super) fn update(&mut self, statistics: &Statistics, tracker: &OffsetTracker, now_ms: i64) {
        self.partitions.clear();
        for slot in tracker.slots() {
            let topic = statistics.topics.get(slot.topic().as_ref());
            let broker = topic.and_then(|topic| topic.partitions.get(&slot.partition()));
            let lag = broker.and_then(|broker| records_behind(slot, broker));
            if let Some(lag) = lag {
                let seconds = seconds_behind(slot, lag, now_ms);
                let (records_gauge, seconds_gauge) = self.gauges(slot.topic(), slot.partition());
                records_gauge.set(lag as f64);
                seconds_gauge.set(seconds);
            }
            self.partitions.push(PartitionStatus {
                topic: slot.topic().to_string(),
                partition: slot.partition(),
                committed: slot.committed(),
                lag,
            });
        }
        self.sort();
    }

    /// Takes up a partition that was assigned, to be read from its committed offset; the next
    /// statistics tell its lag.
    pub(super) fn add_partition(&mut self, start: &PartitionOffset) {
        self.partitions.push(PartitionStatus {
            topic: start.topic.to_string(),
            partition: start.partition,
            committed: start.offset,
            lag: None,
        });
        self.sort();
    }

    fn sort(&mut self) {
        self.partitions
            .sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
    }

    /// The partitions that are owned, with their lag as of the last statistics.
    pub(super) fn partitions(&self) -> &[PartitionStatus] {
        &self.partitions
    }

    /// Ends the series of a partition that is given away.
    pub(super) fn drop_partition(&mut self, topic: &str, partition: i32) {
        if let Some((records, seconds)) = self.gauges.remove(&(topic.to_owned(), partition)) {
            end(&records, &seconds);
        }
        self.partitions
            .retain(|of| of.topic != topic || of.partition != partition);
    }

    /// Ends the series of all partitions.
    pub(super) fn clear(&mut self) {
        for (records, seconds) in std::mem::take(&mut self.gauges).into_values() {
            end(&records, &seconds);
        }
        self.partitions.clear();
    }

    fn gauges(&mut self, topic: &str, partition: i32) -> &(Gauge, Gauge) {
        let labels = || {
            [
                ("topic", topic.to_owned()),
                ("partition", partition.to_string()),
            ]
        };
        self.gauges
            .entry((topic.to_owned(), partition))
            .or_insert_with(|| {
                let records = gauge!(names::LAG_RECORDS, &labels());
                let seconds = gauge!(names::LAG_SECONDS, &labels());
                (records, seconds)
            })
    }
}

/// Ends two series. The recorder has no way to delete one: what is not a number is left out where
/// metrics are served.
fn end(records: &Gauge, seconds: &Gauge) {
    records.set(f64::NAN);
    seconds.set(f64::NAN);
}

/// Records between the committed offset and the last stable one.
///
/// Transaction markers fill offsets that are never read: at the partition's end there is no lag,
/// whatever the difference of the offsets.
fn records_behind(slot: &Slot, broker: &Partition) -> Option<u64> {
    let end = broker.ls_offset;
    if end < 0 {
        return None;
    }
    let told_end = slot.has_begun() && broker.eof_offset >= end;
    let read_to_end = broker.next_offset >= end && broker.fetchq_cnt == 0;
    if slot.is_idle() && slot.committed() >= slot.position() && (told_end || read_to_end) {
        return Some(0);
    }
    u64::try_from(end.saturating_sub(slot.committed()).max(0)).ok()
}

fn seconds_behind(slot: &Slot, lag: u64, now_ms: i64) -> f64 {
    match slot.oldest_timestamp_ms() {
        Some(oldest) if lag > 0 => (now_ms.saturating_sub(oldest).max(0)) as f64 / 1e3,
        _ => 0.0,
    }
}

/// Shows librdkafka's queues and round trips of one client, `consumer` or `producer`.
pub(super) fn show_client(statistics: &Statistics, worker: &str, client: &'static str) {
    let labels = [("worker", worker.to_owned()), ("client", client.to_owned())];
    let (messages, bytes) = if client == "consumer" {
        let topics = statistics.topics.values();
        let partitions = topics.flat_map(|topic| topic.partitions.values());
        // All partitions share one queue, and each reports the whole of it.
        partitions.fold((0, 0), |(messages, bytes), partition| {
            let count = u64::try_from(partition.fetchq_cnt).unwrap_or(0);
            (count.max(messages), partition.fetchq_size.max(bytes))
        })
    } else {
        (statistics.msg_cnt, statistics.msg_size)
    };
    gauge!(names::CLIENT_QUEUE_MESSAGES, &labels).set(messages as f64);
    gauge!(names::CLIENT_QUEUE_BYTES, &labels).set(bytes as f64);
    for broker in statistics.brokers.values().filter(|of| of.nodeid >= 0) {
        if let Some(round_trips) = broker.rtt.as_ref().filter(|of| of.cnt > 0) {
            let labels = [
                ("worker", worker.to_owned()),
                ("client", client.to_owned()),
                ("broker", broker.nodeid.to_string()),
            ];
            let seconds = round_trips.p99 as f64 / 1e6;
            gauge!(names::BROKER_ROUND_TRIP_SECONDS, &labels).set(seconds);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broker(last_stable: i64, next: i64, eof: i64, queued: i64) -> Partition {
        Partition {
            ls_offset: last_stable,
            next_offset: next,
            eof_offset: eof,
            fetchq_cnt: queued,
            ..Partition::default()
        }
    }

    fn lag(tracker: &OffsetTracker, broker: &Partition) -> Option<u64> {
        records_behind(tracker.find("t", 0).unwrap(), broker)
    }

    #[test]
    fn it_is_the_last_stable_offset_minus_the_committed_one() {
        let mut tracker = OffsetTracker::default();
        tracker.assign("t", 0, 10);
        assert_eq!(lag(&tracker, &broker(-1001, 10, -1001, 0)), None);
        assert_eq!(lag(&tracker, &broker(25, 20, -1001, 10)), Some(15));
        let ticket = tracker.begin("t", 0, 24, None).unwrap();
        assert_eq!(lag(&tracker, &broker(25, 25, 25, 0)), Some(15), "in work");
        tracker.release(ticket);
        assert_eq!(
            lag(&tracker, &broker(25, 25, 25, 0)),
            Some(15),
            "not committed"
        );
        tracker.confirmed("t", 0, 25);
        assert_eq!(lag(&tracker, &broker(25, 25, 25, 0)), Some(0));
    }

    #[test]
    fn a_partition_is_told_as_soon_as_it_is_assigned() {
        let mut lag = Lag::default();
        let start = |partition, offset| PartitionOffset {
            topic: "t".into(),
            partition,
            offset,
        };
        lag.add_partition(&start(1, 20));
        lag.add_partition(&start(0, 10));
        let status = |partition, committed| PartitionStatus {
            topic: "t".to_owned(),
            partition,
            committed,
            lag: None,
        };
        assert_eq!(lag.partitions(), [status(0, 10), status(1, 20)]);
        lag.drop_partition("t", 0);
        assert_eq!(lag.partitions(), [status(1, 20)]);
    }

    #[test]
    fn transaction_markers_at_the_end_are_no_lag() {
        let mut tracker = OffsetTracker::default();
        tracker.assign("t", 0, 10);
        assert_eq!(
            lag(&tracker, &broker(11, 11, 11, 0)),
            Some(0),
            "nothing but a marker was left when the partition was taken over"
        );
        let ticket = tracker.begin("t", 0, 11, None).unwrap();
        tracker.release(ticket);
        tracker.confirmed("t", 0, 12);
        assert_eq!(lag(&tracker, &broker(13, 13, 13, 4)), Some(0));
        tracker.rewind();
        assert_eq!(
            lag(&tracker, &broker(13, 12, 13, 0)),
            Some(1),
            "what was told before going back counts no more"
        );
    }

    #[test]
    fn series_end_with_their_partition_and_with_the_membership() {
        let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
        let mut tracker = OffsetTracker::default();
        let mut statistics = Statistics::default();
        let topic = statistics.topics.entry("t".to_owned()).or_default();
        for partition in 0..3 {
            tracker.assign("t", partition, 10);
            topic
                .partitions
                .insert(partition, broker(25, 20, -1001, 10));
        }
        let handle = recorder.handle();
        let ended = || handle.render().matches(" NaN").count();
        metrics::with_local_recorder(&recorder, || {
            let mut lag = Lag::default();
            lag.update(&statistics, &tracker, 0);
            assert_eq!((lag.partitions().len(), ended()), (3, 0));
            lag.drop_partition("t", 1);
            assert_eq!((lag.partitions().len(), ended()), (2, 2));
            lag.clear();
            assert_eq!((lag.partitions().len(), ended()), (0, 6));
        });
    }

    #[test]
    fn age_counts_only_while_something_is_behind() {
        let mut tracker = OffsetTracker::default();
        tracker.assign("t", 0, 0);
        let ticket = tracker.begin("t", 0, 0, Some(1_000)).unwrap();
        let age = |tracker: &OffsetTracker, lag| {
            seconds_behind(tracker.find("t", 0).unwrap(), lag, 3_500)
        };
        assert!((age(&tracker, 1) - 2.5).abs() < 1e-9);
        tracker.release(ticket);
        assert!(age(&tracker, 0).abs() < 1e-9);
    }
}
