//! Edits of a message in its own encoding: a field gets another value, and every byte that is not
//! of that field stays as it came. What mends dead letters is made of them.

mod json;
mod protobuf;

use bumpalo::Bump;

use Part::{Data, Metadata};

use super::{detect, framing};
use crate::pipeline::message::{Encoding, Input, Time};
use crate::pipeline::reject::Reject;
use crate::pipeline::settings::Settings;

/// The part of a message that a field belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The metadata.
    Metadata,
    /// Each of the records.
    Data,
}

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// Text.
    Text,
    /// True or false.
    Flag,
    /// A whole number of 32 bits.
    Number,
    /// A point in time: text in JSON, `google.protobuf.Timestamp` in protobuf.
    Time,
}

/// A field of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Where it is.
    pub part: Part,
    /// Its name in snake_case.
    pub name: &'static str,
    /// Its other name in JSON, that of protobuf's mapping; the same where it has one word.
    camel: &'static str,
    /// Its number in protobuf.
    number: u32,
    /// What it holds.
    pub holds: Holds,
}

const fn field(
    part: Part,
    name: &'static str,
    camel: &'static str,
    number: u32,
    holds: Holds,
) -> Field {
    Field {
        part,
        name,
        camel,
        number,
        holds,
    }
}

impl Field {
    /// Every field of the contract.
    pub const ALL: &[Self] = &[
        field(Metadata, "agent_id", "agentId", 1, Holds::Text),
        field(Metadata, "agent_type", "agentType", 2, Holds::Text),
        field(Metadata, "automated", "automated", 3, Holds::Flag),
        field(Metadata, "data_type", "dataType", 4, Holds::Text),
        field(Metadata, "source", "source", 5, Holds::Text),
        field(Metadata, "project", "project", 6, Holds::Text),
        field(Metadata, "timestamp", "timestamp", 7, Holds::Time),
        field(Metadata, "expiration", "expiration", 8, Holds::Time),
        field(Metadata, "message_id", "messageId", 9, Holds::Text),
        field(Data, "local_address", "localAddress", 1, Holds::Text),
        field(Data, "remote_address", "remoteAddress", 2, Holds::Text),
        field(Data, "protocol", "protocol", 3, Holds::Text),
        field(Data, "state", "state", 4, Holds::Text),
        field(Data, "process_id", "processId", 5, Holds::Number),
        field(Data, "process_name", "processName", 6, Holds::Text),
        field(Data, "service", "service", 7, Holds::Text),
    ];

    /// The field of that name: `metadata.project`; of a record `data.state`, or `state` alone, as
    /// rejections name it.
    pub fn from_name(name: &str) -> Option<Self> {
        let (part, name) = match name.split_once('.') {
            Some(("metadata", name)) => (Metadata, name),
            Some(("data", name)) => (Data, name),
            Some(_) => return None,
            None => (Data, name),
        };
        let mut all = Self::ALL.iter().copied();
        all.find(|field| field.part == part && field.name == name)
    }

    /// The whole name: `metadata.project`, `data.state`.
    pub fn path(&self) -> String {
        let part = match self.part {
            Metadata => "metadata",
            Data => "data",
        };
        format!("{part}.{}", self.name)
    }

    /// Whether it has that name in JSON.
    fn is_called(&self, key: &str) -> bool {
        key == self.name || key == self.camel
    }
}

/// A value for a field, of the kind that the field holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NewValue {
    /// For [`Holds::Text`].
    Text(String),
    /// For [`Holds::Flag`].
    Flag(bool),
    /// For [`Holds::Number`].
    Number(u32),
    /// For [`Holds::Time`]: the text, and what it says.
    Time(String, Time),
}

/// What becomes of a field.
#[derive(Clone, Debug)]
pub enum Change {
    /// It holds this, whether it was there before or not.
    Set(NewValue),
    /// It is absent.
    Remove,
    /// Every match in its text is replaced; where it has none, it stays as it is.
    Replace {
        /// What is looked for.
        pattern: regex_lite::Regex,
        /// What stands in its place; `$1` or `${name}` is what a group has matched.
        with: String,
    },
}

/// An edit of one field.
#[derive(Clone, Debug)]
pub struct Edit {
    /// The field.
    pub field: Field,
    /// What becomes of it.
    pub change: Change,
}

impl Change {
    /// What a text becomes; nothing where it stays as it is.
    fn replaced(pattern: &regex_lite::Regex, with: &str, text: &str) -> Option<String> {
        let replaced = pattern.replace_all(text, with);
        (replaced != text).then(|| replaced.into_owned())
    }
}

/// The message with these edits, one after the other. Records that cannot be read stay as they
/// are.
///
/// # Errors
/// Why the message cannot be edited: it can be read in neither encoding.
pub fn edit(input: &Input<'_>, settings: &Settings, edits: &[Edit]) -> Result<Vec<u8>, Reject> {
    let arena = Bump::new();
    let (encoding, framing) = encoding_of(input, settings, &arena)?;
    let (head, body) = input
        .value
        .split_at_checked(framing)
        .unwrap_or((&[], input.value));
    let mut body = body.to_vec();
    for edit in edits {
        body = match encoding {
            Encoding::Json => json::edited(&body, edit, &Bump::new()),
            Encoding::Protobuf => protobuf::edited(&body, edit),
        }?;
    }
    Ok([head, &body[..]].concat())
}

/// The encoding of the message and the length of its framing. A well-formed JSON text may have
/// values of wrong types, which are what wants mending.
fn encoding_of(
    input: &Input<'_>,
    settings: &Settings,
    arena: &Bump,
) -> Result<(Encoding, usize), Reject> {
    match super::envelope(input, settings, arena) {
        Ok(envelope) => Ok((envelope.encoding, envelope.framing.len())),
        Err(reject) => {
            let framing = framing::header_length(input.value);
            let body = input.value.get(framing..).unwrap_or_default();
            let is_json = super::json::begins_object(body) && super::json::is_well_formed(body);
            let named = detect::named(input, settings.format);
            if is_json && named != super::SourceFormat::Protobuf {
                Ok((Encoding::Json, framing))
            } else {
                Err(reject)
            }
        }
    }
}

#[cfg(test)]
mod tests;
