//! Events to bytes.
//!
//! What all events of a message share (its metadata, its coordinates) is encoded once per
//! message and copied into each event.

mod application;
mod ecs;
mod json;
mod members;
mod ocsf;
mod protobuf;
mod text;

pub use application::{OVER_TLS, PROTOCOLS};
pub use text::{push_ip, push_mac, push_time, push_uuid};

use super::code::Warnings;
use super::emit::event_header_bytes;
use super::enrich::Facts;
use super::identity::Identity;
use super::message::{Encoding, Envelope, Input, Metadata};
use super::record::Record;
use super::settings::Format;

/// What all events of a message share.
#[derive(Clone, Copy, Debug)]
pub struct MessageFacts<'a> {
    /// The message's metadata.
    pub metadata: &'a Metadata<'a>,
    /// The encoding that it came in.
    pub encoding: Encoding,
    /// Source topic.
    pub topic: &'a str,
    /// Source partition.
    pub partition: i32,
    /// Offset in the partition.
    pub offset: i64,
    /// The raw bytes of each record of the message.
    pub records: &'a [&'a [u8]],
    /// Size of the headers that each event carries, an upper bound over the formats.
    pub header_bytes: usize,
}

/// All that one event is made of.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// The record.
    pub record: &'a Record<'a>,
    /// The record's own bytes.
    pub raw: &'a [u8],
    /// What the whole message tells about it.
    pub facts: &'a Facts<'a>,
    /// Its ids.
    pub identity: Identity,
    /// Warnings of the message and of the record.
    pub warnings: Warnings,
}

impl<'a> MessageFacts<'a> {
    /// The facts of a message.
    pub fn new(input: &Input<'a>, envelope: &Envelope<'a>, metadata: &'a Metadata<'a>) -> Self {
        Self {
            metadata,
            encoding: envelope.encoding,
            topic: input.topic,
            partition: input.partition,
            offset: input.offset,
            records: envelope.records,
            header_bytes: event_header_bytes(input),
        }
    }
}

impl<'a> Event<'a> {
    /// The event of a record of the message.
    pub fn new(
        record: &'a Record<'a>,
        facts: &'a Facts<'a>,
        identity: Identity,
        message: &MessageFacts<'a>,
    ) -> Self {
        let raw = message
            .records
            .get(record.index as usize)
            .copied()
            .unwrap_or_default();
        let warnings = message.metadata.warnings.union(record.warnings);
        Self {
            record,
            raw,
            facts,
            identity,
            warnings,
        }
    }
}

/// The encoders of all formats, each with the shared parts of the message at hand; a format that
/// no event of the message asks for costs nothing.
#[derive(Debug, Default)]
pub struct Encoders {
    protobuf: Prepared,
    json: Prepared,
    ecs: Prepared,
    ocsf: Prepared,
}

/// The shared parts of a message in one format, once they are `ready`.
#[derive(Debug, Default)]
struct Prepared {
    ready: bool,
    /// What the message's metadata say.
    metadata: Vec<u8>,
    /// Where the message was read, and in formats of others what of the metadata has no field of
    /// its own there.
    ingest: Vec<u8>,
}

impl Encoders {
    /// Forgets the message before.
    pub fn begin_message(&mut self) {
        self.protobuf.ready = false;
        self.json.ready = false;
        self.ecs.ready = false;
        self.ocsf.ready = false;
    }

    /// Appends one event in the format.
    pub fn push_event(
        &mut self,
        format: Format,
        event: &Event<'_>,
        facts: &MessageFacts<'_>,
        out: &mut Vec<u8>,
    ) {
        match format {
            Format::Protobuf => {
                self.protobuf.make_ready(facts, protobuf::prepare);
                protobuf::push_event(out, event, facts, &self.protobuf);
            }
            Format::Json => {
                self.json.make_ready(facts, json::prepare);
                json::push_event(out, event, facts, &self.json);
            }
            Format::Ecs => {
                self.ecs.make_ready(facts, ecs::prepare);
                ecs::push_event(out, event, facts, &self.ecs);
            }
            Format::Ocsf => {
                self.ocsf.make_ready(facts, ocsf::prepare);
                ocsf::push_event(out, event, facts, &self.ocsf);
            }
        }
    }
}

impl Prepared {
    fn make_ready(&mut self, facts: &MessageFacts<'_>, write: fn(&MessageFacts<'_>, &mut Self)) {
        if !self.ready {
            self.metadata.clear();
            self.ingest.clear();
            write(facts, self);
            self.ready = true;
        }
    }
}
