//! When offsets are committed.

use std::time::{Duration, Instant};

use super::settings::CommitSettings;

/// Commits are not sent more often than this, whatever comes in.
const LEAST_INTERVAL: Duration = Duration::from_millis(10);

/// The pace of a worker's commits: after an interval, a number of messages or a number of bytes.
#[derive(Debug)]
pub(super) struct Pace {
    settings: CommitSettings,
    last: Instant,
    /// When the interval began.
    begun: Instant,
    messages: u64,
    bytes: u64,
}

impl Pace {
    /// A pace that starts now.
    pub(super) fn new(settings: CommitSettings) -> Self {
        let now = Instant::now();
        Self {
            settings,
            last: now,
            begun: now,
            messages: 0,
            bytes: 0,
        }
    }

    /// A message was handed on.
    pub(super) fn handed_on(&mut self, bytes: usize) {
        self.messages += 1;
        self.bytes += bytes as u64;
    }

    /// Whether it is time to commit.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        let enough =
            self.messages >= self.settings.max_records || self.bytes >= self.settings.max_bytes;
        self.remaining(now).is_zero() || (enough && self.may_be_early(now))
    }

    /// Whether it may be committed before it is due, as the last commit is long enough ago.
    pub(super) fn may_be_early(&self, now: Instant) -> bool {
        self.remaining_early(now).is_zero()
    }

    /// How long until it may be committed before it is due.
    pub(super) fn remaining_early(&self, now: Instant) -> Duration {
        LEAST_INTERVAL.saturating_sub(now.saturating_duration_since(self.last))
    }

    /// A transaction was begun at `now`: the interval starts anew.
    pub(super) fn begun(&mut self, now: Instant) {
        self.begun = now;
    }

    /// Messages handed on since the last commit.
    pub(super) fn messages(&self) -> u64 {
        self.messages
    }

    /// A commit was asked for at `now`, or there was nothing to commit.
    pub(super) fn asked(&mut self, now: Instant) {
        self.last = now;
        self.begun = now;
        self.messages = 0;
        self.bytes = 0;
    }

    /// How long until the interval is over.
    pub(super) fn remaining(&self, now: Instant) -> Duration {
        let since = now.saturating_duration_since(self.begun);
        self.settings.interval.saturating_sub(since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_interval_records_and_bytes_decides() {
        let mut pace = Pace::new(CommitSettings {
            interval: Duration::from_secs(10),
            max_records: 3,
            max_bytes: 100,
        });
        let start = pace.last;
        let soon = start + LEAST_INTERVAL;
        assert!(!pace.is_due(soon));
        assert!(pace.is_due(start + Duration::from_secs(10)));
        pace.handed_on(99);
        assert!(!pace.is_due(soon));
        pace.handed_on(1);
        assert!(pace.is_due(soon), "bytes");
        assert!(!pace.is_due(start), "but not at once");
        pace.asked(start);
        for _ in 0..3 {
            assert!(!pace.is_due(soon));
            pace.handed_on(0);
        }
        assert!(pace.is_due(soon), "records");
    }

    #[test]
    fn a_transaction_has_an_interval_of_its_own_and_is_never_hurried() {
        let mut pace = Pace::new(CommitSettings {
            interval: Duration::from_millis(100),
            max_records: 1_000,
            max_bytes: 1_000,
        });
        let start = pace.last;
        let late = start + Duration::from_secs(1);
        pace.begun(late);
        assert!(!pace.is_due(late), "it was just begun");
        assert!(pace.may_be_early(late), "the last commit is long ago");
        assert!(pace.is_due(late + Duration::from_millis(100)));
        pace.asked(late);
        assert!(!pace.may_be_early(late + LEAST_INTERVAL / 2));
    }
}
