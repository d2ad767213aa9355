//! Why a subcommand failed, and the exit code that says so.

use crate::config::ConfigError;
use crate::kafka::KafkaError;

/// Why a subcommand failed: lines for stderr, and an exit code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CliError {
    exit_code: u8,
    lines: Vec<String>,
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "texts and errors alike are handed over, by map_err for one"
)]
impl CliError {
    /// The exit code of a failure while running.
    pub const FAILURE: u8 = 1;
    /// The exit code of wrong usage.
    pub const USAGE: u8 = 2;
    /// The exit code of a bad configuration: `EX_CONFIG` of sysexits.
    pub const CONFIGURATION: u8 = 78;

    /// A failure while running, in one line: what, where, what to do.
    pub fn failure(line: impl ToString) -> Self {
        Self::new(Self::FAILURE, vec![line.to_string()])
    }

    /// Several failures, each in one line; none where all of them were told as they came.
    pub fn failures(lines: Vec<String>) -> Self {
        Self::new(Self::FAILURE, lines)
    }

    /// Wrong usage, in one line.
    pub fn usage(line: impl ToString) -> Self {
        Self::new(Self::USAGE, vec![line.to_string()])
    }

    /// A bad configuration, in one line.
    pub fn configuration(line: impl ToString) -> Self {
        Self::new(Self::CONFIGURATION, vec![line.to_string()])
    }

    /// Several things wrong with a configuration, each in one line.
    pub fn configurations(lines: Vec<String>) -> Self {
        Self::new(Self::CONFIGURATION, lines)
    }

    /// The same after other failures, which are told first.
    #[must_use]
    pub fn after(self, mut failures: Vec<String>) -> Self {
        failures.extend(self.lines);
        Self::new(self.exit_code, failures)
    }

    fn new(exit_code: u8, mut lines: Vec<String>) -> Self {
        for line in &mut lines {
            *line = line.replace(['\n', '\r'], " ");
        }
        Self { exit_code, lines }
    }

    /// What to say on stderr, a line each.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// The process's exit code.
    pub fn exit_code(&self) -> u8 {
        self.exit_code
    }
}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> Self {
        Self::configuration(error)
    }
}

impl From<KafkaError> for CliError {
    fn from(error: KafkaError) -> Self {
        if error.is_configuration() {
            Self::configuration(error)
        } else {
            Self::failure(error)
        }
    }
}
