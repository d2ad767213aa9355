//! What the black-box tests of the core share.
#![allow(dead_code, reason = "each test uses a part of it")]

pub(crate) mod expected;
pub(crate) mod formats;
pub(crate) mod json_schema;
pub(crate) mod schema;

use netsieve::pipeline::emit::Emitted;
use netsieve::pipeline::message::{Header, Input};
use netsieve::pipeline::settings::{Format, Key, Output, Settings};
use netsieve::pipeline::{Workspace, process};

/// A timestamp that all tests take for the Kafka record's: 2023-11-14T22:13:20Z.
pub(crate) const NOW_MS: i64 = 1_700_000_000_000;

/// Settings with one output that takes every kind.
pub(crate) fn settings(format: Format) -> Settings {
    Settings {
        outputs: vec![Output {
            max_bytes: 1 << 20,
            ..Output::new(format, Key::Connection)
        }],
        dead_letter_max_bytes: 1 << 20,
        ..Settings::default()
    }
}

/// An input of that value at a fixed place.
pub(crate) fn input<'a>(value: &'a [u8], headers: &'a [Header<'a>]) -> Input<'a> {
    Input {
        value,
        key: None,
        headers,
        topic: "network_connection",
        partition: 3,
        offset: 42,
        timestamp_ms: Some(NOW_MS),
    }
}

/// Headers as an input has them.
pub(crate) fn borrowed(headers: &[(String, Option<Vec<u8>>)]) -> Vec<Header<'_>> {
    let headers = headers.iter();
    headers
        .map(|(name, value)| (name.as_str(), value.as_deref()))
        .collect()
}

/// A dead letter, by value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Letter {
    /// Name of the code.
    pub(crate) reason: &'static str,
    /// Field at fault.
    pub(crate) field: Option<&'static str>,
    /// Position in the message.
    pub(crate) index: Option<u32>,
    /// The value.
    pub(crate) value: Vec<u8>,
    /// All its headers.
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Letter {
    /// Its headers as an input has them.
    pub(crate) fn headers(&self) -> Vec<Header<'_>> {
        borrowed(&self.headers)
    }
}

/// What came of one input.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Outcome {
    /// Values of the events.
    pub(crate) events: Vec<Vec<u8>>,
    /// The dead letters.
    pub(crate) letters: Vec<Letter>,
    /// Records found.
    pub(crate) records: u64,
}

/// Runs one input through the core. Events in JSON are held against their schema.
pub(crate) fn run(input: &Input<'_>, settings: &Settings) -> Outcome {
    let mut out = Emitted::default();
    process(input, settings, &mut Workspace::default(), &mut out);
    let letter = |letter: &netsieve::pipeline::emit::DeadLetter| Letter {
        reason: letter.reject.reason.name(),
        field: letter.reject.field,
        index: letter.record.map(|record| record.index),
        value: out.dead_letter_value(letter).to_vec(),
        headers: letter
            .headers(input)
            .map(|(name, value)| (name.to_owned(), value.map(<[u8]>::to_vec)))
            .collect(),
    };
    let is_native = |output: usize| settings.outputs[output].format == Format::Json;
    for event in out.events().filter(|event| is_native(event.output)) {
        let event = serde_json::from_slice(event.value).expect("events are JSON");
        json_schema::assert_is_event(&event);
    }
    Outcome {
        events: out.events().map(|event| event.value.to_vec()).collect(),
        letters: out.dead_letters().map(letter).collect(),
        records: out.tally.records,
    }
}
