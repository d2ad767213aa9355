//! Whether the process does its work, and what each worker says of itself.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use crate::kafka::status::{PartitionStatus, Status, WorkerStatus};
use crate::reference::{Live, TableStatus};

/// The health of the process at one moment.
#[derive(Clone, Debug, Serialize)]
pub struct Health {
    /// Why the process is not ready, in one line; absent when it is.
    pub not_ready: Option<String>,
    /// What each worker says, in order.
    pub workers: Vec<Worker>,
    /// What each of the operator's tables is.
    pub tables: Vec<TableStatus>,
}

/// What a worker says of itself.
#[derive(Clone, Debug, Serialize)]
pub struct Worker {
    /// The state's name.
    pub state: &'static str,
    /// Why it is in this state, where there is something to say.
    pub reason: Option<String>,
    /// Source messages taken in.
    pub messages: u64,
    /// Records of them.
    pub records: u64,
    /// Messages and records rejected.
    pub rejected: u64,
    /// Events and dead letters that the brokers acknowledged.
    pub produced: u64,
    /// The partitions that it owns.
    pub partitions: Vec<Partition>,
}

/// A partition that a worker owns.
#[derive(Clone, Debug, Serialize)]
pub struct Partition {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// The last committed offset.
    pub committed: i64,
    /// Records not yet committed; absent until the broker has told the partition's end.
    pub lag_records: Option<u64>,
}

impl Health {
    /// The health of workers and tables now.
    pub fn of(status: &Status, live: &Live) -> Self {
        Self {
            tables: live.status(),
            not_ready: status.ready().err(),
            workers: status.workers().iter().map(Worker::from).collect(),
        }
    }
}

impl From<&WorkerStatus> for Worker {
    fn from(status: &WorkerStatus) -> Self {
        let now = status.snapshot();
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Self {
            state: now.state.name(),
            reason: now.reason,
            messages: count(&status.counts.messages),
            records: count(&status.counts.records),
            rejected: count(&status.counts.rejected),
            produced: count(&status.counts.produced),
            partitions: now.partitions.into_iter().map(Partition::from).collect(),
        }
    }
}

impl From<PartitionStatus> for Partition {
    fn from(status: PartitionStatus) -> Self {
        Self {
            topic: status.topic,
            partition: status.partition,
            committed: status.committed,
            lag_records: status.lag,
        }
    }
}
