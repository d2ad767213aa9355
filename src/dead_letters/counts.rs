//! How many dead letters there are, and of what kinds, in bounded memory.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Letter;

/// Different names of one kind that are told apart; what comes beyond is counted together.
const MOST_NAMES: usize = 10_000;
/// What stands for the names beyond.
pub const OTHERS: &str = "(others)";
/// What stands for a name that is not there.
pub const NONE: &str = "(none)";

/// How wide the slots of time are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Per {
    /// An hour.
    Hour,
    /// A day.
    Day,
}

/// A count for each name.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub struct Names(BTreeMap<String, u64>);

impl Names {
    fn count(&mut self, name: &str) {
        if let Some(count) = self.0.get_mut(name) {
            *count += 1;
            return;
        }
        let name = if self.0.len() < MOST_NAMES {
            name
        } else {
            OTHERS
        };
        *self.0.entry(name.to_owned()).or_default() += 1;
    }

    /// Names and counts in the order of the names.
    pub fn by_name(&self) -> Vec<(&str, u64)> {
        let names = self.0.iter();
        names.map(|(name, count)| (name.as_str(), *count)).collect()
    }

    /// Names and counts, the largest count first.
    pub fn by_count(&self) -> Vec<(&str, u64)> {
        let mut names = self.by_name();
        names.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        names
    }
}

/// How many dead letters there are.
#[derive(Debug, Default, Serialize)]
pub struct Counts {
    /// All of them.
    pub letters: u64,
    /// Those of which only the first bytes are here.
    pub truncated: u64,
    /// By reason.
    pub reasons: Names,
    /// By level: `message` or `record`.
    pub levels: Names,
    /// By the topic that the message came from.
    pub topics: Names,
    /// By the time of the source message, in UTC.
    pub times: Names,
    /// By agent, where the message can be read.
    pub agents: Names,
}

impl Counts {
    /// Counts one.
    pub fn count(&mut self, letter: &Letter<'_>, agent: Option<&str>, per: Per) {
        self.letters += 1;
        self.truncated += u64::from(letter.truncated_from().is_some());
        self.reasons.count(letter.reason().unwrap_or(NONE));
        self.levels.count(letter.level().name());
        self.topics.count(letter.source_topic().unwrap_or(NONE));
        self.agents.count(agent.unwrap_or(NONE));
        let slot = letter.timestamp_ms.and_then(|at| slot(at, per));
        self.times.count(slot.as_deref().unwrap_or(NONE));
    }
}

/// The slot of time that a moment is in.
fn slot(timestamp_ms: i64, per: Per) -> Option<String> {
    let at = jiff::Timestamp::from_millisecond(timestamp_ms).ok()?;
    let format = match per {
        Per::Hour => "%Y-%m-%dT%HZ",
        Per::Day => "%Y-%m-%d",
    };
    Some(at.strftime(format).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_many_names_there_are_memory_has_a_bound() {
        let mut names = Names::default();
        for number in 0..MOST_NAMES + 7 {
            names.count(&number.to_string());
        }
        assert_eq!(names.by_count()[0], (OTHERS, 7));
        assert_eq!(names.by_name().len(), MOST_NAMES + 1);
        names.count("3");
        assert_eq!(names.by_count()[1], ("3", 2));
    }

    #[test]
    fn times_fall_into_hours_and_days_of_utc() {
        assert_eq!(
            slot(1_700_000_000_000, Per::Hour).unwrap(),
            "2023-11-14T22Z"
        );
        assert_eq!(slot(-1, Per::Day).unwrap(), "1969-12-31");
        assert_eq!(slot(i64::MAX, Per::Day), None);
    }
}
