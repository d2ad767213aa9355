//! The command line.

mod feed;
mod framing;
pub mod generate;
pub mod pipe;

use crate::config::ConfigError;

/// Why a command ended without success: one line, and the exit code.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The configuration is bad: exit code 78.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// The arguments contradict each other: exit code 2.
    #[error("{0}")]
    Usage(String),
    /// Something failed while running: exit code 1.
    #[error("{0}")]
    Failed(String),
}
