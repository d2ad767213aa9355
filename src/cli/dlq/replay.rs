//! `netsieve dlq replay`: dead letters sent back, or tried out.

use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::str::FromStr;

use super::progress::Progress;
use super::{Begun, Which, begin, interrupted};
use crate::cli::number::whole;
use crate::cli::terminal::grouped;
use crate::cli::{CliError, Global, print};
use crate::dead_letters::Letter;
use crate::dead_letters::mend::Mend;
use crate::dead_letters::plan::{Fate, Plan, Target, Why};
use crate::dead_letters::trial::{Outcomes, Trial};
use crate::kafka::KafkaError;
use crate::kafka::letters::{self, Part, Seen};
use crate::kafka::replay::{self, Step, Summary};
use crate::kafka::sources::Sources;
use crate::pipeline::settings::Format;

/// What to send back, and how.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  netsieve dlq replay --reason missing_protocol \\
      --mend 'data.protocol=tcp,ipv4' --dry-run
  netsieve dlq replay --reason invalid_local_address \\
      --mend 'data.local_address~/^([0-9.]+);/$1:/'
  netsieve dlq replay --since 2026-11-24 --name after-the-outage

Mends: FIELD=VALUE sets, FIELD= removes, FIELD~/REGEX/TEXT/ replaces every
match in the text. Fields are those of the contract: metadata.project,
data.protocol. Every other byte stays as it came.

A replay is known by its name: it goes on where it was interrupted, and
nothing is lost or doubled by that. A second run at the same time is refused.
Exit codes: 0 all was read, 1 failed or interrupted, 2 wrong usage, 78 bad
configuration.")]
pub(super) struct Args {
    #[command(flatten)]
    which: Which,
    /// Mend the message; can be repeated, one after the other
    #[arg(long, value_name = "MEND", value_parser = Mend::from_str)]
    mend: Vec<Mend>,
    /// Send to this topic instead of the one that each came from
    #[arg(long, value_name = "TOPIC")]
    topic: Option<String>,
    /// Leave what was tried so often
    #[arg(long, value_name = "NUMBER", default_value_t = 5, value_parser = whole(1..=u32::MAX), allow_negative_numbers = true)]
    max_attempts: u32,
    /// Name of the replay; without it, a hash of filter and mends
    #[arg(long, value_name = "NAME", value_parser = name)]
    name: Option<String>,
    /// Send nothing: run each through the core and tell what would come out
    #[arg(long)]
    dry_run: bool,
    /// Most samples of what would come out, with --dry-run
    #[arg(long, value_name = "NUMBER", default_value_t = 3, value_parser = whole(0..=usize::MAX), allow_negative_numbers = true)]
    samples: usize,
}

/// What Kafka takes in names everywhere.
fn name(text: &str) -> Result<String, &'static str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if text.is_empty() || text.len() > 100 || !text.chars().all(is_plain) {
        return Err("give 1 to 100 letters, digits, dots, hyphens and underscores");
    }
    Ok(text.to_owned())
}

/// Runs the command.
pub(super) fn run(args: &Args, global: &Global) -> Result<(), CliError> {
    let mut begun = begin(&args.which, global)?;
    let topic = &begun.kafka.dead_letters;
    if args.topic.as_ref() == Some(topic) {
        let line = format!("it is the dead-letter topic itself, --topic {topic}: name another");
        return Err(CliError::usage(line));
    }
    let target = match &args.topic {
        Some(topic) => Target::Topic(topic.clone()),
        None => Target::Origin(sources(&begun)?),
    };
    let core = begun.core.clone();
    let mends = args.mend.clone();
    let plan = Plan::new(args.which.filter(), mends, target, args.max_attempts, core);
    let name = args.name.clone().unwrap_or_else(|| plan.name());
    eprintln!("replay {name}");
    if args.dry_run {
        begun.kafka.group = replay::group(&begun.kafka, &name);
        return try_out(&begun, args, plan);
    }
    send(begun, args, plan, &name)
}

fn sources(begun: &Begun) -> Result<Sources, CliError> {
    let sources = Sources::new(&begun.kafka.sources);
    sources.map_err(|invalid| KafkaError::Settings(invalid.to_string()).into())
}

/// A line about a dead letter that stays.
fn left(letter: &Letter<'_>, why: &Why) -> String {
    format!("left {}:{}: {why}", letter.partition, letter.offset)
}

fn try_out(begun: &Begun, args: &Args, mut plan: Plan) -> Result<(), CliError> {
    let mut core = begun.core_with_tables()?;
    // For a person to read; where they go is the same.
    for output in &mut core.outputs {
        output.format = Format::Json;
        output.prefix.clear();
    }
    let mut trial = Trial::new(core, args.samples);
    let mut summary = Summary::default();
    let progress = Progress::new(false);
    let filter = plan.filter().clone();
    let part = Part {
        bounds: &|partition| filter.bounds(partition),
        from_group: true,
    };
    let whole = letters::read(&begun.kafka, part, &begun.shutdown, &mut |seen| {
        match seen {
            Seen::Total(total) => progress.total(total),
            Seen::Position(position) => progress.position(position),
            Seen::Letter(letter) => match plan.fate(letter) {
                Fate::Passed => summary.passed += 1,
                Fate::Back(message) => {
                    summary.back += 1;
                    trial.run(&message, letter.partition, letter.offset);
                }
                Fate::Left(why) => {
                    *summary.left.entry(why.name()).or_default() += 1;
                    progress.say(&left(letter, &why));
                }
            },
        }
        ControlFlow::Continue(())
    })?;
    progress.end();
    if !whole {
        return Err(interrupted("run it again"));
    }
    print(&told(&summary, &trial.outcomes(), &begun.kafka.outputs))
}

/// What a dry run tells.
fn told(summary: &Summary, outcomes: &Outcomes, outputs: &[String]) -> String {
    let mut out = format!(
        "{}\nnothing was sent (--dry-run)\n",
        sums(summary, "would go back")
    );
    let mut line = |count: u64, what: &str| {
        let _ = writeln!(out, "{:>12}  {what}", grouped(count));
    };
    for (output, count) in &outcomes.events {
        let topic = outputs.get(*output).map_or("", String::as_str);
        line(*count, &format!("events to {topic}"));
    }
    if outcomes.events.is_empty() {
        line(0, "events");
    }
    if outcomes.unrouted > 0 {
        line(outcomes.unrouted, "events that no output takes");
    }
    for (reason, count) in &outcomes.rejected {
        line(*count, &format!("rejected again: {reason}"));
    }
    for sample in &outcomes.samples {
        let _ = writeln!(out, "{sample}");
    }
    out
}

/// The counts of a replay in one line.
fn sums(summary: &Summary, back: &str) -> String {
    let (sent, passed) = (grouped(summary.back), grouped(summary.passed));
    let mut text = format!("{sent} {back}, {passed} not meant");
    for (why, count) in &summary.left {
        let _ = write!(text, ", {} left ({why})", grouped(*count));
    }
    text
}

fn send(begun: Begun, args: &Args, mut plan: Plan, name: &str) -> Result<(), CliError> {
    let targets = targets(&begun, args)?;
    let progress = Progress::new(false);
    let mut tell = |step: Step<'_>| match step {
        Step::Waiting => {
            progress.say("another run is in the group; waiting to see whether it is alive");
        }
        Step::Total(total) => progress.total(total),
        Step::Position(position) => progress.position(position),
        Step::Left(letter, why) => progress.say(&left(letter, why)),
    };
    progress.message("joining its group");
    let done = replay::replay(
        &begun.kafka,
        name,
        targets,
        &mut plan,
        &begun.shutdown,
        &mut tell,
    );
    progress.end();
    begun.background.stop();
    let summary = done?;
    print(&format!("{}\n", sums(&summary, "sent back")))?;
    if summary.is_interrupted {
        return Err(interrupted("run it again, and it goes on"));
    }
    Ok(())
}

/// The topics that messages may go to, by name.
fn targets(begun: &Begun, args: &Args) -> Result<Vec<String>, CliError> {
    match &args.topic {
        Some(topic) => Ok(vec![topic.clone()]),
        None => Ok(letters::sources(&begun.kafka, &begun.shutdown)?),
    }
}
