//! The file of `reference.process_categories`, CSV.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::Path;

use super::error::{Problem, ReferenceError, quoted};
use super::rows::{self, required};
use crate::pipeline::enrich::process::{Categories, Category};

/// What stands for no category.
const NONE: &str = "none";

/// The table, and how many rows the file has.
pub(super) fn read(path: &Path, bytes: &[u8]) -> Result<(Categories, usize), ReferenceError> {
    let mut changes = BTreeMap::new();
    let columns = [required("executable"), required("category")];
    rows::read(path, bytes, columns, |line, [executable, category]| {
        let category = category_of(category)?;
        match changes.entry(name_of(executable)?) {
            Entry::Vacant(place) => place.insert((category, line)),
            Entry::Occupied(first) => {
                let what = format!("an executable that line {} has already", first.get().1);
                return Err(Problem::new(what, "keep one of them"));
            }
        };
        Ok(())
    })?;
    let rows = changes.len();
    let changes = changes
        .iter()
        .map(|(name, (category, _))| (name.as_str(), *category));
    Ok((Categories::over_built_in(changes), rows))
}

/// The executable as events have it.
fn name_of(executable: &str) -> Result<String, Problem> {
    if executable.is_empty() {
        return Err(Problem::new("a row without an executable", "name one"));
    }
    if executable.contains(['/', '\\']) {
        let what = format!("{} is a path", quoted(executable));
        return Err(Problem::new(what, "give what stands after the last slash"));
    }
    Ok(executable.to_lowercase())
}

fn category_of(name: &str) -> Result<Option<Category>, Problem> {
    if name == NONE {
        return Ok(None);
    }
    let category = Category::from_name(name).ok_or_else(|| {
        let what = format!("no category {}", quoted(name));
        let remedy = "there are browser, security, remote_access, infrastructure, administration, development and none";
        Problem::new(what, remedy)
    })?;
    Ok(Some(category))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Result<usize, String> {
        let read = read(Path::new("c.csv"), text.as_bytes());
        read.map(|(_, rows)| rows)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn executables_and_their_categories() {
        assert_eq!(
            rows("executable,category\nAgent.EXE,security\nnginx,none\n"),
            Ok(2)
        );
        for (text, error) in [
            (
                "executable,category\na,securty\n",
                "no category \"securty\", c.csv:2: there are browser, security, remote_access, infrastructure, administration, development and none",
            ),
            (
                "executable,category\n/usr/bin/a,security\n",
                "\"/usr/bin/a\" is a path, c.csv:2: give what stands after the last slash",
            ),
            (
                "executable,category\n,security\n",
                "a row without an executable, c.csv:2: name one",
            ),
            (
                "executable,category\na,security\nA,none\n",
                "an executable that line 2 has already, c.csv:3: keep one of them",
            ),
            (
                "executable\na\n",
                "no column \"category\", c.csv:1: name the columns in the first row",
            ),
        ] {
            assert_eq!(rows(text), Err(error.to_owned()));
        }
    }
}
