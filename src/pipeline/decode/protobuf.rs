//! The protobuf encoding, read by hand so that it borrows: the envelope with each record still
//! as bytes, the metadata, and one record.
//!
//! `repeated NetworkConnectionIngestion` and `repeated bytes` are the same on the wire. Records
//! therefore stay bytes until each is read by itself, and one that is corrupt costs one record.

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;

use super::Contents;
use crate::pipeline::code::Rejection;
use crate::pipeline::message::{RawMetadata, RawTime};
use crate::pipeline::record::{ProcessId, Row};
use crate::pipeline::reject::Reject;
use crate::pipeline::wire::{Malformed, Reader, Tag, WireType};

/// The first byte of a message that begins with its metadata.
pub(super) const METADATA_TAG: u8 = 1 << 3 | 2;
/// The first byte of a message that begins with a record.
pub(super) const DATA_TAG: u8 = 2 << 3 | 2;

/// What is wrong with a message, its metadata or a record.
#[derive(Debug)]
struct Fault {
    field: Option<&'static str>,
    what: &'static str,
    rest: usize,
}

impl From<Malformed> for Fault {
    fn from(malformed: Malformed) -> Self {
        Self {
            field: None,
            what: malformed.what,
            rest: malformed.rest,
        }
    }
}

impl Fault {
    #[cold]
    fn reject(&self, code: Rejection, part: &str, part_bytes: usize) -> Reject {
        let at = part_bytes.saturating_sub(self.rest);
        let what = self.what;
        let sentence = match self.field {
            Some(field) => format!("{field} {what}, before byte {at} of {part}"),
            None => format!("not valid protobuf: {what}, at byte {at} of {part}"),
        };
        Reject::new(code, self.field, &sentence)
    }
}

/// Takes a message apart. At most `max_records` records are kept, all are counted.
pub(super) fn contents<'a>(
    body: &'a [u8],
    max_records: usize,
    arena: &'a Bump,
) -> Result<Contents<'a>, Reject> {
    let (occurrences, record_count) = count(body).map_err(|fault| {
        let code = Rejection::MalformedProtobuf;
        fault.reject(code, "the message", body.len())
    })?;
    let mut contents = Contents {
        record_count,
        ..Contents::default()
    };
    let mut raw_metadata = BumpVec::with_capacity_in(occurrences, arena);
    let mut records = BumpVec::with_capacity_in(record_count.min(max_records), arena);
    let mut metadata = RawMetadata::default();
    let mut reader = Reader::new(body);
    // `count` has read all of it once, so nothing fails here.
    while let Ok(Some(tag)) = reader.tag() {
        match tag.field {
            1 => {
                let raw = reader.bytes().unwrap_or_default();
                raw_metadata.push(raw);
                contents.unknown_fields |= read_metadata(raw, &mut metadata).map_err(|fault| {
                    let code = Rejection::MalformedProtobuf;
                    fault.reject(code, "the metadata", raw.len())
                })?;
            }
            2 => {
                let raw = reader.bytes().unwrap_or_default();
                if records.len() < max_records {
                    records.push(raw);
                }
            }
            _ => {
                contents.unknown_fields = true;
                if reader.skip(tag).is_err() {
                    break;
                }
            }
        }
    }
    metadata.raw = raw_metadata.into_bump_slice();
    contents.metadata = (occurrences > 0).then_some(metadata);
    contents.records = records.into_bump_slice();
    Ok(contents)
}

/// Reads over the envelope and counts occurrences of the metadata and of records, so that room
/// for exactly as many can be made.
fn count(body: &[u8]) -> Result<(usize, usize), Fault> {
    let mut reader = Reader::new(body);
    let (mut metadata, mut records) = (0, 0);
    while let Some(tag) = reader.tag()? {
        let (counter, field) = match tag.field {
            1 => (&mut metadata, "metadata"),
            2 => (&mut records, "data"),
            _ => {
                reader.skip(tag)?;
                continue;
            }
        };
        bytes(&mut reader, tag, field)?;
        *counter += 1;
    }
    Ok((metadata, records))
}

/// Merges one occurrence of the metadata into what earlier ones said; whether it has unknown
/// fields.
fn read_metadata<'a>(raw: &'a [u8], metadata: &mut RawMetadata<'a>) -> Result<bool, Fault> {
    let mut reader = Reader::new(raw);
    let mut unknown_fields = false;
    while let Some(tag) = reader.tag()? {
        let reader = &mut reader;
        match tag.field {
            1 => metadata.agent_id = text(reader, tag, "metadata.agent_id")?,
            2 => metadata.agent_type = text(reader, tag, "metadata.agent_type")?,
            3 => metadata.automated = varint(reader, tag, "metadata.automated")? != 0,
            4 => metadata.data_type = text(reader, tag, "metadata.data_type")?,
            5 => metadata.source = text(reader, tag, "metadata.source")?,
            6 => metadata.project = text(reader, tag, "metadata.project")?,
            7 => {
                let raw = bytes(reader, tag, "metadata.timestamp")?;
                unknown_fields |= read_time(raw, "metadata.timestamp", &mut metadata.timestamp)?;
            }
            8 => {
                let raw = bytes(reader, tag, "metadata.expiration")?;
                unknown_fields |= read_time(raw, "metadata.expiration", &mut metadata.expiration)?;
            }
            9 => metadata.message_id = text(reader, tag, "metadata.message_id")?,
            _ => {
                reader.skip(tag)?;
                unknown_fields = true;
            }
        }
    }
    Ok(unknown_fields)
}

/// Merges one occurrence of a `google.protobuf.Timestamp` into earlier ones; whether it has
/// unknown fields.
fn read_time(raw: &[u8], field: &'static str, time: &mut RawTime<'_>) -> Result<bool, Fault> {
    let (mut seconds, mut nanos) = match *time {
        RawTime::Parts { seconds, nanos } => (seconds, nanos),
        RawTime::Absent | RawTime::Text(_) => (0, 0),
    };
    let mut reader = Reader::new(raw);
    let mut unknown_fields = false;
    while let Some(tag) = reader.tag()? {
        match tag.field {
            1 => seconds = varint(&mut reader, tag, field)?.cast_signed(),
            // An int32 is written with 64 bits, of which the lower 32 count.
            2 => {
                let lower = varint(&mut reader, tag, field)? & u64::from(u32::MAX);
                nanos = u32::try_from(lower).unwrap_or_default().cast_signed();
            }
            _ => {
                reader.skip(tag)?;
                unknown_fields = true;
            }
        }
    }
    *time = RawTime::Parts { seconds, nanos };
    Ok(unknown_fields)
}

/// Reads one record.
pub(super) fn row<'a>(raw: &'a [u8], arena: &'a Bump) -> Result<Row<'a>, Reject> {
    read_row(raw, arena)
        .map_err(|fault| fault.reject(Rejection::MalformedRecord, "the record", raw.len()))
}

fn read_row<'a>(raw: &'a [u8], arena: &'a Bump) -> Result<Row<'a>, Fault> {
    let mut row = Row::default();
    let mut reader = Reader::new(raw);
    while let Some(tag) = reader.tag()? {
        let reader = &mut reader;
        match tag.field {
            1 => row.local_address = text(reader, tag, "local_address")?,
            2 => row.remote_address = text(reader, tag, "remote_address")?,
            3 => row.protocol = text(reader, tag, "protocol")?,
            4 => row.state = text(reader, tag, "state")?,
            5 => row.process_id = process_id(varint(reader, tag, "process_id")?, arena),
            6 => row.process_name = text(reader, tag, "process_name")?,
            7 => row.service = text(reader, tag, "service")?,
            _ => {
                reader.skip(tag)?;
                row.unknown_fields = true;
            }
        }
    }
    Ok(row)
}

/// A process id. Agents whose schema has an int32 there write a negative number with 64 bits:
/// -1 is their "unknown", and the others are told as they were meant.
fn process_id(id: u64, arena: &Bump) -> ProcessId<'_> {
    match (u32::try_from(id), id.cast_signed()) {
        (Ok(id), _) => ProcessId::Number(id),
        (Err(_), -1) => ProcessId::Absent,
        (Err(_), signed) => ProcessId::Invalid(arena.alloc_str(&signed.to_string())),
    }
}

#[inline]
fn text<'a>(reader: &mut Reader<'a>, tag: Tag, field: &'static str) -> Result<&'a str, Fault> {
    let bytes = bytes(reader, tag, field)?;
    std::str::from_utf8(bytes).map_err(|_| fault(reader, field, "is not UTF-8"))
}

#[inline]
fn bytes<'a>(reader: &mut Reader<'a>, tag: Tag, field: &'static str) -> Result<&'a [u8], Fault> {
    if tag.wire != WireType::Bytes {
        return Err(fault(reader, field, "has the wrong wire type"));
    }
    Ok(reader.bytes()?)
}

#[inline]
fn varint(reader: &mut Reader<'_>, tag: Tag, field: &'static str) -> Result<u64, Fault> {
    if tag.wire != WireType::Varint {
        return Err(fault(reader, field, "has the wrong wire type"));
    }
    Ok(reader.varint()?)
}

#[cold]
fn fault(reader: &Reader<'_>, field: &'static str, what: &'static str) -> Fault {
    let Malformed { what, rest } = reader.malformed(what);
    Fault {
        field: Some(field),
        what,
        rest,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message as _;

    use super::*;
    use crate::proto::server;

    /// The envelope as prost reads it, with records as bytes.
    #[derive(Clone, PartialEq, prost::Message)]
    struct Oracle {
        #[prost(message, optional, tag = "1")]
        metadata: Option<server::Metadata>,
        #[prost(bytes = "vec", repeated, tag = "2")]
        data: Vec<Vec<u8>>,
    }

    fn field(number: u32, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        crate::pipeline::wire::push_bytes(&mut out, number, bytes);
        out
    }

    fn fault<T>(read: Result<T, Reject>) -> (&'static str, Option<&'static str>) {
        let reject = read.map(|_| ()).unwrap_err();
        (reject.reason.name(), reject.field)
    }

    #[test]
    fn an_empty_record_has_nothing() {
        let arena = Bump::new();
        assert_eq!(row(&[], &arena).unwrap(), Row::default());
    }

    #[test]
    fn process_ids_of_agents_with_other_integers() {
        let arena = Bump::new();
        for (varint, expected) in [
            (&[0x00][..], ProcessId::Number(0)),
            (&[0xEC, 0x09], ProcessId::Number(1260)),
            (&[0xFF, 0xFF, 0xFF, 0xFF, 0x0F], ProcessId::Number(u32::MAX)),
            (
                &[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1],
                ProcessId::Absent,
            ),
            (
                &[0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1],
                ProcessId::Invalid("-2"),
            ),
            (
                &[0x80, 0x80, 0x80, 0x80, 0x10],
                ProcessId::Invalid("4294967296"),
            ),
        ] {
            let raw = [&[0x28], varint].concat();
            let arena = &arena;
            assert_eq!(row(arena.alloc(raw), arena).unwrap().process_id, expected);
        }
    }

    #[test]
    fn a_record_says_what_is_wrong_with_it() {
        let arena = &Bump::new();
        let raws: [(Vec<u8>, _); 6] = [
            (field(1, b"\xFF"), Some("local_address")),
            (vec![0x08, 1], Some("local_address")),
            (field(5, b"1"), Some("process_id")),
            (vec![0x3D, 0, 0, 0, 0], Some("service")),
            (vec![0x0A, 9, b'a'], None),
            (vec![0x00, 0], None),
        ];
        for (raw, field) in raws {
            let reject = fault(row(arena.alloc(raw), arena));
            assert_eq!(reject, ("malformed_record", field));
        }
        let known = field(4, b"LISTEN");
        let raw = [&field(8, b"\xFF"), &known[..], &[0x4B, 0x08, 1, 0x4C]].concat();
        let row = row(&raw, arena).unwrap();
        assert!(row.unknown_fields);
        assert_eq!(row.state, "LISTEN");
    }

    #[test]
    fn metadata_are_merged_and_each_occurrence_is_kept() {
        let first = server::Metadata {
            agent_id: "a".into(),
            project: "first".into(),
            automated: true,
            timestamp: Some(prost_types::Timestamp {
                seconds: 7,
                nanos: 1,
            }),
            ..Default::default()
        };
        let second = server::Metadata {
            project: "second".into(),
            timestamp: Some(prost_types::Timestamp {
                seconds: 0,
                nanos: 9,
            }),
            expiration: Some(prost_types::Timestamp::default()),
            ..Default::default()
        };
        let (first, second) = (first.encode_to_vec(), second.encode_to_vec());
        let body = [field(1, &first), field(2, b"r"), field(1, &second)].concat();
        let arena = Bump::new();
        let contents = contents(&body, 9, &arena).unwrap();
        let metadata = contents.metadata.unwrap();
        assert_eq!(metadata.raw, [&first[..], &second]);
        assert_eq!((metadata.agent_id, metadata.project), ("a", "second"));
        assert!(metadata.automated);
        assert_eq!(parts(metadata.timestamp), Some((7, 9)));
        assert_eq!(parts(metadata.expiration), Some((0, 0)), "an empty time");
        assert_eq!(contents.records, [b"r"]);
        assert!(!contents.unknown_fields);
    }

    fn parts(time: RawTime<'_>) -> Option<(i64, i32)> {
        match time {
            RawTime::Parts { seconds, nanos } => Some((seconds, nanos)),
            RawTime::Absent => None,
            RawTime::Text(text) => panic!("{text}"),
        }
    }

    #[test]
    fn unknown_fields_outside_of_records() {
        let arena = &Bump::new();
        let time = field(7, &[0x08, 1, 0x18, 1]);
        for (body, unknown_fields) in [
            (field(1, &[]), false),
            (field(2, &field(9, b"x")), false),
            ([field(1, &[]), field(3, b"x")].concat(), true),
            (field(1, &field(10, b"x")), true),
            (field(1, &time), true),
        ] {
            let contents = contents(arena.alloc(body), 9, arena).unwrap();
            assert_eq!(contents.unknown_fields, unknown_fields);
        }
    }

    #[test]
    fn a_message_says_what_is_wrong_with_it() {
        let arena = &Bump::new();
        for (body, at) in [
            (vec![0x0A, 9], None),
            (vec![0x08, 9], Some("metadata")),
            (vec![0x10, 9], Some("data")),
            (field(1, &[0x0A, 9]), None),
            (field(1, &field(6, b"\xFF")), Some("metadata.project")),
            (field(1, &field(3, b"")), Some("metadata.automated")),
            (field(1, &[0x38, 1]), Some("metadata.timestamp")),
            (field(1, &field(7, &[0x0A, 0])), Some("metadata.timestamp")),
            (field(1, &field(8, &[0x11])), Some("metadata.expiration")),
        ] {
            let reject = fault(contents(arena.alloc(body), 9, arena));
            assert_eq!(reject, ("malformed_protobuf", at));
        }
    }

    #[test]
    fn records_beyond_the_limit_are_counted_and_not_kept() {
        let arena = Bump::new();
        let body = [DATA_TAG, 0].repeat(5);
        let contents = contents(&body, 2, &arena).unwrap();
        assert_eq!((contents.records.len(), contents.record_count), (2, 5));
    }

    fn rows() -> impl Strategy<Value = server::NetworkConnectionIngestion> {
        let text = || "\\PC{0,8}";
        (text(), text(), text(), text(), any::<u32>(), text(), text()).prop_map(
            |(
                local_address,
                remote_address,
                protocol,
                state,
                process_id,
                process_name,
                service,
            )| {
                server::NetworkConnectionIngestion {
                    local_address,
                    remote_address,
                    protocol,
                    state,
                    process_id,
                    process_name,
                    service,
                }
            },
        )
    }

    fn metadata() -> impl Strategy<Value = server::Metadata> {
        let text = || "\\PC{0,8}";
        let time = || {
            let parts = (any::<i64>(), any::<i32>());
            let time = parts.prop_map(|(seconds, nanos)| prost_types::Timestamp { seconds, nanos });
            prop::option::of(time)
        };
        let texts = [text(), text(), text(), text(), text(), text()];
        (texts, any::<bool>(), time(), time()).prop_map(
            |(texts, automated, timestamp, expiration)| {
                let [agent_id, agent_type, data_type, source, project, message_id] = texts;
                server::Metadata {
                    agent_id,
                    agent_type,
                    automated,
                    data_type,
                    source,
                    project,
                    timestamp,
                    expiration,
                    message_id,
                }
            },
        )
    }

    /// Changes some bytes, or cuts the end off.
    fn spoiled(bytes: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
        let edit = (any::<prop::sample::Index>(), any::<u8>());
        let edits = prop::collection::vec(edit, 0..3);
        (bytes, edits, prop::option::of(any::<prop::sample::Index>())).prop_map(
            |(mut bytes, edits, cut)| {
                for (at, byte) in edits {
                    if !bytes.is_empty() {
                        let at = at.index(bytes.len());
                        bytes[at] = byte;
                    }
                }
                if let Some(cut) = cut {
                    bytes.truncate(cut.index(bytes.len() + 1));
                }
                bytes
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn rows_are_what_prost_makes_of_them(raw in spoiled(rows().prop_map(|it| it.encode_to_vec()))) {
            let arena = Bump::new();
            let oracle = server::NetworkConnectionIngestion::decode(&raw[..]);
            let row = row(&raw, &arena);
            prop_assert_eq!(row.is_ok(), oracle.is_ok(), "{:?} {:?}", row, oracle);
            if let (Ok(row), Ok(oracle)) = (row, oracle) {
                prop_assert_eq!(row.local_address, oracle.local_address);
                prop_assert_eq!(row.remote_address, oracle.remote_address);
                prop_assert_eq!(row.protocol, oracle.protocol);
                prop_assert_eq!(row.state, oracle.state);
                prop_assert_eq!(row.process_name, oracle.process_name);
                prop_assert_eq!(row.service, oracle.service);
                match row.process_id {
                    ProcessId::Number(id) => prop_assert_eq!(id, oracle.process_id),
                    ProcessId::Absent => prop_assert!([0, u32::MAX].contains(&oracle.process_id)),
                    ProcessId::Invalid(_) => {}
                }
            }
        }

        #[test]
        fn messages_are_what_prost_makes_of_them(
            body in spoiled((prop::option::of(metadata()), prop::collection::vec(rows(), 0..3)).prop_map(
                |(metadata, data)| server::NetworkConnectionIngestionMessage { metadata, data }
                    .encode_to_vec(),
            )),
        ) {
            let arena = Bump::new();
            let oracle = Oracle::decode(&body[..]);
            let contents = contents(&body, 9, &arena);
            prop_assert_eq!(contents.is_ok(), oracle.is_ok(), "{:?} {:?}", contents, oracle);
            if let (Ok(contents), Ok(oracle)) = (contents, oracle) {
                prop_assert_eq!(contents.records, oracle.data);
                prop_assert_eq!(contents.metadata.is_some(), oracle.metadata.is_some());
                if let (Some(ours), Some(theirs)) = (contents.metadata, oracle.metadata) {
                    prop_assert_eq!(ours.agent_id, theirs.agent_id);
                    prop_assert_eq!(ours.agent_type, theirs.agent_type);
                    prop_assert_eq!(ours.automated, theirs.automated);
                    prop_assert_eq!(ours.data_type, theirs.data_type);
                    prop_assert_eq!(ours.source, theirs.source);
                    prop_assert_eq!(ours.project, theirs.project);
                    prop_assert_eq!(ours.message_id, theirs.message_id);
                    let both = |time: prost_types::Timestamp| (time.seconds, time.nanos);
                    prop_assert_eq!(parts(ours.timestamp), theirs.timestamp.map(both));
                    prop_assert_eq!(parts(ours.expiration), theirs.expiration.map(both));
                }
            }
        }
    }
}
