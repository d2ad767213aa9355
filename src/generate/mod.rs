//! A load of messages like those of real agents, for demos, tests and benches: the same options
//! give the same bytes on every machine, and each message comes with what must come of it.
//!
//! Nothing here reads a message: what is expected follows from what was written, so that it can
//! judge the pipeline.
//!
//! ```
//! use netsieve::generate::{Generator, Options};
//!
//! let options = Options { messages: Some(10), ..Options::default() };
//! let load: Vec<_> = Generator::new(options).collect();
//! assert_eq!(load.len(), 10);
//! assert!(load.iter().all(|message| message.expected.sequence == message.sequence));
//! ```

mod faults;
mod hosts;
mod manifest;
mod message;
mod rng;
mod roles;
mod spellings;

use std::collections::BTreeSet;

use crate::pipeline::code::Warning;
use crate::pipeline::message::Encoding;
use faults::MessageFault;
use hosts::{FLEET, Host};
use message::{Draft, Entry, Metadata, Quirk, Style, Time};
use rng::Rng;

pub use manifest::{Expected, ExpectedEnd, ExpectedEvent, MessageOutcome, RecordOutcome};
pub use spellings::Tool;

/// The header that every generated message carries: its sequence number in decimal. Dead
/// letters keep it, so that a rejected message is known again.
pub const SEQUENCE_HEADER: &str = "generate.sequence";

/// 2026-01-05T08:00:00Z in milliseconds: when a load begins unless it is told otherwise.
pub const DEFAULT_START_MS: i64 = 1_767_600_000_000;

/// Share of snapshots that have no listeners.
const NO_LISTENERS: f64 = 0.12;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// What a load is made of.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Everything random follows from it.
    pub seed: u64,
    /// How many messages; endless where absent.
    pub messages: Option<u64>,
    /// Fewest records of a message; some messages are empty all the same.
    pub min_records: u32,
    /// Most records of a message.
    pub max_records: u32,
    /// Share of messages that are rejected as a whole, and of records of the others that are
    /// rejected: 0 to 1.
    pub bad: f64,
    /// The encoding of the messages.
    pub encodings: Encodings,
    /// How the messages travel.
    pub carrier: Carrier,
    /// Kafka timestamp of the first message in milliseconds since 1970.
    pub start_ms: i64,
    /// By how many microseconds the timestamp of each further message is later.
    pub interval_us: u32,
    /// Whether bad ones may break the default size limits as well.
    pub oversized: bool,
    /// Share of good records whose process name is a command line of some KiB, as those of Java
    /// programs are: 0 to 1.
    pub long_commands: f64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 1,
            messages: None,
            min_records: 1,
            max_records: 50,
            bad: 0.02,
            encodings: Encodings::Mixed,
            carrier: Carrier::Kafka,
            start_ms: DEFAULT_START_MS,
            interval_us: 1_000,
            oversized: false,
            long_commands: 0.0,
        }
    }
}

/// The encodings of a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encodings {
    /// All JSON.
    Json,
    /// All protobuf.
    Protobuf,
    /// Either, message by message.
    Mixed,
}

/// How messages travel, which decides what can be wrong with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// With headers and a timestamp; the encoding may have to be told from the bytes.
    Kafka,
    /// Bytes alone, in a file of one known encoding; JSON without line breaks.
    File,
}

/// One message of a load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generated {
    /// Position in the load, from 0.
    pub sequence: u64,
    /// The Kafka key: the id of the agent, also of bad messages.
    pub key: String,
    /// The Kafka headers in order.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// The Kafka timestamp in milliseconds since 1970.
    pub timestamp_ms: i64,
    /// The Kafka value.
    pub value: Vec<u8>,
    /// The tool whose rows these are.
    pub tool: Tool,
    /// What must come of it.
    pub expected: Expected,
}

/// The messages of a load, in order.
#[derive(Clone, Debug)]
pub struct Generator {
    options: Options,
    hosts: Vec<Host>,
    next: u64,
    /// Faults used so far, by encoding: each kind comes in its turn, so that a short load has
    /// all of them.
    message_faults: [usize; 2],
    record_faults: [usize; 2],
}

/// A message in the making.
struct Draw {
    draft: Draft,
    outcomes: Vec<RecordOutcome>,
}

impl Generator {
    /// A load by these options.
    pub fn new(options: Options) -> Self {
        let hosts = (0..FLEET).map(|number| Host::new(options.seed, number));
        Self {
            hosts: hosts.collect(),
            options,
            next: 0,
            message_faults: [0; 2],
            record_faults: [0; 2],
        }
    }

    fn message(&mut self, sequence: u64) -> Generated {
        let mut rng = Rng::at(self.options.seed, sequence);
        let rng = &mut rng;
        let host = rng.pick(&self.hosts).clone();
        let is_json = match self.options.encodings {
            Encodings::Json => true,
            Encodings::Protobuf => false,
            Encodings::Mixed => rng.chance(0.5),
        };
        let encoding = if is_json {
            Encoding::Json
        } else {
            Encoding::Protobuf
        };
        let fault = rng
            .chance(self.options.bad)
            .then(|| self.next_message_fault(encoding));
        let passed_us = sequence.saturating_mul(self.options.interval_us.into());
        let timestamp_ms = self.options.start_ms + i64::try_from(passed_us / 1_000).unwrap_or(0);
        let Draw {
            mut draft,
            outcomes,
        } = self.draw(&host, encoding, timestamp_ms, rng);
        let message_id = draft
            .metadata
            .as_ref()
            .map(|metadata| metadata.message_id.clone());
        if let Some(fault) = fault {
            fault.spoil(&mut draft, rng);
        }
        let mut value = self.encode(&draft, encoding, rng);
        if let Some(fault) = fault {
            fault.corrupt(&mut value, encoding, rng);
        }
        let headers = self.headers(sequence, encoding, fault, &mut value, rng);
        let outcome = match fault {
            Some(fault) => MessageOutcome::Reject(manifest::code(fault.rejection(encoding))),
            None => MessageOutcome::Records(outcomes),
        };
        Generated {
            sequence,
            key: host.agent_id.clone(),
            headers,
            timestamp_ms,
            value,
            tool: host.tool,
            expected: Expected {
                sequence,
                key: host.agent_id,
                message_id: message_id.unwrap_or_default(),
                encoding: encoding_name(encoding).to_owned(),
                outcome,
            },
        }
    }

    fn next_message_fault(&mut self, encoding: Encoding) -> MessageFault {
        let Options {
            carrier, oversized, ..
        } = self.options;
        let faults = faults::of_messages(encoding, carrier, oversized);
        let turn = &mut self.message_faults[encoding as usize];
        *turn += 1;
        faults[*turn % faults.len()]
    }

    /// Metadata and records of a message that is valid as a whole.
    fn draw(&mut self, host: &Host, encoding: Encoding, now_ms: i64, rng: &mut Rng) -> Draw {
        let (metadata, mut warnings) = metadata(host, self.options.carrier, now_ms, rng);
        let unknown_field = rng.chance(0.01);
        if unknown_field || metadata.unknown_field {
            warnings.insert(Warning::UnknownFields);
        }
        let mut draw = Draw {
            draft: Draft {
                metadata: Some(metadata),
                entries: Vec::new(),
                unknown_field,
            },
            outcomes: Vec::new(),
        };
        let Options {
            min_records,
            max_records,
            ..
        } = self.options;
        let count = match max_records.saturating_sub(min_records) {
            _ if rng.chance(0.01) => 0,
            span => min_records + rng.below(span + 1),
        };
        // A snapshot begins with the listeners; a short one has some of each. Some tools show
        // them only when they are told to.
        let listeners = match host.listeners().min(count.div_ceil(2)) {
            _ if rng.chance(NO_LISTENERS) => 0,
            listeners => listeners,
        };
        // The other end of a connection within the host follows the first.
        let mut follows = None;
        for place in 0..count {
            let (entry, outcome) = if rng.chance(self.options.bad) {
                self.bad_record(encoding, rng)
            } else {
                let socket = if place < listeners {
                    host.listening(place)
                } else if let Some(socket) = follows.take() {
                    socket
                } else {
                    let (socket, other) = host.connected(rng);
                    follows = other;
                    socket
                };
                let mut spelled = host.tool.spell(host, &socket, rng);
                if self.options.long_commands > 0.0 && rng.chance(self.options.long_commands) {
                    spelled.prolong_command(rng);
                }
                good_record(spelled, encoding, &warnings, rng)
            };
            draw.draft.entries.push(entry);
            draw.outcomes.push(outcome);
        }
        // Tools that read a changing table print a row twice now and then.
        if draw.draft.entries.len() > 1 && rng.chance(0.05) {
            let last = draw.draft.entries.len() - 1;
            draw.draft.entries[last] = draw.draft.entries[last - 1].clone();
            draw.outcomes[last] = draw.outcomes[last - 1].clone();
        }
        draw
    }

    fn bad_record(&mut self, encoding: Encoding, rng: &mut Rng) -> (Entry, RecordOutcome) {
        let faults = faults::of_records(encoding, self.options.oversized);
        let turn = &mut self.record_faults[encoding as usize];
        *turn += 1;
        let rejection = faults[*turn % faults.len()];
        let entry = faults::record(rejection, encoding, rng);
        (entry, RecordOutcome::Reject(manifest::code(rejection)))
    }

    fn encode(&self, draft: &Draft, encoding: Encoding, rng: &mut Rng) -> Vec<u8> {
        match encoding {
            Encoding::Json => {
                let style = Style::new(self.options.carrier == Carrier::Kafka, rng);
                message::json(draft, style)
            }
            Encoding::Protobuf => {
                let unknown_pid = if rng.chance(0.5) { 0 } else { u32::MAX };
                message::protobuf(draft, unknown_pid)
            }
        }
    }

    /// The headers; where none names the encoding, the value may be framed as by a schema
    /// registry's serializer.
    fn headers(
        &self,
        sequence: u64,
        encoding: Encoding,
        fault: Option<MessageFault>,
        value: &mut Vec<u8>,
        rng: &mut Rng,
    ) -> Vec<(String, Option<Vec<u8>>)> {
        let mut headers = vec![(
            SEQUENCE_HEADER.to_owned(),
            Some(sequence.to_string().into_bytes()),
        )];
        let is_told = match fault {
            Some(MessageFault::UnknownFormat) => false,
            // Only the header says that what is left of it is protobuf.
            Some(_) => encoding == Encoding::Protobuf || rng.chance(0.4),
            None => rng.chance(0.4),
        };
        if is_told {
            let media_types: &[&str] = match encoding {
                Encoding::Json => &["application/json"],
                Encoding::Protobuf => &["application/x-protobuf", "application/protobuf"],
            };
            let media_type = rng.pick(media_types).as_bytes().to_vec();
            headers.push(("content-type".to_owned(), Some(media_type)));
        } else if fault.is_none() && self.options.carrier == Carrier::Kafka && rng.chance(0.1) {
            let framing: &[u8] = match encoding {
                Encoding::Json => &[0, 0, 0, 0, 7],
                // The first message type of a schema, or the third by its index.
                Encoding::Protobuf if rng.chance(0.5) => &[0, 0, 0, 0, 7, 0],
                Encoding::Protobuf => &[0, 0, 0, 0, 7, 2, 4],
            };
            value.splice(0..0, framing.iter().copied());
        }
        if rng.chance(0.1) {
            let trace = format!(
                "00-{:016x}{:016x}-{:016x}-01",
                rng.next(),
                rng.next(),
                rng.next()
            );
            headers.push(("traceparent".to_owned(), Some(trace.into_bytes())));
        }
        if rng.chance(0.05) {
            headers.push(("relay".to_owned(), None));
        }
        headers
    }
}

impl Iterator for Generator {
    type Item = Generated;

    fn next(&mut self) -> Option<Generated> {
        let sequence = self.next;
        if self
            .options
            .messages
            .is_some_and(|messages| sequence >= messages)
        {
            return None;
        }
        self.next += 1;
        Some(self.message(sequence))
    }
}

fn encoding_name(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Json => "json",
        Encoding::Protobuf => "protobuf",
    }
}

/// Metadata of the host's message, with the warnings that every event of it must carry.
fn metadata(
    host: &Host,
    carrier: Carrier,
    now_ms: i64,
    rng: &mut Rng,
) -> (Metadata, BTreeSet<Warning>) {
    let sent_ms = now_ms - i64::from(rng.between(20, 900));
    let mut metadata = Metadata {
        agent_id: host.agent_id.clone(),
        agent_type: host.agent_type.to_owned(),
        automated: rng.chance(0.8),
        data_type: "network_connection".to_owned(),
        source: host.source.clone(),
        project: host.project.to_owned(),
        timestamp: Time::Millis(sent_ms),
        expiration: Time::Millis(sent_ms + 30 * DAY_MS),
        message_id: message_id(rng),
        unknown_field: rng.chance(0.02),
    };
    let mut warnings = BTreeSet::new();
    match rng.below(40) {
        0 => {
            "file_data".clone_into(&mut metadata.data_type);
            warnings.insert(Warning::DataTypeMismatch);
        }
        1 => "network_conection".clone_into(&mut metadata.data_type),
        2 => {
            metadata.expiration = Time::Millis(sent_ms - HOUR_MS);
            warnings.insert(Warning::Expired);
        }
        3 => {
            metadata.expiration = Time::Absent;
            warnings.insert(Warning::MissingExpiration);
        }
        4 => {
            metadata.agent_type.clear();
            warnings.insert(Warning::MissingAgentType);
        }
        // A file has no time of its own that the timestamp could be ahead of.
        5 if carrier == Carrier::Kafka => {
            metadata.timestamp = Time::Millis(now_ms + 2 * DAY_MS);
            warnings.insert(Warning::TimestampInFuture);
        }
        6 => metadata.source.clear(),
        _ => {}
    }
    (metadata, warnings)
}

/// A random UUID (version 4).
fn message_id(rng: &mut Rng) -> String {
    let (high, low) = (rng.next(), rng.next());
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xFFFF,
        high & 0xFFF,
        low >> 48 & 0x3FFF | 0x8000,
        low & 0xFFFF_FFFF_FFFF,
    )
}

fn good_record(
    spellings::Spelled { row, mut truth }: spellings::Spelled,
    encoding: Encoding,
    of_message: &BTreeSet<Warning>,
    rng: &mut Rng,
) -> (Entry, RecordOutcome) {
    let mut quirk = Quirk::None;
    if rng.chance(0.01) {
        quirk = Quirk::UnknownField;
        truth.warnings.insert(Warning::UnknownFields);
    } else if encoding == Encoding::Json && rng.chance(0.01) {
        quirk = Quirk::DuplicateKey;
    }
    let expected = truth.expected(of_message);
    let outcome = RecordOutcome::Event(Box::new(expected));
    (Entry { row, quirk }, outcome)
}
