//! What was read of one file: its rows, and everything that was not a row.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use serde_json::{Map, Value};

use super::Row;
use super::words::{WORDS, is_words};

/// What was read of one file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// The rows, by the host that they were taken on, in the order in which the hosts came. Files
    /// of one host have one.
    pub snapshots: Vec<Snapshot>,
    /// What looks like a row and cannot be read, or is nothing that the kind has.
    pub unread: Vec<Unread>,
    /// What the data type has no place for, by what it is, and how much of it there was.
    pub left_out: BTreeMap<&'static str, u64>,
    /// The place of each host's rows in `snapshots`.
    places: HashMap<String, usize>,
}

/// Rows that were taken on one host.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// The host, where the file names it.
    pub host: Option<String>,
    /// The metadata, where the file has some of its own.
    pub metadata: Map<String, Value>,
    /// The records.
    pub records: Vec<Record>,
}

/// A record of a message.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Record {
    /// A row of a tool.
    Row(Row),
    /// A record that was one already.
    Ready(Value),
}

/// Something that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// Its line, from 1.
    pub line: u64,
    /// What is wrong with it, in a few words.
    pub why: String,
}

impl Reading {
    /// How many records were read.
    pub fn records(&self) -> usize {
        let lengths = self.snapshots.iter().map(|snapshot| snapshot.records.len());
        lengths.sum()
    }

    /// Whether anything but titles, heads and notes has been left out.
    pub fn has_left_out(&self) -> bool {
        self.left_out.keys().any(|what| *what != WORDS)
    }

    /// Adds a row of the host that the file is about.
    pub(super) fn row(&mut self, row: Row) {
        self.row_of("", row);
    }

    /// Adds a row of that host; an empty name is that of no host.
    pub(super) fn row_of(&mut self, host: &str, row: Row) {
        let place = self.places.get(host).copied().unwrap_or_else(|| {
            self.snapshots.push(Snapshot {
                host: (!host.is_empty()).then(|| host.to_owned()),
                ..Snapshot::default()
            });
            let place = self.snapshots.len() - 1;
            self.places.insert(host.to_owned(), place);
            place
        });
        self.snapshots[place].records.push(Record::Row(row));
    }

    /// The row that was added last, for what follows it on lines of its own.
    pub(super) fn last_row(&mut self) -> Option<&mut Row> {
        match self.snapshots.last_mut()?.records.last_mut()? {
            Record::Row(row) => Some(row),
            Record::Ready(_) => None,
        }
    }

    /// Reports what could not be read.
    pub(super) fn unread(&mut self, line: u64, why: impl Into<String>) {
        let why = why.into();
        self.unread.push(Unread { line, why });
    }

    /// Takes a line of a printed table that is no row: words are left out, and whatever else it
    /// is could not be read.
    pub(super) fn no_row(&mut self, line: u64, text: &str) {
        if is_words(text) {
            self.leave_out(WORDS);
        } else {
            self.unread(line, "is not a row of this kind");
        }
    }

    /// Counts what has no place in the data type.
    pub(super) fn leave_out(&mut self, what: &'static str) {
        *self.left_out.entry(what).or_default() += 1;
    }
}
