//! Each table: its name, its files, how it is loaded.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::databases::{self, Content};
use super::error::ReferenceError;
use super::watch::Watched;
use super::{categories, file, labels, vendors};
use crate::pipeline::enrich::maxmind::Database;
use crate::pipeline::enrich::reference::Reference;
use crate::pipeline::enrich::vendors::Builder;

/// A table of the operator's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// The names of networks.
    NetworkLabels,
    /// Places of addresses.
    Geo,
    /// Autonomous systems of addresses.
    Asn,
    /// Makers of interfaces.
    Vendors,
    /// Categories of programs.
    ProcessCategories,
}

impl Table {
    /// Every table.
    pub const ALL: &[Self] = &[
        Self::NetworkLabels,
        Self::Geo,
        Self::Asn,
        Self::Vendors,
        Self::ProcessCategories,
    ];

    /// Its name in metrics, logs and on the status page.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NetworkLabels => "network_labels",
            Self::Geo => "geo",
            Self::Asn => "asn",
            Self::Vendors => "vendors",
            Self::ProcessCategories => "process_categories",
        }
    }

    /// The key of the configuration that names its files.
    pub const fn key(self) -> &'static str {
        match self {
            Self::NetworkLabels => "networks.labels",
            Self::Geo => "reference.geo",
            Self::Asn => "reference.asn",
            Self::Vendors => "reference.vendors",
            Self::ProcessCategories => "reference.process_categories",
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
            Self::Geo => reference.geo = read_databases(files, Content::Places, &mut report)?,
            Self::Asn => reference.asn = read_databases(files, Content::Systems, &mut report)?,
            Self::Vendors => {
                let mut builder = Builder::default();
                for path in files {
                    let blocks = vendors::read(path, &file::read(path)?, &mut builder)?;
                    report.tell(format!("{blocks} blocks"), blocks);
                }
                let vendors = (!files.is_empty()).then(|| builder.finish());
                reference.vendors = vendors.map(Arc::new);
            }
            Self::ProcessCategories => {
                let read = read_one(files, categories::read)?;
                reference.categories = read.map(|(categories, rows)| {
                    report.tell(format!("{rows} executables"), rows);
                    Arc::new(categories)
                });
            }
        }
        Ok(report)
    }
}

fn read_databases(
    files: &[PathBuf],
    content: Content,
    report: &mut Report,
) -> Result<Vec<Arc<Database>>, ReferenceError> {
    let mut databases = Vec::with_capacity(files.len());
    for path in files {
        let database = databases::read(path, file::read(path)?, content)?;
        let about = database.about();
        report.tell(databases::describe(&about), about.nodes);
        databases.push(Arc::new(database));
    }
    Ok(databases)
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
    /// The files of [`Table::Geo`], in the order in which they are asked.
    pub geo: Vec<PathBuf>,
    /// The files of [`Table::Asn`], in the order in which they are asked.
    pub asn: Vec<PathBuf>,
    /// The files of [`Table::Vendors`].
    pub vendors: Vec<PathBuf>,
    /// The file of [`Table::ProcessCategories`].
    pub process_categories: Option<PathBuf>,
}

impl Files {
    /// The files of a table.
    pub fn of(&self, table: Table) -> &[PathBuf] {
        match table {
            Table::NetworkLabels => self.network_labels.as_slice(),
            Table::Geo => &self.geo,
            Table::Asn => &self.asn,
            Table::Vendors => &self.vendors,
            Table::ProcessCategories => self.process_categories.as_slice(),
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
    /// How many rows it has, over all its files; of databases, how many nodes.
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
    /// Their files as they were before they were read.
    pub watched: Vec<Watched>,
}

/// Loads every table that has files. All that are broken are named, not only the first.
pub fn load(files: &Files) -> Result<Loaded, Vec<ReferenceError>> {
    let mut loaded = Loaded::default();
    let mut errors = Vec::new();
    for table in files.tables() {
        loaded.watched.push(Watched::new(table, files.of(table)));
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
