//! Going back: what is not done for good is undone, so that it is read again.

use std::time::{Duration, Instant};

use rdkafka::consumer::{CommitMode, Consumer};

use super::{Member, Trouble, absorb, list, now_ms};
use crate::kafka::context::Failure;
use crate::kafka::delivery::{Delivery, Limits};
use crate::kafka::offsets::PartitionOffset;

/// How long going back is tried before the group is joined anew.
const SEEK_PATIENCE: Duration = Duration::from_secs(10);

/// What going back has brought to light.
pub(in crate::kafka) struct Undone {
    /// The failed delivery that says most of the cause.
    pub(in crate::kafka) cause: Option<Failure>,
    /// Whether it tells of timestamps that its topic refuses, which was not known.
    pub(in crate::kafka) learned: bool,
}

impl Member {
    /// Learns from the failure which timestamps its topic refuses; false where it tells none that
    /// was not known. To be called while the inputs are still in work.
    pub(in crate::kafka) fn learn_timestamps(&mut self, failure: &Failure) -> bool {
        let invalid = failure.invalid.iter();
        let source_ms = invalid.filter_map(|ticket| self.tracker.timestamp_ms(*ticket));
        self.timestamps.learn(&failure.topic, source_ms, now_ms())
    }

    /// Forgets what is in work, so that it is read again.
    pub(in crate::kafka) fn rewind(&mut self) -> Result<(), Trouble> {
        let starts = self.tracker.rewind();
        self.seek(starts)
    }

    /// Goes back to these offsets. librdkafka refuses while a partition is just starting or
    /// stopping, so it is tried for a while.
    pub(super) fn seek(&mut self, starts: Vec<PartitionOffset>) -> Result<(), Trouble> {
        let deadline = Instant::now() + SEEK_PATIENCE;
        let mut left = starts;
        while !left.is_empty() {
            let sought = self
                .consumer
                .seek_partitions(list(&left), Duration::from_secs(1));
            if let Ok(sought) = &sought {
                left.retain(|start| {
                    let found = sought.find_partition(&start.topic, start.partition);
                    found.is_none_or(|element| element.error().is_err())
                });
            }
            if left.is_empty() {
                break;
            }
            if Instant::now() > deadline {
                return Err(Trouble::Rejoin(
                    "a partition cannot be read again".to_owned(),
                ));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Takes back what is not delivered, waiting up to `limit` for what is on its way.
    /// Gives the failure among them that says most.
    pub(in crate::kafka) fn take_back(&mut self, limit: Duration) -> Option<Failure> {
        let mut failure = None;
        let (tracker, acknowledged) = (&mut self.tracker, &mut self.acknowledged);
        self.delivery.take_back(limit, |reports| {
            absorb(reports, tracker, acknowledged, &mut failure);
        });
        self.settle_at_once();
        failure.filter(|failure| !failure.is_consequence())
    }

    /// Undoes what is not done for good, so that it is read again. Gives what failed meanwhile:
    /// where a transaction failed, that is where the cause is told. What is on its way is waited for
    /// up to `limit`.
    pub(in crate::kafka) fn undo(&mut self, limit: Duration) -> Result<Undone, Trouble> {
        self.is_handing_on = false;
        if self.is_transactional() {
            return self.abort(limit);
        }
        let cause = self.take_back(limit);
        let undone = self.undone(cause);
        self.tracker.rewind();
        self.commit(CommitMode::Async);
        Ok(undone)
    }

    /// What is known of the cause, while the inputs are still in work.
    pub(in crate::kafka) fn undone(&mut self, cause: Option<Failure>) -> Undone {
        let learned = cause
            .as_ref()
            .is_some_and(|cause| self.learn_timestamps(cause));
        Undone { cause, learned }
    }

    /// Makes the producer anew, with these limits.
    pub(in crate::kafka) fn renew_delivery(&mut self, limits: Limits) -> Result<(), Trouble> {
        self.delivery = Delivery::new(&self.setup.settings, self.setup.number, limits)?;
        if self.is_transactional() {
            self.init_transactions()?;
        }
        Ok(())
    }
}
