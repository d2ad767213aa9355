//! Events as a table for a person: a message's listeners by how far they can be reached, then
//! its connections by who called, in columns that fit the terminal. Connections that close, and
//! differ by nothing but the port of whoever called, are one line.
//!
//! It reads the native JSON, so that it shows what there is, and says nothing of what there is
//! not.

mod layout;

use std::io::IsTerminal;

use serde_json::Value;

use super::terminal::{Paint, columns, shorten};
use crate::pipeline::record::host_and_port;
use crate::pipeline::reject::is_unprintable;
use layout::{Column, Cut, Row, Tone, fold, lay_out};

/// Widest that a service is shown.
const SERVICE_WIDTH: usize = 12;

/// Events on their way to a table, those of one message at a time.
#[derive(Debug)]
pub(super) struct Table {
    paint: Paint,
    /// Columns of the screen, where there is one.
    width: Option<usize>,
    /// Topic and offset of the message.
    message: (String, i64),
    title: String,
    listeners: Vec<Row>,
    connections: Vec<Row>,
}

impl Table {
    /// A table for that stream: as wide as the terminal, or as `COLUMNS` says; elsewhere as wide
    /// as it comes.
    pub(super) fn of<S: IsTerminal + std::os::fd::AsFd>(stream: &S) -> Self {
        Self::new(Paint::of(stream), columns(stream))
    }

    fn new(paint: Paint, width: Option<usize>) -> Self {
        Self {
            paint,
            width,
            message: (String::new(), -1),
            title: String::new(),
            listeners: Vec::new(),
            connections: Vec::new(),
        }
    }

    /// Takes an event in native JSON; gives the table of the message before, where this one
    /// begins another.
    pub(super) fn add(&mut self, event: &[u8]) -> String {
        let event: Value = serde_json::from_slice(event).unwrap_or_default();
        let ingest = &event["ingest"];
        let offset = ingest["offset"].as_i64().unwrap_or_default();
        let message = (text(&ingest["topic"]), offset);
        let done = if message == self.message {
            String::new()
        } else {
            self.finish()
        };
        if self.is_empty() {
            self.message = message;
            self.title = title(&event);
        }
        if event["kind"] == "listener" {
            self.listeners.push(listener(&event));
        } else {
            self.connections.push(connection(&event));
        }
        done
    }

    fn is_empty(&self) -> bool {
        self.listeners.is_empty() && self.connections.is_empty()
    }

    /// The table of what came so far.
    pub(super) fn finish(&mut self) -> String {
        if self.is_empty() {
            return String::new();
        }
        let idle = self.connections.iter().filter(|row| row.rank.1 == IDLE);
        let idle = idle.count();
        let counts = [
            ("listeners", self.listeners.len()),
            ("connections", self.connections.len() - idle),
            ("idle", idle),
        ];
        let counts = counts.iter().filter(|(_, count)| *count > 0);
        let counts: Vec<_> = counts
            .map(|(what, count)| format!("{what} {count}"))
            .collect();
        let title = format!("{}: {}", self.title, counts.join(", "));
        let title = shorten(&title, self.width.unwrap_or(usize::MAX));
        let mut text = format!("{}\n", self.paint.bold(&title));
        let mut section = |rows: &mut Vec<Row>, columns: &[Column]| {
            if !rows.is_empty() {
                rows.sort_by(|a, b| (&a.rank, &a.cells).cmp(&(&b.rank, &b.cells)));
                fold(rows);
                text.push('\n');
                text.push_str(&lay_out(rows, columns, self.width, self.paint));
                rows.clear();
            }
        };
        section(&mut self.listeners, LISTENERS);
        section(&mut self.connections, CONNECTIONS);
        text.push('\n');
        text
    }
}

/// Narrowest that an end becomes while there is another way.
const LEAST_END: usize = 8;

const LISTENERS: &[Column] = &[
    Column("EXPOSURE", Cut::Last),
    Column("PROTO", Cut::Last),
    Column("LISTENS ON", Cut::Later(LEAST_END)),
    Column("SERVICE", Cut::First(8)),
    Column("PEERS", Cut::Last),
    Column("PROCESS", Cut::First(12)),
];

const CONNECTIONS: &[Column] = &[
    Column("", Cut::Last),
    Column("PROTO", Cut::Last),
    Column("LOCAL", Cut::Later(LEAST_END)),
    Column("REMOTE", Cut::Later(LEAST_END)),
    Column("SERVICE", Cut::First(8)),
    Column("STATE", Cut::Last),
    Column("PROCESS", Cut::First(12)),
];

/// A value's text, without anything that a terminal would obey.
fn text(value: &Value) -> String {
    let harmless = |c: char| if is_unprintable(c) { '\u{fffd}' } else { c };
    match value {
        Value::String(text) => text.chars().map(harmless).collect(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

fn title(event: &Value) -> String {
    let host = match text(&event["source"]) {
        host if host.is_empty() => text(&event["agent_id"]),
        host => host,
    };
    // To the second, which is as much as a person wants.
    let seconds = text(&event["observed_at"]);
    let seconds = seconds.split(['.', 'Z']).next().unwrap_or_default();
    format!("{host}, {} UTC", seconds.replace('T', " "))
}

fn listener(event: &Value) -> Row {
    let about = &event["listener"];
    let exposure = text(&about["exposure"]);
    let place = ["any", "global", "private", "link_local", "loopback"]
        .iter()
        .position(|name| *name == exposure);
    let (rank, tone) = match place {
        Some(place @ 0..=1) => (place, Tone::High),
        Some(4) => (4, Tone::Low),
        place => (place.unwrap_or(5), Tone::Usual),
    };
    let ephemeral = about["ephemeral"] == true;
    let tone = if ephemeral { Tone::Low } else { tone };
    let both = about["dual_stack"] == true;
    let local = &event["local"];
    let peers = match about["established_peers"].as_u64() {
        None | Some(0) => String::new(),
        Some(count) => count.to_string(),
    };
    let mut notes = Vec::new();
    if both {
        notes.push("IPv4 and IPv6".to_owned());
    }
    if ephemeral {
        notes.push("a client's, most likely".to_owned());
    }
    let port = local["port"].as_u64().unwrap_or(u64::MAX);
    Row {
        rank: (
            u8::from(ephemeral),
            u8::try_from(rank).unwrap_or(u8::MAX),
            format!("{port:05}"),
        ),
        cells: vec![
            exposure,
            transport(event),
            end(event, "local"),
            shorten(&text(&local["service"]), SERVICE_WIDTH),
            peers,
            process(&event["process"]),
        ],
        notes: with_common_notes(notes, event),
        tone,
        count: 1,
    }
}

/// Where sockets without a remote stand among the connections.
const IDLE: u8 = 4;

fn connection(event: &Value) -> Row {
    let direction = &event["direction"];
    let (rank, arrow) = match direction["host"].as_str() {
        Some("ingress") => (0, "←"),
        Some("egress") => (1, "→"),
        Some("local") => (3, "↔"),
        _ if event["remote"].is_object() => (2, "—"),
        _ => (IDLE, ""),
    };
    // The service is that of the end that was called; where it has no name, the process there.
    let service = |end: &str| text(&event[end]["service"]);
    let initiator = direction["initiator"].as_str();
    let names = match initiator {
        Some("local") => [service("remote"), String::new()],
        Some("remote") => [service("local"), String::new()],
        _ => [service("remote"), service("local")],
    };
    let peer = text(&event["peer_process"]["executable"]);
    let names = names.into_iter().chain([peer]);
    let service = names.into_iter().find(|name| !name.is_empty());
    let state = text(&event["state"]);
    let closing = !matches!(
        &*state,
        "" | "ESTABLISHED" | "SYN_SENT" | "SYN_RECV" | "UNKNOWN"
    );
    let tone = match (closing, direction["perimeter"].as_str()) {
        (true, _) => Tone::Low,
        (false, Some("inbound")) => Tone::High,
        _ => Tone::Usual,
    };
    let caller = initiator.filter(|_| closing);
    let shown = |end_name| match end(event, end_name) {
        text if caller == Some(end_name) => without_port(text),
        text => text,
    };
    let process = process(&event["process"]);
    Row {
        rank: (u8::from(closing), rank, process.clone()),
        cells: vec![
            arrow.to_owned(),
            transport(event),
            shown("local"),
            shown("remote"),
            shorten(&service.unwrap_or_default(), SERVICE_WIDTH),
            state,
            process,
        ],
        notes: with_common_notes(place(&event["remote"]), event),
        tone,
        count: 1,
    }
}

fn transport(event: &Value) -> String {
    match text(&event["transport"]) {
        none if none.is_empty() => text(&event["protocols"][0]),
        transport => transport,
    }
}

/// `ip:*` for `ip:port`.
fn without_port(end: String) -> String {
    match end.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() => format!("{host}:*"),
        _ => end,
    }
}

/// An end as `ip:port`; where neither ip nor name is known, as it was sent. Nothing where there is
/// no such end, whatever was sent for it.
fn end(event: &Value, name: &str) -> String {
    let end = &event[name];
    if !end.is_object() {
        return String::new();
    }
    let host = ["ip", "name", "mac"]
        .iter()
        .map(|part| text(&end[*part]))
        .find(|part| !part.is_empty())
        .unwrap_or_default();
    if host.is_empty() {
        return text(&event["origin"][format!("{name}_address")]);
    }
    host_and_port(&host, &text(&end["zone"]), end["port"].as_u64())
}

/// A process as `sshd[618]`; one that was inferred is marked.
fn process(process: &Value) -> String {
    let name = ["executable", "name"]
        .iter()
        .map(|part| text(&process[*part]))
        .find(|name| !name.is_empty())
        .unwrap_or_default();
    let inferred = if process["pid_inferred"] == true {
        "?"
    } else {
        ""
    };
    match process["pid"].as_u64() {
        Some(pid) => format!("{name}[{pid}]{inferred}"),
        None => name,
    }
}

/// Where an end is: the operator's own name for it, then what the world says.
fn place(end: &Value) -> Vec<String> {
    let (label, geo, system) = (&end["network"]["name"], &end["geo"], &end["as"]);
    let city = [&geo["city_name"], &geo["country_iso_code"]].map(text);
    let city: Vec<_> = city.into_iter().filter(|part| !part.is_empty()).collect();
    let number = system["number"]
        .as_u64()
        .map(|number| format!("AS{number}"));
    let owner = [number.unwrap_or_default(), text(&system["organization"])];
    let mut place = vec![
        text(label),
        city.join(" "),
        owner.join(" ").trim().to_owned(),
    ];
    place.retain(|part| !part.is_empty());
    place
}

fn with_common_notes(mut notes: Vec<String>, event: &Value) -> String {
    let service = text(&event["service"]);
    if !service.is_empty() {
        notes.push(service);
    }
    let warnings = event["warnings"].as_array().into_iter().flatten();
    notes.extend(warnings.map(text));
    notes.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn plain() -> Paint {
        Paint::of(&std::fs::File::open("Cargo.toml").unwrap())
    }

    fn events() -> Vec<Value> {
        let ingest = json!({"topic": "t", "offset": 0});
        vec![
            json!({
                "kind": "listener", "transport": "tcp", "state": "LISTEN", "source": "web01",
                "observed_at": "2026-01-05T08:00:00.25Z", "ingest": ingest,
                "local": {"ip": "127.0.0.1", "port": 5432, "service": "postgresql"},
                "process": {"pid": 9, "name": "/usr/lib/postgres", "executable": "postgres"},
                "listener": {"exposure": "loopback", "established_peers": 0},
            }),
            json!({
                "kind": "listener", "transport": "tcp", "state": "LISTEN", "ingest": ingest,
                "local": {"ip": "::", "port": 22, "service": "ssh"},
                "process": {"pid": 618, "executable": "sshd"},
                "listener": {"exposure": "any", "dual_stack": true, "established_peers": 1},
            }),
            json!({
                "kind": "connection", "transport": "tcp", "state": "TIME_WAIT", "ingest": ingest,
                "local": {"ip": "10.0.0.1", "port": 22, "service": "ssh"},
                "remote": {"ip": "10.0.0.7", "port": 50000},
                "process": {"pid": 618, "pid_inferred": true, "executable": "sshd"},
                "direction": {"host": "ingress", "initiator": "remote"},
            }),
            json!({
                "kind": "connection", "transport": "tcp", "state": "TIME_WAIT", "ingest": ingest,
                "local": {"ip": "10.0.0.1", "port": 22, "service": "ssh"},
                "remote": {"ip": "10.0.0.7", "port": 50001},
                "process": {"pid": 618, "pid_inferred": true, "executable": "sshd"},
                "direction": {"host": "ingress", "initiator": "remote"},
            }),
            json!({
                "kind": "connection", "transport": "tcp", "state": "ESTABLISHED",
                "ingest": ingest, "origin": {"local_address": "2600:1700:bab0:d.5"},
                "local": {"port": 5}, "remote": {"ip": "10.0.0.7", "port": 50000},
                "peer_process": {"executable": "curl", "pid": 3},
                "direction": {"host": "unknown", "initiator": "unknown"},
            }),
            json!({
                "kind": "connection", "transport": "tcp", "state": "ESTABLISHED",
                "ingest": ingest, "service": "x",
                "local": {"ip": "2001:db8:1111:2222:3333:4444:5555:6666", "port": 50001},
                "remote": {
                    "ip": "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff", "port": 443,
                    "service": "https", "network": {"name": "partners"},
                    "geo": {"city_name": "Berlin", "country_iso_code": "DE"},
                    "as": {"number": 64496, "organization": "Example"},
                },
                "process": {"pid": 70_000, "executable": "a-very-long-name\u{1b}[2J"},
                "direction": {"host": "egress", "initiator": "local"},
                "warnings": ["address_family_mismatch", "unknown_fields"],
            }),
        ]
    }

    fn shown(width: Option<usize>) -> String {
        let mut table = Table::new(plain(), width);
        for event in events() {
            assert_eq!(table.add(event.to_string().as_bytes()), "");
        }
        table.finish()
    }

    #[test]
    fn a_table_of_eighty_columns() {
        insta::assert_snapshot!(shown(Some(80)), @"
        web01, 2026-01-05 08:00:00 UTC: listeners 2, connections 4

        EXPOSURE PROTO LISTENS ON     SERVICE    PEERS PROCESS     NOTES
        any      tcp   [::]:22        ssh        1     sshd[618]   IPv4 and IPv6
        loopback tcp   127.0.0.1:5432 postgresql       postgres[9]

          PROTO LOCAL               REMOTE              SERVICE STATE       PROCESS
        → tcp   [2001:db8…66]:50001 [2001:db8…ffff]:443 https   ESTABLISHED a-very…0000]
            partners, Berlin DE, AS64496 Example, x, address_family_mismatch,
            unknown_fields
        — tcp   2600:1700:bab0:d.5  10.0.0.7:50000      curl    ESTABLISHED
        ← tcp   10.0.0.1:22         10.0.0.7:*          ssh     TIME_WAIT   sshd[618]?
            2 times
        ");
    }

    #[test]
    fn an_idle_socket_has_no_other_end_whatever_was_sent() {
        let event = json!({
            "kind": "idle", "transport": "tcp", "state": "CLOSED",
            "local": {"ip": "10.0.0.1", "port": 6000},
            "origin": {"local_address": "0100000A:1770", "remote_address": "00000000:0000"},
        });
        assert_eq!(end(&event, "local"), "10.0.0.1:6000");
        assert_eq!(end(&event, "remote"), "");
    }

    #[test]
    fn a_table_where_there_is_room() {
        insta::assert_snapshot!(shown(None), @"
        web01, 2026-01-05 08:00:00 UTC: listeners 2, connections 4

        EXPOSURE PROTO LISTENS ON     SERVICE    PEERS PROCESS     NOTES
        any      tcp   [::]:22        ssh        1     sshd[618]   IPv4 and IPv6
        loopback tcp   127.0.0.1:5432 postgresql       postgres[9]

          PROTO LOCAL                                          REMOTE                                       SERVICE STATE       PROCESS                     NOTES
        → tcp   [2001:db8:1111:2222:3333:4444:5555:6666]:50001 [2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff]:443 https   ESTABLISHED a-very-long-name�[2J[70000] partners, Berlin DE, AS64496 Example, x, address_family_mismatch, unknown_fields
        — tcp   2600:1700:bab0:d.5                             10.0.0.7:50000                               curl    ESTABLISHED
        ← tcp   10.0.0.1:22                                    10.0.0.7:*                                   ssh     TIME_WAIT   sshd[618]?                  2 times
        ");
    }

    #[test]
    fn every_line_fits_and_obeys_nothing() {
        for width in [1, 20, 40, 79, 80, 120, 200] {
            let text = shown(Some(width));
            assert!(!text.contains('\u{1b}'), "{text}");
            // Below this, the gaps alone are wider.
            for line in text.lines().filter(|_| width >= 20) {
                assert!(line.chars().count() <= width, "{width}: {line}");
            }
        }
    }

    #[test]
    fn each_message_has_its_own() {
        let mut table = Table::new(plain(), None);
        let mut event = events().remove(0);
        assert_eq!(table.add(event.to_string().as_bytes()), "");
        event["ingest"]["offset"] = 1.into();
        assert!(
            table
                .add(event.to_string().as_bytes())
                .contains("listeners 1")
        );
        assert!(table.finish().contains("listeners 1"));
        assert_eq!(table.finish(), "");
    }
}
