//! The watchdog: a worker that has something to do and gets nowhere is not ready.

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
    if worker.partitions.is_empty() {
        return Ok(());
    }
    let turn_age = now.saturating_duration_since(worker.last_turn);
    if turn_age > stalled_after {
        let seconds = turn_age.as_secs();
        return Err(format!("stalled: the worker hangs since {seconds} s"));
    }
    let progress_age = now.saturating_duration_since(worker.last_progress);
    let lag = worker.lag();
    if lag > 0 && progress_age > stalled_after {
        let mut reason = format!(
            "stalled: {lag} records behind and no progress for {} s",
            progress_age.as_secs()
        );
        if let Some(cause) = &worker.reason {
            reason = format!("{reason} ({cause})");
        }
        return Err(reason);
    }
    Ok(())
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
        }
    }

    #[test]
    fn lag_without_progress_is_a_stall_and_the_cause_is_named() {
        let mut worker = worker(State::Retrying, Some(7));
        let later = worker.last_progress + LIMIT * 2;
        worker.last_turn = later;
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
            worker.last_turn = later;
            assert_eq!(ready(&worker, later, LIMIT), Ok(()));
        }
        let mut spare = worker(State::Consuming, None);
        spare.partitions.clear();
        assert_eq!(ready(&spare, spare.last_turn + LIMIT * 2, LIMIT), Ok(()));
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
}
