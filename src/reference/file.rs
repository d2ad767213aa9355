//! A file, whole.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use super::error::{Problem, ReferenceError};

/// Largest file of a table, in bytes: far above what any of them is, and below what would not
/// fit in memory.
const MAX_BYTES: u64 = 1 << 30;

/// Reads a file into memory.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, ReferenceError> {
    let unreadable = |error: std::io::Error| {
        let what = format!("cannot read a table ({error})");
        let problem = Problem::new(what, "check the path and its rights");
        ReferenceError::of_file(path, problem)
    };
    let refused =
        |what: String, remedy| Err(ReferenceError::of_file(path, Problem::new(what, remedy)));
    // A pipe without a writer would never open.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return refused("a table that is no file".to_owned(), "give a regular file");
    }
    let file = File::open(path).map_err(unreadable)?;
    let size = file.metadata().map_err(unreadable)?.len();
    let mut bytes = Vec::with_capacity(usize::try_from(size.min(MAX_BYTES)).unwrap_or_default());
    let mut limited = file.take(MAX_BYTES + 1);
    limited.read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_BYTES {
        return refused(
            format!("a table of more than {} MiB", MAX_BYTES >> 20),
            "give a smaller one",
        );
    }
    Ok(bytes)
}
