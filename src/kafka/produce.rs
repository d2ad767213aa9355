//! From what the core gives back to records of the outputs and the dead-letter topic.

use rdkafka::Message;
use rdkafka::message::{BorrowedMessage, Header, OwnedHeaders};

use super::delivery::Record;
use super::member::{Member, Trouble};
use super::offsets::Ticket;
use super::settings::KafkaSettings;
use crate::pipeline::emit::{self, Emitted};
use crate::pipeline::message::Input;
use crate::pipeline::settings::Settings;

/// Hands on every event and dead letter of one message. False when its partition was given away
/// meanwhile.
pub(super) fn hand_on(
    member: &mut Member,
    topics: &KafkaSettings,
    core: &Settings,
    emitted: &Emitted,
    (message, input): (&BorrowedMessage<'_>, &Input<'_>),
    ticket: Ticket,
) -> Result<bool, Trouble> {
    // Made once for the message, and copied for each of its events.
    let mut headers: Vec<Option<OwnedHeaders>> = vec![None; topics.outputs.len()];
    // A run begins only with as many outputs in the core as topics to write to.
    for event in emitted.events() {
        let headers = headers[event.output]
            .get_or_insert_with(|| event_headers(core, event.output, input))
            .clone();
        let record = Record {
            topic: &topics.outputs[event.output],
            key: event.key,
            value: Some(event.value),
            timestamp_ms: input.timestamp_ms,
            headers,
            ticket,
        };
        if !member.deliver(record)? {
            return Ok(false);
        }
    }
    for letter in emitted.dead_letters() {
        let mut headers = OwnedHeaders::new();
        for (key, value) in letter.headers(input) {
            headers = headers.insert(Header { key, value });
        }
        let value = emitted.dead_letter_value(letter);
        // A null value stays null.
        let is_null = letter.record.is_none() && message.payload().is_none();
        let record = Record {
            topic: &topics.dead_letters,
            key: letter.key(input),
            value: (!is_null).then_some(value),
            timestamp_ms: input.timestamp_ms,
            headers,
            ticket,
        };
        if !member.deliver(record)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn event_headers(core: &Settings, output: usize, input: &Input<'_>) -> OwnedHeaders {
    let mut headers = OwnedHeaders::new();
    for (key, value) in emit::event_headers(core.outputs[output].format, input) {
        headers = headers.insert(Header { key, value });
    }
    headers
}
