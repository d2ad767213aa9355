//! What the workers tell of themselves: read by the health end points, the status page and the
//! demo while they run.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::context::lock;
use super::watchdog;

/// The state of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is connecting or joining the group.
    Starting,
    /// It reads, or waits for something to read.
    Consuming,
    /// It holds back until the brokers have acknowledged enough.
    Waiting,
    /// The brake holds it.
    Braked,
    /// Deliveries failed and it tries again.
    Retrying,
    /// It finishes what is in work and leaves.
    Draining,
    /// It has ended as it was asked to.
    Stopped,
    /// It has ended by an error.
    Failed,
}

impl State {
    /// The state's name on the status page.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Consuming => "consuming",
            Self::Waiting => "waiting",
            Self::Braked => "braked",
            Self::Retrying => "retrying",
            Self::Draining => "draining",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        }
    }
}

/// A partition that a worker owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionStatus {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// The last committed offset.
    pub committed: i64,
    /// Records not yet committed; absent until the broker has told the partition's end.
    pub lag: Option<u64>,
}

/// One worker's account of itself, at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The state.
    pub state: State,
    /// Why it is in this state, where there is something to say.
    pub reason: Option<String>,
    /// The partitions it owns.
    pub partitions: Vec<PartitionStatus>,
    /// When something was last finished, or when there was last nothing to do.
    pub last_progress: Instant,
    /// When the worker's loop last came round.
    pub last_turn: Instant,
    /// When the worker was last seen to be a member of its group.
    pub last_member: Instant,
}

impl Snapshot {
    /// Records not yet committed over all partitions.
    pub fn lag(&self) -> u64 {
        self.partitions.iter().filter_map(|of| of.lag).sum()
    }
}

/// What a worker has done so far.
#[derive(Debug, Default)]
pub struct Counts {
    /// Source messages taken in.
    pub messages: AtomicU64,
    /// Records of them that were not rejected as whole messages.
    pub records: AtomicU64,
    /// Messages and records rejected.
    pub rejected: AtomicU64,
    /// Events and dead letters that the brokers acknowledged.
    pub produced: AtomicU64,
    /// Dead letters handed to the producer.
    pub dead_letters: AtomicU64,
}

/// One worker's status, shared between the worker and whoever asks.
#[derive(Debug)]
pub struct WorkerStatus {
    now: Mutex<Snapshot>,
    /// Running totals.
    pub counts: Counts,
}

impl Default for WorkerStatus {
    fn default() -> Self {
        let now = Instant::now();
        Self {
            now: Mutex::new(Snapshot {
                state: State::Starting,
                reason: None,
                partitions: Vec::new(),
                last_progress: now,
                last_turn: now,
                last_member: now,
            }),
            counts: Counts::default(),
        }
    }
}

impl WorkerStatus {
    /// The account at this moment.
    pub fn snapshot(&self) -> Snapshot {
        self.lock().clone()
    }

    /// When the worker's loop last came round.
    pub(super) fn last_turn(&self) -> Instant {
        self.lock().last_turn
    }

    /// Changes the account.
    pub(super) fn update(&self, change: impl FnOnce(&mut Snapshot)) {
        change(&mut self.lock());
    }

    /// Enters a state.
    pub(super) fn enter(&self, state: State, reason: Option<String>) {
        self.update(|now| {
            now.state = state;
            now.reason = reason;
        });
    }

    fn lock(&self) -> MutexGuard<'_, Snapshot> {
        lock(&self.now)
    }
}

/// The status of all workers of a process.
#[derive(Clone, Debug)]
pub struct Status {
    workers: Arc<[WorkerStatus]>,
    stalled_after: Duration,
}

impl Status {
    /// The status of workers that have not started. A worker with lag and without progress for
    /// `stalled_after` counts as stalled.
    pub fn new(workers: usize, stalled_after: Duration) -> Self {
        Self {
            workers: (0..workers).map(|_| WorkerStatus::default()).collect(),
            stalled_after,
        }
    }

    /// Each worker's status, in order.
    pub fn workers(&self) -> &[WorkerStatus] {
        &self.workers
    }

    /// Whether all workers are at work; if not, why not, in one line.
    pub fn ready(&self) -> Result<(), String> {
        for (worker, status) in self.workers.iter().enumerate() {
            watchdog::ready(&status.snapshot(), Instant::now(), self.stalled_after)
                .map_err(|reason| format!("worker {worker}: {reason}"))?;
        }
        Ok(())
    }

    /// Says of all workers, before they start, what the start waits for.
    pub fn start_waits(&self, reason: Option<&str>) {
        for worker in &*self.workers {
            worker.enter(State::Starting, reason.map(str::to_owned));
        }
    }

    /// The sum of one of the running totals over all workers.
    pub fn total(&self, count: impl Fn(&Counts) -> &AtomicU64) -> u64 {
        let counts = self.workers.iter().map(|worker| &worker.counts);
        counts.map(|of| count(of).load(Ordering::Relaxed)).sum()
    }
}
