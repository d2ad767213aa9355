//! Dead letters: what was rejected, as a message that can be produced again as it stands, with
//! headers that say where it was, why it was rejected, and how it may be found again.

use super::code::{Level, Rejection};
use super::decode::rebuild;
use super::emit::{DeadLetter, Emitted, Keeps, RejectedRecord};
use super::message::{Envelope, Header, Input};
use super::reject::Reject;
use super::settings::Settings;

/// Header of the ordinal among equal records; on input it sets where ordinals start.
pub const ORDINAL_HEADER: &str = "netsieve.ordinal";
/// Header that counts how often something was tried; a replay counts it up.
pub const ATTEMPT_HEADER: &str = "netsieve.attempt";

/// The names of all headers that netsieve adds to dead letters. Those that begin with
/// `__connect.errors` are Kafka Connect's own, so that tools that know them show them.
pub const HEADER_NAMES: [&str; 14] = [
    "__connect.errors.topic",
    "__connect.errors.partition",
    "__connect.errors.offset",
    "__connect.errors.stage",
    "__connect.errors.exception.class.name",
    "__connect.errors.exception.message",
    "netsieve.reason",
    "netsieve.field",
    "netsieve.record_index",
    "netsieve.record_count",
    ORDINAL_HEADER,
    ATTEMPT_HEADER,
    "netsieve.version",
    TRUNCATED_HEADER,
];

/// Header of a dead letter that was cut: the size of the whole value, in bytes.
pub const TRUNCATED_HEADER: &str = "netsieve.truncated";

/// Bytes that a Kafka record and its batch need beside key, value and headers: the batch's
/// header of 61 bytes and the record's varints.
pub(super) const RECORD_OVERHEAD_BYTES: usize = 128;
/// Bytes that one header needs beside its key and value: two varints.
const HEADER_OVERHEAD_BYTES: usize = 10;

/// An upper bound of the size of a Kafka record in a batch of its own, which is what
/// `max.message.bytes` limits.
pub(crate) fn record_bytes<'h>(
    key: Option<&[u8]>,
    value_len: usize,
    headers: impl Iterator<Item = Header<'h>>,
) -> usize {
    let headers: usize = headers.map(header_bytes).sum();
    RECORD_OVERHEAD_BYTES + key.map_or(0, <[u8]>::len) + value_len + headers
}

/// An upper bound of the size of a header in a Kafka record.
pub(super) fn header_bytes((name, value): Header<'_>) -> usize {
    HEADER_OVERHEAD_BYTES + name.len() + value.map_or(0, <[u8]>::len)
}

/// The number that a header of the source message carries, where it carries one.
pub(super) fn numeric_header(input: &Input<'_>, name: &str) -> Option<u32> {
    input.header(name)?.parse().ok()
}

impl DeadLetter {
    /// The headers of the dead letter: the source message's own, then netsieve's. Headers of
    /// netsieve's names that the source already had are replaced.
    pub fn headers<'a>(&'a self, input: &Input<'a>) -> impl Iterator<Item = Header<'a>> {
        let kept: &[Header<'a>] = match self.keeps {
            Keeps::All => input.headers,
            Keeps::Key | Keeps::Nothing => &[],
        };
        let kept = kept.iter().copied();
        kept.filter(|(name, _)| !HEADER_NAMES.contains(name)).chain(
            self.headers
                .iter()
                .map(|(name, value)| (*name, Some(value.as_bytes()))),
        )
    }

    /// The key of the dead letter: the source message's own.
    pub fn key<'a>(&self, input: &Input<'a>) -> Option<&'a [u8]> {
        match self.keeps {
            Keeps::All | Keeps::Key => input.key,
            Keeps::Nothing => None,
        }
    }
}

/// Adds the dead letter of a whole message: its own bytes, unchanged.
#[cold]
pub(super) fn push_message(
    out: &mut Emitted,
    input: &Input<'_>,
    settings: &Settings,
    reject: Reject,
) {
    out.tally.rejected_messages += 1;
    let start = out.bytes.len();
    out.bytes.extend_from_slice(input.value);
    push(out, input, settings, reject, None, start);
}

/// Adds the dead letter of one record: a message of that record alone.
#[cold]
pub(super) fn push_record(
    out: &mut Emitted,
    input: &Input<'_>,
    settings: &Settings,
    envelope: &Envelope<'_>,
    record: RejectedRecord,
    reject: Reject,
) {
    out.tally.rejected_records += 1;
    let start = out.bytes.len();
    let raw = envelope
        .records
        .get(record.index as usize)
        .copied()
        .unwrap_or_default();
    rebuild(envelope, raw, &mut out.bytes);
    push(out, input, settings, reject, Some(record), start);
}

fn push(
    out: &mut Emitted,
    input: &Input<'_>,
    settings: &Settings,
    reject: Reject,
    record: Option<RejectedRecord>,
    start: usize,
) {
    let level = match record {
        None => Level::Message,
        Some(_) => Level::Record,
    };
    out.tally.count_rejection(level, reject.reason);
    let mut letter = DeadLetter {
        headers: headers(input, &reject, record),
        reject,
        record,
        truncated_from: None,
        keeps: Keeps::All,
        value: start..out.bytes.len(),
    };
    truncate(&mut letter, input, settings.dead_letter_max_bytes);
    if letter.truncated_from.is_some() {
        out.tally.truncated += 1;
        out.bytes.truncate(letter.value.end);
    }
    out.dead_letters.push(letter);
}

/// Cuts the value to what fits beside key and headers; the headers say where the original is.
/// Where even these are too large, the source message's headers go, and then its key.
fn truncate(letter: &mut DeadLetter, input: &Input<'_>, max_bytes: usize) {
    let whole = letter.value.len();
    let size = |letter: &DeadLetter, value_len| {
        record_bytes(letter.key(input), value_len, letter.headers(input))
    };
    if size(letter, whole) <= max_bytes {
        return;
    }
    letter.truncated_from = Some(whole);
    letter.headers.push((TRUNCATED_HEADER, whole.to_string()));
    for keeps in [Keeps::All, Keeps::Key, Keeps::Nothing] {
        letter.keeps = keeps;
        if size(letter, 0) <= max_bytes {
            break;
        }
    }
    let room = max_bytes.saturating_sub(size(letter, 0));
    letter.value.end = letter.value.start + room.min(whole);
}

fn headers(
    input: &Input<'_>,
    reject: &Reject,
    record: Option<RejectedRecord>,
) -> Vec<(&'static str, String)> {
    let attempt = numeric_header(input, ATTEMPT_HEADER).unwrap_or(1);
    let reason = reject.reason.name();
    let mut headers = vec![
        ("__connect.errors.topic", input.topic.to_owned()),
        ("__connect.errors.partition", input.partition.to_string()),
        ("__connect.errors.offset", input.offset.to_string()),
        (
            "__connect.errors.stage",
            reject.reason.stage().name().to_owned(),
        ),
        ("__connect.errors.exception.class.name", reason.to_owned()),
        ("__connect.errors.exception.message", reject.message.clone()),
        ("netsieve.reason", reason.to_owned()),
    ];
    if let Some(field) = reject.field {
        headers.push(("netsieve.field", field.to_owned()));
    }
    if let Some(record) = record {
        headers.push(("netsieve.record_index", record.index.to_string()));
        headers.push(("netsieve.record_count", record.count.to_string()));
        headers.push((ORDINAL_HEADER, record.ordinal.to_string()));
    } else if let Some(ordinal) = numeric_header(input, ORDINAL_HEADER) {
        // A replayed record whose message is now rejected as a whole: its place is kept for the
        // next replay.
        headers.push((ORDINAL_HEADER, ordinal.to_string()));
    }
    headers.push((ATTEMPT_HEADER, attempt.to_string()));
    headers.push(("netsieve.version", env!("CARGO_PKG_VERSION").to_owned()));
    headers
}

/// The rejection of an event that is too large.
#[cold]
pub(super) fn event_too_large(bytes: usize, max_bytes: usize) -> Reject {
    Reject::new(
        Rejection::EventTooLarge,
        None,
        &format!("the event has {bytes} bytes, and its limit is {max_bytes}"),
    )
}
