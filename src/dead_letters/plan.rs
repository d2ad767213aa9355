//! What becomes of each dead letter in a replay.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use bumpalo::Bump;
use sha1::{Digest as _, Sha1};

use super::Letter;
use super::filter::Filter;
use super::mend::Mend;
use crate::kafka::sources::Sources;
use crate::pipeline::dead_letter::{ATTEMPT_HEADER, ORDINAL_HEADER, record_bytes};
use crate::pipeline::decode::edit::{Edit, edit};
use crate::pipeline::message::Header;
use crate::pipeline::settings::Settings;

/// Characters of a replay's own name: 48 bits.
const NAME_CHARACTERS: usize = 12;

/// What a replay is to do.
#[derive(Debug)]
pub struct Plan {
    filter: Filter,
    edits: Vec<Edit>,
    /// The filter, the mends and the target, in one text.
    text: String,
    target: Target,
    max_attempts: u32,
    settings: Settings,
    /// Largest record of each topic, where it is known, in bytes.
    limits: Vec<(String, usize)>,
    arena: Bump,
}

/// Where messages go.
#[derive(Debug)]
pub enum Target {
    /// To the topic that each came from, where that is a source.
    Origin(Sources),
    /// All to this topic.
    Topic(String),
}

/// What becomes of a dead letter.
#[derive(Debug)]
pub enum Fate<'a> {
    /// It is not meant.
    Passed,
    /// It goes back.
    Back(Message<'a>),
    /// It is meant, and stays where it is all the same.
    Left(Why),
}

/// A message that goes back.
#[derive(Debug)]
pub struct Message<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The key.
    pub key: Option<&'a [u8]>,
    /// The value.
    pub value: Option<Cow<'a, [u8]>>,
    /// The headers.
    pub headers: Vec<(&'a str, Option<Cow<'a, [u8]>>)>,
    /// The Kafka timestamp, in milliseconds since 1970.
    pub timestamp_ms: Option<i64>,
}

impl Message<'_> {
    /// The headers, borrowed.
    pub fn headers(&self) -> Vec<Header<'_>> {
        let headers = self.headers.iter();
        headers
            .map(|(name, value)| (*name, value.as_deref()))
            .collect()
    }
}

/// Why a dead letter stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// Only its first bytes are here.
    Truncated {
        /// The size of the whole, in bytes.
        whole_bytes: u64,
    },
    /// It was tried often enough.
    Attempts {
        /// How often.
        attempt: u32,
    },
    /// It does not say where it came from.
    NoSource,
    /// It says that it came from a topic that is no source, which anyone may write into a header.
    ForeignSource {
        /// The topic.
        topic: String,
    },
    /// It cannot be mended.
    Unmendable {
        /// The code of why; the sentence would repeat what is in the message.
        reason: &'static str,
    },
    /// It is larger than its topic takes.
    TooLarge {
        /// Its size, at most.
        bytes: usize,
        /// What the topic takes.
        limit: usize,
    },
}

impl Why {
    /// A word for counts.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Truncated { .. } => "truncated",
            Self::Attempts { .. } => "attempts",
            Self::NoSource => "no_source",
            Self::ForeignSource { .. } => "foreign_source",
            Self::Unmendable { .. } => "unmendable",
            Self::TooLarge { .. } => "too_large",
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { whole_bytes } => write!(
                f,
                "only the first of its {whole_bytes} bytes are here: send the original again"
            ),
            Self::Attempts { attempt } => write!(
                f,
                "it was tried {attempt} times: see why, then send it by its --offset with a higher --max-attempts"
            ),
            Self::NoSource => write!(
                f,
                "it does not say which topic it came from: send it by its --offset with --topic"
            ),
            Self::ForeignSource { topic } => write!(
                f,
                "it came from topic {topic:?}, which is no source: send it by its --offset with --topic"
            ),
            Self::Unmendable { reason } => {
                write!(f, "it cannot be mended ({reason}): send the original again")
            }
            Self::TooLarge { bytes, limit } => write!(
                f,
                "its {bytes} bytes are more than the {limit} that its topic takes: raise max.message.bytes"
            ),
        }
    }
}

impl Plan {
    /// A plan; the core's settings say how messages are read.
    pub fn new(
        filter: Filter,
        mends: Vec<Mend>,
        target: Target,
        max_attempts: u32,
        settings: Settings,
    ) -> Self {
        let mut text = filter.to_string();
        for mend in &mends {
            // Later mends see what earlier ones did: their order matters.
            let _ = writeln!(text, "mend {:?}", mend.to_string());
        }
        if let Target::Topic(topic) = &target {
            let _ = writeln!(text, "topic {topic:?}");
        }
        Self {
            filter,
            edits: mends.into_iter().map(|mend| mend.edit).collect(),
            text,
            target,
            max_attempts,
            settings,
            limits: Vec::new(),
            arena: Bump::new(),
        }
    }

    /// The name that a replay has of itself: a hash of the filter, the mends and the target. The
    /// limit of attempts is not in it, so that another limit does not send again what was sent.
    pub fn name(&self) -> String {
        let mut name = String::new();
        for byte in Sha1::digest(self.text.as_bytes()) {
            let _ = write!(name, "{byte:02x}");
        }
        name.truncate(NAME_CHARACTERS);
        name
    }

    /// Learns what the topics take.
    pub fn limit(&mut self, limits: Vec<(String, usize)>) {
        self.limits = limits;
    }

    /// Which letters are meant.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Decides about one.
    pub fn fate<'a>(&'a mut self, letter: &Letter<'a>) -> Fate<'a> {
        if !self.filter.takes(letter, &self.settings, &mut self.arena) {
            return Fate::Passed;
        }
        match self.message(letter) {
            Ok(message) => Fate::Back(message),
            Err(why) => Fate::Left(why),
        }
    }

    fn message<'a>(&'a self, letter: &Letter<'a>) -> Result<Message<'a>, Why> {
        if let Some(whole_bytes) = letter.truncated_from() {
            return Err(Why::Truncated { whole_bytes });
        }
        let attempt = letter.attempt();
        if attempt >= self.max_attempts {
            return Err(Why::Attempts { attempt });
        }
        let topic = self.topic(letter)?;
        let message = Message {
            topic,
            key: letter.key,
            value: self.mended(letter)?,
            headers: headers(letter, attempt + 1),
            timestamp_ms: letter.timestamp_ms,
        };
        self.refuse_large(&message)?;
        Ok(message)
    }

    fn topic<'a>(&'a self, letter: &Letter<'a>) -> Result<&'a str, Why> {
        match &self.target {
            Target::Topic(topic) => Ok(topic),
            Target::Origin(sources) => {
                let topic = letter.source_topic().ok_or(Why::NoSource)?;
                match sources.taking_in(topic) {
                    Some(_) => Ok(topic),
                    None => Err(Why::ForeignSource {
                        topic: topic.to_owned(),
                    }),
                }
            }
        }
    }

    fn mended<'a>(&self, letter: &Letter<'a>) -> Result<Option<Cow<'a, [u8]>>, Why> {
        if self.edits.is_empty() {
            return Ok(letter.value.map(Cow::Borrowed));
        }
        match edit(&letter.input(), &self.settings, &self.edits) {
            Ok(value) => Ok(Some(Cow::Owned(value))),
            Err(reject) => Err(Why::Unmendable {
                reason: reject.reason.name(),
            }),
        }
    }

    fn refuse_large(&self, message: &Message<'_>) -> Result<(), Why> {
        let of = self.limits.iter().find(|(topic, _)| topic == message.topic);
        let Some((_, limit)) = of else { return Ok(()) };
        let len = message.value.as_ref().map_or(0, |value| value.len());
        let bytes = record_bytes(message.key, len, message.headers().into_iter());
        if bytes > *limit {
            return Err(Why::TooLarge {
                bytes,
                limit: *limit,
            });
        }
        Ok(())
    }
}

/// The source message's own headers, the ordinal, and how often it is now tried.
fn headers<'a>(letter: &Letter<'a>, attempt: u32) -> Vec<(&'a str, Option<Cow<'a, [u8]>>)> {
    let is_kept = |name: &str| {
        name == ORDINAL_HEADER
            || !(name.starts_with("__connect.errors.") || name.starts_with("netsieve."))
    };
    let kept = letter.headers.iter().filter(|(name, _)| is_kept(name));
    let mut headers: Vec<_> = kept
        .map(|(name, value)| (*name, value.map(Cow::Borrowed)))
        .collect();
    let attempt = attempt.to_string().into_bytes();
    headers.push((ATTEMPT_HEADER, Some(Cow::Owned(attempt))));
    headers
}
