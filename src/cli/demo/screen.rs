//! The demo's screen: what it is, samples as they flow, the progress, the summary.
#![allow(clippy::print_stdout)]

use std::collections::HashSet;
use std::io::{self, IsTerminal, Write as _};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::terminal::{Paint, column, counted, grouped, width};
use crate::config::Config;

use super::findings::Findings;
use super::ledger::Ledger;
use super::reader::Came;
use super::show::Layout;
use super::{Totals, rows};

/// How often a sample is shown.
const SAMPLE_EVERY: Duration = Duration::from_millis(450);
/// How long a sample of a sort that was not shown yet is waited for.
const WAIT_FOR_NEW: Duration = Duration::from_millis(600);
/// Of so many samples one is a reject.
const REJECT_EVERY: u64 = 4;
/// How often the progress is told where there is no terminal.
const PROGRESS_EVERY: Duration = Duration::from_secs(2);

/// Standard output, and what was shown on it lately.
pub(super) struct Screen {
    pub(super) paint: Paint,
    /// On a terminal only.
    bar: ProgressBar,
    on_terminal: bool,
    last_sample: Instant,
    samples: u64,
    /// The sorts of samples that were shown.
    shown: HashSet<String>,
    last_progress: Instant,
}

impl Screen {
    pub(super) fn new() -> Self {
        let stdout = io::stdout();
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stdout());
        let bar = match ProgressStyle::with_template("{spinner} {msg}") {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        };
        let now = Instant::now();
        Self {
            paint: Paint::of(&stdout),
            bar,
            on_terminal: stdout.is_terminal(),
            last_sample: now,
            samples: 0,
            shown: HashSet::new(),
            last_progress: now,
        }
    }

    /// Shows lines above the progress. A reader that has gone away is no error.
    pub(super) fn say(&self, text: &str) {
        self.bar.suspend(|| {
            let _ = writeln!(io::stdout(), "{text}");
        });
    }

    /// What netsieve does, and what is about to be seen.
    pub(super) fn introduce(&self, config: &Config, http: SocketAddr) {
        let paint = self.paint;
        let source = config.source.topics.join(", ");
        let targets = config.outputs.iter().map(|output| output.topic.as_str());
        let targets: Vec<_> = targets
            .chain([config.dead_letters_topic.as_str()])
            .collect();
        self.say(
            &paint.bold(
                "netsieve: batches of netstat-like rows in, one clean event per connection out",
            ),
        );
        self.say("");
        for (place, target) in targets.iter().enumerate() {
            let middle = place == targets.len() / 2;
            let left = if middle {
                format!("{source} ──> netsieve ──")
            } else {
                " ".repeat(source.chars().count() + 16)
            };
            self.say(&format!("  {left}┬─> {target}").replace('┬', branch(place, targets.len())));
        }
        self.say("");
        self.say(&format!(
            "Kafka    {}, embedded in this process",
            config.kafka.bootstrap
        ));
        self.say(&format!(
            "metrics  http://{http}/metrics (also /status, /readyz, /livez)"
        ));
        self.say("");
        self.say(&paint.dim("The consumer group forms, which takes a few seconds …"));
    }

    fn layout(&self) -> Layout {
        Layout {
            paint: self.paint,
            width: width(),
        }
    }

    /// What came out, as text.
    pub(super) fn text(&self, came: &Came) -> String {
        match came {
            Came::Event { event, .. } => self.layout().event(event),
            Came::Reject(reject) => self.layout().reject(&reject.reason, &reject.sentence),
        }
    }

    /// The built-in rows and what became of each.
    pub(super) fn rows(&self, shown: &[Option<String>]) {
        self.say("");
        let head = "Rows as tools print them, and what netsieve makes of each";
        self.say(&self.paint.bold(head));
        for (row, text) in rows::ROWS.iter().zip(shown) {
            self.say(&self.layout().row(row));
            self.say(text.as_deref().unwrap_or("nothing came out"));
        }
    }

    /// The heading of what flows.
    pub(super) fn stream(&mut self) {
        self.say("");
        let head = "A load of generated messages, 2 % of it bad; samples as they come out";
        self.say(&self.paint.bold(head));
        self.say(&self.paint.dim(&self.layout().heads()));
        self.last_sample = Instant::now();
        self.last_progress = Instant::now();
    }

    /// Shows what came out, now and then.
    pub(super) fn sample(&mut self, came: &Came) {
        let since = self.last_sample.elapsed();
        let reject_is_due = self.samples % REJECT_EVERY == REJECT_EVERY - 1;
        if since < SAMPLE_EVERY || matches!(came, Came::Reject(_)) != reject_is_due {
            return;
        }
        let sort = sort(came);
        if since < WAIT_FOR_NEW && self.shown.contains(&sort) {
            return;
        }
        self.say(&self.text(came));
        self.shown.insert(sort);
        self.samples += 1;
        self.last_sample = Instant::now();
    }

    /// How far it is.
    pub(super) fn progress(&mut self, ledger: &Ledger, elapsed: Duration) {
        let every = if self.on_terminal {
            Duration::from_millis(100)
        } else {
            PROGRESS_EVERY
        };
        if self.last_progress.elapsed() < every {
            return;
        }
        self.last_progress = Instant::now();
        let text = format!(
            "{:.0} s: {} in, {} out, {} rejected, {} records/s",
            elapsed.as_secs_f64(),
            counted(ledger.messages, "message"),
            counted(ledger.events, "event"),
            grouped(ledger.rejected()),
            grouped(rate(ledger, elapsed)),
        );
        if self.on_terminal {
            self.bar.set_message(text);
            self.bar.tick();
        } else {
            self.say(&text);
        }
    }

    /// That a signal came before the end.
    pub(super) fn interrupted(&self) {
        self.bar.finish_and_clear();
        self.say("\nStopped by a signal before the end; nothing was compared.");
    }

    /// What went in, what came out, and how fast.
    pub(super) fn summary(&self, ledger: &mut Ledger, totals: &Totals, elapsed: Duration) {
        self.bar.finish_and_clear();
        self.say("");
        self.say(&self.paint.bold("Summary"));
        let line = |head: &str, number: u64, what: &str| {
            self.say(&format!(
                "{}{:>11}  {what}",
                column(head, 10),
                grouped(number)
            ));
        };
        line("in", ledger.messages, "messages");
        line("", ledger.records, "records in them");
        line("", ledger.bad_messages, "messages that cannot be read");
        for (place, (topic, count)) in totals.iter().enumerate() {
            line(if place == 0 { "out" } else { "" }, *count, topic);
        }
        let mut rejects: Vec<_> = ledger.rejects.iter().collect();
        rejects.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
        for (place, (code, count)) in rejects.into_iter().enumerate() {
            line(if place == 0 { "rejected" } else { "" }, *count, code);
        }
        line("rate", rate(ledger, elapsed), "records a second");
        for (head, share) in [("latency", 0.5), ("", 0.99)] {
            if let Some(latency) = ledger.latency(share) {
                let millis = latency.as_secs_f64() * 1_000.0;
                let what = format!(
                    "ms from a message sent to its event read, p{:.0}",
                    share * 100.0
                );
                self.say(&format!("{}{millis:>11.1}  {what}", column(head, 10)));
            }
        }
    }

    /// What the events say, in short.
    pub(super) fn findings(&self, findings: &Findings) {
        self.say("");
        self.say(&self.paint.bold("What the events say"));
        for line in findings.lines(width()) {
            self.say(&line);
        }
    }

    /// Why a record was rejected.
    pub(super) fn reject(&self, reason: &str, sentence: &str) {
        self.say(&self.layout().reject(reason, sentence));
    }

    /// That every socket of this host came out.
    pub(super) fn live_verdict(&self, records: usize, messages: usize, events: usize) {
        let text = format!(
            "sockets in: {records} (messages: {messages}), events out: {events}, rejected: {}",
            records - events.min(records)
        );
        self.say("");
        self.say(&self.paint.green(&text));
        self.say("");
        self.say(&self.paint.dim(
            "Into Kafka of your own: netsieve submit --live --project P --bootstrap HOST:PORT",
        ));
    }

    /// That the books balance.
    pub(super) fn verdict(&self, ledger: &Ledger) {
        let text = format!(
            "{} + {} = {} + {},\neach as its sender foretold.",
            counted(ledger.records, "record"),
            counted(ledger.bad_messages, "message"),
            counted(ledger.events, "event"),
            counted(ledger.rejected(), "reject")
        );
        self.say("");
        self.say(&self.paint.green(&text));
        self.say("");
        self.say(
            &self
                .paint
                .dim("With Kafka of your own: netsieve run --bootstrap HOST:PORT"),
        );
    }
}

/// What is new about a sample: the rule and the perimeter, the exposure, or the reject's code.
fn sort(came: &Came) -> String {
    match came {
        Came::Reject(reject) => reject.reason.clone(),
        Came::Event { event, .. } => match (&event.direction, &event.listener) {
            (Some(direction), _) => format!("{} {}", direction.basis, direction.perimeter),
            (None, Some(listener)) => format!("{} {}", listener.exposure, listener.ephemeral),
            (None, None) => "idle".to_owned(),
        },
    }
}

fn branch(place: usize, count: usize) -> &'static str {
    match place {
        0 => "┌",
        _ if place == count / 2 => "┼",
        _ if place == count - 1 => "└",
        _ => "├",
    }
}

fn rate(ledger: &Ledger, elapsed: Duration) -> u64 {
    let done = ledger.events + ledger.rejected();
    let micros = u64::try_from(elapsed.as_micros())
        .unwrap_or(u64::MAX)
        .max(1);
    done.saturating_mul(1_000_000) / micros
}
