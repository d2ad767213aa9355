//! What the core gives back for one message: encoded events and dead letters, in one reused
//! buffer, and the counts that metrics are made of.

use std::ops::Range;

use super::code::{Level, Reason, Rejection, Warning, Warnings};
use super::dead_letter::header_bytes;
use super::enrich::{Enrichment, Enrichments};
use super::message::{Header, Input};
use super::reject::Reject;
use super::settings::Format;
use super::{HandOn, MAX_KEPT_BYTES};

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

/// One rejected message or record: a value that is a valid message again, and headers that say
/// why it is here.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    /// Why.
    pub reject: Reject,
    /// Which record; absent when the whole message was rejected.
    pub record: Option<RejectedRecord>,
    /// The size that the value had before it was cut to what the topic takes.
    pub truncated_from: Option<usize>,
    /// What it still has of the source message beside the value.
    pub(super) keeps: Keeps,
    /// The headers that netsieve adds.
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) value: Range<usize>,
}

/// What a dead letter keeps of the source message beside the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keeps {
    /// Key and headers.
    All,
    /// The key; the headers alone were too large.
    Key,
    /// Neither; the key alone was too large.
    Nothing,
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
        clear(&mut self.bytes);
        clear(&mut self.events);
        clear(&mut self.dead_letters);
    }

    /// Hands itself on and forgets it all, once it has that many bytes. False when that was to
    /// stop.
    pub(super) fn hand_on_from(&mut self, bytes: usize, hand_on: HandOn<'_>) -> bool {
        if self.bytes.len() < bytes {
            return true;
        }
        let goes_on = hand_on(self);
        self.clear();
        goes_on
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

    /// The dead letters: first those of records that could not be read, then those of records
    /// that were refused afterwards, each in the order of the records.
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

/// Clears a buffer, and gives its memory back where it is much.
fn clear<T>(buffer: &mut Vec<T>) {
    if buffer.capacity() * size_of::<T>() > MAX_KEPT_BYTES {
        *buffer = Vec::new();
    } else {
        buffer.clear();
    }
}

/// The headers of the events of a message in a format: what the value is, and the trace that the
/// message belongs to (W3C Trace Context), passed through.
pub fn event_headers<'a>(format: Format, input: &Input<'a>) -> impl Iterator<Item = Header<'a>> {
    let own = [
        ("content-type", Some(format.content_type().as_bytes())),
        ("netsieve.schema", Some(format.schema().as_bytes())),
    ];
    let is_trace = |(name, _): &Header<'_>| {
        ["traceparent", "tracestate"]
            .iter()
            .any(|trace| name.eq_ignore_ascii_case(trace))
    };
    own.into_iter()
        .chain(input.headers.iter().copied().filter(is_trace))
}

/// An upper bound of the size of those headers, whatever the format.
pub(super) fn event_header_bytes(input: &Input<'_>) -> usize {
    let of = |format| event_headers(format, input).map(header_bytes).sum();
    Format::ALL.iter().copied().map(of).max().unwrap_or(0)
}

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
    /// By output; only as long as was needed.
    routed: Vec<u64>,
    rejections: [u64; Rejection::ALL.len()],
    promoted: [[u64; Warning::ALL.len()]; Level::ALL.len()],
    warnings: [u64; Warning::ALL.len()],
    enrichment_failures: [u64; Enrichment::ALL.len()],
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
            routed: Vec::new(),
            rejections: [0; Rejection::ALL.len()],
            promoted: [[0; Warning::ALL.len()]; Level::ALL.len()],
            warnings: [0; Warning::ALL.len()],
            enrichment_failures: [0; Enrichment::ALL.len()],
        }
    }
}

impl Tally {
    /// How often a reason rejected a message or a record.
    pub fn rejected(&self, reason: Reason) -> u64 {
        let at = |level: &Level| self.rejected_at(*level, reason);
        Level::ALL.iter().map(at).sum()
    }

    /// How often a reason rejected a message, or how often a record.
    pub fn rejected_at(&self, level: Level, reason: Reason) -> u64 {
        let count = match reason {
            Reason::Rejection(code) if code.level() == level => self.rejections.get(code as usize),
            Reason::Rejection(_) => None,
            Reason::Promoted(code) => {
                let of_level = self.promoted.get(level as usize);
                of_level.and_then(|counts| counts.get(code as usize))
            }
        };
        count.copied().unwrap_or_default()
    }

    /// How many events an output took; it is an index of
    /// [`Settings::outputs`](super::settings::Settings::outputs).
    pub fn routed(&self, output: usize) -> u64 {
        self.routed.get(output).copied().unwrap_or_default()
    }

    /// One that has counted nothing but messages and what each output took.
    #[cfg(test)]
    pub(crate) fn of_routes(messages: u64, routed: &[u64]) -> Self {
        Self {
            messages,
            routed: routed.to_vec(),
            ..Self::default()
        }
    }

    pub(super) fn count_routed(&mut self, output: usize) {
        if self.routed.len() <= output {
            self.routed.resize(output + 1, 0);
        }
        if let Some(count) = self.routed.get_mut(output) {
            *count += 1;
        }
    }

    /// How many events carry a warning.
    pub fn warned(&self, warning: Warning) -> u64 {
        self.warnings
            .get(warning as usize)
            .copied()
            .unwrap_or_default()
    }

    /// How many events an enrichment failed on.
    pub fn failed(&self, enrichment: Enrichment) -> u64 {
        let known = Enrichment::ALL.iter().zip(&self.enrichment_failures);
        let mut known = known.filter(|(of, _)| **of == enrichment);
        known.next().map_or(0, |(_, count)| *count)
    }

    pub(super) fn count_failures(&mut self, failures: Enrichments) {
        let all = Enrichment::ALL.iter().zip(&mut self.enrichment_failures);
        for (_, count) in all.filter(|(of, _)| failures.has(**of)) {
            *count += 1;
        }
    }

    pub(super) fn count_rejection(&mut self, level: Level, reason: Reason) {
        let count = match reason {
            Reason::Rejection(code) => self.rejections.get_mut(code as usize),
            Reason::Promoted(code) => {
                let of_level = self.promoted.get_mut(level as usize);
                of_level.and_then(|counts| counts.get_mut(code as usize))
            }
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
