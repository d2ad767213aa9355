//! What must come out of each generated message, by the generator's own knowledge of what it
//! wrote: the yardstick that outputs are compared with.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::pipeline::code::{Rejection, Warning};
use crate::pipeline::record::{Kind, State};
use crate::proto::v1;

/// What must come of one message: one line of the manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    /// Position of the message in the load, from 0; also its `generate.sequence` header.
    pub sequence: u64,
    /// The Kafka key: the agent's id.
    pub key: String,
    /// The message's id; events carry it.
    pub message_id: String,
    /// The encoding: `json` or `protobuf`.
    pub encoding: String,
    /// What comes of the message.
    #[serde(flatten)]
    pub outcome: MessageOutcome,
}

/// What must come of a message: a rejection of the whole, or something of each record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageOutcome {
    /// The whole message is rejected with this code.
    Reject(String),
    /// What comes of each record, in order.
    Records(Vec<RecordOutcome>),
}

/// What must come of one record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordOutcome {
    /// It is rejected with this code.
    Reject(String),
    /// It becomes this event.
    Event(Box<ExpectedEvent>),
}

impl Expected {
    /// How many events the message gives.
    pub fn events(&self) -> usize {
        let is_event = |record: &&RecordOutcome| matches!(record, RecordOutcome::Event(_));
        self.records().iter().filter(is_event).count()
    }

    /// The code of every rejection: the message's, or those of its records.
    pub fn rejects(&self) -> impl Iterator<Item = &str> {
        let whole = match &self.outcome {
            MessageOutcome::Reject(code) => Some(code.as_str()),
            MessageOutcome::Records(_) => None,
        };
        let single = self.records().iter().filter_map(|record| match record {
            RecordOutcome::Reject(code) => Some(code.as_str()),
            RecordOutcome::Event(_) => None,
        });
        whole.into_iter().chain(single)
    }

    /// What comes of each record; empty where the whole message is rejected.
    pub fn records(&self) -> &[RecordOutcome] {
        match &self.outcome {
            MessageOutcome::Records(records) => records,
            MessageOutcome::Reject(_) => &[],
        }
    }
}

/// The facts of an event that the generator vouches for; names are the event's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ExpectedEvent {
    /// `connection`, `listener` or `idle`.
    pub kind: String,
    /// The protocol stack top-down.
    pub protocols: Vec<String>,
    /// The transport's canonical name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transport: Option<String>,
    /// `ipv4` or `ipv6`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// One of the twelve states.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The local end.
    pub local: ExpectedEnd,
    /// The remote end, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<ExpectedEnd>,
    /// The process id as sent: that of a listener on the same port may be inferred in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// The process's name as sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<String>,
    /// The warnings, in order.
    pub warnings: Vec<String>,
}

/// One end of an expected event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ExpectedEnd {
    /// The address in canonical text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// The port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The zone or interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// The MAC address, upper case with hyphens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
    /// The name in place of a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// What an event that came out says, in the manifest's form. A kind or a state that the schema
/// does not know is absent.
impl From<&v1::Event> for ExpectedEvent {
    fn from(event: &v1::Event) -> Self {
        let present = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let kind = Kind::ALL.iter().find(|kind| **kind as i32 == event.kind);
        let state = State::ALL
            .iter()
            .find(|state| **state as i32 == event.state);
        let process = event.process.as_ref();
        Self {
            kind: kind.map_or("", |kind| kind.name()).to_owned(),
            protocols: event.protocols.clone(),
            transport: present(&event.transport),
            network: present(&event.network),
            state: state.map(|state| state.name().to_owned()),
            local: event
                .local
                .as_ref()
                .map(ExpectedEnd::from)
                .unwrap_or_default(),
            remote: event.remote.as_ref().map(ExpectedEnd::from),
            pid: process
                .filter(|process| !process.pid_inferred)
                .and_then(|process| process.pid),
            process: process.and_then(|process| present(&process.name)),
            warnings: event.warnings.clone(),
        }
    }
}

impl From<&v1::Endpoint> for ExpectedEnd {
    fn from(end: &v1::Endpoint) -> Self {
        let present = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Self {
            ip: present(&end.ip),
            port: end.port.and_then(|port| u16::try_from(port).ok()),
            zone: present(&end.zone),
            mac: present(&end.mac),
            name: present(&end.name),
        }
    }
}

/// What the generator knows of a row that it wrote and that is valid.
#[derive(Clone, Debug, Default)]
pub(super) struct Truth {
    pub(super) kind: Option<Kind>,
    pub(super) application: Option<&'static str>,
    pub(super) transport: Option<&'static str>,
    pub(super) network: Option<&'static str>,
    pub(super) link: Option<&'static str>,
    pub(super) state: Option<State>,
    pub(super) local: End,
    pub(super) remote: Option<End>,
    pub(super) pid: Option<u32>,
    pub(super) process: Option<String>,
    pub(super) warnings: BTreeSet<Warning>,
}

/// One end of a row, as it must be read.
#[derive(Clone, Debug, Default)]
pub(super) struct End {
    pub(super) ip: Option<IpAddr>,
    pub(super) port: Option<u16>,
    pub(super) zone: Option<String>,
    pub(super) mac: Option<[u8; 6]>,
    pub(super) name: Option<String>,
}

impl End {
    fn expected(&self) -> ExpectedEnd {
        ExpectedEnd {
            ip: self.ip.map(|ip| ip.to_string()),
            port: self.port,
            zone: self.zone.clone(),
            mac: self.mac.map(|mac| super::spellings::mac_text(mac, '-')),
            name: self.name.clone(),
        }
    }
}

impl Truth {
    /// The event that must come out, given the warnings of its message.
    pub(super) fn expected(&self, of_message: &BTreeSet<Warning>) -> ExpectedEvent {
        let warnings = self.warnings.union(of_message);
        let layers = [self.application, self.transport, self.network, self.link];
        ExpectedEvent {
            kind: self.kind.map_or("", Kind::name).to_owned(),
            protocols: layers.into_iter().flatten().map(str::to_owned).collect(),
            transport: self.transport.map(str::to_owned),
            network: self.network.map(str::to_owned),
            state: self.state.map(|state| state.name().to_owned()),
            local: self.local.expected(),
            remote: self.remote.as_ref().map(End::expected),
            pid: self.pid,
            process: self.process.clone(),
            warnings: warnings.map(|code| code.name().to_owned()).collect(),
        }
    }
}

/// The code of a rejection as the manifest spells it.
pub(super) fn code(rejection: Rejection) -> String {
    rejection.name().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_reads_back_as_it_was_written() {
        let event = ExpectedEvent {
            kind: "listener".to_owned(),
            ..ExpectedEvent::default()
        };
        let records = vec![
            RecordOutcome::Reject("missing_protocol".to_owned()),
            RecordOutcome::Event(Box::new(event)),
        ];
        let mut expected = Expected {
            sequence: 7,
            key: "a".to_owned(),
            message_id: "m".to_owned(),
            encoding: "json".to_owned(),
            outcome: MessageOutcome::Records(records),
        };
        for _ in 0..2 {
            let line = serde_json::to_string(&expected).unwrap();
            assert_eq!(serde_json::from_str::<Expected>(&line).unwrap(), expected);
            expected.outcome = MessageOutcome::Reject("empty_message".to_owned());
        }
        assert_eq!(expected.rejects().collect::<Vec<_>>(), ["empty_message"]);
        assert_eq!(expected.events(), 0);
    }
}
