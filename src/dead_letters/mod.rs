//! Dead letters as they lie in their topic: what their headers tell, which of them are meant, and
//! what becomes of one that is sent back.
//!
//! Nothing here reads a topic: see [`kafka::letters`](crate::kafka::letters) and
//! [`kafka::replay`](crate::kafka::replay).

pub mod counts;
pub mod filter;
pub mod mend;
pub mod plan;
pub mod trial;

use bumpalo::Bump;

use crate::pipeline::code::Level;
use crate::pipeline::dead_letter::{ATTEMPT_HEADER, TRUNCATED_HEADER};
use crate::pipeline::decode;
use crate::pipeline::message::{Header, Input};
use crate::pipeline::settings::Settings;

/// A dead letter.
#[derive(Clone, Copy, Debug)]
pub struct Letter<'a> {
    /// Its partition.
    pub partition: i32,
    /// Its offset there.
    pub offset: i64,
    /// Its Kafka timestamp, which is that of the source message, in milliseconds since 1970.
    pub timestamp_ms: Option<i64>,
    /// The key of the source message.
    pub key: Option<&'a [u8]>,
    /// A message that can be sent again as it stands; nothing where the source's value was null.
    pub value: Option<&'a [u8]>,
    /// The source message's headers, then netsieve's.
    pub headers: &'a [Header<'a>],
}

impl<'a> Letter<'a> {
    /// The text of a header, by its exact name.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        let mut found = self.headers.iter().rev();
        let (_, value) = found.find(|(key, _)| *key == name)?;
        std::str::from_utf8((*value)?).ok()
    }

    fn number<N: std::str::FromStr>(&self, name: &str) -> Option<N> {
        self.header(name)?.parse().ok()
    }

    /// The code of the rejection.
    pub fn reason(&self) -> Option<&'a str> {
        self.header("netsieve.reason")
    }

    /// The field at fault: `protocol`, `metadata.timestamp`.
    pub fn field(&self) -> Option<&'a str> {
        self.header("netsieve.field")
    }

    /// Whether a record was rejected or a whole message.
    pub fn level(&self) -> Level {
        match self.record() {
            Some(_) => Level::Record,
            None => Level::Message,
        }
    }

    /// Which record of its message it was, and of how many.
    pub fn record(&self) -> Option<(u32, u32)> {
        let index = self.number("netsieve.record_index")?;
        Some((index, self.number("netsieve.record_count")?))
    }

    /// The topic that the message came from.
    pub fn source_topic(&self) -> Option<&'a str> {
        self.header("__connect.errors.topic")
    }

    /// The partition and the offset that the message came from.
    pub fn source_place(&self) -> Option<(i32, i64)> {
        let partition = self.number("__connect.errors.partition")?;
        Some((partition, self.number("__connect.errors.offset")?))
    }

    /// How often it was tried: 1, and more after replays.
    pub fn attempt(&self) -> u32 {
        self.number(ATTEMPT_HEADER).unwrap_or(1)
    }

    /// The size of the whole value, where only the beginning of it is here.
    pub fn truncated_from(&self) -> Option<u64> {
        self.number(TRUNCATED_HEADER)
    }

    /// It as a message.
    pub fn input(&self) -> Input<'a> {
        Input {
            value: self.value.unwrap_or_default(),
            key: self.key,
            headers: self.headers,
            topic: self.source_topic().unwrap_or_default(),
            partition: self.partition,
            offset: self.offset,
            timestamp_ms: self.timestamp_ms,
        }
    }

    /// The agent that sent it, where the message can be read so far and says it.
    pub fn agent(&self, settings: &Settings, arena: &mut Bump) -> Option<String> {
        arena.reset();
        let envelope = decode::envelope(&self.input(), settings, arena).ok()?;
        let agent = envelope.metadata?.agent_id;
        (!agent.is_empty()).then(|| agent.to_owned())
    }
}

#[cfg(test)]
mod tests;
