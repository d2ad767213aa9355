//! What the core must be told: limits, promoted warnings, and where events go.

use super::code::Warnings;
use super::enrich::Enrich;
use super::filter::Filter;

/// Settings of the core, checked once by the configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How to tell the encoding of a message without a content-type header.
    pub format: SourceFormat,
    /// Warnings that reject.
    pub reject: Warnings,
    /// Size limits.
    pub limits: Limits,
    /// What is found out about each record.
    pub enrich: Enrich,
    /// Where events go; an event goes to every output that it matches.
    pub outputs: Vec<Output>,
    /// Largest record that the dead-letter topic takes, in bytes.
    pub dead_letter_max_bytes: usize,
}

impl Default for Settings {
    /// As the configuration has them by default, but with no output, and with dead letters of
    /// any size.
    fn default() -> Self {
        Self {
            format: SourceFormat::default(),
            reject: Warnings::NONE,
            limits: Limits::default(),
            enrich: Enrich::default(),
            outputs: Vec::new(),
            dead_letter_max_bytes: usize::MAX,
        }
    }
}

/// How the encoding of a message without a content-type header is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SourceFormat {
    /// From the bytes.
    #[default]
    Auto,
    /// Always JSON.
    Json,
    /// Always protobuf.
    Protobuf,
}

/// Size limits of what comes in and of what goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest message value, in bytes.
    pub max_message_bytes: usize,
    /// Largest metadata of a message, in bytes.
    pub max_metadata_bytes: usize,
    /// Most records of one message.
    pub max_records: usize,
    /// Longest field of a record, in bytes.
    pub max_field_bytes: usize,
    /// Largest encoded event, in bytes.
    pub max_event_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_message_bytes: 16 << 20,
            max_metadata_bytes: 64 << 10,
            max_records: 100_000,
            max_field_bytes: 32 << 10,
            max_event_bytes: 900 << 10,
        }
    }
}

/// One output: a topic's worth of events.
#[derive(Clone, Debug)]
pub struct Output {
    /// Format of the values.
    pub format: Format,
    /// What the Kafka key is.
    pub key: Key,
    /// Which events go there.
    pub filter: Filter,
    /// What goes before each value: the framing of a schema registry, made ready; mostly nothing.
    pub prefix: Vec<u8>,
    /// Largest record that the topic takes, in bytes.
    pub max_bytes: usize,
}

impl Output {
    /// An output that takes every event, of any size, and has nothing before its values.
    pub fn new(format: Format, key: Key) -> Self {
        Self {
            format,
            key,
            filter: Filter::default(),
            prefix: Vec::new(),
            max_bytes: usize::MAX,
        }
    }
}

/// A format of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `netsieve.v1.Event`.
    Protobuf,
    /// Native JSON.
    Json,
    /// Elastic Common Schema.
    Ecs,
    /// Open Cybersecurity Schema Framework, class Network Activity.
    Ocsf,
}

impl Format {
    /// Every format.
    pub const ALL: &[Self] = &[Self::Protobuf, Self::Json, Self::Ecs, Self::Ocsf];
    /// How many formats there are.
    pub const COUNT: usize = Self::ALL.len();

    /// The name in the configuration and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Protobuf => "protobuf",
            Self::Json => "json",
            Self::Ecs => "ecs",
            Self::Ocsf => "ocsf",
        }
    }

    /// The media type, for the `content-type` header.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json | Self::Ecs | Self::Ocsf => "application/json",
        }
    }

    /// The schema of the values and its version, for the `netsieve.schema` header. A version of
    /// another's schema is named since it changes without this program's doing.
    pub const fn schema(self) -> &'static str {
        match self {
            Self::Protobuf | Self::Json => "netsieve.v1.Event",
            Self::Ecs => "ecs/9.4.0",
            Self::Ocsf => "ocsf/1.8.0/network_activity",
        }
    }
}

/// What the Kafka key of an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// The connection key: one socket stays in order on one partition.
    Connection,
    /// The agent id.
    Agent,
    /// The Community ID, or nothing where the event has none.
    CommunityId,
    /// The source, or nothing where the message names none.
    Source,
    /// No key.
    None,
}
