//! How long it takes after a kill until new events come out, as those see it who read committed
//! records only: on every partition of every topic that is written to.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use netsieve::generate::Options;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::plan::{Plan, Scenario, Told};
use crate::proof::checker::Origin;
use crate::proof::outputs;
use crate::proof::process::Process;
use crate::proof::stage::{SOURCE_PARTITIONS, Stage, wait};

const ALL: usize = SOURCE_PARTITIONS as usize;

const USUAL: Scenario = Scenario {
    short: false,
    // So that nothing else takes the machine's time.
    alone: true,
    ..Scenario::USUAL
};

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "recovery-restart",
        about: "the same instance is started again at once",
        run: |plan| restart(plan, &[], 5),
        ..USUAL
    },
    Scenario {
        name: "recovery-takeover",
        about: "another instance, which was running already, takes over",
        run: takeover,
        ..USUAL
    },
    Scenario {
        name: "recovery-static",
        about: "the same instance is started again at once, with static membership",
        run: |plan| restart(plan, &["kafka.static_membership=true"], 5),
        ..USUAL
    },
    Scenario {
        name: "recovery-consumer-protocol",
        about: "the same instance is started again at once, with KIP-848 and the brokers' session time-out of 45 s",
        run: |plan| restart(plan, &["kafka.group_protocol=consumer"], 2),
        ..USUAL
    },
];

/// A committed record, and when it was seen.
struct Arrival {
    at: Instant,
    place: (String, i32),
    origin: Origin,
}

/// Reads what is committed, as it comes.
struct Tail {
    arrivals: Arc<Mutex<Vec<Arrival>>>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Tail {
    fn open(stage: &Stage) -> Self {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &stage.bootstrap)
            .set("group.id", format!("{}-tail", stage.name))
            .set("enable.auto.commit", "false")
            .set("isolation.level", "read_committed")
            .set("fetch.queue.backoff.ms", "5");
        let consumer: BaseConsumer = config.create().unwrap();
        let mut all = TopicPartitionList::new();
        for (topic, partition) in stage.written() {
            all.add_partition_offset(&topic, partition, Offset::Beginning)
                .unwrap();
        }
        consumer.assign(&all).unwrap();
        let arrivals = Arc::<Mutex<Vec<Arrival>>>::default();
        let is_over = Arc::<AtomicBool>::default();
        let (taken, over, source) = (arrivals.clone(), is_over.clone(), stage.name.clone());
        let thread = std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                let Some(Ok(message)) = consumer.poll(Duration::from_millis(50)) else {
                    continue;
                };
                let at = Instant::now();
                let came = outputs::came(&message, &source);
                let (place, origin) = ((came.topic, came.partition), came.origin);
                taken.lock().unwrap().push(Arrival { at, place, origin });
            }
        });
        Self {
            arrivals,
            is_over,
            thread: Some(thread),
        }
    }

    /// Forgets what came so far.
    fn forget(&self) {
        self.arrivals.lock().unwrap().clear();
    }

    /// When the first came on each partition, of those whose source lies at or after these
    /// offsets.
    fn firsts(&self, starts: &BTreeMap<i32, i64>) -> BTreeMap<(String, i32), Instant> {
        let mut firsts = BTreeMap::new();
        for one in self.arrivals.lock().unwrap().iter() {
            let (partition, offset, _) = one.origin;
            if starts.get(&partition).is_some_and(|start| offset >= *start) {
                firsts.entry(one.place.clone()).or_insert(one.at);
            }
        }
        firsts
    }

    /// Waits until something new has come on every partition; how long after `since` that was.
    fn recovery(&self, stage: &Stage, heir: &Process, orphaned: &[i32], since: Instant) -> f64 {
        let places = stage.written().count();
        wait("new events on every partition", || {
            let mut starts = heir.starts();
            starts.retain(|partition, _| orphaned.contains(partition));
            if starts.len() < orphaned.len() {
                return None;
            }
            let firsts = self.firsts(&starts);
            let last = firsts.values().max().filter(|_| firsts.len() == places)?;
            Some(last.duration_since(since).as_secs_f64())
        })
    }
}

/// Messages before a kill: enough that it is at work when it is killed.
const BEFORE: usize = 20_000;
/// Kills at most, until enough have hit a transaction.
const MOST_KILLS: usize = 20;
/// Messages after a kill: enough that there are new events for every partition.
const AFTER: usize = 2_000;

/// A load with enough dead letters that each of their partitions has some soon.
fn open(plan: &Plan) -> Stage {
    let options = Options {
        bad: 0.1,
        ..Options::default()
    };
    Stage::with_load(&plan.name, options)
}

/// Waits until a process is at work on these partitions, having committed something of them, and
/// kills it; when, and on how many partitions that left something undecided.
fn kill_at_work(
    stage: &mut Stage,
    process: Process,
    owned: &[i32],
    round: usize,
) -> (Instant, usize) {
    let committed = |stage: &Stage| {
        let positions = stage.positions()?;
        let of = |partition: &i32| positions[usize::try_from(*partition).unwrap()];
        Some(owned.iter().map(of).sum::<i64>())
    };
    let before = wait("the group's offsets", || committed(stage));
    let burst = stage.prepare(BEFORE);
    stage.send(&burst);
    wait("it is at work", || {
        committed(stage).filter(|now| *now > before)
    });
    Plan::drift(round);
    let since = Instant::now();
    process.kill();
    (since, stage.undecided().unwrap_or(0))
}

fn restart(plan: &Plan, settings: &[&str], rounds: usize) -> Told {
    let mut stage = open(plan);
    let tail = Tail::open(&stage);
    let start = |stage: &Stage| Process::start(&stage.config(plan.delivery.name()), "a", settings);
    let mut process = start(&stage);
    let orphaned: Vec<_> = (0..SOURCE_PARTITIONS).collect();
    let (mut seconds, mut undecided) = (Vec::new(), Vec::new());
    for round in 0.. {
        tail.forget();
        let (since, left) = kill_at_work(&mut stage, process, &orphaned, round);
        process = start(&stage);
        stage.settle();
        stage.feed(AFTER);
        let recovered = tail.recovery(&stage, &process, &orphaned, since);
        stage.wait_for_all();
        // A kill between two transactions leaves nothing open, and is none that counts.
        if left > 0 {
            seconds.push(recovered);
            undecided.push(left);
        }
        if seconds.len() == plan.rounds(rounds, 1) {
            break;
        }
        assert!(round < MOST_KILLS, "no kill hits a transaction");
    }
    process.stop();
    told(plan, &stage, seconds, &undecided)
}

fn takeover(plan: &Plan) -> Told {
    let mut stage = open(plan);
    let tail = Tail::open(&stage);
    let start =
        |stage: &Stage, name: &str| Process::start(&stage.config(plan.delivery.name()), name, &[]);
    let heir = start(&stage, "heir");
    let (mut seconds, mut undecided) = (Vec::new(), Vec::new());
    for round in 0.. {
        let name = format!("a{round}");
        let process = start(&stage, &name);
        wait("both have their share", || {
            let (of_it, of_heir) = (process.owned().len(), heir.owned().len());
            (of_it > 0 && of_heir > 0 && of_it + of_heir == ALL).then_some(())
        });
        let orphaned: Vec<_> = process.owned().into_iter().collect();
        tail.forget();
        let (since, left) = kill_at_work(&mut stage, process, &orphaned, round);
        stage.settle();
        stage.feed(AFTER);
        wait("the heir has all", || {
            (heir.owned().len() == ALL).then_some(())
        });
        let recovered = tail.recovery(&stage, &heir, &orphaned, since);
        stage.wait_for_all();
        stage.wait_until_decided();
        if left > 0 {
            seconds.push(recovered);
            undecided.push(left);
        }
        if seconds.len() == plan.rounds(5, 1) {
            break;
        }
        assert!(round < MOST_KILLS, "no kill hits a transaction");
    }
    heir.stop();
    told(plan, &stage, seconds, &undecided)
}

fn told(plan: &Plan, stage: &Stage, seconds: Vec<f64>, undecided: &[usize]) -> Told {
    let note = format!("partitions with an open transaction at each kill: {undecided:?}");
    let mut told = plan.judge(stage, note);
    told.recovery = Some(seconds);
    told
}
