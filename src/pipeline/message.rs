//! The types of a whole message: what comes in, and its envelope before and after validation.

use super::code::Warnings;

/// One Kafka record of the source topic, or what stands for one.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The value; empty for a null value, which means the same here.
    pub value: &'a [u8],
    /// The key.
    pub key: Option<&'a [u8]>,
    /// The headers in order; a header may have no value.
    pub headers: &'a [Header<'a>],
    /// Source topic.
    pub topic: &'a str,
    /// Source partition.
    pub partition: i32,
    /// Offset in the partition.
    pub offset: i64,
    /// The Kafka record's timestamp in milliseconds since 1970, which is "now" to every rule;
    /// where it is absent, the rules that need it do not apply.
    pub timestamp_ms: Option<i64>,
}

/// A Kafka header: its key and its value.
pub type Header<'a> = (&'a str, Option<&'a [u8]>);

impl<'a> Input<'a> {
    /// The value of the last header of that name, as text. Header names compare without case.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        let mut found = self.headers.iter().rev();
        let (_, value) = found.find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        std::str::from_utf8((*value)?).ok()
    }
}

/// An encoding of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Protobuf, `server.NetworkConnectionIngestionMessage`.
    Protobuf,
    /// JSON.
    Json,
}

/// A message taken apart but not yet judged: its metadata as sent and its records as raw bytes.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    /// The encoding it came in.
    pub encoding: Encoding,
    /// The Confluent framing before the body, empty where there is none.
    pub framing: &'a [u8],
    /// The metadata, where the message has any.
    pub metadata: Option<RawMetadata<'a>>,
    /// Whether the envelope or the metadata have fields that the contract does not know.
    pub unknown_fields: bool,
    /// The raw bytes of each record: a protobuf message or a JSON value.
    pub records: &'a [&'a [u8]],
}

/// Metadata as sent: text untouched, "" where absent.
#[derive(Clone, Copy, Debug, Default)]
pub struct RawMetadata<'a> {
    /// The original bytes: of JSON the object's text; of protobuf the content of each
    /// occurrence of the field (more than one are merged, as protobuf demands).
    pub raw: &'a [&'a [u8]],
    /// Unique id of the agent.
    pub agent_id: &'a str,
    /// Kind of agent.
    pub agent_type: &'a str,
    /// Whether the agent sent the rows by itself.
    pub automated: bool,
    /// Name of the data type.
    pub data_type: &'a str,
    /// Host or network that the rows were taken on.
    pub source: &'a str,
    /// The engagement.
    pub project: &'a str,
    /// When the data were sent.
    pub timestamp: RawTime<'a>,
    /// When the data must be removed.
    pub expiration: RawTime<'a>,
    /// Unique id of the message.
    pub message_id: &'a str,
}

/// A point in time as sent.
#[derive(Clone, Copy, Debug, Default)]
pub enum RawTime<'a> {
    /// Not sent.
    #[default]
    Absent,
    /// Text of the JSON encoding.
    Text(&'a str),
    /// The parts of a `google.protobuf.Timestamp`.
    Parts {
        /// Seconds since 1970.
        seconds: i64,
        /// Nanoseconds of the second.
        nanos: i32,
    },
}

/// A point in time, UTC, between the years 1 and 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time {
    /// Seconds since 1970.
    pub seconds: i64,
    /// Nanoseconds of the second, 0 to 999,999,999.
    pub nanos: u32,
}

/// Valid metadata: what every event of the message repeats.
#[derive(Clone, Copy, Debug)]
pub struct Metadata<'a> {
    /// When the rows were sent.
    pub observed_at: Time,
    /// When the data must be removed.
    pub expires_at: Option<Time>,
    /// The engagement.
    pub project: &'a str,
    /// Unique id of the agent.
    pub agent_id: &'a str,
    /// Kind of agent.
    pub agent_type: Option<&'a str>,
    /// Whether the agent sent the rows by itself.
    pub automated: bool,
    /// Host or network that the rows were taken on.
    pub source: Option<&'a str>,
    /// Unique id of the message.
    pub message_id: Option<&'a str>,
    /// Data type as sent.
    pub data_type: Option<&'a str>,
    /// What is odd about the message; every event of it carries these.
    pub warnings: Warnings,
}
