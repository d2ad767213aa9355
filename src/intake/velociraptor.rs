//! Velociraptor: the artifact `Windows.Network.Netstat`, and `NetstatEnriched`, as JSON: one
//! object a line as a collection has it, or an array as the notebook exports it.
//!
//! The columns are flat with dots in their names (`Laddr.IP`), or nested where the artifact's
//! query was changed (`Laddr`: `{IP, Port}`). `Status` is `LISTEN`, `ESTAB` and the like, also
//! on UDP rows where it is empty. The enriched artifact's `Path` is taken for the process's
//! name, else `Name`; its `CommandLine` is not, since it may carry secrets. Collections of many
//! clients name each row's host in `Fqdn` or `_hostname`.

use serde_json::{Map, Value};

use super::Reading;
use super::json::{self, Object};
use super::row::{Row, join};

/// Whether an object is of this kind.
pub(super) fn fits(fields: &Map<String, Value>) -> bool {
    fields.contains_key("Laddr.IP") || json::at(fields, &["Laddr"]).is_some()
}

/// Reads an object.
pub(super) fn read(object: &Object, reading: &mut Reading) {
    let fields = &object.fields;
    let (local, remote) = (end(fields, "Laddr"), end(fields, "Raddr"));
    if local.is_empty() {
        return reading.unread(object.line, "has no Laddr.IP");
    }
    let host = json::first_text(fields, &["Fqdn", "_hostname", "Hostname"]);
    let row = Row {
        local_address: local,
        remote_address: remote,
        protocol: json::first_text(fields, &["TypeString", "Type"]),
        state: json::text(fields.get("Status")),
        process_id: json::text(fields.get("Pid")),
        process_name: json::first_text(fields, &["Path", "Name"]),
        ..Row::default()
    };
    reading.row_of(&host, row);
}

fn end(fields: &Map<String, Value>, name: &str) -> String {
    let nested = json::at(fields, &[name]);
    let part = |part: &str| match nested {
        Some(end) => json::text(end.get(part)),
        None => json::text(fields.get(&format!("{name}.{part}"))),
    };
    join(&part("IP"), &part("Port"))
}
