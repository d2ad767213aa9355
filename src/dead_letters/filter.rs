//! Which dead letters are meant.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use bumpalo::Bump;
use thiserror::Error;

use super::Letter;
use crate::pipeline::code::{Level, Reason};
use crate::pipeline::message::Time;
use crate::pipeline::settings::Settings;

/// Which dead letters are meant: those that fit everything that is given. Of a list one is
/// enough, and an empty one fits all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Codes of rejections.
    pub reasons: Vec<Reason>,
    /// Whole messages, or records.
    pub levels: Vec<Level>,
    /// Fields at fault, as the dead letters name them.
    pub fields: Vec<String>,
    /// Ids of agents.
    pub agents: Vec<String>,
    /// Topics that the messages came from.
    pub sources: Vec<String>,
    /// The earliest Kafka timestamp, in milliseconds since 1970.
    pub since_ms: Option<i64>,
    /// The first Kafka timestamp that is too late.
    pub until_ms: Option<i64>,
    /// Places in the dead-letter topic.
    pub offsets: Vec<Offsets>,
}

impl Filter {
    /// Whether the letter is meant. The message is read only where agents are asked for.
    pub fn takes(&self, letter: &Letter<'_>, settings: &Settings, arena: &mut Bump) -> bool {
        let is_any = |names: &[String], name: Option<&str>| {
            names.is_empty() || name.is_some_and(|name| names.iter().any(|of| of == name))
        };
        let reasons = self.reasons.iter().map(|reason| reason.name());
        let at = letter.timestamp_ms;
        let fits = (self.reasons.is_empty() || reasons.map(Some).any(|of| of == letter.reason()))
            && (self.levels.is_empty() || self.levels.contains(&letter.level()))
            && is_any(&self.fields, letter.field())
            && is_any(&self.sources, letter.source_topic())
            && self
                .since_ms
                .is_none_or(|since| at.is_some_and(|at| at >= since))
            && self
                .until_ms
                .is_none_or(|until| at.is_some_and(|at| at < until))
            && (self.offsets.is_empty()
                || self
                    .offsets
                    .iter()
                    .any(|of| of.has(letter.partition, letter.offset)));
        fits && (self.agents.is_empty()
            || is_any(&self.agents, letter.agent(settings, arena).as_deref()))
    }

    /// The offsets of a partition outside of which nothing is meant: the first, and the one after
    /// the last. Nothing where none of the partition is.
    pub fn bounds(&self, partition: i32) -> Option<(i64, i64)> {
        if self.offsets.is_empty() {
            return Some((0, i64::MAX));
        }
        let of = self.offsets.iter().filter(|of| of.partition == partition);
        let of = of.map(|of| (of.first, of.last.saturating_add(1)));
        of.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    }
}

/// The filter in one canonical text, whatever the order in which it was given.
impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = |name: &str, mut items: Vec<String>| {
            items.sort_unstable();
            items.dedup();
            let mut text = String::new();
            for item in items {
                let _ = write!(text, " {item:?}");
            }
            writeln!(f, "{name}{text}")
        };
        let names = |names: &[String]| names.to_vec();
        list(
            "reason",
            self.reasons.iter().map(|of| of.name().to_owned()).collect(),
        )?;
        list(
            "level",
            self.levels.iter().map(|of| of.name().to_owned()).collect(),
        )?;
        list("field", names(&self.fields))?;
        list("agent", names(&self.agents))?;
        list("source", names(&self.sources))?;
        let time = |at: Option<i64>| at.iter().map(i64::to_string).collect();
        list("since", time(self.since_ms))?;
        list("until", time(self.until_ms))?;
        let offsets = self.offsets.iter();
        let text = |of: &Offsets| format!("{}:{}-{}", of.partition, of.first, of.last);
        list("offsets", offsets.map(text).collect())
    }
}

/// Why an argument is none.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum FilterError {
    /// A code that there is not.
    #[error("there is no reason {0:?}, see docs/codes.md")]
    Reason(String),
    /// Neither level.
    #[error("{0:?} is neither message nor record")]
    Level(String),
    /// Something else than offsets of a partition.
    #[error("{0:?} is not PARTITION, PARTITION:OFFSET or PARTITION:FIRST-LAST")]
    Offsets(String),
    /// No time.
    #[error("{0:?} is no time such as 2026-11-24 or 2026-11-24T08:30:00Z")]
    Time(String),
}

/// The reason of that name.
pub fn reason(name: &str) -> Result<Reason, FilterError> {
    let mut all = Reason::all();
    all.find(|reason| reason.name() == name)
        .ok_or_else(|| FilterError::Reason(name.to_owned()))
}

/// A field as dead letters name it: `data.state` is `state`.
pub fn field(name: &str) -> Result<String, FilterError> {
    Ok(name.strip_prefix("data.").unwrap_or(name).to_owned())
}

/// A time in milliseconds since 1970: RFC 3339, or a day in UTC.
pub fn time_ms(text: &str) -> Result<i64, FilterError> {
    let time = Time::parse(text).or_else(|| Time::parse(&format!("{text}T00:00:00Z")));
    let time = time.ok_or_else(|| FilterError::Time(text.to_owned()))?;
    Ok(time.seconds * 1_000 + i64::from(time.nanos / 1_000_000))
}

/// Some offsets of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offsets {
    /// The partition.
    pub partition: i32,
    /// The first offset.
    pub first: i64,
    /// The last offset.
    pub last: i64,
}

impl Offsets {
    fn has(self, partition: i32, offset: i64) -> bool {
        self.partition == partition && (self.first..=self.last).contains(&offset)
    }
}

impl FromStr for Offsets {
    type Err = FilterError;

    /// Reads `2` (all of the partition), `2:7`, `2:7-9`, `2:7-`.
    fn from_str(text: &str) -> Result<Self, FilterError> {
        let read = || {
            let number = |text: &str| {
                let is_decimal = !text.is_empty() && text.bytes().all(|of| of.is_ascii_digit());
                is_decimal.then(|| text.parse::<i64>().ok()).flatten()
            };
            let (partition, rest) = match text.split_once(':') {
                Some((partition, rest)) => (partition, Some(rest)),
                None => (text, None),
            };
            let (first, last) = match rest.map(|rest| rest.split_once('-').ok_or(rest)) {
                None => (0, i64::MAX),
                Some(Err(one)) => (number(one)?, number(one)?),
                Some(Ok((first, ""))) => (number(first)?, i64::MAX),
                Some(Ok((first, last))) => (number(first)?, number(last)?),
            };
            let partition = i32::try_from(number(partition)?).ok()?;
            (first <= last).then_some(Self {
                partition,
                first,
                last,
            })
        };
        read().ok_or_else(|| FilterError::Offsets(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_read_in_four_forms() {
        let of = |partition, first, last| {
            Some(Offsets {
                partition,
                first,
                last,
            })
        };
        for (text, expected) in [
            ("2", of(2, 0, i64::MAX)),
            ("2:7", of(2, 7, 7)),
            ("2:7-9", of(2, 7, 9)),
            ("2:7-", of(2, 7, i64::MAX)),
            ("", None),
            ("x", None),
            ("2:", None),
            ("2:-7", None),
            ("2:9-7", None),
            ("-1:7", None),
            ("2:+7", None),
            ("4294967296:7", None),
            ("2:99999999999999999999", None),
        ] {
            assert_eq!(text.parse::<Offsets>().ok(), expected, "{text}");
        }
    }

    #[test]
    fn times_are_rfc_3339_or_days() {
        assert_eq!(time_ms("2023-11-14T22:13:20.5Z"), Ok(1_700_000_000_500));
        assert_eq!(time_ms("1970-01-02"), Ok(86_400_000));
        assert!(time_ms("yesterday").is_err());
        assert!(time_ms("2026-13-01").is_err());
    }

    #[test]
    fn the_text_of_a_filter_does_not_depend_on_the_order() {
        let filter = |names: &[&str]| Filter {
            reasons: names.iter().map(|name| reason(name).unwrap()).collect(),
            ..Filter::default()
        };
        let one = filter(&["missing_protocol", "expired"]).to_string();
        assert_eq!(
            one,
            filter(&["expired", "missing_protocol", "expired"]).to_string()
        );
        assert_ne!(one, filter(&["expired"]).to_string());
        let other = |agent: &str| Filter {
            agents: vec![agent.to_owned()],
            ..Filter::default()
        };
        assert_ne!(other("a").to_string(), other("b").to_string());
        assert_ne!(
            other("a\" \"b").to_string(),
            Filter {
                agents: vec!["a".to_owned(), "b".to_owned()],
                ..Filter::default()
            }
            .to_string()
        );
    }

    #[test]
    fn only_the_parts_of_a_partition_that_are_meant_need_be_read() {
        let filter = |offsets: &[&str]| Filter {
            offsets: offsets.iter().map(|text| text.parse().unwrap()).collect(),
            ..Filter::default()
        };
        assert_eq!(filter(&[]).bounds(3), Some((0, i64::MAX)));
        assert_eq!(filter(&["1:5-9", "2:1", "1:3"]).bounds(1), Some((3, 10)));
        assert_eq!(filter(&["1:5-"]).bounds(1), Some((5, i64::MAX)));
        assert_eq!(filter(&["1:5-9"]).bounds(2), None);
    }
}
