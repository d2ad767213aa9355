use proptest::prelude::*;
use prost::Message as _;

use super::*;
use crate::pipeline::wire;
use crate::proto::server;

fn run(value: &[u8], edits: &[Edit]) -> Result<Vec<u8>, Reject> {
    let input = Input {
        value,
        key: None,
        headers: &[],
        topic: "in",
        partition: 0,
        offset: 0,
        timestamp_ms: None,
    };
    edit(&input, &Settings::default(), edits)
}

fn set(field: &str, value: NewValue) -> Edit {
    Edit {
        field: Field::from_name(field).unwrap(),
        change: Change::Set(value),
    }
}

fn text(field: &str, value: &str) -> Edit {
    set(field, NewValue::Text(value.to_owned()))
}

fn remove(field: &str) -> Edit {
    Edit {
        field: Field::from_name(field).unwrap(),
        change: Change::Remove,
    }
}

fn replace(field: &str, pattern: &str, with: &str) -> Edit {
    Edit {
        field: Field::from_name(field).unwrap(),
        change: Change::Replace {
            pattern: regex_lite::Regex::new(pattern).unwrap(),
            with: with.to_owned(),
        },
    }
}

fn time(value: &str) -> NewValue {
    NewValue::Time(value.to_owned(), Time::parse(value).unwrap())
}

#[test]
fn json_changes_in_the_one_value_and_nowhere_else() {
    let before = " {\"x\": [1,{\"data\":2}], \"metadata\" : {\"project\":\"p\"},\"data\":[ {\"state\":\"a\\u0041\"} , 7,{\"localAddress\": 1 , \"state\" :null}]}\n";
    for (edit, after) in [
        (
            text("data.state", "é\"\n"),
            " {\"x\": [1,{\"data\":2}], \"metadata\" : {\"project\":\"p\"},\"data\":[ {\"state\":\"é\\\"\\n\"} , 7,{\"localAddress\": 1 , \"state\" :\"é\\\"\\n\"}]}\n",
        ),
        (
            replace("state", "^a(.)", "$1-"),
            " {\"x\": [1,{\"data\":2}], \"metadata\" : {\"project\":\"p\"},\"data\":[ {\"state\":\"A-\"} , 7,{\"localAddress\": 1 , \"state\" :null}]}\n",
        ),
        (replace("state", "^b", "c"), before),
        (
            remove("data.local_address"),
            " {\"x\": [1,{\"data\":2}], \"metadata\" : {\"project\":\"p\"},\"data\":[ {\"state\":\"a\\u0041\"} , 7,{\"localAddress\": null , \"state\" :null}]}\n",
        ),
        (
            set("process_id", NewValue::Number(7)),
            " {\"x\": [1,{\"data\":2}], \"metadata\" : {\"project\":\"p\"},\"data\":[ {\"state\":\"a\\u0041\",\"process_id\":7} , 7,{\"localAddress\": 1 , \"state\" :null,\"process_id\":7}]}\n",
        ),
        (
            set("metadata.automated", NewValue::Flag(true)),
            " {\"x\": [1,{\"data\":2}], \"metadata\" : {\"project\":\"p\",\"automated\":true},\"data\":[ {\"state\":\"a\\u0041\"} , 7,{\"localAddress\": 1 , \"state\" :null}]}\n",
        ),
        (remove("metadata.source"), before),
    ] {
        let edited = run(before.as_bytes(), &[edit]).unwrap();
        assert_eq!(String::from_utf8(edited).unwrap(), after);
    }
}

#[test]
fn json_that_lacks_metadata_or_has_them_twice_is_mended_too() {
    let at = time("2026-01-02T03:04:05Z");
    for (before, after) in [
        (
            r#"{"data":[]}"#,
            r#"{"data":[],"metadata":{"timestamp":"2026-01-02T03:04:05Z"}}"#,
        ),
        (
            r#"{"metadata":null,"data":{}}"#,
            r#"{"metadata":{"timestamp":"2026-01-02T03:04:05Z"},"data":{}}"#,
        ),
        (
            r#"{"metadata":{"timestamp":5}}"#,
            r#"{"metadata":{"timestamp":"2026-01-02T03:04:05Z"}}"#,
        ),
        (
            r#"{"metadata":{},"metadata":{}}"#,
            r#"{"metadata":{},"metadata":{"timestamp":"2026-01-02T03:04:05Z"}}"#,
        ),
        (
            r#"{"metadata":{"timestamp":1,"timestamp":2}}"#,
            r#"{"metadata":{"timestamp":1,"timestamp":"2026-01-02T03:04:05Z"}}"#,
        ),
    ] {
        let edits = [set("metadata.timestamp", at.clone())];
        let edited = run(before.as_bytes(), &edits).unwrap();
        assert_eq!(String::from_utf8(edited).unwrap(), after);
    }
}

#[test]
fn a_framed_message_keeps_its_framing() {
    let framed = b"\0\0\0\0\x07{\"metadata\":{\"project\":\"p\"},\"data\":[{}]}";
    let edited = run(framed, &[text("data.protocol", "tcp")]).unwrap();
    let expected =
        b"\0\0\0\0\x07{\"metadata\":{\"project\":\"p\"},\"data\":[{\"protocol\":\"tcp\"}]}";
    assert_eq!(edited, expected);
}

fn message() -> server::NetworkConnectionIngestionMessage {
    let row = |state: &str| server::NetworkConnectionIngestion {
        local_address: "10.0.0.1:1".to_owned(),
        state: state.to_owned(),
        ..Default::default()
    };
    let metadata = server::Metadata {
        project: "p".to_owned(),
        timestamp: Some(prost_types::Timestamp {
            seconds: 1_700_000_000,
            nanos: 0,
        }),
        ..Default::default()
    };
    server::NetworkConnectionIngestionMessage {
        metadata: Some(metadata),
        data: vec![row("LISTEN"), row("")],
    }
}

fn edited(
    message: &server::NetworkConnectionIngestionMessage,
    edits: &[Edit],
) -> server::NetworkConnectionIngestionMessage {
    let edited = run(&message.encode_to_vec(), edits).unwrap();
    server::NetworkConnectionIngestionMessage::decode(&edited[..]).unwrap()
}

#[test]
fn protobuf_gets_what_prost_would_write() {
    let mut expected = message();
    expected.data[0].state = "BOUND".to_owned();
    expected.data[1].state = "BOUND".to_owned();
    expected.data[0].process_id = 9;
    expected.data[1].process_id = 9;
    let metadata = expected.metadata.as_mut().unwrap();
    metadata.automated = true;
    metadata.project = String::new();
    metadata.timestamp = Some(prost_types::Timestamp {
        seconds: -1,
        nanos: 500_000_000,
    });
    let edits = [
        text("data.state", "BOUND"),
        set("data.process_id", NewValue::Number(9)),
        set("metadata.automated", NewValue::Flag(true)),
        set("metadata.timestamp", time("1969-12-31T23:59:59.5Z")),
        remove("metadata.project"),
    ];
    assert_eq!(edited(&message(), &edits), expected);
    let mut expected = message();
    expected.data[0].state = "L-STEN".to_owned();
    assert_eq!(edited(&message(), &[replace("state", "I", "-")]), expected);
}

#[test]
fn protobuf_without_metadata_gets_some() {
    let mut without = message();
    without.metadata = None;
    let edited = edited(&without, &[text("metadata.project", "q")]);
    assert_eq!(edited.metadata.unwrap().project, "q");
    assert_eq!(edited.data, without.data);
}

#[test]
fn protobuf_keeps_what_it_does_not_know_and_what_it_cannot_read() {
    let mut body = message().encode_to_vec();
    wire::push_bytes(&mut body, 2, b"\xFF\xFF");
    wire::push_bytes(&mut body, 99, b"unknown");
    // A number where a text belongs is no text any more.
    wire::push_bytes(&mut body, 2, &[0x18, 7]);
    let edited = run(&body, &[text("data.protocol", "tcp")]).unwrap();
    let mut tail = Vec::new();
    wire::push_bytes(&mut tail, 2, b"\xFF\xFF");
    wire::push_bytes(&mut tail, 99, b"unknown");
    wire::push_nested(&mut tail, 2, |out| wire::push_text(out, 3, "tcp"));
    assert!(edited.ends_with(&tail), "{edited:X?}");
    assert_eq!(run(&body, &[replace("state", "x", "y")]).unwrap(), body);
}

#[test]
fn what_can_be_read_in_neither_encoding_is_refused() {
    for value in [&b""[..], b"hello", b"{\"metadata\":", b"\x0A\x05a"] {
        assert!(run(value, &[text("data.state", "x")]).is_err(), "{value:?}");
    }
}

#[test]
fn fields_are_found_by_both_of_their_names() {
    for field in Field::ALL {
        assert_eq!(Field::from_name(&field.path()), Some(*field));
    }
    assert_eq!(Field::from_name("state"), Field::from_name("data.state"));
    for name in [
        "project",
        "data.project",
        "metadata.state",
        "origin.state",
        "",
    ] {
        assert_eq!(Field::from_name(name), None, "{name}");
    }
}

fn edits() -> impl Strategy<Value = Edit> {
    let field = proptest::sample::select(Field::ALL);
    (field, 0..3, "\\PC{0,9}").prop_map(|(field, change, text)| {
        let value = match field.holds {
            Holds::Text => NewValue::Text(text.clone()),
            Holds::Flag => NewValue::Flag(true),
            Holds::Number => NewValue::Number(7),
            Holds::Time => time("2026-01-02T03:04:05Z"),
        };
        let change = match change {
            0 => Change::Set(value),
            1 => Change::Remove,
            _ => Change::Replace {
                pattern: regex_lite::Regex::new("[a-m]+").unwrap(),
                with: text,
            },
        };
        Edit { field, change }
    })
}

proptest! {
    #[test]
    fn whatever_the_bytes_an_edit_ends_in_a_message_or_a_rejection(
        bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..60),
            r#"(\{|\}|\[|\]|,|:|"metadata"|"data"|"state"|"project"|null|1|"a\\u0041"){0,20}"#
                .prop_map(String::into_bytes),
        ],
        edits in prop::collection::vec(edits(), 1..3),
    ) {
        let _ = run(&bytes, &edits);
    }

    #[test]
    fn json_stays_json_in_which_only_the_field_differs(
        state in "\\PC{0,9}",
        others in prop::collection::vec(("[a-z]{1,3}", "\\PC{0,5}"), 0..4),
        edit in edits(),
    ) {
        let mut row = serde_json::Map::new();
        row.insert("state".to_owned(), state.into());
        row.extend(others.into_iter().map(|(key, value)| (key, value.into())));
        let message = serde_json::json!({"metadata": {"project": "p"}, "data": [row, {}]});
        let edited = run(message.to_string().as_bytes(), std::slice::from_ref(&edit)).unwrap();
        let mut edited: serde_json::Value = serde_json::from_slice(&edited).unwrap();
        let mut expected = message;
        for message in [&mut edited, &mut expected] {
            let parts: Vec<&mut serde_json::Value> = match edit.field.part {
                Part::Metadata => vec![&mut message["metadata"]],
                Part::Data => message["data"].as_array_mut().unwrap().iter_mut().collect(),
            };
            for part in parts {
                part.as_object_mut().unwrap().remove(edit.field.name);
            }
        }
        prop_assert_eq!(edited, expected);
    }
}
