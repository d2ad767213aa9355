//! A message before it is bytes, and its two encodings with the liberties that submitters take.

use prost::Message as _;

use super::rng::Rng;
use super::spellings::Row;
use crate::proto::server;

/// A message of which everything is decided but the bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft {
    /// Absent in a message without metadata.
    pub(super) metadata: Option<Metadata>,
    pub(super) entries: Vec<Entry>,
    /// Whether the envelope has a field that the contract does not know.
    pub(super) unknown_field: bool,
}

/// Metadata of a draft; empty text is an absent field.
#[derive(Clone, Debug, Default)]
pub(super) struct Metadata {
    pub(super) agent_id: String,
    pub(super) agent_type: String,
    pub(super) automated: bool,
    pub(super) data_type: String,
    pub(super) source: String,
    pub(super) project: String,
    pub(super) timestamp: Time,
    pub(super) expiration: Time,
    pub(super) message_id: String,
    pub(super) unknown_field: bool,
}

/// A point in time of a draft.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Time {
    #[default]
    Absent,
    /// Milliseconds since 1970.
    Millis(i64),
    /// What is no time in either encoding: a text, and parts out of range.
    Invalid(&'static str, i64, i32),
}

/// A record of a draft.
#[derive(Clone, Debug, Default)]
pub(super) struct Entry {
    pub(super) row: Row,
    pub(super) quirk: Quirk,
}

/// What is peculiar about a record's bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Quirk {
    #[default]
    None,
    /// A field that the contract does not know.
    UnknownField,
    /// JSON: the protocol is there twice, and the last one counts.
    DuplicateKey,
    /// JSON: this in place of the process id.
    ProcessId(&'static str),
    /// JSON: this in place of the record.
    Json(&'static str),
    /// Protobuf: the last byte is missing.
    Cut,
    /// Protobuf: a text that is not UTF-8.
    BadText,
}

/// How a JSON message is written.
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a liberty of its own"
)]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Style {
    camel_case: bool,
    nulls: bool,
    single: bool,
    lines: bool,
    text_pids: bool,
    automated: u32,
    times: u32,
    unknown_pid: u32,
}

impl Style {
    /// A style; most are plain. Only where `lines` may be, the text has line breaks.
    pub(super) fn new(lines: bool, rng: &mut Rng) -> Self {
        Self {
            camel_case: rng.chance(0.15),
            nulls: rng.chance(0.2),
            single: rng.chance(0.4),
            lines: lines && rng.chance(0.1),
            text_pids: rng.chance(0.1),
            automated: rng.below(5),
            times: rng.below(6),
            unknown_pid: rng.below(8),
        }
    }
}

/// The draft as JSON text.
pub(super) fn json(draft: &Draft, style: Style) -> Vec<u8> {
    let mut text = String::new();
    if style.lines {
        text.push_str("\n\n");
    }
    text.push('{');
    if let Some(metadata) = &draft.metadata {
        text.push_str("\"metadata\":");
        json_metadata(metadata, style, &mut text);
        text.push(',');
    }
    if draft.unknown_field {
        text.push_str("\"schema_version\":[3,{\"minor\":null}],");
    }
    let elements: Vec<_> = draft
        .entries
        .iter()
        .map(|entry| json_record(entry, style))
        .collect();
    let whole = draft
        .entries
        .iter()
        .all(|entry| !matches!(entry.quirk, Quirk::Json(_)));
    match elements.as_slice() {
        [one] if style.single && whole => {
            text.push_str("\"data\":");
            text.push_str(one);
        }
        _ => {
            let separator = if style.lines { ",\n  " } else { "," };
            text.push_str("\"data\":[");
            text.push_str(&elements.join(separator));
            text.push(']');
        }
    }
    text.push('}');
    if style.lines {
        text.push('\n');
    }
    text.into_bytes()
}

fn json_metadata(metadata: &Metadata, style: Style, text: &mut String) {
    let mut object = Object::new(style);
    object.text("agent_id", &metadata.agent_id);
    object.text("agent_type", &metadata.agent_type);
    let automated = match (style.automated, metadata.automated) {
        (0, true) => "1",
        (0, false) => "0",
        (1, true) => "\"True\"",
        (1, false) => "\"false\"",
        (_, true) => "true",
        (_, false) => "false",
    };
    object.raw("automated", automated);
    object.text("data_type", &metadata.data_type);
    object.text("source", &metadata.source);
    object.text("project", &metadata.project);
    object.text("timestamp", &json_time(metadata.timestamp, style));
    object.text("expiration", &json_time(metadata.expiration, style));
    object.text("message_id", &metadata.message_id);
    if metadata.unknown_field {
        object.raw("collector_version", "\"2.1.0\"");
    }
    text.push_str(&object.finish());
}

fn json_time(time: Time, style: Style) -> String {
    let millis = match time {
        Time::Absent => return String::new(),
        Time::Invalid(text, ..) => return text.to_owned(),
        Time::Millis(millis) => millis,
    };
    let instant = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let utc = instant.to_string();
    match style.times {
        // ISO 8601 without an offset means UTC.
        0 => utc.trim_end_matches('Z').to_owned(),
        1 => instant.display_with_offset(jiff::tz::offset(2)).to_string(),
        2 => utc.replace('Z', "+00:00"),
        _ => utc,
    }
}

fn json_record(entry: &Entry, style: Style) -> String {
    if let Quirk::Json(raw) = entry.quirk {
        return raw.to_owned();
    }
    let row = &entry.row;
    let mut object = Object::new(style);
    object.text("local_address", &row.local);
    object.text("remote_address", &row.remote);
    if matches!(entry.quirk, Quirk::DuplicateKey) {
        object.raw("protocol", "\"udp,,\"");
    }
    object.text("protocol", &row.protocol);
    object.text("state", &row.state);
    match (entry.quirk, row.pid) {
        (Quirk::ProcessId(raw), _) => object.raw("process_id", raw),
        (_, Some(pid)) if style.text_pids => object.raw("process_id", &format!("\"{pid}\"")),
        (_, Some(pid)) => object.raw("process_id", &pid.to_string()),
        (_, None) => match style.unknown_pid {
            0 => object.raw("process_id", "0"),
            1 => object.raw("process_id", "-1"),
            2 => object.raw("process_id", "\"\""),
            3 => object.raw("process_id", "4294967295"),
            _ => object.text("process_id", ""),
        },
    }
    object.text("process_name", &row.process);
    object.text("service", &row.service);
    if matches!(entry.quirk, Quirk::UnknownField) {
        object.raw("recv_q", "0");
    }
    object.finish()
}

/// A JSON object under construction.
struct Object {
    text: String,
    style: Style,
}

impl Object {
    fn new(style: Style) -> Self {
        let text = "{".to_owned();
        Self { text, style }
    }

    /// A field with a text; an absent one is left out or null.
    fn text(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            let value = serde_json::Value::from(value).to_string();
            self.raw(name, &value);
        } else if self.style.nulls {
            self.raw(name, "null");
        }
    }

    fn raw(&mut self, name: &str, value: &str) {
        if self.text.len() > 1 {
            self.text.push(',');
        }
        let name = if self.style.camel_case {
            camel_case(name)
        } else {
            name.to_owned()
        };
        self.text.push('"');
        self.text.push_str(&name);
        self.text.push_str("\":");
        self.text.push_str(value);
    }

    fn finish(mut self) -> String {
        self.text.push('}');
        self.text
    }
}

fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let mut text = words.next().unwrap_or_default().to_owned();
    for word in words {
        let (first, rest) = word.split_at(1);
        text.push_str(&first.to_ascii_uppercase());
        text.push_str(rest);
    }
    text
}

/// Number of a field that the contract does not have.
const UNKNOWN_FIELD: u32 = 99;

/// The draft as protobuf.
pub(super) fn protobuf(draft: &Draft, unknown_pid: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(metadata) = &draft.metadata {
        delimited(1, &wire_metadata(metadata), &mut bytes);
    }
    for entry in &draft.entries {
        delimited(2, &wire_record(entry, unknown_pid), &mut bytes);
    }
    if draft.unknown_field {
        delimited(UNKNOWN_FIELD, b"envelope", &mut bytes);
    }
    bytes
}

/// A field of length-delimited content.
pub(super) fn delimited(number: u32, content: &[u8], bytes: &mut Vec<u8>) {
    use prost::encoding::{WireType, encode_key, encode_varint};
    encode_key(number, WireType::LengthDelimited, bytes);
    encode_varint(content.len() as u64, bytes);
    bytes.extend_from_slice(content);
}

fn wire_metadata(metadata: &Metadata) -> Vec<u8> {
    let message = server::Metadata {
        agent_id: metadata.agent_id.clone(),
        agent_type: metadata.agent_type.clone(),
        automated: metadata.automated,
        data_type: metadata.data_type.clone(),
        source: metadata.source.clone(),
        project: metadata.project.clone(),
        timestamp: wire_time(metadata.timestamp),
        expiration: wire_time(metadata.expiration),
        message_id: metadata.message_id.clone(),
    };
    let mut bytes = message.encode_to_vec();
    if metadata.unknown_field {
        delimited(UNKNOWN_FIELD, b"metadata", &mut bytes);
    }
    bytes
}

fn wire_time(time: Time) -> Option<prost_types::Timestamp> {
    let (seconds, nanos) = match time {
        Time::Absent => return None,
        Time::Invalid(_, seconds, nanos) => (seconds, nanos),
        Time::Millis(millis) => {
            let nanos = i32::try_from(millis.rem_euclid(1_000) * 1_000_000).unwrap_or(0);
            (millis.div_euclid(1_000), nanos)
        }
    };
    Some(prost_types::Timestamp { seconds, nanos })
}

fn wire_record(entry: &Entry, unknown_pid: u32) -> Vec<u8> {
    let row = entry.row.clone();
    let message = server::NetworkConnectionIngestion {
        local_address: row.local,
        remote_address: row.remote,
        protocol: row.protocol,
        state: row.state,
        process_id: row.pid.unwrap_or(unknown_pid),
        process_name: row.process,
        service: row.service,
    };
    let mut bytes = message.encode_to_vec();
    match entry.quirk {
        Quirk::UnknownField => delimited(UNKNOWN_FIELD, b"record", &mut bytes),
        Quirk::Cut => {
            bytes.pop();
        }
        Quirk::BadText => delimited(7, b"\xC3\x28", &mut bytes),
        _ => {}
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_turn_to_camel_case_as_protobuf_maps_them() {
        assert_eq!(camel_case("local_address"), "localAddress");
        assert_eq!(camel_case("agent_id"), "agentId");
        assert_eq!(camel_case("state"), "state");
    }

    #[test]
    fn every_style_of_json_parses() {
        let entry = Entry {
            row: Row {
                local: "a\"\n".to_owned(),
                ..Row::default()
            },
            quirk: Quirk::UnknownField,
        };
        let draft = Draft {
            metadata: Some(Metadata::default()),
            entries: vec![entry],
            unknown_field: true,
        };
        for position in 0..50 {
            let style = Style::new(true, &mut Rng::at(0, position));
            serde_json::from_slice::<serde_json::Value>(&json(&draft, style)).unwrap();
        }
    }
}
