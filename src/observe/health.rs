//! Whether the process does its work, and what each worker says of itself.

use serde::Serialize;

/// The health of the process at one moment.
#[derive(Clone, Debug, Serialize)]
pub struct Health {
    /// Why the process is not ready, in one line; absent when it is.
    pub not_ready: Option<String>,
    /// What each worker says, in order.
    pub workers: Vec<Worker>,
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
    /// The last committed offset; absent where there is none.
    pub committed: Option<i64>,
    /// Records not yet committed; absent until the broker has told the partition's end.
    pub lag_records: Option<u64>,
}
