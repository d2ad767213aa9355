//! What the core gives back for one message: encoded events and dead letters, in one reused
//! buffer, and the counts that metrics are made of.

use std::ops::Range;

use super::code::{Reason, Rejection, Warning, Warnings};
use super::message::Input;
use super::reject::Reject;
use super::settings::Format;

/// Events and dead letters of one message. It is reused: [`Emitted::clear`] forgets them and
/// keeps the memory.
#[derive(Debug, Default)]
pub struct Emitted {
    pub(super) bytes: Vec<u8>,
    pub(super) events: Vec<EventSlot>,
    pub(super) dead_letters: Vec<DeadLetter>,
    /// Counts since [`Tally::default`], over many messages.
    pub tally: Tally,
}

/// Where an event lies in the buffer.
#[derive(Clone, Debug)]
pub(super) struct EventSlot {
    pub(super) output: usize,
    pub(super) key: Range<usize>,
    pub(super) value: Range<usize>,
}

/// One encoded event, ready to be produced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'e> {
    /// Index of the output in [`Settings::outputs`](super::settings::Settings::outputs).
    pub output: usize,
    /// The Kafka key.
    pub key: Option<&'e [u8]>,
    /// The Kafka value.
    pub value: &'e [u8],
}

/// One rejected message or record.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    /// Why.
    pub reject: Reject,
    /// Which record; absent when the whole message was rejected.
    pub record: Option<RejectedRecord>,
    /// The size that the value had before it was cut to what the topic takes.
    pub truncated_from: Option<usize>,
    /// How often this was tried: 1, or what the source message's `netsieve.attempt` says.
    pub attempt: u32,
    pub(super) value: Range<usize>,
}

/// Which record of a message was rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RejectedRecord {
    /// Position in the message, from 0.
    pub index: u32,
    /// Number of records in the message.
    pub count: u32,
    /// Ordinal among equal records of the message.
    pub ordinal: u32,
}

impl Emitted {
    /// Forgets events and dead letters, keeps the tally and the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.events.clear();
        self.dead_letters.clear();
    }

    /// The events, in the order of their records.
    pub fn events(&self) -> impl ExactSizeIterator<Item = Event<'_>> {
        self.events.iter().map(|slot| {
            let key = self.slice(&slot.key);
            let key = (!key.is_empty()).then_some(key);
            Event {
                output: slot.output,
                key,
                value: self.slice(&slot.value),
            }
        })
    }

    /// The dead letters, in the order of their records.
    pub fn dead_letters(&self) -> impl ExactSizeIterator<Item = &DeadLetter> {
        self.dead_letters.iter()
    }

    /// The Kafka value of a dead letter of this message.
    pub fn dead_letter_value(&self, letter: &DeadLetter) -> &[u8] {
        self.slice(&letter.value)
    }

    fn slice(&self, range: &Range<usize>) -> &[u8] {
        self.bytes.get(range.clone()).unwrap_or_default()
    }
}

/// The headers of every event of an output: what its value is, and the trace it belongs to.
pub fn event_headers<'a>(format: Format, input: &Input<'a>) -> Vec<(&'a str, &'a [u8])> {
    let mut headers: Vec<(&'a str, &'a [u8])> = vec![
        ("content-type", format.content_type().as_bytes()),
        ("netsieve.schema", EVENT_SCHEMA.as_bytes()),
    ];
    for (key, value) in input.headers {
        if let Some(value) = value
            && ["traceparent", "tracestate"]
                .iter()
                .any(|name| key.eq_ignore_ascii_case(name))
        {
            headers.push((key, value));
        }
    }
    headers
}

/// The schema's name in the `netsieve.schema` header.
pub const EVENT_SCHEMA: &str = "netsieve.v1.Event";

/// Counts of what came in and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Messages taken in.
    pub messages: u64,
    /// Messages rejected as a whole.
    pub rejected_messages: u64,
    /// Records found in messages that were not rejected as a whole.
    pub records: u64,
    /// Records rejected by themselves.
    pub rejected_records: u64,
    /// Events that matched no output.
    pub unrouted: u64,
    /// Dead letters whose value was cut to what the topic takes.
    pub truncated: u64,
    rejections: [u64; Rejection::ALL.len()],
    promoted: [u64; Warning::ALL.len()],
    warnings: [u64; Warning::ALL.len()],
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            messages: 0,
            rejected_messages: 0,
            records: 0,
            rejected_records: 0,
            unrouted: 0,
            truncated: 0,
            rejections: [0; Rejection::ALL.len()],
            promoted: [0; Warning::ALL.len()],
            warnings: [0; Warning::ALL.len()],
        }
    }
}

impl Tally {
    /// How often a reason rejected a message or a record.
    pub fn rejected(&self, reason: Reason) -> u64 {
        let count = match reason {
            Reason::Rejection(code) => self.rejections.get(code as usize),
            Reason::Promoted(code) => self.promoted.get(code as usize),
        };
        count.copied().unwrap_or_default()
    }

    /// How many events carry a warning.
    pub fn warned(&self, warning: Warning) -> u64 {
        self.warnings
            .get(warning as usize)
            .copied()
            .unwrap_or_default()
    }

    pub(super) fn count_rejection(&mut self, reason: Reason) {
        let count = match reason {
            Reason::Rejection(code) => self.rejections.get_mut(code as usize),
            Reason::Promoted(code) => self.promoted.get_mut(code as usize),
        };
        if let Some(count) = count {
            *count += 1;
        }
    }

    pub(super) fn count_warnings(&mut self, warnings: Warnings) {
        for warning in warnings.iter() {
            if let Some(count) = self.warnings.get_mut(warning as usize) {
                *count += 1;
            }
        }
    }
}
