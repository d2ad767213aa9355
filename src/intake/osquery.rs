//! osquery: the tables `process_open_sockets` and `listening_ports` as JSON, from `osqueryi
//! --json`, and from osqueryd's logs, whether snapshots, batches or one row a line.
//!
//! All values are strings. `protocol` is an IANA number, `family` an operating system's. A
//! query's own columns help: a `name` or `path` joined from `processes` is the process's name
//! (the table's own `path` is that of a Unix socket, and stays empty otherwise).
//!
//! `listening_ports` has no state: it is every socket without a remote port, and its TCP rows
//! are taken for listeners. A row of an event log that was `removed` is a socket that is no
//! more, and is left out. Unix sockets are left out. `hostIdentifier` names the host.

use serde_json::{Map, Value};

use super::Reading;
use super::json::{self, Object};
use super::row::{Row, join};

/// The family of Unix sockets, on every system.
const AF_UNIX: &str = "1";

/// Whether an object is of this kind.
pub(super) fn fits(fields: &Map<String, Value>) -> bool {
    rows(fields).next().is_some_and(|row| {
        let has = |name: &str| row.contains_key(name);
        (has("local_address") && has("local_port"))
            || (has("address") && has("port") && has("protocol"))
    })
}

/// Reads an object.
pub(super) fn read(object: &Object, reading: &mut Reading) {
    let fields = &object.fields;
    let host = json::text(fields.get("hostIdentifier"));
    if json::text(fields.get("action")) == "removed" {
        reading.leave_out("sockets that were gone");
        return;
    }
    for row in rows(fields) {
        if json::text(row.get("family")) == AF_UNIX {
            reading.leave_out("Unix sockets");
            continue;
        }
        match record(row) {
            Some(row) => reading.row_of(&host, row),
            None => reading.unread(object.line, "has no local address"),
        }
    }
}

/// The rows of an object: itself, those of a snapshot, or the one of an event.
fn rows(fields: &Map<String, Value>) -> impl Iterator<Item = &Map<String, Value>> {
    let added = fields.get("diffResults").and_then(|of| of.get("added"));
    let several = fields.get("snapshot").or(added).and_then(Value::as_array);
    let own = match (several, fields.get("columns")) {
        (Some(_), _) => None,
        (None, Some(columns)) => columns.as_object(),
        (None, None) => Some(fields),
    };
    let several = several.into_iter().flatten().filter_map(Value::as_object);
    several.chain(own)
}

fn record(row: &Map<String, Value>) -> Option<Row> {
    let text = |name: &str| json::text(row.get(name));
    let listening = !row.contains_key("local_address");
    let (local, port) = if listening {
        (text("address"), text("port"))
    } else {
        (text("local_address"), text("local_port"))
    };
    if local.is_empty() {
        return None;
    }
    let protocol = text("protocol");
    let state = if listening && protocol == "6" {
        "LISTEN".to_owned()
    } else {
        text("state")
    };
    Some(Row {
        local_address: join(&local, &port),
        remote_address: join(&text("remote_address"), &text("remote_port")),
        protocol,
        state,
        process_id: text("pid"),
        process_name: json::first_text(row, &["path", "name", "process_name"]),
        ..Row::default()
    })
}
