//! How long a record takes at a steady rate: from the moment that its message was due to be sent
//! until a reader of committed records sees it. A reader of the source tells how much of that has
//! passed when there is something to work on.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use netsieve::generate::Generated;
use rdkafka::Message;
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::KafkaError;

use crate::child::{self, Child};
use crate::stage::{self, Run, Source, now_ms};

/// What comes before it counts, for connections and caches to warm up.
const WARM_UP: Duration = Duration::from_secs(2);
/// How long the last record is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
const START: Duration = Duration::from_secs(60);

/// What a steady rate looked like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Latency {
    /// Milliseconds after which half of the messages could be read from the source.
    pub(crate) source_p50: f64,
    /// After which 99 % could.
    pub(crate) source_p99: f64,
    /// Milliseconds that half of the records took at most.
    pub(crate) p50: f64,
    /// That 99 % took.
    pub(crate) p99: f64,
    /// That all took.
    pub(crate) max: f64,
    /// Transactions a second.
    pub(crate) commits: f64,
    /// Share of one processor that the process used.
    pub(crate) cpu: f64,
    /// Share of one processor that the broker used.
    pub(crate) broker: f64,
}

/// The messages that go round, and how many records come of each.
#[derive(Clone, Copy)]
pub(crate) struct Load<'l> {
    pub(crate) distinct: &'l [Generated],
    pub(crate) records: &'l [usize],
}

/// Sends so many records a second to an empty source for so long, on which a child is at work.
pub(crate) fn measure(
    run: &Run,
    child: &Child,
    source: &mut Source,
    load: Load<'_>,
    (rate, length): (f64, Duration),
) -> Latency {
    let reader = stage::reader(&run.outputs());
    let mut seen = Seen::default();
    // The child is ready when something has come through it.
    let first = send(source, load, now_ms());
    let since = Instant::now();
    while seen.records < first {
        assert!(since.elapsed() < START, "nothing comes out");
        seen.look(&reader, i64::MAX);
    }
    let from_ms = now_ms() + 100;
    let counted_from = from_ms + i64::try_from(WARM_UP.as_millis()).expect("seconds");
    let total = (WARM_UP + length).as_secs_f64() * rate;
    let before = (child.cpu(), broker_cpu(), Instant::now());
    let is_sent = &AtomicBool::new(false);
    let (expected, source) = std::thread::scope(|scope| {
        let topic = [source.topic.clone()];
        let watching = scope.spawn(move || watch_source(&topic, is_sent, counted_from));
        let pacing = scope.spawn(|| pace(source, load, rate, total, from_ms));
        while !pacing.is_finished() {
            seen.look(&reader, counted_from);
        }
        is_sent.store(true, Ordering::Relaxed);
        let sent = pacing.join().expect("sending does not fail");
        (
            first + sent,
            watching.join().expect("reading does not fail"),
        )
    });
    let seconds = before.2.elapsed().as_secs_f64();
    let (cpu, broker) = (child.cpu() - before.0, broker_cpu() - before.1);
    let since = Instant::now();
    while seen.records < expected {
        assert!(
            since.elapsed() < PATIENCE,
            "{} of {expected} records came",
            seen.records
        );
        seen.look(&reader, counted_from);
    }
    let commits = seen.markers() as f64 / seconds;
    let (source, took) = (source.sorted_ms(), seen.sorted_ms());
    Latency {
        source_p50: percentile(&source, 0.5),
        source_p99: percentile(&source, 0.99),
        p50: percentile(&took, 0.5),
        p99: percentile(&took, 0.99),
        max: percentile(&took, 1.0),
        commits,
        cpu: cpu / seconds,
        broker: broker / seconds,
    }
}

/// Reads what is sent, until all of it is.
fn watch_source(topic: &[String], is_sent: &AtomicBool, counted_from: i64) -> Seen {
    let reader = stage::reader(topic);
    let mut seen = Seen::default();
    while !is_sent.load(Ordering::Relaxed) {
        seen.look(&reader, counted_from);
    }
    seen
}

fn percentile(sorted: &[f64], share: f64) -> f64 {
    let at = (sorted.len() as f64 * share) as usize;
    sorted[at.min(sorted.len() - 1)]
}

/// Sends messages at their times; how many records must come of them.
fn pace(source: &mut Source, load: Load<'_>, rate: f64, total: f64, from_ms: i64) -> usize {
    let mut records = 0;
    while (records as f64) < total {
        // In whole milliseconds, so that the timestamp is the very moment at which it was due.
        let due_ms = from_ms + (records as f64 / rate * 1e3) as i64;
        let ahead_us = due_ms * 1_000 - now_us();
        std::thread::sleep(Duration::from_micros(u64::try_from(ahead_us).unwrap_or(0)));
        records += send(source, load, due_ms);
    }
    source.flush();
    records
}

fn send(source: &mut Source, load: Load<'_>, timestamp_ms: i64) -> usize {
    let number = source.sent() % load.distinct.len();
    source.send(&load.distinct[number], timestamp_ms);
    load.records[number]
}

/// What a reader has seen.
#[derive(Default)]
struct Seen {
    records: usize,
    took_us: Vec<i64>,
    /// For each partition of each topic, how many records it has and the offset after the last.
    partitions: BTreeMap<(String, i32), (i64, i64)>,
}

impl Seen {
    /// Reads on for a moment; what was sent from `counted_from` on counts.
    fn look(&mut self, reader: &BaseConsumer, counted_from: i64) {
        let message = match reader.poll(Duration::from_millis(20)) {
            None | Some(Err(KafkaError::PartitionEOF(_))) => return,
            Some(Ok(message)) => message,
            Some(Err(error)) => panic!("{error}"),
        };
        let timestamp_ms = message.timestamp().to_millis().unwrap_or(0);
        self.records += 1;
        if timestamp_ms >= counted_from {
            self.took_us.push(now_us() - timestamp_ms * 1_000);
        }
        let partition = (message.topic().to_owned(), message.partition());
        let partition = self.partitions.entry(partition).or_default();
        partition.0 += 1;
        partition.1 = message.offset();
    }

    fn sorted_ms(&self) -> Vec<f64> {
        let mut took: Vec<_> = self.took_us.iter().map(|us| *us as f64 / 1e3).collect();
        took.sort_unstable_by(f64::total_cmp);
        took
    }

    /// How many transactions the partition that has most was in: each leaves a marker, which
    /// takes an offset.
    fn markers(&self) -> i64 {
        let partitions = self.partitions.values();
        let markers = partitions.map(|(records, last)| last + 1 - records);
        markers.max().unwrap_or(0)
    }
}

fn now_us() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(now.expect("it is after 1970").as_micros()).expect("it is before the year 3000")
}

/// Seconds of processors that all brokers have used so far.
fn broker_cpu() -> f64 {
    let control = std::env::var("NETSIEVE_KAFKA_CTL").expect("./with-kafka gives it");
    let status = Command::new(control).arg("status").output();
    let status = status.expect("the cluster's control is there").stdout;
    let status = String::from_utf8(status).expect("it is text");
    // Broker, address, state, process id, memory.
    let ids = status.lines().filter_map(|line| line.split('\t').nth(3));
    let ids = ids.filter_map(|id| id.parse().ok());
    ids.map(child::cpu).sum()
}
