//! The innermost of nested ranges that holds a key: longest prefixes, for addresses of both
//! families and for MAC addresses.
//!
//! When the table is made, the nested ranges are flattened to the points where the answer
//! changes. These are searched from level to level, each with every sixteenth key of the one
//! below, so that a lookup among a million reads five blocks, of which the upper ones stay in
//! the processor's caches, whatever the keys are like.

use std::cmp::Reverse;

/// A range, both ends included, and what it answers. Of two ranges either one holds the other,
/// or they have nothing in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) first: u128,
    pub(super) last: u128,
    /// Any number but [`NONE`].
    pub(super) answer: u32,
}

/// Where no range is.
const NONE: u32 = u32::MAX;

/// Keys of a block.
const FAN: usize = 16;

/// Ranges, ready to be searched.
#[derive(Debug, Default)]
pub(super) struct Ranges<K> {
    /// The topmost level first; the last has all keys where the answer changes.
    levels: Vec<Vec<K>>,
    /// What holds from each key of the last level on.
    answers: Vec<u32>,
}

impl<K: Copy + Ord + TryFrom<u128>> Ranges<K> {
    /// Makes the table; of equal ranges the error has the answers of two, the smaller first.
    /// What is beyond the keys' type is left out.
    pub(super) fn new(mut ranges: Vec<Range>) -> Result<Self, (u32, u32)> {
        ranges.sort_unstable_by_key(|range| (range.first, Reverse(range.last), range.answer));
        let equal = ranges.windows(2).find_map(|pair| match pair {
            [a, b] if (a.first, a.last) == (b.first, b.last) => Some((a.answer, b.answer)),
            _ => None,
        });
        if let Some(equal) = equal {
            return Err(equal);
        }
        let changes = flatten(&ranges);
        drop(ranges);
        let within = changes
            .iter()
            .filter_map(|(key, answer)| Some((K::try_from(*key).ok()?, *answer)));
        let (keys, answers) = within.unzip();
        Ok(Self {
            levels: levels(keys),
            answers,
        })
    }

    /// The answer of the innermost range that holds the key.
    #[inline]
    pub(super) fn get(&self, key: K) -> Option<u32> {
        let mut at = 0;
        for level in &self.levels {
            let block = level.get(at * FAN..)?;
            let not_above = match block.first_chunk::<FAN>() {
                Some(block) => count_not_above(block, key),
                None => count_not_above(block, key),
            };
            at = at * FAN + not_above.checked_sub(1)?;
        }
        let answer = self.answers.get(at).copied();
        answer.filter(|answer| *answer != NONE)
    }
}

/// How many of the sorted keys are at or below `key`: without a branch, since nothing could
/// foresee it.
#[inline]
fn count_not_above<K: Copy + Ord>(keys: &[K], key: K) -> usize {
    keys.iter().map(|other| usize::from(*other <= key)).sum()
}

/// The keys from which on another answer holds, in order. `ranges` are sorted by their first
/// key, the outer before the inner.
fn flatten(ranges: &[Range]) -> Vec<(u128, u32)> {
    let mut changes = Vec::with_capacity(ranges.len() * 2);
    let mut open: Vec<Range> = Vec::new();
    for range in ranges {
        close(&mut open, Some(range.first), &mut changes);
        change(&mut changes, range.first, range.answer);
        open.push(*range);
    }
    close(&mut open, None, &mut changes);
    changes
}

/// Ends the open ranges that lie before a key, or all of them.
fn close(open: &mut Vec<Range>, before: Option<u128>, changes: &mut Vec<(u128, u32)>) {
    let ends = |range: &mut Range| before.is_none_or(|key| range.last < key);
    while let Some(ended) = open.pop_if(ends) {
        if let Some(after) = ended.last.checked_add(1) {
            let outer = open.last().map_or(NONE, |range| range.answer);
            change(changes, after, outer);
        }
    }
}

fn change(changes: &mut Vec<(u128, u32)>, key: u128, answer: u32) {
    match changes.last_mut() {
        Some(last) if last.0 == key => last.1 = answer,
        Some(last) if last.1 == answer => {}
        _ => changes.push((key, answer)),
    }
}

fn levels<K: Copy>(keys: Vec<K>) -> Vec<Vec<K>> {
    let mut levels = vec![keys];
    while let Some(last) = levels.last()
        && last.len() > FAN
    {
        levels.push(last.iter().copied().step_by(FAN).collect());
    }
    levels.reverse();
    levels
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn range(first: u128, last: u128, answer: u32) -> Range {
        Range {
            first,
            last,
            answer,
        }
    }

    #[test]
    fn the_innermost_range_answers() {
        let nested = vec![
            range(0x30, 0x3f, 4),
            range(0x10, 0x4f, 1),
            range(0x10, 0x1f, 2),
            range(0x1c, 0x1f, 3),
            range(0x50, 0x5f, 5),
            range(u128::from(u32::MAX), u128::from(u32::MAX), 6),
        ];
        let table = Ranges::<u32>::new(nested).unwrap();
        for (key, expected) in [
            (0, None),
            (0x0f, None),
            (0x10, Some(2)),
            (0x1b, Some(2)),
            (0x1c, Some(3)),
            (0x1f, Some(3)),
            (0x20, Some(1)),
            (0x30, Some(4)),
            (0x3f, Some(4)),
            (0x4f, Some(1)),
            (0x50, Some(5)),
            (0x60, None),
            (u32::MAX - 1, None),
            (u32::MAX, Some(6)),
        ] {
            assert_eq!(table.get(key), expected, "{key:#x}");
        }
    }

    #[test]
    fn equal_ranges_are_refused_and_none_answer_nothing() {
        let twice = vec![range(8, 9, 7), range(0, 9, 1), range(8, 9, 3)];
        assert_eq!(Ranges::<u32>::new(twice).unwrap_err(), (3, 7));
        let none = Ranges::<u32>::new(Vec::new()).unwrap();
        assert_eq!(none.get(0), None);
        let whole = Ranges::<u128>::new(vec![range(0, u128::MAX, 1)]).unwrap();
        assert_eq!(whole.get(u128::MAX), Some(1));
        assert_eq!(whole.get(0), Some(1));
    }

    proptest! {
        /// Prefixes close to one another, so that they nest and adjoin, against a look at each.
        #[test]
        fn as_a_look_at_each_range_finds(
            prefixes in prop::collection::vec((0_u16.., 0_u32..=16), 0..600),
            keys in prop::collection::vec(0_u16.., 50),
        ) {
            let mut ranges: Vec<Range> = Vec::new();
            for (answer, (key, host_bits)) in (0..).zip(prefixes) {
                let size = 1_u128 << host_bits;
                let first = u128::from(key) / size * size;
                let bounds = (first, first + size - 1);
                if !ranges.iter().any(|of| (of.first, of.last) == bounds) {
                    ranges.push(range(bounds.0, bounds.1, answer));
                }
            }
            let table = Ranges::<u16>::new(ranges.clone()).unwrap();
            let edges = ranges.iter().flat_map(|of| [of.first, of.last, of.last + 1]);
            let edges = edges.filter_map(|key| u16::try_from(key).ok());
            for key in keys.into_iter().chain(edges) {
                let holds = |of: &&Range| (of.first..=of.last).contains(&u128::from(key));
                let innermost = ranges.iter().filter(holds).min_by_key(|of| of.last - of.first);
                prop_assert_eq!(table.get(key), innermost.map(|of| of.answer));
            }
        }
    }
}
