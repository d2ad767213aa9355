//! Whatever stands on a topic becomes events, dead letters or both; nothing is lost.

mod common;

use common::{Outcome, input, run, settings};
use netsieve::pipeline::settings::Format;
use netsieve::proto::server;
use prost::Message;

const METADATA: &str = r#"{"agent_id":"a","agent_type":"b","project":"P","source":"DC","timestamp":"2023-11-14T22:00:00Z","expiration":"2033-11-14T22:00:00Z"}"#;
const ROW: &str = r#"{"local_address":"10.0.0.5:50000","remote_address":"10.0.0.9:443","protocol":"tcp,ipv4","state":"ESTABLISHED"}"#;

fn json(rows: &str) -> Vec<u8> {
    format!(r#"{{"metadata":{METADATA},"data":[{rows}]}}"#).into_bytes()
}

/// What comes of a value where the dead-letter topic takes the largest.
fn outcome(value: &[u8]) -> Outcome {
    let mut settings = settings(Format::Json);
    settings.dead_letter_max_bytes = 64 << 20;
    run(&input(value, &[]), &settings)
}

/// Runs a value that must be rejected as a whole.
fn whole(value: &[u8]) -> &'static str {
    let outcome = outcome(value);
    assert_eq!(outcome.events.len(), 0);
    assert_eq!(outcome.letters.len(), 1);
    assert_eq!(outcome.letters[0].index, None);
    assert!(outcome.letters[0].value == value, "its own bytes");
    outcome.letters[0].reason
}

/// Runs a message whose one row must be rejected.
fn row(row: &str) -> &'static str {
    let outcome = outcome(&json(row));
    assert_eq!(
        (outcome.events.len(), outcome.letters.len()),
        (0, 1),
        "{row}"
    );
    assert_eq!(outcome.letters[0].index, Some(0));
    outcome.letters[0].reason
}

fn protobuf(records: usize) -> server::NetworkConnectionIngestionMessage {
    let time = Some(prost_types::Timestamp {
        seconds: 1_699_999_200,
        nanos: 0,
    });
    let row = server::NetworkConnectionIngestion {
        local_address: "10.0.0.5:50000".to_owned(),
        remote_address: "10.0.0.9:443".to_owned(),
        protocol: "tcp,ipv4".to_owned(),
        ..Default::default()
    };
    server::NetworkConnectionIngestionMessage {
        metadata: Some(server::Metadata {
            agent_id: "a".to_owned(),
            agent_type: "b".to_owned(),
            project: "P".to_owned(),
            timestamp: time,
            expiration: time,
            ..Default::default()
        }),
        data: vec![row; records],
    }
}

#[test]
fn values_that_are_no_message() {
    assert_eq!(whole(b""), "empty_message");
    assert_eq!(whole(b" \r\n\t"), "empty_message");
    assert_eq!(whole(b"\x00\x01\x02\x03\x04\x05\x06"), "unknown_format");
    assert_eq!(whole(&[0xFF; 64]), "unknown_format");
    assert_eq!(whole(b"{"), "malformed_json");
    assert_eq!(
        whole(br#"{"data":[{"local_address":"\xff"}]}"#),
        "malformed_json"
    );
    assert_eq!(whole(&json("\u{0}")), "malformed_json");
    assert_eq!(whole(&vec![b' '; 17 << 20]), "message_too_large");
}

#[test]
fn a_truncated_protobuf_message_is_a_dead_letter_wherever_it_is_cut() {
    let value = protobuf(3).encode_to_vec();
    for end in 1..value.len() {
        let outcome = outcome(&value[..end]);
        let whole = outcome.letters.iter().any(|letter| letter.index.is_none());
        // At the end of the metadata or of a record the rest is a shorter valid message.
        let shorter = outcome.letters.is_empty() && outcome.records < 3;
        assert!(whole || shorter, "cut at {end}");
    }
}

#[test]
fn one_corrupt_record_among_a_thousand_costs_one_record() {
    let mut message = server_bytes(1_000);
    // The record's own bytes are broken, the envelope is not: a field of wire type 7.
    message.data[500] = vec![0x0F; 12];
    let outcome = outcome(&message.encode_to_vec());
    assert_eq!(outcome.events.len(), 999);
    assert_eq!(outcome.letters.len(), 1);
    assert_eq!(outcome.letters[0].index, Some(500));
    assert_eq!(outcome.letters[0].reason, "malformed_record");
}

/// The contract's envelope with each record as its bytes.
#[derive(Clone, PartialEq, prost::Message)]
struct Envelope {
    #[prost(message, optional, tag = "1")]
    metadata: Option<server::Metadata>,
    #[prost(bytes = "vec", repeated, tag = "2")]
    data: Vec<Vec<u8>>,
}

fn server_bytes(records: usize) -> Envelope {
    let message = protobuf(records);
    Envelope {
        metadata: message.metadata,
        data: message.data.iter().map(Message::encode_to_vec).collect(),
    }
}

#[test]
fn json_bombs() {
    let deep = "[".repeat(200_000) + &"]".repeat(200_000);
    assert_eq!(
        row(&format!(r#"{{"local_address":{deep}}}"#)),
        "malformed_record"
    );
    assert_eq!(row(&deep), "malformed_record");
    let unclosed = json(&"[{\"a\":".repeat(100_000));
    assert_eq!(whole(&unclosed), "malformed_json");
    let metadata = format!(r#"{{"metadata":{deep},"data":[]}}"#);
    assert_eq!(whole(metadata.as_bytes()), "malformed_json");
}

#[test]
fn odd_rows() {
    assert_eq!(row("null"), "malformed_record");
    assert_eq!(row("7"), "malformed_record");
    let with = |more: &str| ROW.replace('}', &format!(",{more}}}"));
    assert_eq!(row(&with(r#""process_id":1e400"#)), "invalid_process_id");
    assert_eq!(
        row(&with(r#""process_id":99999999999999999999999"#)),
        "invalid_process_id"
    );
    assert_eq!(row(&with(r#""process_id":true"#)), "malformed_record");
    assert_eq!(row(&with(r#""protocol":"tcp\u0000""#)), "invalid_protocol");
    assert_eq!(
        row(&with(r#""local_address":"10.0.0.5\u0007:1""#)),
        "invalid_local_address"
    );
    assert_eq!(row(&with(r#""service":"\ud800""#)), "malformed_record");
    let duplicate = outcome(&json(&with(r#""state":"LISTEN","state":"CLOSE_WAIT""#)));
    assert!(String::from_utf8_lossy(&duplicate.events[0]).contains(r#""state":"CLOSE_WAIT""#));
}

#[test]
fn ten_mebibytes_and_a_hundred_thousand_records() {
    let long = ROW.replace(
        '}',
        &format!(r#","process_name":"{}"}}"#, "x".repeat(10 << 20)),
    );
    assert_eq!(row(&long), "field_too_long");
    let outcome_of_many = outcome(&protobuf(100_000).encode_to_vec());
    assert_eq!(outcome_of_many.events.len(), 100_000);
    assert_eq!(whole(&protobuf(100_001).encode_to_vec()), "batch_too_large");
}

#[test]
fn headers_without_values_are_no_obstacle() {
    let headers = [
        ("content-type", None),
        ("netsieve.ordinal", None),
        ("", None),
    ];
    let value = json(ROW);
    let outcome = run(&input(&value, &headers), &settings(Format::Json));
    assert_eq!((outcome.events.len(), outcome.letters.len()), (1, 0));
}
