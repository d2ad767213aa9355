//! How fast a backlog is worked off, and what that takes.

use std::time::{Duration, Instant};

use crate::child::Child;
use crate::stage::Run;

const LOOK: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(120);
/// The stretch of the backlog that counts: what comes before and after it is start and end.
const STRETCH: (f64, f64) = (0.15, 0.95);

/// What was seen at one moment.
struct Sight {
    at: Instant,
    committed: usize,
    cpu: f64,
}

/// What working off a backlog took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Speed {
    /// Records a second.
    pub(crate) rate: f64,
    /// Seconds of processors of the process for a million records.
    pub(crate) cpu: f64,
}

/// Watches a child until its group has committed so many messages, each of `records` on average.
pub(crate) fn watch(run: &Run, child: &mut Child, messages: usize, records: f64) -> Speed {
    let observer = run.observer();
    let since = Instant::now();
    let mut sights: Vec<Sight> = Vec::new();
    loop {
        let cpu = child.cpu();
        let committed = run.committed(&observer);
        let at = Instant::now();
        if sights.last().is_none_or(|last| last.committed < committed) {
            sights.push(Sight { at, committed, cpu });
        }
        if committed >= messages {
            break;
        }
        assert!(
            since.elapsed() < PATIENCE && child.runs(),
            "{committed} of {messages} messages"
        );
        std::thread::sleep(LOOK);
    }
    let passed = |share: f64| {
        let least = messages as f64 * share;
        sights
            .iter()
            .position(|sight| sight.committed as f64 >= least)
    };
    let ends = (passed(STRETCH.0), passed(STRETCH.1));
    let (Some(first), Some(last)) = ends else {
        panic!("all of it was committed");
    };
    let (first, last) = (&sights[first], &sights[last]);
    let records = (last.committed - first.committed) as f64 * records;
    Speed {
        rate: records / last.at.duration_since(first.at).as_secs_f64(),
        cpu: (last.cpu - first.cpu) * 1e6 / records,
    }
}
