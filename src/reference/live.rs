//! The tables of a run: what holds now, for whoever enriches and for whoever asks.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::{ArcSwap, Cache};
use metrics::{counter, gauge};
use serde::Serialize;

use super::error::ReferenceError;
use super::table::{Loaded, Report, Table};
use crate::observe::metrics as names;
use crate::pipeline::enrich::reference::Reference;

/// The tables that hold now. Clones are of the same; the default has none.
#[derive(Clone, Debug, Default)]
pub struct Live {
    current: Arc<ArcSwap<Reference>>,
    status: Arc<Mutex<Vec<TableStatus>>>,
}

/// A table as the status page shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TableStatus {
    /// Its name.
    pub table: &'static str,
    /// 1 for what was loaded at the start, one more for each that took its place.
    pub generation: u64,
    /// How many rows it has; of databases, how many nodes.
    pub rows: usize,
    /// When it was loaded, in seconds since 1970.
    pub loaded_at: u64,
    /// Why a newer file was not taken, where there is one.
    pub error: Option<String>,
}

/// Outcomes of a reload, as the metric has them.
const LOADED: &str = "loaded";
const FAILED: &str = "failed";

impl Live {
    /// The tables that were loaded at the start.
    pub fn new(loaded: Loaded) -> Self {
        let statuses = loaded.reports.iter().map(|report| {
            // The series are there before anything happens to them.
            count(report.table, LOADED, 0);
            count(report.table, FAILED, 0);
            TableStatus::of(report, 1)
        });
        Self {
            status: Arc::new(Mutex::new(statuses.collect())),
            current: Arc::new(ArcSwap::from_pointee(loaded.reference)),
        }
    }

    /// A view of them for one thread.
    pub fn reader(&self) -> Reader {
        Reader(Cache::new(Arc::clone(&self.current)))
    }

    /// The tables that hold now.
    pub fn current(&self) -> Arc<Reference> {
        self.current.load_full()
    }

    /// What each table is now.
    pub fn status(&self) -> Vec<TableStatus> {
        let status = self.status.lock();
        status.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts tables in place of those that held: from now on messages are enriched by them.
    pub(super) fn replace(&self, reference: Reference, report: &Report) {
        self.current.store(Arc::new(reference));
        count(report.table, LOADED, 1);
        self.update(report.table, |status| {
            *status = TableStatus::of(report, status.generation + 1);
        });
    }

    /// Says that what holds stays, and why.
    pub(super) fn keep(&self, table: Table, error: &ReferenceError) {
        count(table, FAILED, 1);
        self.update(table, |status| status.error = Some(error.to_string()));
    }

    fn update(&self, table: Table, change: impl FnOnce(&mut TableStatus)) {
        let mut all = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(status) = all.iter_mut().find(|of| of.table == table.name()) {
            change(status);
        }
    }
}

fn count(table: Table, outcome: &'static str, count: u64) {
    let labels = [("table", table.name()), ("outcome", outcome)];
    counter!(names::REFERENCE_RELOADS, &labels).increment(count);
}

impl TableStatus {
    /// The status of a table that was loaded just now.
    fn of(report: &Report, generation: u64) -> Self {
        let table = report.table.name();
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let loaded_at = now.unwrap_or_default().as_secs();
        gauge!(names::REFERENCE_ROWS, "table" => table).set(report.rows as f64);
        gauge!(names::REFERENCE_LOADED, "table" => table).set(loaded_at as f64);
        Self {
            table,
            generation,
            rows: report.rows,
            loaded_at,
            error: None,
        }
    }
}

/// One thread's view of the tables that hold now; to ask it costs a comparison of pointers.
pub struct Reader(Cache<Arc<ArcSwap<Reference>>, Arc<Reference>>);

impl Reader {
    /// The tables that hold now.
    pub fn current(&mut self) -> &Arc<Reference> {
        self.0.load()
    }
}
