//! The checked configuration.

use std::net::SocketAddr;
use std::time::Duration;

use crate::pipeline::code::Warnings;
use crate::pipeline::enrich::Enrich;
use crate::pipeline::filter::Condition;
use crate::pipeline::record::Kind;
use crate::pipeline::settings::{Format, Key, Limits, SourceFormat};

use crate::kafka::settings::{
    BrakeSettings, CommitSettings, DeliverySettings, GroupProtocol, Guarantee, MemorySettings,
    OnDataLoss,
};

use crate::reference::Files;
use crate::registry::{Framed, RegistrySettings};

use super::kafka::Properties;

/// Everything that a run is told, checked: no part of it need be checked again.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// What holds after a crash.
    pub delivery: Guarantee,
    /// Worker threads, at least one.
    pub workers: usize,
    /// Name of this process, where one was given.
    pub instance: Option<String>,
    /// The connection to Kafka.
    pub kafka: Kafka,
    /// What is read.
    pub source: Source,
    /// Where events go; at least one, of different names.
    pub outputs: Vec<Output>,
    /// The schema registry, where one is given; it is when an output is framed.
    pub schema_registry: Option<RegistrySettings>,
    /// The topic of what was rejected; neither a source nor an output.
    pub dead_letters_topic: String,
    /// When offsets are committed.
    pub commit: CommitSettings,
    /// How deliveries that fail are tried again.
    pub retry: DeliverySettings,
    /// Bounds of each worker's memory.
    pub memory: MemorySettings,
    /// What is rejected beside what the contract rejects.
    pub validate: Validate,
    /// What is found out about each record.
    pub enrich: Enrich,
    /// The files of the operator's tables, not yet looked at.
    pub reference: Files,
    /// When too much was rejected.
    pub brake: BrakeSettings,
    /// Without progress for so long, with messages to read, a worker is not ready.
    pub stalled_after: Duration,
    /// Longest time to drain.
    pub shutdown_timeout: Duration,
    /// Where HTTP is served, if anywhere.
    pub http_listen: Option<SocketAddr>,
    /// How to log.
    pub log: Log,
}

/// The connection to Kafka.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kafka {
    /// Brokers to begin with, `HOST:PORT` with commas between.
    pub bootstrap: String,
    /// Whether workers are static members; never with [`GroupProtocol::Consumer`].
    pub static_membership: bool,
    /// The group protocol.
    pub group_protocol: GroupProtocol,
    /// How long a start waits for the brokers to answer.
    pub connect_timeout: Duration,
    /// Properties of consumers: those for every client and those for consumers over them.
    pub consumer: Properties,
    /// Properties of producers: those for every client and those for producers over them.
    pub producer: Properties,
}

/// What is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Topics; one that begins with `^` is a pattern (POSIX extended).
    pub topics: Vec<String>,
    /// The consumer group.
    pub group: String,
    /// How the encoding of a message without a content-type header is told.
    pub format: SourceFormat,
    /// What to do when messages were deleted before they were read.
    pub on_data_loss: OnDataLoss,
}

/// Where events go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Its name in settings, logs and metrics.
    pub name: String,
    /// The topic.
    pub topic: String,
    /// Format of the values.
    pub format: Format,
    /// What the Kafka key is.
    pub key: Key,
    /// The kinds of events that go there.
    pub kinds: Vec<Kind>,
    /// Which events of those kinds; all of them where there is none.
    pub filter: Option<Condition>,
    /// What its values are framed under; nothing where they are bare.
    pub framed: Option<Framed>,
}

impl Output {
    /// What an event must meet to go there.
    pub fn condition(&self) -> Condition {
        let kinds = if self.kinds.len() == Kind::ALL.len() {
            None
        } else {
            Some(Condition::kinds(&self.kinds))
        };
        Condition::All(kinds.into_iter().chain(self.filter.clone()).collect())
    }
}

/// What is rejected beside what the contract rejects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validate {
    /// Warnings that reject.
    pub reject: Warnings,
    /// Size limits.
    pub limits: Limits,
}

/// How to log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Log {
    /// The least severe level that is logged.
    pub level: tracing::Level,
    /// The format.
    pub format: LogFormat,
}

/// Format of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// Text.
    Text,
    /// JSON, one object a line.
    Json,
}
