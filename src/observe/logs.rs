//! Logs on stderr: text on a terminal, one JSON object a line elsewhere.

use std::collections::HashMap;
use std::hash::Hash;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::config::{Log, LogFormat};

/// Installs the log of this process. It can be done once in a process.
pub fn install(log: &Log) -> Result<(), TryInitError> {
    let terminal = std::io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt()
        .with_max_level(log.level)
        .with_writer(std::io::stderr)
        .with_ansi(takes_colour(&std::io::stderr()));
    let text = match log.format {
        LogFormat::Text => true,
        LogFormat::Json => false,
        LogFormat::Auto => terminal,
    };
    if text {
        builder.with_target(false).finish().try_init()
    } else {
        builder.json().flatten_event(true).finish().try_init()
    }
}

/// Whether text that goes there may be coloured: on a terminal, unless `NO_COLOR` is set
/// (<https://no-color.org>).
pub fn takes_colour(stream: &impl IsTerminal) -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    stream.is_terminal() && !refused
}

/// Lets the first lines of each key through, window by window, and counts what the others
/// would have told.
///
/// Time is an argument, so that whoever asks decides what now is.
#[derive(Debug)]
pub struct RateLimited<K> {
    first: u64,
    window: Duration,
    seen: HashMap<K, Window>,
}

#[derive(Debug)]
struct Window {
    since: Instant,
    lines: u64,
    untold: u64,
}

/// What was kept back of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suppressed<K> {
    /// The key.
    pub key: K,
    /// How many things were not told of.
    pub untold: u64,
}

impl<K: Clone + Eq + Hash> RateLimited<K> {
    /// Lets the first `first` lines of each key through in every `window`. There must be a
    /// bounded number of keys, or as few as come in a window where [`Self::summaries`] is asked
    /// for regularly.
    pub fn new(first: u64, window: Duration) -> Self {
        Self {
            first,
            window,
            seen: HashMap::new(),
        }
    }

    /// Whether a line of this key, which tells of `things`, may be written now.
    ///
    /// A key's window begins with its first line. Ask for [`Self::summaries`] before, or what
    /// was kept back in a window that has ended is forgotten.
    pub fn admit(&mut self, key: K, things: u64, now: Instant) -> bool {
        let fresh = || Window {
            since: now,
            lines: 0,
            untold: 0,
        };
        let window = self.seen.entry(key).or_insert_with(fresh);
        if now.duration_since(window.since) >= self.window {
            *window = fresh();
        }
        window.lines += 1;
        let admitted = window.lines <= self.first;
        if !admitted {
            window.untold += things;
        }
        admitted
    }

    /// Ends all windows and tells what was kept back in them.
    pub fn end(&mut self) -> Vec<Suppressed<K>> {
        untold(self.seen.drain())
    }

    /// Ends the windows that are over and tells what was kept back in them: each is one line.
    pub fn summaries(&mut self, now: Instant) -> Vec<Suppressed<K>> {
        let over = self
            .seen
            .extract_if(|_, window| now.duration_since(window.since) >= self.window);
        untold(over)
    }
}

fn untold<K>(ended: impl Iterator<Item = (K, Window)>) -> Vec<Suppressed<K>> {
    let summaries = ended.map(|(key, window)| Suppressed {
        key,
        untold: window.untold,
    });
    summaries.filter(|summary| summary.untold > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(10);

    #[test]
    fn the_first_lines_of_each_window_pass_and_the_others_are_counted() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut limited = RateLimited::new(2, WINDOW);
        let mut passed = |key, things, second| limited.admit(key, things, at(second));
        assert!(passed("a", 9, 0) && passed("a", 9, 1));
        assert!(!passed("a", 3, 2) && !passed("a", 4, 9));
        assert!(passed("b", 9, 9), "each key has its own window");
        assert_eq!(limited.summaries(at(9)), [], "no window is over");
        let of_a = Suppressed {
            key: "a",
            untold: 7,
        };
        assert_eq!(limited.summaries(at(10)), [of_a]);
        assert_eq!(limited.summaries(at(10)), [], "it is told once");
        assert!(limited.admit("a", 1, at(10)));
        assert_eq!(limited.summaries(at(19)), [], "nothing of b was kept back");
    }

    #[test]
    fn the_end_tells_what_windows_that_are_not_over_kept_back() {
        let mut limited = RateLimited::new(1, WINDOW);
        let start = Instant::now();
        for _ in 0..3 {
            limited.admit("a".to_owned(), 2, start);
        }
        let of_a = Suppressed {
            key: "a".to_owned(),
            untold: 4,
        };
        assert_eq!(limited.end(), [of_a]);
        assert_eq!(limited.end(), []);
    }

    #[test]
    fn a_window_begins_anew_without_a_summary() {
        let start = Instant::now();
        let mut limited = RateLimited::new(1, WINDOW);
        assert!(limited.admit((), 1, start));
        assert!(!limited.admit((), 1, start + WINDOW / 2));
        assert!(limited.admit((), 1, start + WINDOW));
        assert!(!limited.admit((), 1, start + WINDOW));
    }
}
