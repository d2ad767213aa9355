//! The watchdog: a worker that has something to do and gets nowhere is not ready, and one that
//! hangs in a call for good ends the process.

use std::time::{Duration, Instant};

use super::status::{Snapshot, State};

/// Whether a worker is at work at `now`; if not, why not.
///
/// It judges from outside, so that a worker that hangs is seen as well.
pub fn ready(worker: &Snapshot, now: Instant, stalled_after: Duration) -> Result<(), String> {
    let why = |text: &str| worker.reason.clone().unwrap_or_else(|| text.to_owned());
    match worker.state {
        State::Starting => return Err(why("joining the group")),
        State::Braked => return Err(why("paused by the brake")),
        State::Draining => return Err(why("shutting down")),
        State::Stopped => return Err(why("stopped")),
        State::Failed => return Err(why("failed")),
        State::Consuming | State::Waiting | State::Retrying => {}
    }
    let turn_age = now.saturating_duration_since(worker.last_turn);
    if turn_age > stalled_after {
        let seconds = turn_age.as_secs();
        return Err(format!("stalled: the worker hangs since {seconds} s"));
    }
    let member_age = now.saturating_duration_since(worker.last_member);
    if member_age > stalled_after {
        let seconds = member_age.as_secs();
        return Err(because(
            format!("stalled: no member of the group since {seconds} s"),
            worker,
        ));
    }
    let progress_age = now.saturating_duration_since(worker.last_progress);
    let lag = worker.lag();
    if lag > 0 && progress_age > stalled_after {
        let seconds = progress_age.as_secs();
        return Err(because(
            format!("stalled: {lag} records behind and no progress for {seconds} s"),
            worker,
        ));
    }
    Ok(())
}

/// How long one call of a worker may take: longer than the brokers may be away, in any outage that
/// is worth waiting for.
const LONGEST_CALL: Duration = Duration::from_secs(300);
/// A look that comes later than this tells that the whole process stood still meanwhile.
const LONGEST_GAP: Duration = Duration::from_secs(1);

/// How long a worker's loop has not come round, in time that this process was running.
#[derive(Debug)]
pub(super) struct Hang {
    last_turn: Instant,
    looked: Instant,
    unmoved: Duration,
}

impl Hang {
    /// A worker that has just been started.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            last_turn: now,
            looked: now,
            unmoved: Duration::ZERO,
        }
    }

    /// Looks again: whether the worker hangs in a call that does not return.
    pub(super) fn is_for_good(&mut self, last_turn: Instant, now: Instant) -> bool {
        let gap = now.saturating_duration_since(self.looked).min(LONGEST_GAP);
        self.looked = now;
        if self.last_turn == last_turn {
            self.unmoved += gap;
        } else {
            self.last_turn = last_turn;
            self.unmoved = Duration::ZERO;
        }
        self.unmoved > LONGEST_CALL
    }

    /// What to say of it.
    pub(super) fn reason() -> String {
        let seconds = LONGEST_CALL.as_secs();
        format!("a call into librdkafka has not returned for {seconds} s")
    }
}

/// Adds what the worker itself gives as the cause.
fn because(reason: String, worker: &Snapshot) -> String {
    match &worker.reason {
        Some(cause) => format!("{reason} ({cause})"),
        None => reason,
    }
}

#[cfg(test)]
mod tests {
    use super::super::status::PartitionStatus;
    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    fn worker(state: State, lag: Option<u64>) -> Snapshot {
        let now = Instant::now();
        Snapshot {
            state,
            reason: None,
            partitions: vec![PartitionStatus {
                topic: "t".to_owned(),
                partition: 0,
                committed: 5,
                lag,
            }],
            last_progress: now,
            last_turn: now,
            last_member: now,
        }
    }

    #[test]
    fn lag_without_progress_is_a_stall_and_the_cause_is_named() {
        let mut worker = worker(State::Retrying, Some(7));
        let later = worker.last_progress + LIMIT * 2;
        (worker.last_turn, worker.last_member) = (later, later);
        assert_eq!(ready(&worker, worker.last_progress + LIMIT, LIMIT), Ok(()));
        let reason = ready(&worker, later, LIMIT).unwrap_err();
        assert!(reason.contains("7 records behind"), "{reason}");
        worker.reason = Some("delivery to out failed".to_owned());
        let reason = ready(&worker, later, LIMIT).unwrap_err();
        assert!(reason.contains("delivery to out failed"), "{reason}");
    }

    #[test]
    fn nothing_to_do_is_no_stall() {
        for lag in [Some(0), None] {
            let mut worker = worker(State::Consuming, lag);
            let later = worker.last_progress + LIMIT * 2;
            (worker.last_turn, worker.last_member) = (later, later);
            assert_eq!(ready(&worker, later, LIMIT), Ok(()));
        }
        let mut spare = worker(State::Consuming, None);
        spare.partitions.clear();
        let later = spare.last_progress + LIMIT * 2;
        (spare.last_turn, spare.last_member) = (later, later);
        assert_eq!(ready(&spare, later, LIMIT), Ok(()));
    }

    #[test]
    fn a_worker_that_the_group_has_lost_is_stalled_though_it_owns_nothing() {
        let mut worker = worker(State::Consuming, None);
        worker.partitions.clear();
        let later = worker.last_member + LIMIT * 2;
        worker.last_turn = later;
        let reason = ready(&worker, later, LIMIT).unwrap_err();
        assert!(reason.contains("no member"), "{reason}");
    }

    #[test]
    fn a_loop_that_does_not_come_round_is_a_stall_whatever_the_lag() {
        let worker = worker(State::Consuming, Some(0));
        let reason = ready(&worker, worker.last_turn + LIMIT * 2, LIMIT).unwrap_err();
        assert!(reason.contains("hangs"), "{reason}");
    }

    #[test]
    fn only_a_worker_at_work_is_ready() {
        for state in [
            State::Starting,
            State::Braked,
            State::Draining,
            State::Stopped,
            State::Failed,
        ] {
            let worker = worker(state, Some(0));
            assert!(ready(&worker, worker.last_turn, LIMIT).is_err());
        }
    }

    #[test]
    fn a_worker_hangs_for_good_only_in_time_that_the_process_has_seen() {
        let start = Instant::now();
        let mut hang = Hang::new(start);
        // The process itself was stopped for an hour.
        let mut now = start + Duration::from_secs(3_600);
        assert!(!hang.is_for_good(start, now));
        for _ in 0..LONGEST_CALL.as_secs() - 1 {
            now += LONGEST_GAP;
            assert!(!hang.is_for_good(start, now));
        }
        now += LONGEST_GAP;
        assert!(hang.is_for_good(start, now), "no turn for so long");
        assert!(!hang.is_for_good(now, now), "it came round");
    }
}
