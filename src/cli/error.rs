//! Why a subcommand failed, and the exit code that says so.

use crate::config::ConfigError;

/// Why a subcommand ended without success. Each line says what, where and what to do.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The configuration is bad: exit code 78, `EX_CONFIG` of sysexits.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// The Kafka side finds the configuration bad: exit code 78.
    #[error("{0}")]
    KafkaConfig(String),
    /// The arguments are wrong: exit code 2.
    #[error("{0}")]
    Usage(String),
    /// Something failed while running: exit code 1.
    #[error("{0}")]
    Failed(String),
    /// Several things are wrong, each in a line of its own: exit code 1.
    #[error("{}", .0.join("\n"))]
    Problems(Vec<String>),
}

impl CliError {
    /// The process's exit code.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) | Self::KafkaConfig(_) => 78,
            Self::Usage(_) => 2,
            Self::Failed(_) | Self::Problems(_) => 1,
        }
    }

    /// What to say on stderr; one line, but for several problems.
    pub fn lines(&self) -> Vec<String> {
        let one_line = |text: &str| text.replace(['\n', '\r'], " ");
        match self {
            Self::Problems(problems) => problems.iter().map(|line| one_line(line)).collect(),
            other => vec![one_line(&other.to_string())],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_line_and_several_are_several() {
        let failed = CliError::Failed("a\nb".to_owned());
        assert_eq!(
            (failed.exit_code(), failed.lines()),
            (1, vec!["a b".to_owned()])
        );
        let lines = vec!["a".to_owned(), "b".to_owned()];
        let problems = CliError::Problems(lines.clone());
        assert_eq!((problems.exit_code(), problems.lines()), (1, lines));
    }
}
