//! Zeek: `conn.log`, as Zeek's own table with `#fields` or as JSON.
//!
//! Zeek watches a network and not a host: its originator becomes the local end, as the data type
//! takes the local end for the source, and its responder the remote. That the originator called
//! is lost but for `S0`; the core finds it again mostly, by the ports. `service` is what Zeek
//! saw spoken. The process, the durations, the traffic and the history have no place.
//!
//! For TCP the state of the connection at its end is that of the originator's side: `S0`
//! `SYN_SENT`, `S1` `ESTABLISHED`, `S2` `FIN_WAIT1`, `S3` `CLOSE_WAIT`, `OTH` none, all others
//! `CLOSED`. Other protocols have none. ICMP's type and code, which stand in the ports, are
//! dropped; `unknown_transport` becomes `ip` without ports. Name the sensor or its network with
//! `--source`. Rows of one message may be hours apart.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::Reading;
use super::json::{self, Object};
use super::row::{Row, join};

/// Whether an object is of this kind.
pub(super) fn fits_json(fields: &Map<String, Value>) -> bool {
    fields.contains_key("id.orig_h")
        || json::at(fields, &["id"]).is_some_and(|id| id.contains_key("orig_h"))
}

/// Whether a line is in the head of a table of this kind.
pub(super) fn fits_table(line: &str) -> bool {
    line.starts_with("#separator ") || line.starts_with("#fields\t")
}

/// What a log of another kind is called where it is reported.
const OTHER_LOG: &str = "is of another log than conn";

/// Reads an object.
pub(super) fn read_json(object: &Object, reading: &mut Reading) {
    let fields = &object.fields;
    let path = json::text(fields.get("_path"));
    if !path.is_empty() && path != "conn" {
        return reading.unread(object.line, OTHER_LOG);
    }
    let id = json::at(fields, &["id"]);
    let text = |name: &str| match (id, name.strip_prefix("id.")) {
        (Some(id), Some(name)) => json::text(id.get(name)),
        _ => json::text(fields.get(name)),
    };
    add(text, object.line, reading);
}

/// Reads a table.
pub(super) fn read_table(text: &str, reading: &mut Reading) {
    let mut table = Table {
        separator: "\t".to_owned(),
        unset: "-".to_owned(),
        empty: "(empty)".to_owned(),
        places: HashMap::new(),
        of_connections: true,
    };
    for (number, line) in lines(text) {
        if line.is_empty() {
            continue;
        }
        if let Some(directive) = line.strip_prefix('#') {
            table.direct(directive);
        } else if table.places.is_empty() {
            reading.unread(number, "stands before any #fields");
        } else if !table.of_connections {
            reading.unread(number, OTHER_LOG);
        } else {
            let cells: Vec<_> = line.split(&*table.separator).collect();
            add(|name| table.text(&cells, name), number, reading);
        }
    }
}

/// Lines without their ends only: a last column may be empty.
fn lines(text: &str) -> impl Iterator<Item = (u64, &str)> {
    let lines = text.split('\n');
    (1..).zip(lines.map(|line| line.strip_suffix('\r').unwrap_or(line)))
}

/// What the head says of the rows.
struct Table<'a> {
    separator: String,
    unset: String,
    empty: String,
    places: HashMap<&'a str, usize>,
    of_connections: bool,
}

impl<'a> Table<'a> {
    /// Takes a line of the head, without its `#`.
    fn direct(&mut self, line: &'a str) {
        if let Some(escaped) = line.strip_prefix("separator ") {
            self.separator = unescaped(escaped);
            return;
        }
        let mut words = line.split(&*self.separator);
        match words.next() {
            Some("unset_field") => self.unset = words.collect(),
            Some("empty_field") => self.empty = words.collect(),
            Some("path") => self.of_connections = words.next() == Some("conn"),
            Some("fields") => {
                self.places = words.enumerate().map(|(at, name)| (name, at)).collect();
            }
            _ => {}
        }
    }

    fn text(&self, cells: &[&str], name: &str) -> String {
        let cell = self.places.get(name).and_then(|place| cells.get(*place));
        let known = cell.filter(|cell| **cell != self.unset && **cell != self.empty);
        known.map_or_else(String::new, |cell| (*cell).to_owned())
    }
}

/// A separator as Zeek writes it, `\x09`; nothing is a tab.
fn unescaped(text: &str) -> String {
    let hex = text.strip_prefix("\\x").unwrap_or_default();
    match (u8::from_str_radix(hex, 16), text) {
        (Ok(byte), _) if byte.is_ascii() => char::from(byte).to_string(),
        (_, "") => "\t".to_owned(),
        (_, text) => text.to_owned(),
    }
}

fn add(text: impl Fn(&str) -> String, line: u64, reading: &mut Reading) {
    let (local, remote) = (text("id.orig_h"), text("id.resp_h"));
    let proto = text("proto");
    if local.is_empty() || remote.is_empty() || proto.is_empty() {
        return reading.unread(line, "has no id.orig_h, id.resp_h or proto");
    }
    let has_ports = matches!(&*proto, "tcp" | "udp");
    let end = |ip: &str, port: &str| join(ip, if has_ports { port } else { "" });
    let protocol = match &*proto {
        "icmp" if local.contains(':') => "icmp6",
        "unknown_transport" => "ip",
        proto => proto,
    };
    let state = match &*proto {
        "tcp" => state(&text("conn_state")),
        _ => "",
    };
    reading.row(Row {
        local_address: end(&local, &text("id.orig_p")),
        remote_address: end(&remote, &text("id.resp_p")),
        protocol: protocol.to_owned(),
        state: state.to_owned(),
        service: text("service"),
        ..Row::default()
    });
}

/// The state of the originator's side, by Zeek's summary of the connection.
fn state(summary: &str) -> &'static str {
    match summary {
        "" | "OTH" => "",
        "S0" => "SYN_SENT",
        "S1" => "ESTABLISHED",
        "S2" => "FIN_WAIT1",
        "S3" => "CLOSE_WAIT",
        _ => "CLOSED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_are_unescaped() {
        for (text, expected) in [("\\x09", "\t"), ("\\x2c", ","), ("|", "|"), ("", "\t")] {
            assert_eq!(unescaped(text), expected, "{text}");
        }
    }
}
