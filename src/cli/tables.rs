//! The operator's tables, as subcommands load them before they begin.

use crate::cli::CliError;
use crate::config::Config;
use crate::reference::{self, Loaded, ReferenceError};

/// Loads every table that the configuration names; a broken one is a bad configuration.
pub(super) fn load(config: &Config) -> Result<Loaded, CliError> {
    reference::load(&config.reference).map_err(|errors| {
        let lines = errors.iter().map(ReferenceError::to_string);
        CliError::configurations(lines.collect())
    })
}
