//! Any valid message is read for what it is and none is lost on the way to a dead letter; no
//! bytes panic.

use proptest::prelude::*;
use prost::Message as _;
use prost_types::Timestamp;

use super::super::*;
use super::{SCHEMA, auto, input, settings, told};
use crate::proto::server::{
    Metadata, NetworkConnectionIngestion as Record, NetworkConnectionIngestionMessage as Message,
};

/// Text that provokes: quotes, escapes, controls and characters of every length.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9:.]{0,12}",
        "[\\PC\0-\u{1f}\"\\\\{}]{0,12}",
        "\\{{0,3}[ -~]{0,130}",
    ]
}

fn records() -> impl Strategy<Value = Record> {
    (text(), text(), text(), text(), any::<u32>(), text(), text()).prop_map(
        |(local_address, remote_address, protocol, state, process_id, process_name, service)| {
            Record {
                local_address,
                remote_address,
                protocol,
                state,
                process_id,
                process_name,
                service,
            }
        },
    )
}

/// Messages that are valid: project, agent and timestamp are there.
fn messages() -> impl Strategy<Value = Message> {
    let seconds = prop_oneof![-3..300_i64, -62_135_596_800..=253_402_300_799_i64];
    let nanos = prop_oneof![Just(0), 0..1_000_000_000_i32];
    let texts = [text(), text(), text(), text()];
    let named = (
        "[a-z]{1,9}",
        "[0-9]{1,9}",
        any::<bool>(),
        texts,
        (seconds, nanos),
    );
    let metadata = named.prop_map(|(project, agent_id, automated, texts, (seconds, nanos))| {
        let [agent_type, data_type, source, message_id] = texts;
        Metadata {
            agent_id,
            agent_type,
            automated,
            data_type,
            source,
            project,
            timestamp: Some(Timestamp { seconds, nanos }),
            expiration: None,
            message_id,
        }
    });
    (metadata, prop::collection::vec(records(), 0..4)).prop_map(|(metadata, data)| Message {
        metadata: Some(metadata),
        data,
    })
}

fn json_of(message: &Message) -> serde_json::Value {
    let metadata = message.metadata.as_ref().unwrap();
    let data = message.data.iter().map(|record| {
        serde_json::json!({
            "local_address": record.local_address,
            "remoteAddress": record.remote_address,
            "protocol": record.protocol,
            "state": record.state,
            "process_id": record.process_id,
            "processName": record.process_name,
            "service": record.service,
        })
    });
    serde_json::json!({
        "metadata": {
            "agent_id": metadata.agent_id,
            "agentType": metadata.agent_type,
            "automated": metadata.automated,
            "data_type": metadata.data_type,
            "source": metadata.source,
            "project": metadata.project,
            "timestamp": metadata.timestamp.unwrap().to_string(),
            "messageId": metadata.message_id,
        },
        "data": data.collect::<Vec<_>>(),
    })
}

/// The protobuf fields of a message in another order, which is as valid.
fn reordered(message: &Message) -> Vec<u8> {
    let mut bytes = Vec::new();
    let metadata = message.metadata.clone().unwrap();
    let last = Metadata {
        timestamp: metadata.timestamp,
        ..Metadata::default()
    };
    let first = Metadata {
        timestamp: None,
        ..metadata
    };
    let first = [first.encode_to_vec(), last.encode_to_vec()].concat();
    for record in &message.data {
        wire::push_bytes(&mut bytes, 2, &record.encode_to_vec());
    }
    wire::push_bytes(&mut bytes, 1, &first);
    bytes
}

fn same_metadata(ours: &RawMetadata<'_>, theirs: &Metadata) {
    assert_eq!(ours.agent_id, theirs.agent_id);
    assert_eq!(ours.agent_type, theirs.agent_type);
    assert_eq!(ours.automated, theirs.automated);
    assert_eq!(ours.data_type, theirs.data_type);
    assert_eq!(ours.source, theirs.source);
    assert_eq!(ours.project, theirs.project);
    assert_eq!(ours.message_id, theirs.message_id);
}

fn same_row(ours: &Row<'_>, theirs: &Record) {
    let expected = Row {
        local_address: &theirs.local_address,
        remote_address: &theirs.remote_address,
        protocol: &theirs.protocol,
        state: &theirs.state,
        process_id: ours.process_id,
        process_name: &theirs.process_name,
        service: &theirs.service,
        unknown_fields: false,
    };
    assert_eq!(*ours, expected);
    let known = Some(theirs.process_id).filter(|id| ![0, u32::MAX].contains(id));
    assert_eq!(ours.process_id.known(), known);
}

/// Reads the message, checks all that it holds, then rebuilds and reads each record's own.
fn survives(value: &[u8], message: &Message, encoding: Encoding, framing: &[u8]) {
    let arena = Bump::new();
    let envelope = auto(value, &arena).unwrap();
    assert_eq!(envelope.encoding, encoding);
    assert_eq!(envelope.framing, framing);
    assert!(!envelope.unknown_fields);
    same_metadata(
        &envelope.metadata.unwrap(),
        message.metadata.as_ref().unwrap(),
    );
    assert_eq!(envelope.records.len(), message.data.len());
    for (raw, record) in envelope.records.iter().zip(&message.data) {
        same_row(&row(encoding, raw, &arena).unwrap(), record);
        let mut rebuilt = Vec::new();
        rebuild(&envelope, raw, &mut rebuilt);
        let arena = Bump::new();
        let single = auto(&rebuilt, &arena).unwrap();
        assert_eq!(single.encoding, encoding);
        assert_eq!(single.framing, framing);
        assert_eq!(single.metadata.unwrap().raw, envelope.metadata.unwrap().raw);
        same_metadata(
            &single.metadata.unwrap(),
            message.metadata.as_ref().unwrap(),
        );
        assert_eq!(single.records, [*raw], "a record's own bytes");
        same_row(&row(encoding, single.records[0], &arena).unwrap(), record);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn no_valid_message_is_misread_and_none_is_lost_on_the_way_to_a_dead_letter(
        message in messages(),
        white in "[ \t\r\n]{0,4}",
        pretty in any::<bool>(),
    ) {
        let value = json_of(&message);
        let text = if pretty { format!("{value:#}") } else { value.to_string() };
        let json = [white.as_bytes(), text.as_bytes(), white.as_bytes()].concat();
        let framed = |framing: &[u8], body: &[u8]| [framing, body].concat();
        survives(&json, &message, Encoding::Json, &[]);
        survives(&framed(&SCHEMA, &json), &message, Encoding::Json, &SCHEMA);
        let framing = framed(&SCHEMA, &[4, 0, 10]);
        for bytes in [message.encode_to_vec(), reordered(&message)] {
            survives(&bytes, &message, Encoding::Protobuf, &[]);
            survives(&framed(&framing, &bytes), &message, Encoding::Protobuf, &framing);
        }
    }

    #[test]
    fn a_protobuf_message_of_every_length_of_metadata_is_protobuf(
        mut message in messages(),
        padding in "[ -~]{0,124}",
    ) {
        let metadata = message.metadata.as_mut().unwrap();
        metadata.source = padding;
        let missing = 0x7B_usize.saturating_sub(metadata.encoded_len());
        metadata.project.push_str(&"x".repeat(missing));
        prop_assert_eq!(told(&message.encode_to_vec()), Ok(Encoding::Protobuf));
    }

    #[test]
    fn no_bytes_panic(
        noise in prop::collection::vec(any::<u8>(), 0..200),
        message in messages(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let json = json_of(&message).to_string().into_bytes();
        for mut value in [noise, message.encode_to_vec(), json] {
            for (at, byte) in &edits {
                if !value.is_empty() {
                    let at = at.index(value.len());
                    value[at] = *byte;
                }
            }
            for format in [SourceFormat::Auto, SourceFormat::Json, SourceFormat::Protobuf] {
                let arena = Bump::new();
                let Ok(envelope) = envelope(&input(&value, &[]), &settings(format), &arena) else {
                    continue;
                };
                for raw in envelope.records {
                    let first = row(envelope.encoding, raw, &arena);
                    let mut rebuilt = Vec::new();
                    rebuild(&envelope, raw, &mut rebuilt);
                    let single = super::envelope(&input(&rebuilt, &[]), &settings(format), &arena);
                    prop_assert_eq!(single.map(|it| it.records.to_vec()), Ok(vec![*raw]));
                    prop_assert_eq!(row(envelope.encoding, raw, &arena), first);
                }
            }
        }
    }
}
