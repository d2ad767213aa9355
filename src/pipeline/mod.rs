//! The core: the bytes and coordinates of one message in, encoded events and dead letters out.
//!
//! It is pure. The same input and settings give the same output bytes, whoever calls it and
//! whenever: there is no clock, no randomness, no file and no Kafka in here, and no panic.
//! [`process`] is the whole way, and the modules stand in the order of the way:
//!
//! 1. [`decode`]: bytes to an envelope, each record still as its own bytes;
//! 2. [`validate`]: what must be present in the message;
//! 3. [`normalize`]: one record's text to canonical values;
//! 4. [`identity`]: the ids of the record;
//! 5. [`enrich`]: what the whole message tells about each record;
//! 6. [`filter`] and [`encode`]: the outputs that take an event, and its bytes for them;
//! 7. [`dead_letter`]: what was rejected on the way, as a message that can be sent again.
//!
//! [`explain`] goes the way again for a person who asks how an answer was reached.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)
)]

pub mod code;
pub mod dead_letter;
pub mod decode;
pub mod emit;
pub mod encode;
pub mod enrich;
pub mod explain;
pub mod filter;
pub mod identity;
pub mod message;
pub mod normalize;
mod promoted;
pub mod record;
pub mod reject;
mod route;
pub mod settings;
pub mod time;
pub mod validate;
mod wire;

use bumpalo::Bump;
use bumpalo::collections::Vec as ArenaVec;

use dead_letter::{ORDINAL_HEADER, numeric_header};
use emit::{Emitted, RejectedRecord};
use encode::Encoders;
use identity::{MessageIdentity, Seen};
use message::{Envelope, Input, Metadata};
use record::Record;
use reject::Reject;
use settings::Settings;

/// Memory that is reused from message to message: one per worker.
#[derive(Debug, Default)]
pub struct Workspace {
    arena: Bump,
    seen: Seen,
    tables: enrich::Tables,
    encoders: Encoders,
}

/// Above this a buffer is given back after a message rather than kept, so that one huge message
/// does not hold its memory for ever.
const MAX_KEPT_BYTES: usize = 16 << 20;

/// Where portions go; false stops the message.
pub type HandOn<'f> = &'f mut dyn FnMut(&Emitted) -> bool;

/// Turns one message into events and dead letters: every record of it becomes one or the other.
///
/// `out` is cleared first; its tally goes on counting.
pub fn process(
    input: &Input<'_>,
    settings: &Settings,
    workspace: &mut Workspace,
    out: &mut Emitted,
) {
    process_in_portions(input, settings, workspace, out, usize::MAX, &mut |_| true);
}

/// Like [`process`], in bounded memory: each event and each dead letter repeats the message's
/// metadata, so that what comes out of a message may be thousands of times its size. Whenever
/// `out` has grown to `portion_bytes`, it is handed on and cleared; the last portion stays in it.
/// False when `hand_on` has stopped it.
pub fn process_in_portions(
    input: &Input<'_>,
    settings: &Settings,
    workspace: &mut Workspace,
    out: &mut Emitted,
    portion_bytes: usize,
    hand_on: HandOn<'_>,
) -> bool {
    out.clear();
    out.tally.messages += 1;
    workspace.reset();
    let Workspace {
        arena,
        seen,
        tables,
        encoders,
    } = workspace;

    let (envelope, metadata) = match open(input, settings, arena) {
        Ok(opened) => opened,
        Err(reject) => {
            dead_letter::push_message(out, input, settings, reject);
            return true;
        }
    };
    let count = u32::try_from(envelope.records.len()).unwrap_or(u32::MAX);
    out.tally.records += u64::from(count);
    let first_ordinal = numeric_header(input, ORDINAL_HEADER).unwrap_or(0);
    let identity = MessageIdentity::new(&metadata, first_ordinal, count == 1, seen);

    let mut records = ArenaVec::with_capacity_in(envelope.records.len(), arena);
    for (index, raw) in (0..).zip(envelope.records) {
        match read(index, raw, &envelope, settings, arena) {
            Ok(record) => records.push(record),
            Err(reject) => {
                let ordinal = identity.ordinal_of_bytes(raw, seen);
                let record = RejectedRecord {
                    index,
                    count,
                    ordinal,
                };
                dead_letter::push_record(out, input, settings, &envelope, record, reject);
                if !out.hand_on_from(portion_bytes, hand_on) {
                    return false;
                }
            }
        }
    }

    let facts = enrich::message(&records, &settings.enrich, tables, arena);
    let message = encode::MessageFacts::new(input, &envelope, &metadata);
    for (record, facts) in records.iter().zip(&facts) {
        let event = encode::Event::new(record, facts, identity.of(record, seen), &message);
        let routed = refuse_promoted(record, settings)
            .and_then(|()| route::push_event(&event, &message, settings, encoders, out));
        if let Err(reject) = routed {
            let ordinal = event.identity.ordinal;
            let record = RejectedRecord {
                index: record.index,
                count,
                ordinal,
            };
            dead_letter::push_record(out, input, settings, &envelope, record, reject);
        }
        if !out.hand_on_from(portion_bytes, hand_on) {
            return false;
        }
    }
    true
}

/// Takes the message apart and judges it as a whole.
fn open<'a>(
    input: &Input<'a>,
    settings: &Settings,
    arena: &'a Bump,
) -> Result<(Envelope<'a>, Metadata<'a>), Reject> {
    let envelope = decode::envelope(input, settings, arena)?;
    let metadata = validate::metadata(&envelope, input)?;
    if let Some(warning) = metadata
        .warnings
        .intersection(settings.reject)
        .iter()
        .next()
    {
        return Err(promoted::of_message(warning, &metadata));
    }
    Ok((envelope, metadata))
}

/// Reads one record: its own bytes to canonical values.
fn read<'a>(
    index: u32,
    raw: &'a [u8],
    envelope: &Envelope<'a>,
    settings: &Settings,
    arena: &'a Bump,
) -> Result<Record<'a>, Reject> {
    let row = decode::row(envelope.encoding, raw, arena)?;
    normalize::record(index, row, &settings.limits, arena)
}

fn refuse_promoted(record: &Record<'_>, settings: &Settings) -> Result<(), Reject> {
    match record.warnings.intersection(settings.reject).iter().next() {
        Some(warning) => Err(promoted::of_record(warning, record)),
        None => Ok(()),
    }
}

/// The time that the message itself says it was sent, in milliseconds since 1970: what stands
/// for the Kafka record's timestamp where there is no Kafka.
pub fn message_timestamp_ms(input: &Input<'_>, settings: &Settings) -> Option<i64> {
    let arena = Bump::new();
    let envelope = decode::envelope(input, settings, &arena).ok()?;
    let time = validate::metadata(&envelope, input).ok()?.observed_at;
    Some(time.seconds * 1_000 + i64::from(time.nanos / 1_000_000))
}

impl Workspace {
    fn reset(&mut self) {
        self.encoders.begin_message();
        self.seen.begin_message();
        if self.arena.allocated_bytes() > MAX_KEPT_BYTES {
            self.arena = Bump::new();
        } else {
            self.arena.reset();
        }
    }
}
