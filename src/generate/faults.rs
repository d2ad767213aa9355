//! What is wrong with bad messages and bad records: every rejection that can occur, each made in
//! the ways that it comes about.

use super::Carrier;
use super::message::{Draft, Entry, Quirk, Time, delimited};
use super::rng::Rng;
use super::spellings::Row;
use crate::pipeline::code::Rejection;
use crate::pipeline::message::Encoding;

/// A fault of a whole message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MessageFault {
    Empty,
    Blank,
    /// The whole value above 16 MiB.
    ValueTooLarge,
    /// Metadata above 64 KiB.
    MetadataTooLarge,
    UnknownFormat,
    /// The bytes end early, or a value has the wrong type.
    Malformed,
    /// More than 100,000 records.
    BatchTooLarge,
    MissingMetadata,
    MissingProject,
    MissingAgentId,
    MissingTimestamp,
    InvalidTimestamp,
    InvalidExpiration,
}

/// The message faults that can occur in an encoding on a carrier.
pub(super) fn of_messages(
    encoding: Encoding,
    carrier: Carrier,
    oversized: bool,
) -> Vec<MessageFault> {
    use MessageFault as Fault;
    let mut faults = vec![
        Fault::Empty,
        Fault::Malformed,
        Fault::MissingMetadata,
        Fault::MissingProject,
        Fault::MissingAgentId,
        Fault::MissingTimestamp,
        Fault::InvalidTimestamp,
        Fault::InvalidExpiration,
    ];
    if encoding == Encoding::Json {
        faults.push(Fault::Blank);
    }
    match carrier {
        Carrier::Kafka => faults.push(Fault::UnknownFormat),
        // No topic takes a record of that size.
        Carrier::File if oversized => faults.push(Fault::ValueTooLarge),
        Carrier::File => {}
    }
    if oversized {
        faults.extend([Fault::MetadataTooLarge, Fault::BatchTooLarge]);
    }
    faults
}

impl MessageFault {
    /// The rejection that the fault must lead to.
    pub(super) fn rejection(self, encoding: Encoding) -> Rejection {
        match self {
            Self::Empty | Self::Blank => Rejection::EmptyMessage,
            Self::ValueTooLarge | Self::MetadataTooLarge => Rejection::MessageTooLarge,
            Self::UnknownFormat => Rejection::UnknownFormat,
            Self::Malformed if encoding == Encoding::Json => Rejection::MalformedJson,
            Self::Malformed => Rejection::MalformedProtobuf,
            Self::BatchTooLarge => Rejection::BatchTooLarge,
            Self::MissingMetadata => Rejection::MissingMetadata,
            Self::MissingProject => Rejection::MissingProject,
            Self::MissingAgentId => Rejection::MissingAgentId,
            Self::MissingTimestamp => Rejection::MissingTimestamp,
            Self::InvalidTimestamp => Rejection::InvalidTimestamp,
            Self::InvalidExpiration => Rejection::InvalidExpiration,
        }
    }

    /// Spoils a draft, where the fault is one of content.
    pub(super) fn spoil(self, draft: &mut Draft, rng: &mut Rng) {
        let blank = |rng: &mut Rng| (*rng.pick(&["", " ", " \t"])).to_owned();
        match self {
            Self::MissingMetadata => {
                draft.metadata = None;
                // Without a record either, a protobuf message would have no bytes at all.
                if draft.entries.is_empty() {
                    draft.entries.push(Entry::default());
                }
            }
            Self::BatchTooLarge => draft.entries = vec![Entry::default(); 100_001],
            _ => {}
        }
        let Some(metadata) = &mut draft.metadata else {
            return;
        };
        match self {
            Self::MissingProject => metadata.project = blank(rng),
            Self::MissingAgentId => metadata.agent_id = blank(rng),
            Self::MissingTimestamp => metadata.timestamp = Time::Absent,
            Self::InvalidTimestamp => metadata.timestamp = invalid_time(rng),
            Self::InvalidExpiration => metadata.expiration = invalid_time(rng),
            Self::MetadataTooLarge => metadata.source = "x".repeat(70 << 10),
            _ => {}
        }
    }

    /// Spoils the bytes, where the fault is one of form.
    pub(super) fn corrupt(self, value: &mut Vec<u8>, encoding: Encoding, rng: &mut Rng) {
        match self {
            Self::Empty => value.clear(),
            Self::Blank => *value = b" \t ".to_vec(),
            Self::UnknownFormat => *value = rng.pick(UNKNOWN_FORMATS).to_vec(),
            Self::Malformed if encoding == Encoding::Json => {
                let whole = rng.below(1 + u32::try_from(WRONG_TYPES.len()).unwrap_or(0));
                match WRONG_TYPES.get(whole as usize) {
                    Some(text) => *value = text.as_bytes().to_vec(),
                    None => value.truncate(value.trim_ascii_end().len() - 1),
                }
            }
            Self::Malformed => {
                // The last field has fewer bytes than it says.
                delimited(2, b"cut short", value);
                value.truncate(value.len() - 1 - rng.below(8) as usize);
            }
            Self::ValueTooLarge if encoding == Encoding::Json => {
                value.resize((16 << 20) + 1, b' ');
            }
            Self::ValueTooLarge => delimited(99, &vec![0; 16 << 20], value),
            _ => {}
        }
    }
}

fn invalid_time(rng: &mut Rng) -> Time {
    *rng.pick(&[
        Time::Invalid("yesterday", i64::MAX, 0),
        Time::Invalid("2026-13-01T00:00:00Z", 253_402_300_800, 0),
        Time::Invalid("2026-02-30T00:00:00Z", 1_767_600_000, -1),
        Time::Invalid("2026-01-05T25:00:00", 1_767_600_000, 1_000_000_000),
    ])
}

/// Neither JSON nor protobuf: what a tool printed, sent as it is, or bytes of something else.
const UNKNOWN_FORMATS: &[&[u8]] = &[
    b"Active Internet connections (servers and established)\n",
    b"Proto  Local Address          Foreign Address        State           PID\r\n",
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR",
    b"\xFF\xFE{\x00\"\x00m\x00",
];

/// JSON that is no message: a value of the wrong type in the envelope or the metadata.
const WRONG_TYPES: &[&str] = &[
    r#"{"metadata":"none","data":[]}"#,
    r#"{"metadata":{"project":5,"agent_id":"a","timestamp":"2026-01-05T08:00:00Z"},"data":[]}"#,
    r#"{"metadata":{"project":"P","agent_id":["a"],"timestamp":"2026-01-05T08:00:00Z"},"data":[]}"#,
    r#"{"metadata":{"project":"P","agent_id":"a","timestamp":"2026-01-05T08:00:00Z"},"data":7}"#,
    r#"{"metadata":{"project":"P",,"agent_id":"a"},"data":[]}"#,
];

/// The record faults that can occur in an encoding.
pub(super) fn of_records(encoding: Encoding, oversized: bool) -> Vec<Rejection> {
    let mut faults = vec![
        Rejection::MalformedRecord,
        Rejection::MissingLocalAddress,
        Rejection::MissingProtocol,
        Rejection::InvalidProtocol,
        Rejection::InvalidLocalAddress,
        Rejection::InvalidRemoteAddress,
        Rejection::AddressProtocolMismatch,
    ];
    if encoding == Encoding::Json {
        faults.push(Rejection::InvalidProcessId);
    }
    if oversized {
        faults.push(Rejection::FieldTooLong);
    }
    faults
}

const BAD_ADDRESSES: &[&str] = &[
    "256.1.1.1:80",
    "10.0.0.1:99999",
    "10.0.0.01:80",
    "10.0.1:80",
    "10.0.0.1:-1",
    "[::1:80",
    "[fe80::1]]:80",
    "2001:db8:::1:80",
    "a b:80",
    "example.5:80",
];

const MALFORMED_JSON_RECORDS: &[&str] = &[
    "42",
    "\"tcp 10.0.0.1:80\"",
    "[\"10.0.0.1:80\"]",
    r#"{"local_address":80,"protocol":"tcp,ipv4"}"#,
    r#"{"local_address":"10.0.0.1:80","protocol":["tcp","ipv4"]}"#,
    r#"{"local_address":"10.0.0.1:80","protocol":"tcp,ipv4","process_id":true}"#,
    r#"{"local_address":"10.0.0.1:80","protocol":"tcp,ipv4","process_name":{"name":"x"}}"#,
];

fn pick(rng: &mut Rng, choices: &[&'static str]) -> &'static str {
    rng.pick::<&'static str>(choices)
}

/// A record that must be rejected with that code.
pub(super) fn record(rejection: Rejection, encoding: Encoding, rng: &mut Rng) -> Entry {
    let mut row = Row {
        local: "172.16.111.218:52279".to_owned(),
        remote: "172.16.111.171:80".to_owned(),
        protocol: "tcp,ipv4".to_owned(),
        state: "ESTABLISHED".to_owned(),
        pid: Some(1_260),
        process: "program.exe".to_owned(),
        service: String::new(),
    };
    let mut quirk = Quirk::None;
    let text = |choices, rng: &mut Rng| pick(rng, choices).to_owned();
    match (rejection, encoding) {
        (Rejection::MalformedRecord, Encoding::Json) => {
            quirk = Quirk::Json(pick(rng, MALFORMED_JSON_RECORDS));
        }
        (Rejection::MalformedRecord, Encoding::Protobuf) => {
            quirk = *rng.pick(&[Quirk::Cut, Quirk::BadText]);
        }
        (Rejection::MissingLocalAddress, _) => row.local = text(&["", "  ", "-"], rng),
        (Rejection::MissingProtocol, _) => row.protocol = text(&["", " ", "\t"], rng),
        (Rejection::InvalidProtocol, _) => {
            row.protocol = text(&["tcp,,ipv4", ",tcp", "tcp,ipv4,", "tcp,ip\u{1}v4"], rng);
        }
        (Rejection::InvalidLocalAddress, _) => row.local = text(BAD_ADDRESSES, rng),
        (Rejection::InvalidRemoteAddress, _) => row.remote = text(BAD_ADDRESSES, rng),
        (Rejection::AddressProtocolMismatch, _) => {
            row.protocol = text(&["tcp,ipv4", "tcp,ipv4,ethernet"], rng);
            "80,10.0.0.1,00-0D-3A-13-E3-69,extra".clone_into(&mut row.local);
        }
        (Rejection::InvalidProcessId, _) => {
            quirk = Quirk::ProcessId(pick(rng, &["1.5", "4294967296", "-2", "\"abc\""]));
        }
        (Rejection::FieldTooLong, _) => row.process = "x".repeat((32 << 10) + 1),
        _ => {}
    }
    Entry { row, quirk }
}
