//! Nemesis: its own structured files, which are input messages already: `{"metadata": {…},
//! "data": [ … ]}`, one or several, on any number of lines.
//!
//! The records are handed on as they are, good or bad: judging them is the core's. The file's
//! metadata hold where no flag says otherwise. Fields beside `metadata` and `data` are dropped.

use serde_json::{Map, Value};

use super::json::Object;
use super::reading::{Reading, Record, Snapshot};

/// Whether an object is of this kind.
pub(super) fn fits(fields: &Map<String, Value>) -> bool {
    fields.contains_key("metadata") && fields.contains_key("data")
}

/// Reads an object.
pub(super) fn read(object: Object, reading: &mut Reading) {
    let Object { line, mut fields } = object;
    let Some(Value::Object(metadata)) = fields.remove("metadata") else {
        return reading.unread(line, "has no object for its metadata");
    };
    let records = match fields.remove("data") {
        Some(Value::Array(records)) => records,
        Some(record @ Value::Object(_)) => vec![record],
        _ => return reading.unread(line, "has no list for its data"),
    };
    if !fields.is_empty() {
        reading.leave_out("fields beside metadata and data");
    }
    reading.snapshots.push(Snapshot {
        host: None,
        metadata,
        records: records.into_iter().map(Record::Ready).collect(),
    });
}
