//! The core over a generated load, against the manifest: every message, every record, in both
//! encodings in and out.

mod common;

use std::fmt::Write as _;

use netsieve::generate::{
    Encodings, ExpectedEvent, Generated, Generator, MessageOutcome, Options, RecordOutcome,
};
use netsieve::pipeline::emit::Emitted;
use netsieve::pipeline::message::Input;
use netsieve::pipeline::settings::{Format, Key, Output, Settings};
use netsieve::pipeline::{Workspace, process};
use netsieve::proto::v1;
use prost::Message as _;
use serde_json::Value;

fn settings(format: Format) -> Settings {
    Settings {
        outputs: vec![Output::new(format, Key::Connection)],
        ..Settings::default()
    }
}

/// An event as the manifest has it, and what attributes it.
struct Read {
    message_id: String,
    record_index: u32,
    event: ExpectedEvent,
}

fn read_protobuf(bytes: &[u8]) -> Read {
    let event = v1::Event::decode(bytes).unwrap();
    Read {
        message_id: event.message_id.clone(),
        record_index: event.ingest.as_ref().unwrap().record_index,
        event: ExpectedEvent::from(&event),
    }
}

fn read_json(bytes: &[u8]) -> Read {
    let event: Value = serde_json::from_slice(bytes).unwrap();
    common::json_schema::assert_is_event(&event);
    let index = event["ingest"]["record_index"].as_u64();
    Read {
        message_id: event["message_id"].as_str().unwrap().to_owned(),
        record_index: index.unwrap().try_into().unwrap(),
        event: common::expected::event(&event),
    }
}

/// What the core makes of a message, in the manifest's form.
fn outcome(message: &Generated, format: Format, workspace: &mut Workspace) -> MessageOutcome {
    let headers = common::borrowed(&message.headers);
    let input = Input {
        key: Some(message.key.as_bytes()),
        value: &message.value,
        headers: &headers,
        topic: "t",
        partition: 0,
        offset: 0,
        timestamp_ms: Some(message.timestamp_ms),
    };
    let mut emitted = Emitted::default();
    process(&input, &settings(format), workspace, &mut emitted);
    let mut records = std::collections::BTreeMap::new();
    for event in emitted.events() {
        let read = match format {
            Format::Protobuf => read_protobuf(event.value),
            Format::Json => read_json(event.value),
            other => panic!("{} is judged by tests/formats.rs", other.name()),
        };
        assert_eq!(read.message_id, message.expected.message_id);
        let event = RecordOutcome::Event(Box::new(read.event));
        assert!(records.insert(read.record_index, event).is_none());
    }
    for letter in emitted.dead_letters() {
        let reason = letter.reject.reason.name().to_owned();
        match letter.record {
            None => return MessageOutcome::Reject(reason),
            Some(record) => {
                let reject = RecordOutcome::Reject(reason);
                assert!(records.insert(record.index, reject).is_none());
            }
        }
    }
    MessageOutcome::Records(records.into_values().collect())
}

/// The records that came out otherwise than they must, with what was sent.
fn differences(message: &Generated, found: &MessageOutcome) -> Vec<String> {
    if *found == message.expected.outcome {
        return Vec::new();
    }
    let sent = String::from_utf8_lossy(&message.value);
    let (MessageOutcome::Records(found), MessageOutcome::Records(expected)) =
        (found, &message.expected.outcome)
    else {
        return vec![format!(
            "{:?}\n  sent {sent}\n  found {found:?}",
            message.expected
        )];
    };
    let mut texts = Vec::new();
    if found.len() != expected.len() {
        texts.push(format!("{} records, not {}", found.len(), expected.len()));
    }
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        if found != expected {
            let place = format!(
                "{:?} message {} record {index}",
                message.tool, message.sequence
            );
            texts.push(format!(
                "{place}\n  expected {expected:?}\n  found    {found:?}"
            ));
        }
    }
    texts
}

fn check(encodings: Encodings, format: Format) {
    let options = Options {
        messages: Some(2_000),
        encodings,
        ..Options::default()
    };
    let mut workspace = Workspace::default();
    let mut wrong = Vec::new();
    for message in Generator::new(options) {
        let found = outcome(&message, format, &mut workspace);
        wrong.extend(differences(&message, &found));
    }
    let mut report = String::new();
    for text in wrong.iter().take(20) {
        writeln!(report, "{text}").unwrap();
    }
    assert!(
        wrong.is_empty(),
        "{} records differ:\n{report}",
        wrong.len()
    );
}

#[test]
fn protobuf_to_protobuf_gives_what_the_manifest_says() {
    check(Encodings::Protobuf, Format::Protobuf);
}

#[test]
fn json_to_json_gives_what_the_manifest_says() {
    check(Encodings::Json, Format::Json);
}
