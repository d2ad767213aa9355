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
const MAX_DEPTH: usize = 126;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

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
mod tests {
    use super::*;
    use crate::pipeline::code::Reason;

    fn code(reject: &Reject) -> (&'static str, Option<&'static str>) {
        (reject.reason.name(), reject.field)
    }

    fn row_of<T>(text: &str, use_row: impl FnOnce(Result<Row<'_>, Reject>) -> T) -> T {
        let arena = Bump::new();
        use_row(row(text.as_bytes(), &arena))
    }

    /// The one thing that a record holds, or why it is none.
    fn rejected(text: &str) -> (Reason, Option<&'static str>) {
        row_of(text, |row| {
            let reject = row.map(|_| ()).unwrap_err();
            assert!(!reject.message.is_empty());
            (reject.reason, reject.field)
        })
    }

    #[test]
    fn a_record_in_either_naming() {
        let expected = Row {
            local_address: "172.16.111.218:52279",
            remote_address: "172.16.111.171:80",
            protocol: "tcp,ipv4",
            state: "ESTABLISHED",
            process_id: ProcessId::Number(1260),
            process_name: "program.exe",
            service: "web",
            unknown_fields: false,
        };
        let snake = r#"{"local_address":"172.16.111.218:52279","remote_address":
            "172.16.111.171:80","protocol":"tcp,ipv4","state":"ESTABLISHED","process_id":1260,
            "process_name":"program.exe","service":"web"}"#;
        let camel = r#" {"localAddress":"172.16.111.218:52279","remoteAddress":
            "172.16.111.171:80","protocol":"tcp,ipv4","state":"ESTABLISHED","processId":"1260",
            "processName":"program\u002eexe","serv\u0069ce":"web"} "#;
        for text in [snake, camel] {
            row_of(text, |row| assert_eq!(row.unwrap(), expected));
        }
    }

    #[test]
    fn null_and_nothing_are_absent() {
        row_of("{}", |row| assert_eq!(row.unwrap(), Row::default()));
        let nulls = r#"{"local_address":null,"remote_address":null,"protocol":null,"state":null,
            "process_id":null,"process_name":null,"service":null}"#;
        row_of(nulls, |row| assert_eq!(row.unwrap(), Row::default()));
    }

    #[test]
    fn unknown_fields_are_told_and_the_last_duplicate_wins() {
        row_of(r#"{"state":"LISTEN","extra":{"deep":[1]}}"#, |row| {
            let row = row.unwrap();
            assert!(row.unknown_fields);
            assert_eq!(row.state, "LISTEN");
        });
        let twice =
            r#"{"state":5,"state":"\ud800","localAddress":"a","local_address":"b","state":"c"}"#;
        row_of(twice, |row| {
            let row = row.unwrap();
            assert_eq!((row.state, row.local_address), ("c", "b"));
            assert!(!row.unknown_fields);
        });
        row_of(r#"{"state":"a","state":null}"#, |row| {
            assert_eq!(row.unwrap().state, "");
        });
    }

    #[test]
    fn a_value_of_the_wrong_type_names_its_field() {
        let code = Reason::Rejection(Rejection::MalformedRecord);
        for field in [
            "local_address",
            "remote_address",
            "protocol",
            "state",
            "process_name",
            "service",
        ] {
            for value in ["1", "true", "[]", "{}", r#""\udfff""#] {
                let text = format!("{{\"{field}\":{value}}}");
                assert_eq!(rejected(&text), (code, Some(field)), "{text}");
            }
        }
        for value in ["true", "[]", "{}"] {
            let text = format!("{{\"process_id\":{value}}}");
            assert_eq!(rejected(&text), (code, Some("process_id")), "{text}");
        }
        for text in [
            "null",
            "1",
            "\"text\"",
            "[]",
            "true",
            "",
            "{",
            "{} {}",
            "{\"\\ud800\":1}",
        ] {
            assert_eq!(rejected(text), (code, None), "{text}");
        }
        let arena = Bump::new();
        assert!(row(b"{\"state\":\"\xFF\"}", &arena).is_err());
    }

    #[test]
    fn a_record_is_nested_to_a_bound() {
        let nested = |depth| format!("{{\"x\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        row_of(&nested(MAX_DEPTH), |row| {
            assert!(row.unwrap().unknown_fields);
        });
        let code = Reason::Rejection(Rejection::MalformedRecord);
        assert_eq!(rejected(&nested(MAX_DEPTH + 1)), (code, None));
        assert_eq!(rejected(&nested(100_000)), (code, None));
    }

    #[test]
    fn process_ids_in_every_spelling() {
        let max = ProcessId::Number(u32::MAX);
        for (value, expected) in [
            ("0", ProcessId::Number(0)),
            ("-0", ProcessId::Number(0)),
            ("1260", ProcessId::Number(1260)),
            ("1260.0", ProcessId::Number(1260)),
            ("1e3", ProcessId::Number(1000)),
            ("4294967295", max),
            (r#""4294967295""#, max),
            (r#""0""#, ProcessId::Number(0)),
            (r#""1260""#, ProcessId::Number(1260)),
            (r#"" 1260 ""#, ProcessId::Number(1260)),
            (r#""\u0031""#, ProcessId::Number(1)),
            ("null", ProcessId::Absent),
            ("-1", ProcessId::Absent),
            ("-1.0", ProcessId::Absent),
            (r#""-1""#, ProcessId::Absent),
            (r#""""#, ProcessId::Absent),
            (r#"" \t""#, ProcessId::Absent),
            ("-2", ProcessId::Invalid("-2")),
            ("4294967296", ProcessId::Invalid("4294967296")),
            ("0.5", ProcessId::Invalid("0.5")),
            ("1e999", ProcessId::Invalid("1e999")),
            (r#""4294967296""#, ProcessId::Invalid("4294967296")),
            (r#""abc""#, ProcessId::Invalid("abc")),
            (r#""0x10""#, ProcessId::Invalid("0x10")),
            (r#""+5""#, ProcessId::Invalid("+5")),
            (r#"" 1.5 ""#, ProcessId::Invalid(" 1.5 ")),
        ] {
            row_of(&format!("{{\"process_id\":{value}}}"), |row| {
                assert_eq!(row.unwrap().process_id, expected, "{value}");
            });
        }
    }

    fn contents_of<T>(text: &str, judge: impl FnOnce(Result<Contents<'_>, Reject>) -> T) -> T {
        let arena = Bump::new();
        judge(contents(text.as_bytes(), 1000, &arena))
    }

    #[test]
    fn data_in_every_form() {
        for (text, records) in [
            (r"{}", &[][..]),
            (r#"{"data":null}"#, &[]),
            (r#"{"data":[]}"#, &[]),
            (r#"{"data":[ ]}"#, &[]),
            (r#"{"data":{"state":"a"} }"#, &[r#"{"state":"a"}"#]),
            (
                r#"{"data":[ {"a":[1,{}]} ,1, null,"]",[[]] ]}"#,
                &[r#"{"a":[1,{}]}"#, "1", "null", r#""]""#, "[[]]"],
            ),
            (r#"{"data":[1,2],"data":[3]}"#, &["3"]),
            (r#"{"data":[1,2],"data":null}"#, &[]),
            (r#"{"data":5,"data":[3]}"#, &["3"]),
            (r#"{"d\u0061ta":[3]}"#, &["3"]),
            ("\u{FEFF}\n{\"data\":[3]}\n", &["3"]),
        ] {
            contents_of(text, |contents| {
                let contents = contents.unwrap();
                let expected: Vec<_> = records.iter().map(|record| record.as_bytes()).collect();
                assert_eq!(contents.records, expected, "{text}");
                assert_eq!(contents.record_count, records.len(), "{text}");
                assert!(!contents.unknown_fields, "{text}");
            });
        }
    }

    #[test]
    fn records_beyond_the_limit_are_counted_and_not_kept() {
        let arena = Bump::new();
        let contents = contents(br#"{"data":[1,2,3,4,5]}"#, 2, &arena).unwrap();
        assert_eq!((contents.records.len(), contents.record_count), (2, 5));
    }

    #[test]
    fn metadata_in_either_naming() {
        let snake = r#"{"agent_id":"a","agent_type":"t","automated":1,"data_type":"d",
            "source":"s","project":"p","timestamp":"2022","expiration":"2023","message_id":"m"}"#;
        let camel = r#"{"agentId":"a","agentType":"t","automated":"TRUE","dataType":"d",
            "source":"s","project":"\u0070","timestamp":"2022","expiration":"2023",
            "messageId":"m"}"#;
        for raw in [snake, camel] {
            contents_of(&format!("{{\"metadata\":{raw}}}"), |contents| {
                let contents = contents.unwrap();
                let metadata = contents.metadata.unwrap();
                assert_eq!(metadata.raw, [raw.as_bytes()]);
                assert_eq!(metadata.agent_id, "a");
                assert_eq!(metadata.agent_type, "t");
                assert!(metadata.automated);
                assert_eq!(metadata.data_type, "d");
                assert_eq!(metadata.source, "s");
                assert_eq!(metadata.project, "p");
                assert!(matches!(metadata.timestamp, RawTime::Text("2022")));
                assert!(matches!(metadata.expiration, RawTime::Text("2023")));
                assert_eq!(metadata.message_id, "m");
                assert!(!contents.unknown_fields);
            });
        }
    }

    #[test]
    fn metadata_absent_null_and_given_twice() {
        for text in [
            "{}",
            r#"{"metadata":null}"#,
            r#"{"metadata":{},"metadata":null}"#,
        ] {
            contents_of(text, |contents| {
                assert!(contents.unwrap().metadata.is_none(), "{text}");
            });
        }
        let twice = r#"{"metadata":{"project":5,"x":1},"metadata":{"project":"p","project":"q"}}"#;
        contents_of(twice, |contents| {
            let contents = contents.unwrap();
            let metadata = contents.metadata.unwrap();
            assert_eq!(metadata.project, "q");
            assert_eq!(
                metadata.raw,
                [br#"{"project":"p","project":"q"}"#.as_slice()]
            );
            assert!(!contents.unknown_fields, "the first was not the last");
        });
        let null = r#"{"metadata":{"project":null,"timestamp":null,"automated":null}}"#;
        contents_of(null, |contents| {
            let metadata = contents.unwrap().metadata.unwrap();
            assert_eq!((metadata.project, metadata.automated), ("", false));
            assert!(matches!(metadata.timestamp, RawTime::Absent));
        });
    }

    #[test]
    fn unknown_fields_outside_of_records() {
        for (text, unknown_fields) in [
            (r#"{"metadata":{"project":"p"},"data":[{"x":1}]}"#, false),
            (r#"{"metadata":{"project":"p"},"Data":[]}"#, true),
            (r#"{"metadata":{"project":"p","x":[{}]}}"#, true),
        ] {
            contents_of(text, |contents| {
                assert_eq!(contents.unwrap().unknown_fields, unknown_fields, "{text}");
            });
        }
    }

    #[test]
    fn automated_in_every_spelling() {
        for (value, expected) in [
            ("true", Some(true)),
            ("false", Some(false)),
            ("1", Some(true)),
            ("0", Some(false)),
            (r#""true""#, Some(true)),
            (r#""False""#, Some(false)),
            (r#""""#, Some(false)),
            ("null", Some(false)),
            ("2", None),
            ("-1", None),
            (r#""yes""#, None),
            ("[]", None),
            ("{}", None),
        ] {
            contents_of(
                &format!("{{\"metadata\":{{\"automated\":{value}}}}}"),
                |it| match (it, expected) {
                    (Ok(contents), Some(expected)) => {
                        assert_eq!(contents.metadata.unwrap().automated, expected, "{value}");
                    }
                    (Err(reject), None) => assert_eq!(
                        code(&reject),
                        ("malformed_json", Some("metadata.automated"))
                    ),
                    (other, _) => panic!("{value}: {other:?}"),
                },
            );
        }
    }

    #[test]
    fn what_is_no_message() {
        let deep = format!("{{\"x\":{}", "[".repeat(100_000));
        let wide = format!("{{\"x\":{}0{}}}", "[".repeat(200), "]".repeat(200));
        for (text, field) in [
            ("", None),
            ("[]", None),
            ("\"a\"", None),
            ("{", None),
            ("{}}", None),
            ("{}\0", None),
            (r#"{"data":[{"a":tru}]}"#, None),
            (r#"{"data":[{}"#, None),
            (r#"{"data":[{}],}"#, None),
            (r#"{"\ud800":1}"#, None),
            (deep.as_str(), None),
            (wide.as_str(), None),
            (r#"{"data":5}"#, Some("data")),
            (r#"{"data":"a"}"#, Some("data")),
            (r#"{"data":true}"#, Some("data")),
            (r#"{"metadata":[]}"#, Some("metadata")),
            (r#"{"metadata":"a"}"#, Some("metadata")),
            (r#"{"metadata":{"agent_id":5}}"#, Some("metadata.agent_id")),
            (
                r#"{"metadata":{"timestamp":1659394295}}"#,
                Some("metadata.timestamp"),
            ),
            (
                r#"{"metadata":{"expiration":{}}}"#,
                Some("metadata.expiration"),
            ),
            (
                r#"{"metadata":{"project":"\ud800"}}"#,
                Some("metadata.project"),
            ),
        ] {
            contents_of(text, |contents| {
                let reject = contents.map(|_| ()).unwrap_err();
                assert_eq!(code(&reject), ("malformed_json", field), "{reject:?}");
            });
        }
        let arena = Bump::new();
        let reject = contents(b"{\"data\":[\"\xC3\x28\"]}", 9, &arena).map(|_| ());
        assert!(
            reject
                .unwrap_err()
                .message
                .contains("not UTF-8, at byte 10")
        );
    }
}
