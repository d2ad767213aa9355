//! A bar over the offsets of the dead-letter topic.

use std::io::{self, IsTerminal};

use indicatif::{ProgressBar, ProgressStyle};

/// A bar, on a terminal; elsewhere nothing.
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// Nothing shows until there is a total. What is printed meanwhile must not be disturbed:
    /// `prints` says that stdout is written to while the bar is there.
    pub(super) fn new(prints: bool) -> Self {
        let is_shown = io::stderr().is_terminal() && !(prints && io::stdout().is_terminal());
        let bar = if is_shown {
            ProgressBar::no_length()
        } else {
            ProgressBar::hidden()
        };
        let style = "{bar:30} {human_pos}/{human_len} {per_sec:0} {eta} {msg}";
        Self(match ProgressStyle::with_template(style) {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        })
    }

    /// So much there is.
    pub(super) fn total(&self, total: u64) {
        self.0.set_message("");
        self.0.set_length(total);
    }

    /// So much is behind.
    pub(super) fn position(&self, position: u64) {
        self.0.set_position(position);
    }

    /// What is going on.
    pub(super) fn message(&self, text: &str) {
        self.0.set_message(text.to_owned());
        self.0.tick();
    }

    /// A line on stderr, above the bar.
    pub(super) fn say(&self, line: &str) {
        self.0.suspend(|| eprintln!("{line}"));
    }

    /// It goes.
    pub(super) fn end(&self) {
        self.0.finish_and_clear();
    }
}
