//! An event to every output that it matches.

use std::ops::Range;

use super::dead_letter::{RECORD_OVERHEAD_BYTES, event_too_large};
use super::emit::{Emitted, EventSlot};
use super::encode::{Encoders, Event, MessageFacts, push_uuid};
use super::reject::Reject;
use super::settings::{Format, Key, Output, Settings};

/// Encodes an event once for each format that is asked for, and notes it for each output that
/// it matches. An event that is too large for one of them goes to none.
pub(super) fn push_event(
    event: &Event<'_>,
    message: &MessageFacts<'_>,
    settings: &Settings,
    encoders: &mut Encoders,
    out: &mut Emitted,
) -> Result<(), Reject> {
    let (first_slot, first_byte) = (out.events.len(), out.bytes.len());
    let pushed = push_to_outputs(event, message, settings, encoders, out);
    if pushed.is_err() {
        out.events.truncate(first_slot);
        out.bytes.truncate(first_byte);
        return pushed;
    }
    out.tally.unrouted += u64::from(out.events.len() == first_slot);
    for slot in out.events.iter().skip(first_slot) {
        out.tally.count_routed(slot.output);
    }
    out.tally.count_warnings(event.warnings);
    if !event.facts.failure.is_empty() {
        out.tally.count_failures(event.facts.failure);
    }
    Ok(())
}

fn push_to_outputs(
    event: &Event<'_>,
    message: &MessageFacts<'_>,
    settings: &Settings,
    encoders: &mut Encoders,
    out: &mut Emitted,
) -> Result<(), Reject> {
    let mut encoded: [Option<Range<usize>>; Format::COUNT] = Default::default();
    for (index, output) in settings.outputs.iter().enumerate() {
        if !output.filter.takes(event) {
            continue;
        }
        let Some(slot) = encoded.get_mut(output.format as usize) else {
            continue;
        };
        let bare = slot.get_or_insert_with(|| {
            out.bytes.extend_from_slice(&output.prefix);
            let start = out.bytes.len();
            encoders.push_event(output.format, event, message, &mut out.bytes);
            start..out.bytes.len()
        });
        let value = with_prefix(&output.prefix, bare.clone(), &mut out.bytes);
        let key = push_key(output, event, message, &mut out.bytes);
        let bytes = RECORD_OVERHEAD_BYTES + message.header_bytes + key.len() + value.len();
        refuse_too_large(output, bytes, value.len(), settings)?;
        out.events.push(EventSlot {
            output: index,
            key,
            value,
        });
    }
    Ok(())
}

/// The value with what goes before it: where it stands already, or else a copy.
fn with_prefix(prefix: &[u8], bare: Range<usize>, out: &mut Vec<u8>) -> Range<usize> {
    let start = bare.start.saturating_sub(prefix.len());
    let stands = out.get(start..bare.start);
    if stands == Some(prefix) {
        return start..bare.end;
    }
    let start = out.len();
    out.extend_from_slice(prefix);
    out.extend_from_within(bare);
    start..out.len()
}

fn push_key(
    output: &Output,
    event: &Event<'_>,
    message: &MessageFacts<'_>,
    out: &mut Vec<u8>,
) -> Range<usize> {
    let start = out.len();
    match output.key {
        Key::Connection => push_uuid(out, event.identity.connection_key),
        Key::Agent => out.extend_from_slice(message.metadata.agent_id.as_bytes()),
        Key::CommunityId => {
            if let Some(id) = event.facts.community_id {
                out.extend_from_slice(id.as_bytes());
            }
        }
        Key::Source => {
            out.extend_from_slice(message.metadata.source.unwrap_or_default().as_bytes());
        }
        Key::None => {}
    }
    start..out.len()
}

fn refuse_too_large(
    output: &Output,
    bytes: usize,
    value_bytes: usize,
    settings: &Settings,
) -> Result<(), Reject> {
    let max_event_bytes = settings.limits.max_event_bytes;
    if value_bytes > max_event_bytes {
        return Err(event_too_large(value_bytes, max_event_bytes));
    }
    if bytes > output.max_bytes {
        return Err(event_too_large(bytes, output.max_bytes));
    }
    Ok(())
}
