//! The JSON encoding, with the leniencies that real submitters need: the envelope with each
//! record still as text, the metadata, and one record.
//!
//! An object is read into slots first, one a field, and judged after: of duplicate keys the
//! last wins, so what an earlier one held does not matter, whatever its type.

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;

use super::Contents;
use super::scan::{Malformed, Scanner, Value, is_white, unescape};
use super::whole::whole;
use crate::pipeline::code::Rejection;
use crate::pipeline::message::{RawMetadata, RawTime};
use crate::pipeline::record::{ProcessId, Row, present};
use crate::pipeline::reject::Reject;

/// How deep values inside the envelope, the metadata or a record are nested at most. What is
/// nested deeper inside a record costs that record alone.
pub(super) const MAX_DEPTH: usize = 126;

pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Whether there is nothing but white space.
pub(super) fn is_blank(body: &[u8]) -> bool {
    first_byte(body).is_none()
}

/// Whether the bytes begin as a message in JSON does.
pub(super) fn begins_object(body: &[u8]) -> bool {
    first_byte(body) == Some(b'{')
}

fn first_byte(body: &[u8]) -> Option<u8> {
    let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    body.iter().copied().find(|byte| !is_white(*byte))
}

/// Whether the bytes are one JSON value, of any type and depth.
pub(super) fn is_well_formed(body: &[u8]) -> bool {
    let Ok(text) = utf8(body) else {
        return false;
    };
    let mut scanner = Scanner::new(text);
    scanner
        .skip(usize::MAX)
        .and_then(|()| scanner.end())
        .is_ok()
}

/// Takes a message apart. At most `max_records` records are kept, all are counted.
pub(super) fn contents<'a>(
    body: &'a [u8],
    max_records: usize,
    arena: &'a Bump,
) -> Result<Contents<'a>, Reject> {
    let text = utf8(body)?;
    let mut scanner = Scanner::new(text);
    let outline = outline(&mut scanner, max_records, arena).map_err(|fault| {
        let sentence = not_json(fault, scanner.at(), "message");
        Reject::new(Rejection::MalformedJson, None, &sentence)
    })?;
    let wrong_type =
        |value, field, expected| Err(wrong_type(value, field, expected, Rejection::MalformedJson));
    let metadata = match (outline.metadata, outline.metadata_type) {
        (Some(slots), Value::Object) => Some(slots.judge(arena)?),
        (_, Value::Null) => None,
        (_, other) => return wrong_type(other, "metadata", "an object"),
    };
    let (Value::Null | Value::Array | Value::Object) = outline.data_type else {
        return wrong_type(outline.data_type, "data", "an array");
    };
    Ok(Contents {
        metadata,
        unknown_fields: outline.unknown_fields,
        records: outline.records.into_bump_slice(),
        record_count: outline.record_count,
    })
}

/// Reads one record.
pub(super) fn row<'a>(raw: &'a [u8], arena: &'a Bump) -> Result<Row<'a>, Reject> {
    let Ok(text) = std::str::from_utf8(raw) else {
        let sentence = "the record is not UTF-8";
        return Err(Reject::new(Rejection::MalformedRecord, None, sentence));
    };
    let mut scanner = Scanner::new(text);
    let (slots, unknown_fields) = match row_slots(&mut scanner, arena) {
        Ok(Some(read)) => read,
        Ok(None) => {
            let sentence = "the record is not an object";
            return Err(Reject::new(Rejection::MalformedRecord, None, sentence));
        }
        Err(fault) => {
            let sentence = not_json(fault, scanner.at(), "record");
            return Err(Reject::new(Rejection::MalformedRecord, None, &sentence));
        }
    };
    let text = |value, field| text_of(value, field, Rejection::MalformedRecord, arena);
    Ok(Row {
        local_address: text(slots.local_address, "local_address")?,
        remote_address: text(slots.remote_address, "remote_address")?,
        protocol: text(slots.protocol, "protocol")?,
        state: text(slots.state, "state")?,
        process_id: process_id(slots.process_id, arena)?,
        process_name: text(slots.process_name, "process_name")?,
        service: text(slots.service, "service")?,
        unknown_fields,
    })
}

fn utf8(body: &[u8]) -> Result<&str, Reject> {
    let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    std::str::from_utf8(body).map_err(|error| {
        let at = error.valid_up_to();
        let sentence = format!("not valid JSON: not UTF-8, at byte {at} of the message");
        Reject::new(Rejection::MalformedJson, None, &sentence)
    })
}

#[cold]
fn not_json(fault: Malformed, at: usize, part: &str) -> String {
    let what = fault.what();
    format!("not valid JSON: {what}, at byte {at} of the {part}")
}

/// The envelope, read but not judged: of both fields the last occurrence.
struct Outline<'a> {
    metadata: Option<MetadataSlots<'a>>,
    metadata_type: Value<'a>,
    data_type: Value<'a>,
    records: BumpVec<'a, &'a [u8]>,
    record_count: usize,
    unknown_fields: bool,
}

fn outline<'a>(
    scanner: &mut Scanner<'a>,
    max_records: usize,
    arena: &'a Bump,
) -> Result<Outline<'a>, Malformed> {
    let mut outline = Outline {
        metadata: None,
        metadata_type: Value::Null,
        data_type: Value::Null,
        records: BumpVec::new_in(arena),
        record_count: 0,
        unknown_fields: false,
    };
    if scanner.peek() != Some(b'{') {
        return Err(Malformed::NoObject);
    }
    scanner.object(arena, |scanner, key| {
        match key {
            "metadata" => outline.read_metadata(scanner, arena)?,
            "data" => outline.read_data(scanner, max_records)?,
            _ => {
                outline.unknown_fields = true;
                scanner.value(MAX_DEPTH)?;
            }
        }
        Ok(())
    })?;
    scanner.end()?;
    if let Some(metadata) = &outline.metadata {
        outline.unknown_fields |= metadata.unknown_fields;
    }
    Ok(outline)
}

impl<'a> Outline<'a> {
    fn read_metadata(
        &mut self,
        scanner: &mut Scanner<'a>,
        arena: &'a Bump,
    ) -> Result<(), Malformed> {
        self.metadata = None;
        if scanner.peek() == Some(b'{') {
            self.metadata = Some(MetadataSlots::read(scanner, arena)?);
            self.metadata_type = Value::Object;
        } else {
            self.metadata_type = scanner.value(MAX_DEPTH)?;
        }
        Ok(())
    }

    fn read_data(
        &mut self,
        scanner: &mut Scanner<'a>,
        max_records: usize,
    ) -> Result<(), Malformed> {
        self.records.clear();
        self.record_count = 0;
        let mut record = |scanner: &mut Scanner<'a>| {
            scanner.peek();
            let start = scanner.at();
            scanner.skip(usize::MAX)?;
            self.record_count += 1;
            if self.records.len() < max_records {
                self.records.push(scanner.since(start).as_bytes());
            }
            Ok(())
        };
        self.data_type = match scanner.peek() {
            Some(b'[') => {
                scanner.array(record)?;
                Value::Array
            }
            Some(b'{') => {
                record(scanner)?;
                Value::Object
            }
            _ => scanner.value(MAX_DEPTH)?,
        };
        Ok(())
    }
}

/// The metadata, read but not judged.
#[derive(Clone, Copy, Debug, Default)]
struct MetadataSlots<'a> {
    raw: &'a str,
    agent_id: Value<'a>,
    agent_type: Value<'a>,
    automated: Value<'a>,
    data_type: Value<'a>,
    source: Value<'a>,
    project: Value<'a>,
    timestamp: Value<'a>,
    expiration: Value<'a>,
    message_id: Value<'a>,
    unknown_fields: bool,
}

impl<'a> MetadataSlots<'a> {
    fn read(scanner: &mut Scanner<'a>, arena: &'a Bump) -> Result<Self, Malformed> {
        let mut slots = Self::default();
        let start = scanner.at();
        scanner.object(arena, |scanner, key| {
            let value = scanner.value(MAX_DEPTH)?;
            match key {
                "agent_id" | "agentId" => slots.agent_id = value,
                "agent_type" | "agentType" => slots.agent_type = value,
                "automated" => slots.automated = value,
                "data_type" | "dataType" => slots.data_type = value,
                "source" => slots.source = value,
                "project" => slots.project = value,
                "timestamp" => slots.timestamp = value,
                "expiration" => slots.expiration = value,
                "message_id" | "messageId" => slots.message_id = value,
                _ => slots.unknown_fields = true,
            }
            Ok(())
        })?;
        slots.raw = scanner.since(start);
        Ok(slots)
    }

    fn judge(&self, arena: &'a Bump) -> Result<RawMetadata<'a>, Reject> {
        let text = |value, field| text_of(value, field, Rejection::MalformedJson, arena);
        let time = |value, field| match text(value, field)? {
            "" => Ok(RawTime::Absent),
            text => Ok(RawTime::Text(text)),
        };
        Ok(RawMetadata {
            raw: std::slice::from_ref(arena.alloc(self.raw.as_bytes())),
            agent_id: text(self.agent_id, "metadata.agent_id")?,
            agent_type: text(self.agent_type, "metadata.agent_type")?,
            automated: automated(self.automated, arena)?,
            data_type: text(self.data_type, "metadata.data_type")?,
            source: text(self.source, "metadata.source")?,
            project: text(self.project, "metadata.project")?,
            timestamp: time(self.timestamp, "metadata.timestamp")?,
            expiration: time(self.expiration, "metadata.expiration")?,
            message_id: text(self.message_id, "metadata.message_id")?,
        })
    }
}

/// A record, read but not judged.
#[derive(Clone, Copy, Debug, Default)]
struct RowSlots<'a> {
    local_address: Value<'a>,
    remote_address: Value<'a>,
    protocol: Value<'a>,
    state: Value<'a>,
    process_id: Value<'a>,
    process_name: Value<'a>,
    service: Value<'a>,
}

/// Reads a record's object and whether it has unknown fields; nothing when it is no object.
fn row_slots<'a>(
    scanner: &mut Scanner<'a>,
    arena: &'a Bump,
) -> Result<Option<(RowSlots<'a>, bool)>, Malformed> {
    let mut slots = RowSlots::default();
    let mut unknown_fields = false;
    if scanner.peek() != Some(b'{') {
        return Ok(None);
    }
    scanner.object(arena, |scanner, key| {
        let value = scanner.value(MAX_DEPTH)?;
        match key {
            "local_address" | "localAddress" => slots.local_address = value,
            "remote_address" | "remoteAddress" => slots.remote_address = value,
            "protocol" => slots.protocol = value,
            "state" => slots.state = value,
            "process_id" | "processId" => slots.process_id = value,
            "process_name" | "processName" => slots.process_name = value,
            "service" => slots.service = value,
            _ => unknown_fields = true,
        }
        Ok(())
    })?;
    scanner.end()?;
    Ok(Some((slots, unknown_fields)))
}

/// The text of a field, "" where it is null.
#[inline]
fn text_of<'a>(
    value: Value<'a>,
    field: &'static str,
    code: Rejection,
    arena: &'a Bump,
) -> Result<&'a str, Reject> {
    match value {
        Value::Null => Ok(""),
        Value::Text(text) => Ok(text),
        Value::Escaped(text) => unescape(text, arena).ok_or_else(|| {
            let sentence = format!("{field} has half of a surrogate pair, which is no character");
            Reject::new(code, Some(field), &sentence)
        }),
        other => Err(wrong_type(other, field, "text", code)),
    }
}

#[cold]
fn wrong_type(value: Value<'_>, field: &'static str, expected: &str, code: Rejection) -> Reject {
    let sentence = format!("{field} is {}, expected {expected}", value.kind());
    Reject::new(code, Some(field), &sentence)
}

/// Whether the agent sent the rows by itself: `true`, 1, `"true"` in any case, or the contrary.
fn automated(value: Value<'_>, arena: &Bump) -> Result<bool, Reject> {
    const FIELD: &str = "metadata.automated";
    const CODE: Rejection = Rejection::MalformedJson;
    let sent = match value {
        Value::Null | Value::False => return Ok(false),
        Value::True => return Ok(true),
        Value::Number(number) => match whole(number) {
            Some(0) => return Ok(false),
            Some(1) => return Ok(true),
            _ => number,
        },
        Value::Text(_) | Value::Escaped(_) => {
            let sent = text_of(value, FIELD, CODE, arena)?;
            match present(sent).map(str::trim_ascii) {
                None => return Ok(false),
                Some(word) if word.eq_ignore_ascii_case("false") => return Ok(false),
                Some(word) if word.eq_ignore_ascii_case("true") => return Ok(true),
                Some(_) => sent,
            }
        }
        other => return Err(wrong_type(other, FIELD, "true or false", CODE)),
    };
    Err(Reject::value(CODE, FIELD, "is not true or false", sent))
}

/// A process id: a number, or a number as text. -1 is an agent's "unknown".
#[inline]
fn process_id<'a>(value: Value<'a>, arena: &'a Bump) -> Result<ProcessId<'a>, Reject> {
    const FIELD: &str = "process_id";
    const CODE: Rejection = Rejection::MalformedRecord;
    let sent = match value {
        Value::Null => return Ok(ProcessId::Absent),
        Value::Number(number) => number,
        Value::Text(_) | Value::Escaped(_) => text_of(value, FIELD, CODE, arena)?,
        other => return Err(wrong_type(other, FIELD, "a number", CODE)),
    };
    let Some(number) = present(sent).map(str::trim_ascii) else {
        return Ok(ProcessId::Absent);
    };
    match whole(number) {
        Some(-1) => Ok(ProcessId::Absent),
        Some(id) => Ok(u32::try_from(id).map_or(ProcessId::Invalid(sent), ProcessId::Number)),
        None => Ok(ProcessId::Invalid(sent)),
    }
}

#[cfg(test)]
mod tests;
