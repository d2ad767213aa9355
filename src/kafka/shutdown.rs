//! The request to stop, which the caller holds and the workers look at.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// A request to stop; clones share it.
///
/// ```
/// let shutdown = netsieve::kafka::Shutdown::default();
/// let seen_by_a_worker = shutdown.clone();
/// shutdown.request();
/// assert!(seen_by_a_worker.is_requested());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    since: Arc<OnceLock<Instant>>,
}

impl Shutdown {
    /// Asks the workers to finish what is in work, commit, and leave.
    pub fn request(&self) {
        self.since.get_or_init(Instant::now);
    }

    /// Whether it was asked for.
    pub fn is_requested(&self) -> bool {
        self.since.get().is_some()
    }

    /// Whether it was asked for longer ago than `limit`.
    pub fn is_overdue(&self, limit: Duration) -> bool {
        self.since
            .get()
            .is_some_and(|since| since.elapsed() > limit)
    }

    /// When the workers must be done by, once it was asked for.
    pub(super) fn deadline(&self, limit: Duration) -> Option<Instant> {
        self.since.get().map(|since| *since + limit)
    }
}
