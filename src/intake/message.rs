//! Records and metadata to input messages.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Map, Value};

use super::reading::Snapshot;
use crate::pipeline::settings::Limits;

/// What is said of a snapshot beside its rows. What is not given here is the file's own, where
/// it has some, and else a default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// The engagement.
    pub project: String,
    /// The agent; by default the host's name.
    pub agent_id: Option<String>,
    /// The kind of agent; by default [`AGENT_TYPE`].
    pub agent_type: Option<String>,
    /// The host that the rows were taken on; by default the one that the file names, else
    /// `host`.
    pub source: Option<String>,
    /// When the data were sent; by default `now`.
    pub timestamp: Option<Timestamp>,
    /// When the data must be removed; by default [`DEFAULT_DAYS`] from then.
    pub expiration: Option<Expiration>,
    /// The name of the host that this runs on.
    pub host: String,
    /// The time of the clock.
    pub now: Timestamp,
}

/// The kind of agent where none is given.
pub const AGENT_TYPE: &str = "netsieve";
/// After how many days data must be removed where nothing is said of it.
pub const DEFAULT_DAYS: i64 = 30;

/// When data must be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiration {
    /// At that time.
    At(Timestamp),
    /// So many days after the timestamp that is given, or after `now`.
    Days(i64),
}

/// An input message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its agent, which is its key.
    pub agent_id: String,
    /// Its JSON, on one line.
    pub value: String,
    /// How many records it has.
    pub records: usize,
}

/// A snapshot as one message, or as several where it is larger than the limits of a message.
pub fn messages(snapshot: &Snapshot, given: &Metadata, limits: &Limits) -> Vec<Message> {
    let mut metadata = metadata(snapshot, given);
    let agent_id = text(&metadata, "agent_id").unwrap_or_default().to_owned();
    let records: Vec<_> = snapshot.records.iter().map(json).collect();
    let room = limits
        .max_message_bytes
        .saturating_sub(json(&metadata).len() + ENVELOPE_BYTES);
    let parts = parts(&records, room, limits.max_records);
    let own_id = text(&metadata, "message_id").map(str::to_owned);
    let mut messages = Vec::with_capacity(parts.len());
    for (number, part) in (1..).zip(&parts) {
        if parts.len() > 1 {
            // Equal records of two parts are two records, and must not have one identity.
            let part = format!("part {number} of {}", parts.len());
            let id = match &own_id {
                Some(id) => format!("{id}, {part}"),
                None => part,
            };
            metadata.insert("message_id".to_owned(), id.into());
        }
        let (metadata, data) = (json(&metadata), part.join(","));
        messages.push(Message {
            agent_id: agent_id.clone(),
            value: format!("{{\"metadata\":{metadata},\"data\":[{data}]}}"),
            records: part.len(),
        });
    }
    messages
}

/// What is around metadata and records, and the id of a part.
const ENVELOPE_BYTES: usize = 128;

/// The records in runs that fit a message.
fn parts(records: &[String], room: usize, max_records: usize) -> Vec<&[String]> {
    let mut parts = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (place, record) in records.iter().enumerate() {
        let size = record.len() + 1;
        if place > start && (bytes + size > room || place - start >= max_records) {
            parts.push(&records[start..place]);
            (start, bytes) = (place, 0);
        }
        bytes += size;
    }
    if start < records.len() {
        parts.push(&records[start..]);
    }
    parts
}

fn json(value: &impl Serialize) -> String {
    // Texts, numbers, and values that were JSON before: there is nothing that could fail.
    serde_json::to_string(value).unwrap_or_default()
}

fn text<'a>(metadata: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    metadata.get(name)?.as_str().filter(|text| !text.is_empty())
}

/// The two spellings of the metadata's fields that have two.
const CAMEL_CASE: &[(&str, &str)] = &[
    ("agentId", "agent_id"),
    ("agentType", "agent_type"),
    ("dataType", "data_type"),
    ("messageId", "message_id"),
];

fn metadata(snapshot: &Snapshot, given: &Metadata) -> Map<String, Value> {
    let mut metadata = snapshot.metadata.clone();
    for (camel, snake) in CAMEL_CASE {
        if let Some(value) = metadata.remove(*camel) {
            metadata.insert((*snake).to_owned(), value);
        }
    }
    let mut set = |name: &str, given: Option<String>, default: &str| {
        let given = given.or_else(|| {
            let has_own = text(&metadata, name).is_some();
            (!has_own).then(|| default.to_owned())
        });
        if let Some(value) = given {
            metadata.insert(name.to_owned(), value.into());
        }
    };
    set("project", Some(given.project.clone()), "");
    set("agent_id", given.agent_id.clone(), &given.host);
    set("agent_type", given.agent_type.clone(), AGENT_TYPE);
    let host = snapshot.host.as_deref().unwrap_or(&given.host);
    set("source", given.source.clone(), host);
    set("data_type", None, "network_connection");
    let timestamp = given.timestamp.map(|time| time.to_string());
    set("timestamp", timestamp, &given.now.to_string());
    let start = given.timestamp.unwrap_or(given.now);
    let expiration = given.expiration.map(|expiration| expiration.after(start));
    let default = Expiration::Days(DEFAULT_DAYS).after(start);
    set("expiration", expiration, &default);
    metadata.entry("automated").or_insert(Value::Bool(false));
    metadata
}

impl Expiration {
    /// The time as RFC 3339; the calendar's last where it would be after that.
    fn after(self, sent: Timestamp) -> String {
        let time = match self {
            Self::At(time) => time,
            Self::Days(days) => {
                let span = SignedDuration::from_hours(days.saturating_mul(24).min(MAX_HOURS));
                sent.saturating_add(span).unwrap_or(Timestamp::MAX)
            }
        };
        time.to_string()
    }
}

/// More hours than the calendar has.
const MAX_HOURS: i64 = 24 * 366 * 10_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::{Record, Row};

    fn given() -> Metadata {
        Metadata {
            project: "P".to_owned(),
            agent_id: None,
            agent_type: None,
            source: None,
            timestamp: None,
            expiration: None,
            host: "here".to_owned(),
            now: "2026-01-05T08:00:00Z".parse().unwrap(),
        }
    }

    fn snapshot(rows: usize) -> Snapshot {
        let row = |number| {
            Record::Row(Row {
                local_address: format!("0.0.0.0:{number}"),
                protocol: "tcp".to_owned(),
                ..Row::default()
            })
        };
        Snapshot {
            records: (0..rows).map(row).collect(),
            ..Snapshot::default()
        }
    }

    fn parsed(messages: &[Message]) -> Vec<Value> {
        let parsed = messages.iter().map(|of| serde_json::from_str(&of.value));
        parsed.collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn defaults_are_this_host_and_thirty_days() {
        let messages = messages(&snapshot(1), &given(), &Limits::default());
        let expected = serde_json::json!({
            "agent_id": "here", "agent_type": "netsieve", "automated": false,
            "data_type": "network_connection", "expiration": "2026-02-04T08:00:00Z",
            "project": "P", "source": "here", "timestamp": "2026-01-05T08:00:00Z",
        });
        assert_eq!(parsed(&messages)[0]["metadata"], expected);
    }

    #[test]
    fn what_is_given_goes_before_the_files_own_and_that_before_defaults() {
        let mut snapshot = snapshot(1);
        let own =
            r#"{"agentId":"7","source":"DC","project":"OLD","timestamp":"2020-01-01T00:00:00"}"#;
        snapshot.metadata = serde_json::from_str(own).unwrap();
        let given = Metadata {
            source: Some("DC2".to_owned()),
            expiration: Some(Expiration::Days(1)),
            ..given()
        };
        let messages = messages(&snapshot, &given, &Limits::default());
        assert_eq!(messages[0].agent_id, "7");
        let metadata = &parsed(&messages)[0]["metadata"];
        assert_eq!(metadata["source"], "DC2");
        assert_eq!(metadata["project"], "P");
        assert_eq!(metadata["timestamp"], "2020-01-01T00:00:00");
        assert_eq!(metadata["expiration"], "2026-01-06T08:00:00Z");
        assert_eq!(metadata.get("agentId"), None);
    }

    #[test]
    fn a_snapshot_is_split_only_past_the_limits() {
        let whole = messages(&snapshot(5), &given(), &Limits::default());
        assert_eq!(whole.len(), 1);
        let by_number = Limits {
            max_records: 2,
            ..Limits::default()
        };
        let parts = messages(&snapshot(5), &given(), &by_number);
        let sizes: Vec<_> = parts.iter().map(|part| part.records).collect();
        assert_eq!(sizes, [2, 2, 1]);
        let ids: Vec<_> = parsed(&parts)
            .iter()
            .map(|part| part["metadata"]["message_id"].clone())
            .collect();
        assert_eq!(ids, ["part 1 of 3", "part 2 of 3", "part 3 of 3"]);
        let by_bytes = Limits {
            max_message_bytes: 500,
            ..Limits::default()
        };
        let parts = messages(&snapshot(50), &given(), &by_bytes);
        assert!(parts.len() > 1 && parts.iter().all(|part| part.value.len() <= 500));
        assert_eq!(parts.iter().map(|part| part.records).sum::<usize>(), 50);
    }

    #[test]
    fn no_expiration_is_past_the_calendar() {
        let last = Expiration::Days(i64::MAX).after(given().now);
        assert_eq!(last, Timestamp::MAX.to_string());
    }
}
