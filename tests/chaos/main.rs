//! Breaks everything that can break around processors on a real Kafka cluster, and compares what
//! came out with what must have.
//!
//! ```text
//! ./with-kafka --brokers 3 --secure cargo test --release --test chaos -- --all
//! ./with-kafka cargo test --test chaos -- --list
//! ```
//!
//! It runs the netsieve that is built with it, or the one that `$NETSIEVE_BIN` names.
//!
//! Each scenario has topics and a group of its own. It sends a load, does its mischief to
//! processes of `netsieve run` or to the brokers, waits until the group has committed the whole
//! load, and has all outputs and dead letters judged by the checker of `tests/support/proof`,
//! which knows the load's manifest and shares no code with the pipeline. Nothing fails by taking
//! long, unless nothing moves any more for two minutes.

#![allow(
    clippy::print_stdout,
    reason = "a program, whose results are what it prints"
)]

mod brokers;
mod plan;
mod processes;
#[path = "../support/proof/mod.rs"]
mod proof;
mod recovery;
mod refusals;
mod report;
mod sources;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use clap::Parser;
use plan::{Delivery, Plan, Scenario, Told};
use report::Row;

/// Every scenario, in the order in which they run.
const SCENARIOS: &[&[Scenario]] = &[
    processes::SCENARIOS,
    refusals::SCENARIOS,
    sources::SCENARIOS,
    brokers::SCENARIOS,
    recovery::SCENARIOS,
];
/// Messages of a short run.
const SHORT_MESSAGES: usize = 2_000;

/// Breaks everything around netsieve on a real Kafka, and compares what came out
#[derive(Debug, Parser)]
#[command(
    name = "chaos",
    after_help = "\
Runs within ./with-kafka:
  ./with-kafka --brokers 3 --secure cargo test --release --test chaos -- --all
  ./with-kafka cargo test --test chaos -- --scenario kill --messages 5000"
)]
struct Args {
    /// Scenarios to run; may be repeated
    #[arg(long = "scenario", value_name = "NAME")]
    scenarios: Vec<String>,
    /// Run all scenarios; the cluster must have three brokers and access control
    #[arg(long, conflicts_with = "scenarios")]
    all: bool,
    /// Run those of the short set that are for a cluster of this size
    #[arg(long, conflicts_with_all = ["scenarios", "all"])]
    short: bool,
    /// List the scenarios
    #[arg(long)]
    list: bool,
    /// Messages of each scenario
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    messages: usize,
    /// Run in this delivery mode only
    #[arg(long, value_enum)]
    delivery: Option<Delivery>,
    /// Scenarios to run at once, of those that leave the brokers alone; their timings suffer
    #[arg(long, value_name = "N", default_value_t = 1)]
    jobs: usize,
    /// Write the results to this file as well, in Markdown
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    if args.list {
        list();
        return ExitCode::SUCCESS;
    }
    let work = match work(&args) {
        Ok(work) => work,
        Err(why) => {
            eprint(&why);
            return ExitCode::from(2);
        }
    };
    let rows = run(work, args.jobs.max(1));
    let report = report::markdown(&rows);
    println!("\n{report}");
    if let Some(path) = &args.report
        && let Err(error) = std::fs::write(path, &report)
    {
        eprint(&format!(
            "cannot write the report ({error}), {}",
            path.display()
        ));
        return ExitCode::FAILURE;
    }
    if rows.iter().all(Row::is_passed) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn eprint(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "chaos: {line}");
}

fn all() -> impl Iterator<Item = &'static Scenario> {
    SCENARIOS.iter().copied().flatten()
}

fn list() {
    for scenario in all() {
        let needs = match (scenario.brokers, scenario.secure) {
            (1, false) => "",
            (1, true) => " (--secure)",
            _ => " (--brokers 3)",
        };
        let short = if scenario.short { "short" } else { "" };
        println!("{:27} {short:6} {}{needs}", scenario.name, scenario.about);
    }
}

/// What to run, in which mode.
type Work = VecDeque<(&'static Scenario, Plan)>;

fn work(args: &Args) -> Result<Work, String> {
    let brokers: u32 = proof::cluster::variable("BROKERS")
        .and_then(|count| count.parse().ok())
        .ok_or("no cluster (NETSIEVE_KAFKA_BROKERS is not set): run it by ./with-kafka")?;
    let is_secure = proof::cluster::variable("SASL_BOOTSTRAP").is_some();
    let mut chosen: Vec<_> = if args.all {
        all().collect()
    } else if args.short {
        let fits = |one: &&Scenario| one.brokers == brokers && (is_secure || !one.secure);
        all().filter(|one| one.short).filter(fits).collect()
    } else {
        let by_name = |name: &String| {
            let found = all().find(|scenario| scenario.name == name);
            found.ok_or_else(|| format!("no scenario {name}: see --list"))
        };
        args.scenarios
            .iter()
            .map(by_name)
            .collect::<Result<_, _>>()?
    };
    if chosen.is_empty() {
        return Err("nothing to do: give --scenario NAME, --all, --short or --list".to_owned());
    }
    for scenario in &chosen {
        let name = scenario.name;
        if scenario.brokers > brokers {
            return Err(format!("{name} needs ./with-kafka --brokers 3"));
        }
        if scenario.secure && !is_secure {
            return Err(format!("{name} needs ./with-kafka --secure"));
        }
    }
    // Those that take brokers down run after all others.
    chosen.sort_by_key(|scenario| scenario.alone);
    let messages = if args.short {
        SHORT_MESSAGES
    } else {
        args.messages
    };
    let of = |scenario: &'static Scenario| {
        let mut deliveries: Vec<_> = scenario.deliveries.to_vec();
        if args.short {
            deliveries.truncate(scenario.short_deliveries);
        }
        deliveries.retain(|delivery| args.delivery.is_none_or(|wanted| wanted == *delivery));
        deliveries.into_iter().map(move |delivery| {
            let plan = Plan {
                name: format!("{}-{}", scenario.name, delivery.short_name()),
                messages,
                delivery,
                is_short: args.short,
            };
            (scenario, plan)
        })
    };
    Ok(chosen.into_iter().flat_map(of).collect())
}

/// Runs what is to be run; those that leave the brokers alone several at once.
fn run(work: Work, jobs: usize) -> Vec<Row> {
    let (alone, beside): (Work, Work) = work.into_iter().partition(|(one, _)| one.alone);
    let rows = Mutex::new(Vec::new());
    for (work, jobs) in [(beside, jobs), (alone, 1)] {
        let work = Mutex::new(work);
        std::thread::scope(|scope| {
            for _ in 0..jobs {
                scope.spawn(|| {
                    while let Some((scenario, plan)) = next(&work) {
                        let row = run_one(scenario, plan);
                        println!("{row}");
                        let mut rows = rows.lock().unwrap_or_else(PoisonError::into_inner);
                        rows.push(row);
                    }
                });
            }
        });
    }
    rows.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn next(work: &Mutex<Work>) -> Option<(&'static Scenario, Plan)> {
    let mut work = work.lock().unwrap_or_else(PoisonError::into_inner);
    work.pop_front()
}

/// Runs a scenario in a thread of its own, so that what it demands in vain ends it alone.
fn run_one(scenario: &'static Scenario, plan: Plan) -> Row {
    let (since, delivery) = (Instant::now(), plan.delivery);
    println!("{}: begins", plan.name);
    let thread = std::thread::Builder::new().name(plan.name.clone());
    let told = thread.spawn(move || (scenario.run)(&plan)).unwrap().join();
    let told: Result<Told, String> = told.map_err(|payload| {
        if scenario.alone {
            proof::cluster::restore();
        }
        let text = payload.downcast_ref::<String>().cloned();
        let text = text.or_else(|| {
            payload
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
        });
        text.unwrap_or_default()
    });
    Row {
        scenario,
        delivery,
        told,
        took: since.elapsed(),
    }
}
