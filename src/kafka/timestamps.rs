//! How a worker gets on with a topic that refuses timestamps.
//!
//! What is produced has the timestamp of its source record, which is whatever its sender wrote. A
//! topic may refuse what is too far from the broker's clock: `message.timestamp.after.max.ms`, an
//! hour by default, and `message.timestamp.before.max.ms`. One such record must not stop all that
//! come after it, at every start again. So where a topic has refused a timestamp, it and its like
//! are replaced by the present from then on; what the record says is not touched. Every refusal
//! widens what is replaced: it comes to an end.

use std::collections::HashMap;

/// What is replaced beside an old timestamp that was refused, in milliseconds: a replay of old
/// records is not to be refused one after the other.
const NEIGHBOURHOOD_MS: i64 = 3_600_000;

/// The timestamps that topics are known to refuse.
#[derive(Clone, Debug, Default)]
pub(super) struct Timestamps {
    topics: HashMap<String, Refused>,
}

/// What a topic refuses.
#[derive(Clone, Copy, Debug)]
struct Refused {
    /// Whether timestamps may not lie ahead.
    ahead: bool,
    /// Timestamps before this are too old, in milliseconds since 1970.
    before_ms: i64,
}

impl Timestamps {
    /// Learns that the topic has refused records of sources with these timestamps. False where
    /// that is nothing new, so that another attempt would be refused as well.
    pub(super) fn learn(
        &mut self,
        topic: &str,
        source_ms: impl Iterator<Item = i64> + Clone,
        now_ms: i64,
    ) -> bool {
        let (Some(oldest_ms), Some(latest_ms)) = (source_ms.clone().min(), source_ms.max()) else {
            return false;
        };
        let nothing = Refused {
            ahead: false,
            before_ms: i64::MIN,
        };
        let refused = self.topics.entry(topic.to_owned()).or_insert(nothing);
        if latest_ms > now_ms && !refused.ahead {
            refused.ahead = true;
            return true;
        }
        if oldest_ms < now_ms && oldest_ms >= refused.before_ms {
            refused.before_ms = oldest_ms.saturating_add(NEIGHBOURHOOD_MS);
            return true;
        }
        false
    }

    /// The present, where the topic is known to refuse the timestamp.
    pub(super) fn replacement(
        &self,
        topic: &str,
        timestamp_ms: Option<i64>,
        now_ms: impl Fn() -> i64,
    ) -> Option<i64> {
        let refused = self.topics.get(topic)?;
        let timestamp_ms = timestamp_ms?;
        let now_ms = now_ms();
        let is_refused =
            timestamp_ms < refused.before_ms || (refused.ahead && timestamp_ms > now_ms);
        is_refused.then_some(now_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000_000;

    fn learn(timestamps: &mut Timestamps, source_ms: &[i64]) -> bool {
        timestamps.learn("t", source_ms.iter().copied(), NOW)
    }

    fn replacement(timestamps: &Timestamps, topic: &str, timestamp_ms: i64) -> Option<i64> {
        timestamps.replacement(topic, Some(timestamp_ms), || NOW)
    }

    #[test]
    fn what_lies_ahead_becomes_the_present_once_it_was_refused() {
        let mut timestamps = Timestamps::default();
        assert_eq!(replacement(&timestamps, "t", NOW + 9), None);
        assert!(learn(&mut timestamps, &[NOW - 5, NOW + 9]));
        assert_eq!(replacement(&timestamps, "t", NOW + 1), Some(NOW));
        assert_eq!(replacement(&timestamps, "t", NOW), None);
        assert_eq!(replacement(&timestamps, "t", NOW - 5), None);
        assert_eq!(replacement(&timestamps, "other", NOW + 9), None);
        assert_eq!(timestamps.replacement("t", None, || NOW), None);
    }

    #[test]
    fn an_old_one_takes_its_neighbourhood_with_it_and_no_more() {
        let mut timestamps = Timestamps::default();
        let old = NOW - 10 * NEIGHBOURHOOD_MS;
        assert!(learn(&mut timestamps, &[NOW, old]));
        assert_eq!(replacement(&timestamps, "t", old), Some(NOW));
        assert_eq!(replacement(&timestamps, "t", old + 1_000), Some(NOW));
        let later = old + NEIGHBOURHOOD_MS;
        assert_eq!(replacement(&timestamps, "t", later), None);
        assert!(learn(&mut timestamps, &[later]));
        assert_eq!(replacement(&timestamps, "t", later), Some(NOW));
    }

    #[test]
    fn a_topic_that_refuses_the_present_too_is_given_up() {
        let mut timestamps = Timestamps::default();
        assert!(learn(&mut timestamps, &[NOW + 9]));
        assert!(!learn(&mut timestamps, &[NOW + 9]));
        assert!(learn(&mut timestamps, &[NOW - 9]));
        assert!(!learn(&mut timestamps, &[NOW - 9]));
        assert!(!learn(&mut timestamps, &[]), "nothing is known of it");
    }
}
