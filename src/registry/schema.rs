//! What is registered of each format, under which subject, and what goes before each value.

use crate::pipeline::settings::Format;
use crate::proto::{EVENT_JSON_SCHEMA, EVENT_PROTO};

/// How an output's subject is named: Confluent's three strategies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubjectStrategy {
    /// `TOPIC-value`.
    Topic,
    /// The name of the record, whatever topics it is in.
    Record,
    /// `TOPIC-RECORD`.
    TopicRecord,
}

/// A schema as a registry takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schema {
    /// The registry's name of the schema language.
    pub language: &'static str,
    /// The record: the protobuf message, or the title of the JSON Schema.
    pub record: &'static str,
    /// The text.
    pub text: &'static str,
}

/// ECS and OCSF are schemas of others, and larger than a registry is for: what is registered says
/// which one it is, and takes any object.
const ECS: &str = r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","$id":"urn:netsieve:ecs:9.4.0","title":"ecs.Event","description":"An event in the Elastic Common Schema 9.4.0","type":"object"}"#;
const OCSF: &str = r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","$id":"urn:netsieve:ocsf:1.8.0","title":"ocsf.NetworkActivity","description":"An event of OCSF 1.8.0, class Network Activity (4001) with the host profile","type":"object"}"#;

impl Schema {
    /// The schema of a format.
    pub const fn of(format: Format) -> Self {
        let (language, record, text) = match format {
            Format::Protobuf => ("PROTOBUF", "netsieve.v1.Event", EVENT_PROTO),
            Format::Json => ("JSON", "netsieve.v1.Event", EVENT_JSON_SCHEMA),
            Format::Ecs => ("JSON", "ecs.Event", ECS),
            Format::Ocsf => ("JSON", "ocsf.NetworkActivity", OCSF),
        };
        Self {
            language,
            record,
            text,
        }
    }
}

impl SubjectStrategy {
    /// The subject of the values of a topic in a format.
    pub fn subject(self, topic: &str, format: Format) -> String {
        let record = Schema::of(format).record;
        match self {
            Self::Topic => format!("{topic}-value"),
            Self::Record => record.to_owned(),
            Self::TopicRecord => format!("{topic}-{record}"),
        }
    }
}

/// What goes before each value of a format under the schema of that id: a zero byte, the id, and
/// for protobuf the way to the message inside its file; that of the first one is a single zero.
pub fn prefix(format: Format, id: u32) -> Vec<u8> {
    let mut prefix = vec![0];
    prefix.extend_from_slice(&id.to_be_bytes());
    if format == Format::Protobuf {
        prefix.push(0);
    }
    prefix
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_named_by_its_strategy() {
        let subject = |strategy: SubjectStrategy, format| strategy.subject("a.b", format);
        let topic = SubjectStrategy::Topic;
        assert_eq!(subject(topic, Format::Json), "a.b-value");
        let record = SubjectStrategy::Record;
        assert_eq!(subject(record, Format::Protobuf), "netsieve.v1.Event");
        assert_eq!(subject(record, Format::Ocsf), "ocsf.NetworkActivity");
        let both = SubjectStrategy::TopicRecord;
        assert_eq!(subject(both, Format::Ecs), "a.b-ecs.Event");
    }

    #[test]
    fn the_prefix_names_the_id_and_the_first_message() {
        let id = 0x0102_0304;
        assert_eq!(prefix(Format::Protobuf, id), [0, 1, 2, 3, 4, 0]);
        assert_eq!(prefix(Format::Json, id), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn records_are_what_their_schemas_say() {
        for format in Format::ALL {
            let schema = Schema::of(*format);
            if schema.language == "JSON" {
                let text: serde_json::Value = serde_json::from_str(schema.text).unwrap();
                assert_eq!(text["title"], schema.record);
            }
        }
        let (package, name) = Schema::of(Format::Protobuf)
            .record
            .rsplit_once('.')
            .unwrap();
        assert!(EVENT_PROTO.contains(&format!("\npackage {package};")));
        let first = EVENT_PROTO.split("\nmessage ").nth(1).unwrap();
        assert!(
            first.starts_with(&format!("{name} {{")),
            "index 0 is {name}"
        );
    }
}
