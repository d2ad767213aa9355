//! What is wrong with a configuration, and where.

use std::fmt;
use std::sync::Arc;

/// Where a setting comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The key's own default.
    Default,
    /// A line of the file.
    File {
        /// The file, as it was named.
        path: Arc<str>,
        /// The line, from 1.
        line: usize,
    },
    /// An environment variable.
    Variable(String),
    /// `--set`.
    Set,
    /// A flag of its own, such as `--bootstrap`.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{path}:{line}"),
            Self::Variable(name) => f.write_str(name),
            Self::Set => f.write_str("--set"),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

/// One thing that is wrong with the configuration: what, where, what to do. Its text is one
/// line and never has a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}, {place}: {remedy}")]
pub struct ConfigError {
    what: String,
    place: String,
    remedy: String,
}

impl ConfigError {
    /// An error of that setting.
    pub(super) fn new(
        what: impl fmt::Display,
        place: impl fmt::Display,
        remedy: impl fmt::Display,
    ) -> Self {
        Self {
            what: one_line(&what.to_string()),
            place: one_line(&place.to_string()),
            remedy: one_line(&remedy.to_string()),
        }
    }
}

/// The text with control characters escaped, so that it stays on one line.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
}
