//! `netsieve dlq ls`: how many dead letters there are.

use std::fmt::Write as _;
use std::io;
use std::ops::ControlFlow;

use bumpalo::Bump;

use super::progress::Progress;
use super::{Which, begin, interrupted};
use crate::cli::number::whole;
use crate::cli::terminal::{Paint, counted, grouped, shorten};
use crate::cli::{CliError, Global, print};
use crate::dead_letters::counts::{Counts, Per};
use crate::kafka::letters::{self, Part, Seen};

/// Widest name in a table, in characters.
const NAME_WIDTH: usize = 48;

/// What to count.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  netsieve dlq ls --bootstrap kafka:9092
  netsieve dlq ls --config netsieve.toml --since 2026-11-24 --per hour
  netsieve dlq ls --reason missing_protocol --agent 339429212 --json

Only what is committed is read, up to the end that the topic has at the start.
Nothing is written, and no group is joined.")]
pub(super) struct Args {
    #[command(flatten)]
    which: Which,
    /// Width of the slots of time
    #[arg(long, value_name = "WIDTH", value_enum, default_value_t = Per::Day)]
    per: Per,
    /// Most lines of each table; the JSON has all
    #[arg(long, value_name = "LINES", default_value_t = 20, value_parser = whole(0..=usize::MAX), allow_negative_numbers = true)]
    top: usize,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Counts, and prints the tables.
pub(super) fn run(args: &Args, global: &Global) -> Result<(), CliError> {
    let begun = begin(&args.which, global)?;
    let (filter, core) = (args.which.filter(), &begun.core);
    let (mut counts, mut arena) = (Counts::default(), Bump::new());
    let progress = Progress::new(false);
    let part = Part {
        bounds: &|partition| filter.bounds(partition),
        from_group: false,
    };
    let whole = letters::read(&begun.kafka, part, &begun.shutdown, &mut |seen| {
        match seen {
            Seen::Total(total) => progress.total(total),
            Seen::Position(position) => progress.position(position),
            Seen::Letter(letter) => {
                if filter.takes(letter, core, &mut arena) {
                    let agent = letter.agent(core, &mut arena);
                    counts.count(letter, agent.as_deref(), args.per);
                }
            }
        }
        ControlFlow::Continue(())
    })?;
    progress.end();
    begun.background.stop();
    if !whole {
        return Err(interrupted("run it again"));
    }
    if args.json {
        let json = serde_json::to_string(&counts).unwrap_or_default();
        return print(&format!("{json}\n"));
    }
    let paint = Paint::of(&io::stdout());
    print(&tables(&begun.kafka.dead_letters, &counts, args.top, paint))
}

fn tables(topic: &str, counts: &Counts, top: usize, paint: Paint) -> String {
    let mut text = format!(
        "{topic}: {}",
        paint.bold(&counted(counts.letters, "dead letter"))
    );
    if counts.truncated > 0 {
        let _ = write!(text, ", {} of them cut", grouped(counts.truncated));
    }
    text.push('\n');
    if counts.letters == 0 {
        return text;
    }
    for (title, names) in [
        ("reason", counts.reasons.by_count()),
        ("level", counts.levels.by_count()),
        ("source topic", counts.topics.by_count()),
        ("time (UTC)", counts.times.by_name()),
        ("agent", counts.agents.by_count()),
    ] {
        let heading = format!("{title:NAME_WIDTH$}  {:>12}  {:>6}", "count", "share");
        let _ = write!(text, "\n{}\n", paint.dim(&heading));
        // Of times the latest.
        let is_time = title.starts_with("time");
        let skipped = names.len().saturating_sub(top);
        let shown = if is_time {
            &names[skipped..]
        } else {
            &names[..names.len() - skipped]
        };
        for (name, count) in shown {
            // They come from outside, and must not speak to the terminal.
            let name = shorten(&name.escape_debug().to_string(), NAME_WIDTH);
            let share = *count as f64 * 100.0 / counts.letters as f64;
            let count = grouped(*count);
            let _ = writeln!(text, "{name:NAME_WIDTH$}  {count:>12}  {share:>4.0} %");
        }
        if skipped > 0 {
            let which = if is_time { "earlier" } else { "more" };
            let _ = writeln!(text, "{}", paint.dim(&format!("… {skipped} {which}")));
        }
    }
    text
}
