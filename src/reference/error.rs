//! What is wrong with a table's file, and where.

use std::fmt;
use std::path::Path;

/// One thing that is wrong with a file: what, where, what to do. Its text is one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}, {place}: {remedy}")]
pub struct ReferenceError {
    what: String,
    place: String,
    remedy: String,
}

impl ReferenceError {
    /// An error of the whole file.
    pub(super) fn of_file(path: &Path, problem: Problem) -> Self {
        Self::new(path.display().to_string(), problem)
    }

    /// An error in a line, counted from 1.
    pub(super) fn at_line(path: &Path, line: u64, problem: Problem) -> Self {
        Self::new(format!("{}:{line}", path.display()), problem)
    }

    fn new(place: String, problem: Problem) -> Self {
        Self {
            what: one_line(problem.what),
            place: one_line(place),
            remedy: problem.remedy.to_owned(),
        }
    }
}

/// What is wrong, before it is known where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    what: String,
    remedy: &'static str,
}

impl Problem {
    pub(super) fn new(what: impl fmt::Display, remedy: &'static str) -> Self {
        Self {
            what: what.to_string(),
            remedy,
        }
    }
}

/// The text as a file has it, quoted, cut where it is long.
pub(super) fn quoted(text: &str) -> String {
    const LONGEST_CHARS: usize = 60;
    match text.char_indices().nth(LONGEST_CHARS) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

/// The text with control characters in escapes, so that it stays on one line.
fn one_line(text: String) -> String {
    if !text.contains(char::is_control) {
        return text;
    }
    let escaped = text.chars().flat_map(|c| {
        let plain = (!c.is_control()).then_some(c);
        let escape = c.is_control().then(|| c.escape_default());
        plain.into_iter().chain(escape.into_iter().flatten())
    });
    escaped.collect()
}
