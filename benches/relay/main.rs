//! netsieve against a bare loop over librdkafka, on one real broker, in one run.
//!
//! The loop (see `floor`) reads the same source and writes as many ready-made records, which
//! netsieve has made of the same messages before, with the same settings of librdkafka and the
//! same guarantee. Both are processes of their own, and take turns, so that a noisy machine
//! troubles both alike. The core is measured alone, in this process, on the same messages.
//!
//! On Linux:
//!
//! - `./with-kafka cargo bench --bench relay [-- backlog|paced] [ROUNDS [RECORDS]] [KEY=VALUE…]`
//! - `./with-kafka cargo bench --bench relay -- memory [MEBIBYTES] [KEY=VALUE…]`: what of memory
//!   netsieve needs
//!
//! The settings, if any, are those of netsieve and hold for every run.

#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "numbers of a bench are far from their bounds"
)]

mod backlog;
mod child;
mod floor;
mod memory;
mod paced;
mod stage;
#[path = "../../tests/support/proof/topics.rs"]
mod topics;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use netsieve::generate::{Generated, Options};
use netsieve::pipeline::emit::Emitted;
use netsieve::pipeline::message::Input;
use netsieve::pipeline::settings::Settings;
use netsieve::pipeline::{Workspace, process};

use backlog::Speed;
use child::Child;
use paced::{Latency, Load};
use stage::{Run, Source};

/// Messages that are distinct; a source repeats them.
const DISTINCT: usize = 4_000;
const DEFAULT_ROUNDS: usize = 3;
/// Uncompressed size of the backlog that memory is measured on.
const DEFAULT_MEBIBYTES: usize = 2_048;
const DEFAULT_RECORDS: usize = 1_500_000;
/// Records a second of the paced runs, and how long one takes.
const PACE: (f64, Duration) = (10_000.0, Duration::from_secs(8));
/// How often the core alone goes through all messages.
const PASSES: usize = 5;
/// Topics that a run writes to.
const TOPICS: usize = 3;
const DELIVERIES: [&str; 2] = ["at_least_once", "exactly_once"];

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if let [word, config, messages, rest @ ..] = &arguments[..]
        && word == "floor"
    {
        let messages = messages.parse().expect("a number");
        let (sample, settings) = rest.split_at(TOPICS);
        return floor::relay(Path::new(config), settings, sample, messages);
    }
    let settings = arguments.iter().filter(|argument| argument.contains('='));
    let settings: Vec<_> = settings.cloned().collect();
    let mut numbers = arguments
        .iter()
        .filter_map(|argument| argument.parse().ok());
    let is_asked = |part: &str| arguments.iter().any(|argument| argument == part);
    if is_asked("memory") {
        let mebibytes = numbers.next().unwrap_or(DEFAULT_MEBIBYTES);
        return memory::measure(mebibytes << 20, &settings);
    }
    let rounds = numbers.next().unwrap_or(DEFAULT_ROUNDS);
    let records = numbers.next().unwrap_or(DEFAULT_RECORDS);
    let bench = Bench::new(settings);
    if !is_asked("paced") {
        bench.work_off(rounds, records);
    }
    if !is_asked("backlog") {
        bench.pace(rounds);
    }
}

struct Bench {
    distinct: Vec<Generated>,
    /// How many records come of each message.
    records: Vec<usize>,
    sample: Run,
    /// What goes over the configuration of every run.
    settings: Vec<String>,
    core: Settings,
}

/// Who works.
#[derive(Clone, Copy)]
enum Who {
    Floor,
    Netsieve { workers: usize },
}

impl Bench {
    /// Has netsieve make the records that the floor writes.
    fn new(settings: Vec<String>) -> Self {
        let options = Options {
            bad: 0.01,
            ..Options::default()
        };
        let distinct = stage::messages(DISTINCT, options);
        let mut source = Source::new(&format!("sample-{}", stage::now_ms()));
        source.fill(&distinct, DISTINCT);
        let sample = Run::new("sample", &source, settings.clone());
        let mut child = Child::netsieve(&sample);
        backlog::watch(&sample, &mut child, DISTINCT, 1.0);
        child.stop();
        let ready = floor::ready_made(&sample.outputs(), DISTINCT);
        let mut core = stage::config(&sample.config_path(), &[]).core_settings();
        for output in &mut core.outputs {
            output.max_bytes = 1 << 20;
        }
        core.dead_letter_max_bytes = 1 << 20;
        Self {
            distinct,
            records: ready.iter().map(Vec::len).collect(),
            sample,
            settings,
            core,
        }
    }

    fn records_a_message(&self) -> f64 {
        self.records.iter().sum::<usize>() as f64 / self.distinct.len() as f64
    }

    fn start(&self, who: Who, run: &Run) -> Child {
        let Who::Floor = who else {
            return Child::netsieve(run);
        };
        let this = std::env::current_exe().expect("this program is a file");
        let mut command = Command::new(this);
        command.arg("floor").arg(run.config_path());
        command.arg(self.distinct.len().to_string());
        Child::start(command.args(self.sample.outputs()).args(run.settings()))
    }

    fn settings(&self, delivery: &str, who: Who) -> Vec<String> {
        let workers = match who {
            Who::Floor => 1,
            Who::Netsieve { workers } => workers,
        };
        let mut settings = self.settings.clone();
        settings.extend([format!("delivery={delivery}"), format!("workers={workers}")]);
        settings
    }

    fn work_off(&self, rounds: usize, records: usize) {
        let messages = (records as f64 / self.records_a_message()) as usize;
        let mut source = Source::new(&format!("backlog-{}", stage::now_ms()));
        source.fill(&self.distinct, messages);
        println!(
            "backlog of {messages} messages, {:.1} records each; medians of {rounds} rounds",
            self.records_a_message()
        );
        let mut core = Vec::new();
        let mut speeds: [[Vec<Speed>; 3]; 2] = Default::default();
        for _ in 0..rounds {
            core.push(self.core_cpu());
            for (delivery, speeds) in DELIVERIES.iter().zip(&mut speeds) {
                let who = [
                    Who::Floor,
                    Who::Netsieve { workers: 1 },
                    Who::Netsieve { workers: 2 },
                ];
                for (who, speeds) in who.into_iter().zip(speeds) {
                    let run = Run::new("relay", &source, self.settings(delivery, who));
                    let mut child = self.start(who, &run);
                    let speed =
                        backlog::watch(&run, &mut child, messages, self.records_a_message());
                    speeds.push(speed);
                    drop(child);
                    run.delete();
                }
            }
        }
        let core = median(core.into_iter());
        println!("the core alone: {core:.2} CPU seconds a million records");
        println!(
            "{:<15}{:<12}{:>11}{:>8}{:>12}{:>14}",
            "delivery", "who", "records/s", "CPU s/M", "CPU ratio", "speed ratio"
        );
        for (delivery, speeds) in DELIVERIES.iter().zip(&speeds) {
            report(delivery, speeds, core);
        }
    }

    /// CPU seconds a million records of the core alone.
    fn core_cpu(&self) -> f64 {
        let (mut workspace, mut out) = (Workspace::default(), Emitted::default());
        let mut pass = || {
            for message in &self.distinct {
                let headers = message.headers.iter();
                let headers: Vec<_> = headers
                    .map(|(key, value)| (key.as_str(), value.as_deref()))
                    .collect();
                let input = Input {
                    value: &message.value,
                    key: Some(message.key.as_bytes()),
                    headers: &headers,
                    topic: "network_connection",
                    partition: 3,
                    offset: 1_234_567,
                    timestamp_ms: Some(message.timestamp_ms),
                };
                process(&input, &self.core, &mut workspace, &mut out);
            }
        };
        pass();
        let before = thread_cpu();
        (0..PASSES).for_each(|_| pass());
        (thread_cpu() - before) * 1e6 / (PASSES * self.records.iter().sum::<usize>()) as f64
    }

    fn pace(&self, rounds: usize) {
        println!(
            "{:.0} records/s in messages of {:.1}; medians of {rounds} rounds; ms until seen",
            PACE.0,
            self.records_a_message()
        );
        println!(
            "{:<15}{:<10}{:>11}{:>5}{:>7}{:>7}{:>7}{:>11}{:>7}{:>10}",
            "delivery",
            "who",
            "source p50",
            "p99",
            "p50",
            "p99",
            "max",
            "commits/s",
            "CPU %",
            "broker %"
        );
        let whos = [Who::Floor, Who::Netsieve { workers: 1 }];
        // The brokers' machine code is made while they work: a first run measures that.
        self.pace_once(DELIVERIES[1], whos[0]);
        let mut latencies: [[Vec<Latency>; 2]; 2] = Default::default();
        for _ in 0..rounds {
            for (delivery, latencies) in DELIVERIES.iter().zip(&mut latencies) {
                for (who, latencies) in whos.into_iter().zip(latencies) {
                    latencies.push(self.pace_once(delivery, who));
                }
            }
        }
        for (delivery, latencies) in DELIVERIES.iter().zip(&latencies) {
            for (who, latencies) in whos.into_iter().zip(latencies) {
                let of = |what: fn(&Latency) -> f64| median(latencies.iter().map(what));
                println!(
                    "{delivery:<15}{:<10}{:>11.1}{:>5.1}{:>7.1}{:>7.1}{:>7.1}{:>11.0}{:>7.0}{:>10.0}",
                    who.name(),
                    of(|of| of.source_p50),
                    of(|of| of.source_p99),
                    of(|of| of.p50),
                    of(|of| of.p99),
                    of(|of| of.max),
                    of(|of| of.commits),
                    of(|of| of.cpu * 100.0),
                    of(|of| of.broker * 100.0),
                );
            }
        }
    }

    fn pace_once(&self, delivery: &str, who: Who) -> Latency {
        let mut source = Source::new(&format!("paced-{}", stage::now_ms()));
        let run = Run::new("relay", &source, self.settings(delivery, who));
        let child = self.start(who, &run);
        let load = Load {
            distinct: &self.distinct,
            records: &self.records,
        };
        let latency = paced::measure(&run, &child, &mut source, load, PACE);
        drop(child);
        run.delete();
        latency
    }
}

impl Who {
    fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Netsieve { workers: 1 } => "netsieve",
            Self::Netsieve { .. } => "2 workers",
        }
    }
}

fn report(delivery: &str, speeds: &[Vec<Speed>; 3], core: f64) {
    let [floor, one, two] = speeds;
    let cpu = |of: &[Speed]| median(of.iter().map(|speed| speed.cpu));
    let rate = |of: &[Speed]| median(of.iter().map(|speed| speed.rate));
    let sum = cpu(floor) + core;
    // What a worker could do that takes the core's time for a record beside the floor's.
    let allowed = 1.0 / (1.0 / rate(floor) + core / 1e6);
    println!(
        "{delivery:<15}{:<12}{:>11.0}{:>8.2}",
        "floor",
        rate(floor),
        cpu(floor)
    );
    println!(
        "{delivery:<15}{:<12}{allowed:>11.0}{sum:>8.2}",
        "floor + core"
    );
    println!(
        "{delivery:<15}{:<12}{:>11.0}{:>8.2}{:>12.2}{:>14.2}",
        "netsieve",
        rate(one),
        cpu(one),
        cpu(one) / sum,
        rate(one) / allowed
    );
    println!(
        "{delivery:<15}{:<12}{:>11.0}{:>8.2}{:>12.2}{:>14.2}",
        "2 workers",
        rate(two),
        cpu(two),
        cpu(two) / sum,
        rate(two) / allowed
    );
}

/// Seconds of processors that this thread has used so far.
fn thread_cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("this is Linux");
    let nanos = stat.split_whitespace().next().map(str::parse::<f64>);
    nanos.and_then(Result::ok).expect("a number") / 1e9
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
