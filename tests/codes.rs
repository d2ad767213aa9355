//! A golden of every code: a message for each rejection and each warning, and what comes of it.

mod common;

use std::collections::BTreeSet;
use std::fmt::Write;

use common::{Letter, Outcome, formats, input, run, settings};
use netsieve::pipeline::code::{Level, Reason, Rejection, Warning};
use netsieve::pipeline::emit::Emitted;
use netsieve::pipeline::settings::{Format, Limits, Settings};
use netsieve::pipeline::{Workspace, process};
use serde_json::{Value, json};

/// The example of the data type's own definition: an odd data type, `automated` as a number,
/// times without an offset.
const DEFINITION_EXAMPLE: &str = r#"{
    "data": [{
        "local_address": "172.16.111.218:52279",
        "remote_address": "172.16.111.171:80",
        "protocol": "tcp,ipv4",
        "state": "ESTABLISHED",
        "process_id": 1260,
        "process_name": "program.exe"
    }],
    "metadata": {
        "agent_id": "339429212",
        "agent_type": "beacon",
        "automated": 1,
        "data_type": "file_data",
        "expiration": "2023-08-01T22:51:35",
        "source": "DC",
        "project": "ASSESS-X",
        "timestamp": "2022-08-01T22:51:35"
    }
}"#;

/// A message with one row, changed by the two objects: null takes a key away.
fn message(metadata: &Value, row: &Value) -> Vec<u8> {
    let mut message = json!({
        "metadata": {
            "agent_id": "a-1", "agent_type": "beacon", "automated": true,
            "data_type": "network_connection", "source": "DC", "project": "P",
            "timestamp": "2023-11-14T22:00:00Z", "expiration": "2033-11-14T22:00:00Z",
        },
        "data": [{
            "local_address": "10.0.0.5:50000", "remote_address": "10.0.0.9:443",
            "protocol": "tcp,ipv4", "state": "ESTABLISHED", "process_id": 7,
        }],
    });
    for (place, changes) in [("/metadata", metadata), ("/data/0", row)] {
        let object = message
            .pointer_mut(place)
            .and_then(Value::as_object_mut)
            .expect("it is there");
        for (key, value) in changes.as_object().expect("changes are an object") {
            if value.is_null() {
                object.remove(key);
            } else {
                object.insert(key.clone(), value.clone());
            }
        }
    }
    serde_json::to_vec(&message).expect("plain JSON")
}

fn of_metadata(changes: &Value) -> Vec<u8> {
    message(changes, &json!({}))
}

fn of_row(changes: &Value) -> Vec<u8> {
    message(&json!({}), changes)
}

/// Limits small enough to be met in a golden.
fn small_limits() -> Settings {
    let mut settings = settings(Format::Json);
    settings.limits = Limits {
        max_message_bytes: 4_000,
        max_metadata_bytes: 600,
        max_records: 3,
        max_field_bytes: 300,
        max_event_bytes: 1_200,
    };
    settings
}

/// A message that is rejected for that reason.
fn rejected(code: Rejection) -> Vec<u8> {
    let long = |len: usize| "x".repeat(len);
    match code {
        Rejection::EmptyMessage => Vec::new(),
        Rejection::MessageTooLarge => of_row(&json!({ "process_name": long(5_000) })),
        Rejection::UnknownFormat => b"\xff\xfe\x00not a message".to_vec(),
        Rejection::MalformedProtobuf => b"\x0a\x7f\x0a\x03abc".to_vec(),
        Rejection::MalformedJson => br#"{"metadata": {"agent_id": "a-1""#.to_vec(),
        Rejection::BatchTooLarge => {
            let mut message: Value = serde_json::from_slice(&of_row(&json!({}))).expect("JSON");
            let row = message["data"][0].clone();
            message["data"] = vec![row; 4].into();
            serde_json::to_vec(&message).expect("plain JSON")
        }
        Rejection::MissingMetadata => br#"{"data": []}"#.to_vec(),
        Rejection::MissingProject => of_metadata(&json!({ "project": " " })),
        Rejection::MissingAgentId => of_metadata(&json!({ "agent_id": null })),
        Rejection::MissingTimestamp => of_metadata(&json!({ "timestamp": "" })),
        Rejection::InvalidTimestamp => of_metadata(&json!({ "timestamp": "yesterday" })),
        Rejection::InvalidExpiration => {
            of_metadata(&json!({ "expiration": "2023-02-30T00:00:00Z" }))
        }
        Rejection::MalformedRecord => of_row(&json!({ "process_id": [7] })),
        Rejection::MissingLocalAddress => of_row(&json!({ "local_address": "-" })),
        Rejection::MissingProtocol => of_row(&json!({ "protocol": "" })),
        Rejection::InvalidProtocol => of_row(&json!({ "protocol": "tcp,,ipv4" })),
        Rejection::InvalidLocalAddress => of_row(&json!({ "local_address": "10.0.0.256:80" })),
        Rejection::InvalidRemoteAddress => of_row(&json!({ "remote_address": "10.0.0.9:70000\n" })),
        Rejection::AddressProtocolMismatch => {
            of_row(&json!({ "local_address": "80,10.0.0.5,x,y" }))
        }
        Rejection::InvalidProcessId => of_row(&json!({ "process_id": "7.5" })),
        Rejection::FieldTooLong => of_row(&json!({ "process_name": long(301) })),
        Rejection::EventTooLarge => {
            of_row(&json!({ "process_name": long(300), "service": long(300) }))
        }
    }
}

/// A message whose event carries that warning.
fn warned(code: Warning) -> Vec<u8> {
    match code {
        Warning::DataTypeMismatch => of_metadata(&json!({ "data_type": "file_data" })),
        Warning::Expired => of_metadata(&json!({ "expiration": "2023-11-14T22:13:20Z" })),
        Warning::MissingExpiration => of_metadata(&json!({ "expiration": null })),
        Warning::MissingAgentType => of_metadata(&json!({ "agent_type": "" })),
        Warning::TimestampInFuture => {
            of_metadata(&json!({ "timestamp": "2023-11-15T22:13:20.001Z" }))
        }
        Warning::UnknownFields => of_row(&json!({ "uid": 0 })),
        Warning::UnrecognizedState => of_row(&json!({ "state": "01" })),
        Warning::UnrecognizedProtocol => of_row(&json!({ "protocol": "tls,tcp,ipv4" })),
        Warning::AddressNotNumeric => of_row(&json!({ "remote_address": "dc01.corp.local:ldap" })),
        Warning::AddressTruncated => of_row(&json!({ "local_address": "192.168.1.221.5486" })),
        Warning::AddressFamilyMismatch => {
            of_row(&json!({ "local_address": "[2001:db8::5]:50000" }))
        }
        Warning::ListenWithRemote => of_row(&json!({ "state": "LISTEN" })),
        Warning::ZeroLocalPort => of_row(&json!({ "local_address": "10.0.0.5:0" })),
    }
}

fn pretty(event: &[u8]) -> String {
    let event: Value = serde_json::from_slice(event).expect("events are JSON");
    serde_json::to_string_pretty(&event).expect("plain JSON")
}

fn describe(letter: &Letter) -> String {
    let mut text = String::new();
    for (name, value) in &letter.headers {
        let value = value
            .as_deref()
            .map(String::from_utf8_lossy)
            .unwrap_or_default();
        let value = if name == "netsieve.version" {
            "(the version)".into()
        } else {
            value
        };
        writeln!(text, "  {name}: {value}").expect("a string grows");
    }
    let value = String::from_utf8_lossy(&letter.value);
    let value = value.get(..400).unwrap_or(&value);
    writeln!(text, "  value: {}", value.escape_debug()).expect("a string grows");
    text
}

#[test]
fn the_definitions_own_example_is_an_event() {
    let outcome = run(
        &input(DEFINITION_EXAMPLE.as_bytes(), &[]),
        &settings(Format::Json),
    );
    assert_eq!(outcome.letters, []);
    insta::assert_snapshot!(pretty(&outcome.events[0]));
    let input = input(DEFINITION_EXAMPLE.as_bytes(), &[]);
    assert_eq!(formats::judge(&input, &settings(Format::Json)).len(), 1);
}

#[test]
fn every_rejection() {
    let settings = small_limits();
    let mut golden = String::new();
    for code in Rejection::ALL.iter().copied() {
        let value = rejected(code);
        let Outcome {
            events, letters, ..
        } = run(&input(&value, &[]), &settings);
        assert_eq!(events.len(), 0, "{}", code.name());
        let reasons: Vec<_> = letters.iter().map(|letter| letter.reason).collect();
        assert_eq!(reasons, [code.name()]);
        let whole = letters[0].index.is_none();
        assert_eq!(whole, code.level() == Level::Message, "{}", code.name());
        assert!(
            !whole || letters[0].value == value,
            "a message's own bytes, unchanged"
        );
        writeln!(golden, "{}\n{}", code.name(), describe(&letters[0])).expect("a string grows");
    }
    insta::assert_snapshot!(golden);
}

#[test]
fn every_warning() {
    let settings = settings(Format::Json);
    let mut golden = String::new();
    for code in Warning::ALL.iter().copied() {
        let outcome = run(&input(&warned(code), &[]), &settings);
        assert_eq!(outcome.letters, [], "{}", code.name());
        let event: Value = serde_json::from_slice(&outcome.events[0]).expect("events are JSON");
        assert_eq!(event["warnings"], json!([code.name()]));
        assert_eq!(
            formats::judge(&input(&warned(code), &[]), &settings).len(),
            1
        );
        let text = pretty(&outcome.events[0]);
        writeln!(golden, "{}\n{text}\n", code.name()).expect("a string grows");
    }
    insta::assert_snapshot!(golden);
}

#[test]
fn every_warning_can_be_promoted() {
    let mut golden = String::new();
    for code in Warning::ALL.iter().copied() {
        let mut settings = settings(Format::Json);
        settings.reject.add(code);
        let outcome = run(&input(&warned(code), &[]), &settings);
        assert_eq!(outcome.events.len(), 0, "{}", code.name());
        let reasons: Vec<_> = outcome.letters.iter().map(|letter| letter.reason).collect();
        assert_eq!(reasons, [code.name()]);
        writeln!(golden, "{}\n{}", code.name(), describe(&outcome.letters[0]))
            .expect("a string grows");
        let expect_whole = code.level() == Level::Message && code != Warning::UnknownFields;
        assert_eq!(
            outcome.letters[0].index.is_none(),
            expect_whole,
            "{}",
            code.name()
        );
    }
    insta::assert_snapshot!(golden);
}

#[test]
fn warnings_come_in_their_order_without_repeats() {
    let value = message(
        &json!({ "data_type": "x", "agent_type": null, "odd": 1 }),
        &json!({ "state": "odd", "local_address": "h:0", "remote_address": "g:1", "odd": 2 }),
    );
    let outcome = run(&input(&value, &[]), &settings(Format::Json));
    let event: Value = serde_json::from_slice(&outcome.events[0]).expect("events are JSON");
    let codes = [
        "data_type_mismatch",
        "missing_agent_type",
        "unknown_fields",
        "unrecognized_state",
        "address_not_numeric",
        "zero_local_port",
    ];
    assert_eq!(event["warnings"], json!(codes));
}

#[test]
fn a_source_headers_own_names_are_replaced_and_the_rest_kept() {
    let headers: [(&str, Option<&[u8]>); 5] = [
        (
            "traceparent",
            Some(b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ),
        ("netsieve.reason", Some(b"old")),
        ("netsieve.attempt", Some(b"3")),
        ("netsieve.ordinal", Some(b"5")),
        ("empty", None),
    ];
    let value = of_row(&json!({ "protocol": null }));
    let outcome = run(&input(&value, &headers), &settings(Format::Json));
    let letter = &outcome.letters[0];
    let names: Vec<_> = letter.headers.iter().map(|(name, _)| name).collect();
    assert_eq!(
        names.iter().collect::<BTreeSet<_>>().len(),
        names.len(),
        "no name twice"
    );
    let value = |name: &str| {
        let found = letter
            .headers
            .iter()
            .find(|(key, _)| key == name)
            .expect("it is there");
        found
            .1
            .as_deref()
            .map(|value| std::str::from_utf8(value).expect("text"))
    };
    assert_eq!(value("netsieve.reason"), Some("missing_protocol"));
    assert_eq!(value("netsieve.attempt"), Some("3"));
    assert_eq!(value("netsieve.ordinal"), Some("5"));
    assert_eq!(value("empty"), None);
    assert!(value("traceparent").is_some_and(|value| value.starts_with("00-")));
}

#[test]
fn a_dead_letter_too_large_for_its_topic_is_cut() {
    let mut settings = settings(Format::Json);
    settings.dead_letter_max_bytes = 2_000;
    let value = of_row(&json!({ "protocol": null, "process_name": "x".repeat(3_000) }));
    let outcome = run(&input(&value, &[]), &settings);
    let letter = &outcome.letters[0];
    let whole = run(&input(&value, &[]), &common::settings(Format::Json)).letters[0]
        .value
        .clone();
    assert!(whole.starts_with(&letter.value) && !letter.value.is_empty());
    let headers: usize = letter
        .headers
        .iter()
        .map(|(name, value)| name.len() + value.as_ref().map_or(0, Vec::len))
        .sum();
    assert!(letter.value.len() + headers <= 2_000);
    let truncated = (
        "netsieve.truncated".to_owned(),
        Some(whole.len().to_string().into_bytes()),
    );
    assert!(letter.headers.contains(&truncated));
}

#[test]
fn headers_and_key_go_where_a_dead_letter_has_no_room_for_them() {
    let value = of_row(&json!({ "protocol": null }));
    let large = "x".repeat(2_000);
    let headers = [("large", Some(large.as_bytes()))];
    for (key, keeps_key) in [("key", true), (large.as_str(), false)] {
        let mut settings = settings(Format::Json);
        settings.dead_letter_max_bytes = 1_500;
        let mut input = input(&value, &headers);
        input.key = Some(key.as_bytes());
        let mut out = Emitted::default();
        process(&input, &settings, &mut Workspace::default(), &mut out);
        let letter = out.dead_letters().next().expect("it is rejected");
        assert_eq!(letter.key(&input), keeps_key.then_some(key.as_bytes()));
        assert!(letter.headers(&input).all(|(name, _)| name != "large"));
        let names: Vec<_> = letter.headers(&input).map(|(name, _)| name).collect();
        assert!(names.contains(&"netsieve.truncated") && names.contains(&"netsieve.reason"));
        assert!(!out.dead_letter_value(letter).is_empty());
        let size: usize = letter
            .headers(&input)
            .map(|(name, value)| name.len() + value.map_or(0, <[u8]>::len))
            .sum();
        let size = size + out.dead_letter_value(letter).len();
        assert!(size + letter.key(&input).map_or(0, <[u8]>::len) <= 1_500);
    }
}

#[test]
fn a_replayed_record_keeps_its_ordinal_when_its_message_is_rejected() {
    let headers: [(&str, Option<&[u8]>); 1] = [("netsieve.ordinal", Some(b"5"))];
    let outcome = run(&input(br#"{"data":[]}"#, &headers), &settings(Format::Json));
    let ordinal = ("netsieve.ordinal".to_owned(), Some(b"5".to_vec()));
    assert!(outcome.letters[0].headers.contains(&ordinal));
}

#[test]
fn a_promoted_code_counts_at_the_level_that_it_rejected() {
    let code = Warning::UnknownFields;
    let mut settings = settings(Format::Json);
    settings.reject.add(code);
    let (mut out, mut workspace) = (Emitted::default(), Workspace::default());
    let record = of_row(&json!({ "uid": 0 }));
    let whole = of_metadata(&json!({ "uid": 0 }));
    for value in [&record, &whole, &whole] {
        process(&input(value, &[]), &settings, &mut workspace, &mut out);
    }
    let reason = Reason::Promoted(code);
    assert_eq!(out.tally.rejected_at(Level::Record, reason), 1);
    assert_eq!(out.tally.rejected_at(Level::Message, reason), 2);
    assert_eq!(out.tally.rejected(reason), 3);
}
