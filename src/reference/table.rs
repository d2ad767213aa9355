//! Each table: its name, its files, how it is loaded.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::ReferenceError;
use super::{file, labels};
use crate::pipeline::enrich::reference::Reference;

/// A table of the operator's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// The names of networks.
    NetworkLabels,
}

impl Table {
    /// Every table.
    pub const ALL: &[Self] = &[Self::NetworkLabels];

    /// Its name in metrics, logs and on the status page.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NetworkLabels => "network_labels",
        }
    }

    /// The key of the configuration that names its files.
    pub const fn key(self) -> &'static str {
        match self {
            Self::NetworkLabels => "networks.labels",
        }
    }

    /// Reads its files and puts it into `reference` in place of what was there.
    pub(super) fn load(
        self,
        files: &[PathBuf],
        reference: &mut Reference,
    ) -> Result<Report, ReferenceError> {
        let mut report = Report {
            table: self,
            rows: 0,
            what: Vec::new(),
        };
        match self {
            Self::NetworkLabels => {
                reference.labels = read_one(files, labels::read)?.map(|labels| {
                    report.tell(format!("{} prefixes", labels.len()), labels.len());
                    Arc::new(labels)
                });
            }
        }
        Ok(report)
    }
}

/// The table of the one file, where there is one.
fn read_one<T>(
    files: &[PathBuf],
    read: impl FnOnce(&Path, &[u8]) -> Result<T, ReferenceError>,
) -> Result<Option<T>, ReferenceError> {
    let Some(path) = files.first() else {
        return Ok(None);
    };
    read(path, &file::read(path)?).map(Some)
}

/// The files of the tables, as the configuration names them; a table without a file is not there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// The file of [`Table::NetworkLabels`].
    pub network_labels: Option<PathBuf>,
}

impl Files {
    /// The files of a table.
    pub fn of(&self, table: Table) -> &[PathBuf] {
        match table {
            Table::NetworkLabels => self.network_labels.as_slice(),
        }
    }

    /// The tables that have files.
    pub fn tables(&self) -> impl Iterator<Item = Table> {
        let tables = Table::ALL.iter().copied();
        tables.filter(|table| !self.of(*table).is_empty())
    }
}

/// What was loaded for a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The table.
    pub table: Table,
    /// How many rows it has, over all its files.
    pub rows: usize,
    /// What each file is, for a person.
    pub what: Vec<String>,
}

impl Report {
    fn tell(&mut self, what: String, rows: usize) {
        self.what.push(what);
        self.rows += rows;
    }
}

/// Tables that were loaded.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The tables.
    pub reference: Reference,
    /// What each of them is.
    pub reports: Vec<Report>,
}

/// Loads every table that has files. All that are broken are named, not only the first.
pub fn load(files: &Files) -> Result<Loaded, Vec<ReferenceError>> {
    let mut loaded = Loaded::default();
    let mut errors = Vec::new();
    for table in files.tables() {
        match table.load(files.of(table), &mut loaded.reference) {
            Ok(report) => loaded.reports.push(report),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() {
        Ok(loaded)
    } else {
        Err(errors)
    }
}
