//! Events and dead letters as the checker takes them.

use netsieve::generate::{ExpectedEvent, SEQUENCE_HEADER};
use netsieve::proto::v1;
use prost::Message as _;
use rdkafka::Message;
use rdkafka::message::{BorrowedMessage, Headers};

use super::checker::{Came, Outcome, Role};

/// What is written to, by the end of the topics' names, with its partitions.
pub(crate) const WRITTEN: [(Role, &str, i32); 3] = [
    (Role::Connections, "connections", 3),
    (Role::Listeners, "listeners", 2),
    (Role::DeadLetters, "dead_letters", 2),
];

/// Reads what came out of a source topic.
pub(crate) fn came(message: &BorrowedMessage<'_>, source: &str) -> Came {
    let topic = message.topic();
    let mut written = WRITTEN.iter();
    let of_topic = written.find(|(_, end, _)| topic.rsplit('.').next() == Some(end));
    let (role, ..) = *of_topic.expect("a topic of ours");
    let value = message.payload().unwrap_or_default();
    let read = match role {
        Role::DeadLetters => dead_letter(message, source),
        Role::Connections | Role::Listeners => event(value, source),
    };
    let (partition, offset) = (message.partition(), message.offset());
    let Some((origin, ids, outcome)) = read else {
        panic!("{topic} [{partition}] @ {offset} is nothing that netsieve writes");
    };
    Came {
        topic: topic.to_owned(),
        role,
        partition,
        offset,
        origin,
        ids,
        outcome,
        value: value.to_vec(),
    }
}

type Read = (super::checker::Origin, Option<(String, String)>, Outcome);

fn event(value: &[u8], source: &str) -> Option<Read> {
    let event = v1::Event::decode(value).ok()?;
    let ingest = event.ingest.as_ref().filter(|of| of.topic == source)?;
    let origin = (ingest.partition, ingest.offset, Some(ingest.record_index));
    let outcome = Outcome::Event {
        message_id: event.message_id.clone(),
        event: Box::new(ExpectedEvent::from(&event)),
    };
    Some((
        origin,
        Some((event.event_id, event.connection_key)),
        outcome,
    ))
}

fn dead_letter(message: &BorrowedMessage<'_>, source: &str) -> Option<Read> {
    if header(message, "__connect.errors.topic")? != source {
        return None;
    }
    let index = match header(message, "netsieve.record_index") {
        None => None,
        Some(text) => Some(text.parse().ok()?),
    };
    let partition = header(message, "__connect.errors.partition")?;
    let offset = header(message, "__connect.errors.offset")?;
    let outcome = Outcome::Reject {
        reason: header(message, "netsieve.reason")?.to_owned(),
        sequence: header(message, SEQUENCE_HEADER)?.parse().ok()?,
    };
    let origin = (partition.parse().ok()?, offset.parse().ok()?, index);
    Some((origin, None, outcome))
}

fn header<'m>(message: &'m BorrowedMessage<'_>, name: &str) -> Option<&'m str> {
    let mut headers = message.headers()?.iter();
    let found = headers.find(|header| header.key == name)?;
    std::str::from_utf8(found.value?).ok()
}
