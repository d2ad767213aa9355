//! Whole messages through `envelope`, `row` and `rebuild`: telling the encodings apart, limits,
//! and what a hostile sender may try.

mod properties;

use prost::Message as _;
use prost_types::Timestamp;

use super::*;
use crate::pipeline::message::Header;
use crate::proto::server::{
    Metadata, NetworkConnectionIngestion as Record, NetworkConnectionIngestionMessage as Message,
};

fn settings(format: SourceFormat) -> Settings {
    Settings {
        format,
        ..Settings::default()
    }
}

fn input<'a>(value: &'a [u8], headers: &'a [Header<'a>]) -> Input<'a> {
    Input {
        value,
        key: None,
        headers,
        topic: "t",
        partition: 0,
        offset: 0,
        timestamp_ms: None,
    }
}

fn auto<'a>(value: &'a [u8], arena: &'a Bump) -> Result<Envelope<'a>, Reject> {
    envelope(&input(value, &[]), &settings(SourceFormat::Auto), arena)
}

/// The encoding that the bytes are told to be in, or the code that rejects them.
fn told(value: &[u8]) -> Result<Encoding, &'static str> {
    let arena = Bump::new();
    auto(value, &arena)
        .map(|envelope| envelope.encoding)
        .map_err(|reject| reject.reason.name())
}

fn metadata() -> Metadata {
    Metadata {
        agent_id: "339429212".into(),
        agent_type: "beacon".into(),
        automated: true,
        data_type: "network_connection".into(),
        source: "DC".into(),
        project: "ASSESS-X".into(),
        timestamp: Some(Timestamp {
            seconds: 1_659_394_295,
            nanos: 0,
        }),
        ..Metadata::default()
    }
}

fn record(process_id: u32) -> Record {
    Record {
        local_address: "172.16.111.218:52279".into(),
        remote_address: "172.16.111.171:80".into(),
        protocol: "tcp,ipv4".into(),
        state: "ESTABLISHED".into(),
        process_id,
        process_name: "program.exe".into(),
        ..Record::default()
    }
}

fn message(records: u32) -> Vec<u8> {
    let data = (0..records).map(record).collect();
    let metadata = Some(metadata());
    Message { metadata, data }.encode_to_vec()
}

const JSON: &str = r#"{"data":[{"local_address":"172.16.111.218:52279","state":"LISTEN"}],
    "metadata":{"agent_id":"339429212","project":"ASSESS-X","timestamp":"2022-08-01T22:51:35"}}"#;

/// A schema id as Confluent's clients write it.
const SCHEMA: [u8; 5] = [0, 0, 0, 0, 42];

#[test]
fn a_header_goes_before_the_setting_and_that_before_the_bytes() {
    use SourceFormat::{Auto, Json, Protobuf};
    let bytes = message(1);
    let wrong = "malformed_protobuf";
    for (format, content_type, value, expected) in [
        (Auto, None, &bytes[..], Ok(Encoding::Protobuf)),
        (Auto, None, JSON.as_bytes(), Ok(Encoding::Json)),
        (Json, None, JSON.as_bytes(), Ok(Encoding::Json)),
        (Json, None, &bytes, Err("malformed_json")),
        (Protobuf, None, &bytes, Ok(Encoding::Protobuf)),
        (Protobuf, None, JSON.as_bytes(), Err(wrong)),
        (
            Json,
            Some("application/x-protobuf"),
            &bytes,
            Ok(Encoding::Protobuf),
        ),
        (
            Json,
            Some("Application/Protobuf; a=b"),
            &bytes,
            Ok(Encoding::Protobuf),
        ),
        (
            Auto,
            Some(" application/json ;charset=utf-8"),
            &bytes,
            Err("malformed_json"),
        ),
        (
            Protobuf,
            Some("application/json"),
            JSON.as_bytes(),
            Ok(Encoding::Json),
        ),
        (Protobuf, Some("text/plain"), JSON.as_bytes(), Err(wrong)),
        (
            Auto,
            Some("text/plain"),
            JSON.as_bytes(),
            Ok(Encoding::Json),
        ),
        (Auto, Some(""), &bytes, Ok(Encoding::Protobuf)),
    ] {
        let headers = [("Content-Type", content_type.map(str::as_bytes))];
        let headers = if content_type.is_some() {
            &headers[..]
        } else {
            &[]
        };
        let arena = Bump::new();
        let envelope = envelope(&input(value, headers), &settings(format), &arena);
        let told = envelope
            .map(|envelope| envelope.encoding)
            .map_err(|reject| reject.reason.name());
        assert_eq!(told, expected, "{format:?} {content_type:?}");
    }
    let arena = Bump::new();
    let without_value = [("content-type", None)];
    let envelope = envelope(&input(&bytes, &without_value), &settings(Auto), &arena);
    assert_eq!(envelope.unwrap().encoding, Encoding::Protobuf);
}

#[test]
fn what_is_empty_and_what_is_neither() {
    for (value, code) in [
        (&b""[..], "empty_message"),
        (b" ", "empty_message"),
        (b"\n\r\t \n", "empty_message"),
        (b"\xEF\xBB\xBF\n", "empty_message"),
        (b"\0\0\0\0\x07", "empty_message"),
        (b"\0\0\0\0\x07 \n", "empty_message"),
        (b"\0", "unknown_format"),
        (b"\0\0\0\0", "unknown_format"),
        (b"\0\0\0\0\x07\0", "unknown_format"),
        (b"\0\0\0\0\x07\x01\x0A\x00", "unknown_format"),
        (b"hello", "unknown_format"),
        (b"[{}]", "unknown_format"),
        (b"\x1A\x01x", "unknown_format"),
        (b"\xFF\xFE{\0}\0", "unknown_format"),
        (b"\x0A\xFF", "malformed_protobuf"),
        (b"\x12\x05ab", "malformed_protobuf"),
        (b"\0\0\0\0\x07\0\x0A\xFF", "malformed_protobuf"),
        (b"{", "malformed_json"),
        (b"\n{\"data\":[\0]}", "malformed_json"),
        (b"\xEF\xBB\xBF {]", "malformed_json"),
        (b"\0\0\0\0\x07{]", "malformed_json"),
    ] {
        assert_eq!(told(value), Err(code), "{}", value.escape_ascii());
    }
    assert_eq!(told(b"{}"), Ok(Encoding::Json));
    assert_eq!(told(b"\x0A\x00"), Ok(Encoding::Protobuf));
    assert_eq!(told(b"\x12\x00"), Ok(Encoding::Protobuf));
}

#[test]
fn a_named_encoding_says_what_is_empty_for_itself() {
    let code = |value, format| {
        let arena = Bump::new();
        let reject = envelope(&input(value, &[]), &settings(format), &arena).unwrap_err();
        reject.reason.name()
    };
    for format in [
        SourceFormat::Auto,
        SourceFormat::Json,
        SourceFormat::Protobuf,
    ] {
        assert_eq!(code(b"", format), "empty_message");
    }
    assert_eq!(code(b" \n", SourceFormat::Json), "empty_message");
    assert_eq!(code(b"\n\n", SourceFormat::Protobuf), "malformed_protobuf");
    // Valid protobuf without anything in it: what is missing is for the next stage to say.
    let arena = Bump::new();
    let only_unknown = input(b"\x1A\x01x", &[]);
    let envelope = envelope(&only_unknown, &settings(SourceFormat::Protobuf), &arena).unwrap();
    assert!(envelope.metadata.is_none() && envelope.unknown_fields);
}

#[test]
fn limits_are_kept_before_and_after_reading() {
    let code = |value: &[u8], change: &dyn Fn(&mut Limits)| {
        let arena = Bump::new();
        let mut settings = settings(SourceFormat::Auto);
        change(&mut settings.limits);
        let envelope = envelope(&input(value, &[]), &settings, &arena);
        envelope
            .map(|_| ())
            .map_err(|reject| (reject.reason.name(), reject.field))
    };
    let nested = Message::decode(&message(3)[..]).unwrap();
    let metadata_bytes = nested.metadata.unwrap().encoded_len();
    let json = br#"{"metadata":{"project":"p"},"data":[{},{},{}]}"#;
    for (value, metadata_bytes) in [(&message(3)[..], metadata_bytes), (json, 15)] {
        let size = value.len();
        assert_eq!(code(value, &|it| it.max_message_bytes = size), Ok(()));
        let large = code(value, &|it| it.max_message_bytes = size - 1);
        assert_eq!(large, Err(("message_too_large", None)));
        assert_eq!(
            code(value, &|it| it.max_metadata_bytes = metadata_bytes),
            Ok(())
        );
        let large = code(value, &|it| {
            it.max_metadata_bytes = metadata_bytes - 1;
            it.max_records = 2;
        });
        assert_eq!(large, Err(("message_too_large", Some("metadata"))));
        assert_eq!(code(value, &|it| it.max_records = 3), Ok(()));
        let many = code(value, &|it| it.max_records = 2);
        assert_eq!(many, Err(("batch_too_large", Some("data"))));
    }
    let garbage = code(b"garbage", &|it| it.max_message_bytes = 6);
    assert_eq!(garbage, Err(("message_too_large", None)), "not looked into");
}

/// Metadata that take exactly so many bytes, where that can be.
fn metadata_of_length(length: usize, seconds: i64) -> Option<Metadata> {
    let mut metadata = Metadata {
        timestamp: Some(Timestamp { seconds, nanos: 0 }),
        ..Metadata::default()
    };
    match length.checked_sub(metadata.encoded_len())? {
        0 => {}
        1 => return None,
        2 => metadata.automated = true,
        missing => metadata.data_type = "{".repeat(missing - 2),
    }
    Some(metadata)
}

#[test]
fn a_protobuf_message_may_begin_like_json() {
    // The metadata's length is the second byte; padding brings it to each that JSON has a
    // meaning for.
    for length in [0x09, 0x0A, 0x0D, 0x20, 0x22, 0x2D, 0x5B, 0x7B, 0x7D] {
        let mut padded = 0;
        for seconds in [0, 1, 300, 1_659_394_295] {
            let Some(metadata) = metadata_of_length(length, seconds) else {
                continue;
            };
            let message = Message {
                metadata: Some(metadata),
                data: vec![record(1)],
            };
            let bytes = message.encode_to_vec();
            assert_eq!(usize::from(bytes[1]), length);
            for value in [&bytes, &[&SCHEMA[..], &[0], &bytes].concat()] {
                let told = told(value);
                assert_eq!(told, Ok(Encoding::Protobuf), "{length:#X} {seconds}");
            }
            padded += 1;
        }
        assert!(padded > 0, "{length:#X} was never tried");
    }
    let mut metadata = metadata();
    metadata
        .project
        .push_str(&"x".repeat(0x7B - metadata.encoded_len()));
    let metadata = Some(metadata);
    let bytes = Message {
        metadata,
        data: vec![record(1)],
    }
    .encode_to_vec();
    assert!(bytes.starts_with(b"\n{"));
    assert_eq!(told(&bytes), Ok(Encoding::Protobuf));
    // Cut anywhere it is nothing valid, and never JSON.
    for cut in 2..bytes.len() {
        let told = told(&bytes[..cut]);
        assert!(told != Ok(Encoding::Json), "cut at {cut}");
    }
}

#[test]
fn a_json_message_may_begin_like_protobuf() {
    for white in [
        "",
        "\n",
        "\n\n",
        "\r\n",
        "\t\t",
        " ",
        "\n \n\n\n\n\n\n\n\n\n\n\n",
    ] {
        for text in [JSON, r#"{"data":[],"metadata":{}}"#, "{}", r#"{"x":1}"#] {
            let value = [white, text, white].concat();
            assert_eq!(told(value.as_bytes()), Ok(Encoding::Json), "{value:?}");
            let marked = ["\u{FEFF}", &value].concat();
            assert_eq!(told(marked.as_bytes()), Ok(Encoding::Json), "{marked:?}");
            let framed = [&SCHEMA[..], value.as_bytes()].concat();
            assert_eq!(told(&framed), Ok(Encoding::Json), "{framed:?}");
        }
    }
}

#[test]
fn framing_is_kept_and_the_schema_path_may_be_long() {
    let bytes = message(1);
    let paths: [&[u8]; 4] = [
        &[0],
        &[2, 0],
        &[4, 2, 6],
        &[0x0A, 0x0A, 0x0A, 0x0A, 0x20, 0x20],
    ];
    for indexes in paths {
        let framing = [&SCHEMA[..], indexes].concat();
        let value = [&framing[..], &bytes].concat();
        let arena = Bump::new();
        let envelope = auto(&value, &arena).unwrap();
        assert_eq!(envelope.framing, framing);
        assert_eq!(envelope.records.len(), 1);
        assert!(envelope.metadata.is_some());
    }
    let value = [&SCHEMA[..], JSON.as_bytes()].concat();
    let arena = Bump::new();
    assert_eq!(auto(&value, &arena).unwrap().framing, SCHEMA);
}

#[test]
fn framing_under_a_named_encoding_says_what_to_do() {
    let value = [&SCHEMA[..], JSON.as_bytes()].concat();
    for (format, code) in [
        (SourceFormat::Json, "malformed_json"),
        (SourceFormat::Protobuf, "malformed_protobuf"),
    ] {
        let arena = Bump::new();
        let reject = envelope(&input(&value, &[]), &settings(format), &arena).unwrap_err();
        assert_eq!(reject.reason.name(), code);
        assert!(
            reject.message.contains("source.format = \"auto\""),
            "{}",
            reject.message
        );
    }
}

#[test]
fn one_corrupt_record_of_a_thousand_costs_one_record() {
    let mut protobuf = Vec::new();
    wire::push_bytes(&mut protobuf, 1, &metadata().encode_to_vec());
    let mut json = JSON.split_once('[').unwrap().0.to_owned() + "[";
    for index in 0..1000 {
        let mut raw = record(index).encode_to_vec();
        let mut text = format!("{{\"process_id\":{index}}}");
        if index == 500 {
            raw.pop();
            text = format!("{{\"state\":{}{}}}", "[".repeat(50_000), "]".repeat(50_000));
        }
        wire::push_bytes(&mut protobuf, 2, &raw);
        json += &text;
        json.push(if index == 999 { ']' } else { ',' });
    }
    json.push('}');
    for value in [&protobuf[..], json.as_bytes()] {
        let arena = Bump::new();
        let envelope = auto(value, &arena).unwrap();
        assert_eq!(envelope.records.len(), 1000);
        for (index, raw) in (0..).zip(envelope.records) {
            match row(envelope.encoding, raw, &arena) {
                Ok(row) => assert_eq!(row.process_id.known().unwrap_or_default(), index),
                Err(reject) => {
                    assert_eq!((index, reject.reason.name()), (500, "malformed_record"));
                }
            }
        }
    }
}

#[test]
fn truncated_anywhere_a_message_is_rejected_or_shorter() {
    let bytes = message(3);
    let whole_records = |cut: usize| {
        let message = Message::decode(&bytes[..cut]).ok()?;
        message.metadata.is_some().then_some(message.data.len())
    };
    // Its first byte alone is white space, and an empty message.
    assert_eq!(told(&bytes[..1]), Err("empty_message"));
    for cut in 2..bytes.len() {
        let arena = Bump::new();
        match auto(&bytes[..cut], &arena) {
            Ok(envelope) => assert_eq!(Some(envelope.records.len()), whole_records(cut)),
            Err(reject) => {
                assert_eq!(reject.reason.name(), "malformed_protobuf", "cut at {cut}");
                assert_eq!(whole_records(cut), None, "cut at {cut}");
            }
        }
    }
    for cut in 1..JSON.len() {
        assert_eq!(
            told(&JSON.as_bytes()[..cut]),
            Err("malformed_json"),
            "{cut}"
        );
    }
}

#[test]
fn large_messages_and_bombs() {
    let records = message(100_000);
    let arena = Bump::new();
    assert_eq!(auto(&records, &arena).unwrap().records.len(), 100_000);
    let empty = vec!["{}"; 100_000].join(",");
    let text = format!("{{\"data\":[{empty}]}}");
    assert_eq!(
        auto(text.as_bytes(), &arena).unwrap().records.len(),
        100_000
    );

    let name = "n".repeat(10 << 20);
    let mut large = Message::decode(&message(1)[..]).unwrap();
    large.data[0].process_name.clone_from(&name);
    let large = large.encode_to_vec();
    let text = format!("{{\"data\":[{{\"process_name\":\"{name}\"}}]}}");
    for value in [&large[..], text.as_bytes()] {
        let envelope = auto(value, &arena).unwrap();
        let row = row(envelope.encoding, envelope.records[0], &arena).unwrap();
        assert_eq!(row.process_name, name);
    }

    let brackets = "[".repeat(100_000);
    for bomb in [
        brackets.clone(),
        format!("{{\"data\":{brackets}"),
        format!("{{\"metadata\":{brackets}"),
        "{\"metadata\":".repeat(100_000),
        "{\"data\":[".repeat(100_000),
    ] {
        assert!(told(bomb.as_bytes()).is_err());
    }
    assert!(told(&[0x0B].repeat(100_000)).is_err());
    assert!(told(&[0x0A].repeat(100_000)).is_err());
}
