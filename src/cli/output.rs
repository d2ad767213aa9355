//! The file or standard output that a subcommand writes to.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::CliError;

/// Whether there is anybody to take more.
#[derive(PartialEq)]
pub(super) enum Taken {
    Yes,
    Closed,
}

/// What became of writing.
pub(super) fn taken(written: io::Result<()>) -> Result<Taken, CliError> {
    match written {
        Ok(()) => Ok(Taken::Yes),
        // Whoever read the output has had enough of it, as `head` does.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Taken::Closed),
        Err(error) => Err(unwritten(&error)),
    }
}

/// A failure to write the output.
pub(super) fn unwritten(error: &io::Error) -> CliError {
    CliError::failure(format!(
        "cannot write ({error}), the output: check the space and the rights"
    ))
}

/// Opens a file to write, or standard output for `-`.
pub(super) fn create(path: &Path) -> Result<Box<dyn Write>, CliError> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(BufWriter::with_capacity(
            1 << 16,
            io::stdout().lock(),
        )));
    }
    let file = File::create(path).map_err(|error| {
        let path = path.display();
        CliError::failure(format!(
            "cannot write ({error}), {path}: check the path and its rights"
        ))
    })?;
    Ok(Box::new(BufWriter::with_capacity(1 << 16, file)))
}
