//! When offsets are committed.

use std::time::{Duration, Instant};

use super::settings::CommitSettings;

/// How long an answer to a commit is waited for before the next is sent all the same.
const ANSWER_PATIENCE: Duration = Duration::from_secs(5);

/// The pace of a worker's commits: one at a time, after an interval, a number of messages or a
/// number of bytes.
#[derive(Debug)]
pub(super) struct Pace {
    settings: CommitSettings,
    last: Instant,
    waiting_since: Option<Instant>,
    messages: u64,
    bytes: u64,
}

impl Pace {
    /// A pace that starts now.
    pub(super) fn new(settings: CommitSettings) -> Self {
        Self {
            settings,
            last: Instant::now(),
            waiting_since: None,
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
        if let Some(since) = self.waiting_since
            && now.saturating_duration_since(since) < ANSWER_PATIENCE
        {
            return false;
        }
        self.messages >= self.settings.max_records
            || self.bytes >= self.settings.max_bytes
            || now.saturating_duration_since(self.last) >= self.settings.interval
    }

    /// A commit was asked for at `now`, or there was nothing to commit.
    pub(super) fn asked(&mut self, now: Instant, anything: bool) {
        self.last = now;
        self.waiting_since = anything.then_some(now);
        self.messages = 0;
        self.bytes = 0;
    }

    /// The last commit was answered.
    pub(super) fn answered(&mut self) {
        self.waiting_since = None;
    }

    /// How long until the interval is over.
    pub(super) fn remaining(&self, now: Instant) -> Duration {
        let since = now.saturating_duration_since(self.last);
        self.settings.interval.saturating_sub(since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace() -> Pace {
        Pace::new(CommitSettings {
            interval: Duration::from_secs(10),
            max_records: 3,
            max_bytes: 100,
        })
    }

    #[test]
    fn the_first_of_interval_records_and_bytes_decides() {
        let mut pace = pace();
        let start = pace.last;
        assert!(!pace.is_due(start));
        assert!(pace.is_due(start + Duration::from_secs(10)));
        pace.handed_on(99);
        assert!(!pace.is_due(start));
        pace.handed_on(1);
        assert!(pace.is_due(start), "bytes");
        pace.asked(start, false);
        for _ in 0..3 {
            assert!(!pace.is_due(start));
            pace.handed_on(0);
        }
        assert!(pace.is_due(start), "records");
    }

    #[test]
    fn one_commit_is_under_way_at_a_time_but_not_for_ever() {
        let mut pace = pace();
        let start = pace.last;
        pace.asked(start, true);
        pace.handed_on(1_000);
        assert!(!pace.is_due(start));
        assert!(pace.is_due(start + ANSWER_PATIENCE));
        pace.answered();
        assert!(pace.is_due(start));
    }
}
