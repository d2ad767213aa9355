//! The operator's tables, as subcommands load them before they begin.

use crate::cli::CliError;
use crate::config::Config;
use crate::reference::{self, EVERY, Live, Loaded, ReferenceError, Watcher};

/// Loads every table that the configuration names; a broken one is a bad configuration.
pub(super) fn load(config: &Config) -> Result<Loaded, CliError> {
    reference::load(&config.reference).map_err(|errors| {
        let lines = errors.iter().map(ReferenceError::to_string);
        CliError::configurations(lines.collect())
    })
}

/// Hands tables to a run, and looks after their files for as long as the watcher is there.
pub(super) fn keep_up_to_date(mut loaded: Loaded) -> Result<(Live, Watcher), CliError> {
    let files = std::mem::take(&mut loaded.watched);
    let live = Live::new(loaded);
    let watcher = Watcher::start(live.clone(), files, EVERY).map_err(|error| {
        CliError::failure(format!(
            "cannot start a thread ({error}), this process: see its limits"
        ))
    })?;
    Ok((live, watcher))
}
