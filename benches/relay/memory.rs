//! The memory of `netsieve run` with a large backlog, with ordinary messages and with messages of
//! 10,000 records, at full speed and while the broker answers nothing (SIGSTOP), with the default
//! settings and with small ones.

use std::process::Command;
use std::time::{Duration, Instant};

use netsieve::generate::Options;

use crate::DELIVERIES;
use crate::child::Child;
use crate::stage::{self, Run, Source};

/// How long a run is watched at work, while the broker answers nothing, and then again at work.
const STRETCH: Duration = Duration::from_secs(6);
const LOOK: Duration = Duration::from_millis(50);
const START: Duration = Duration::from_secs(60);

/// Name, most records of a message, and how many messages are distinct.
const LOADS: [(&str, u32, usize); 2] = [("1 to 50", 50, 4_000), ("10,000", 10_000, 16)];
/// Name and settings.
const SETTINGS: [(&str, &[&str]); 2] = [
    ("default", &[]),
    (
        "small",
        &["memory.max_read_ahead=1 MiB", "memory.max_in_flight=4 MiB"],
    ),
];
/// Prints the memory of every run, with these settings over its own.
pub(crate) fn measure(bytes: usize, settings: &[String]) {
    println!(
        "resident MiB of one worker on a backlog of {} MiB",
        bytes >> 20
    );
    println!(
        "{:<10}{:<15}{:<10}{:>9}{:>10}{:>8}{:>8}{:>10}",
        "records", "delivery", "settings", "at work", "stopped", "after", "peak", "MiB done"
    );
    for (records, most, distinct) in LOADS {
        let backlog = Backlog::new(most, distinct, bytes);
        for delivery in DELIVERIES {
            for (name, own) in SETTINGS {
                let mut all = settings.to_vec();
                all.push(format!("delivery={delivery}"));
                all.extend(own.iter().map(ToString::to_string));
                let memory = backlog.watch(all);
                println!(
                    "{records:<10}{delivery:<15}{name:<10}{:>9}{:>10}{:>8}{:>8}{:>10}",
                    memory.at_work, memory.stopped, memory.after, memory.peak, memory.done
                );
            }
        }
    }
}

/// A source with much in it.
struct Backlog {
    source: Source,
    mean_bytes: usize,
}

/// The most memory that was resident, in mebibytes.
struct Memory {
    at_work: u64,
    /// While the broker answered nothing.
    stopped: u64,
    /// When it answered again.
    after: u64,
    /// As the kernel has it, from the start on.
    peak: u64,
    /// Mebibytes of the backlog that were worked off.
    done: usize,
}

impl Backlog {
    fn new(records: u32, distinct: usize, bytes: usize) -> Self {
        let options = Options {
            min_records: if records > 1_000 { records } else { 1 },
            max_records: records,
            bad: 0.01,
            ..Options::default()
        };
        let distinct = stage::messages(distinct, options);
        let total: usize = distinct.iter().map(|message| message.value.len()).sum();
        let mean_bytes = total / distinct.len();
        let mut source = Source::new(&format!("backlog-{}", stage::now_ms()));
        source.fill(&distinct, bytes / mean_bytes);
        Self { source, mean_bytes }
    }

    fn watch(&self, settings: Vec<String>) -> Memory {
        let run = Run::new("memory", &self.source, settings);
        let child = Child::netsieve(&run);
        let observer = run.observer();
        let since = Instant::now();
        while run.committed(&observer) == 0 {
            assert!(since.elapsed() < START, "nothing is committed");
            std::thread::sleep(LOOK);
        }
        let at_work = most_resident(&child, STRETCH);
        control("stop");
        let stopped = most_resident(&child, STRETCH);
        control("cont");
        let after = most_resident(&child, STRETCH);
        let done = (run.committed(&observer) * self.mean_bytes) >> 20;
        let peak = child.memory("VmHWM");
        drop(child);
        run.delete();
        Memory {
            at_work,
            stopped,
            after,
            peak,
            done,
        }
    }
}

/// The most that is resident for so long.
fn most_resident(child: &Child, length: Duration) -> u64 {
    let since = Instant::now();
    let mut most = 0;
    while since.elapsed() < length {
        most = most.max(child.memory("VmRSS"));
        std::thread::sleep(LOOK);
    }
    most
}

/// Does something to all brokers.
fn control(order: &str) {
    let control = std::env::var("NETSIEVE_KAFKA_CTL").expect("./with-kafka gives it");
    let done = Command::new(control).args([order, "all"]).output();
    let done = done.expect("the cluster's control is there");
    assert!(done.status.success(), "{done:?}");
}
