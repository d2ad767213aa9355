//! The makers of interfaces, by the blocks of MAC addresses that IEEE has assigned to them.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::ranges::{Range, Ranges};

/// A block of MAC addresses: those that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Block {
    first: u64,
    last: u64,
}

/// Bits of a MAC address.
const BITS: u32 = 48;

impl Block {
    /// The block of an assignment: its digits, upper or lower case, as IEEE publishes them. Six of
    /// them are MA-L (24 bits), seven MA-M (28), nine MA-S (36); of others there is none.
    ///
    /// ```
    /// use netsieve::pipeline::enrich::vendors::Block;
    ///
    /// assert!(Block::parse("70B3D5F2F").is_some());
    /// assert!(Block::parse("70-B3-D5").is_none());
    /// ```
    pub fn parse(assignment: &str) -> Option<Self> {
        let is_hex = assignment.bytes().all(|digit| digit.is_ascii_hexdigit());
        if !is_hex || ![6, 7, 9].contains(&assignment.len()) {
            return None;
        }
        let number = u64::from_str_radix(assignment, 16).ok()?;
        let bits = u32::try_from(assignment.len()).ok()? * 4;
        let host_bits = BITS - bits;
        let first = number << host_bits;
        Some(Self {
            first,
            last: first | ((1 << host_bits) - 1),
        })
    }
}

/// The table, complete.
#[derive(Debug, Default)]
pub struct Vendors {
    names: Vec<Box<str>>,
    blocks: Ranges<u64>,
    len: usize,
}

/// A table that blocks are added to.
#[derive(Debug, Default)]
pub struct Builder {
    names: BTreeMap<Box<str>, u32>,
    blocks: BTreeMap<Block, u32>,
}

impl Builder {
    /// Adds a block. False where it is there already: IEEE's own files have a few blocks twice,
    /// of which the first stays.
    pub fn add(&mut self, block: Block, name: &str) -> bool {
        let Entry::Vacant(place) = self.blocks.entry(block) else {
            return false;
        };
        // There are fewer blocks than numbers: no more than of 36 bits.
        let next = u32::try_from(self.names.len()).unwrap_or(u32::MAX - 1);
        let name = match self.names.get(name) {
            Some(known) => *known,
            None => *self.names.entry(name.into()).or_insert(next),
        };
        place.insert(name);
        true
    }

    /// The table of all blocks.
    pub fn finish(self) -> Vendors {
        let len = self.blocks.len();
        let blocks = self.blocks.into_iter().map(|(block, answer)| Range {
            first: block.first.into(),
            last: block.last.into(),
            answer,
        });
        let mut names: Vec<_> = self.names.into_iter().collect();
        names.sort_unstable_by_key(|(_, at)| *at);
        Vendors {
            names: names.into_iter().map(|(name, _)| name).collect(),
            // No block is there twice.
            blocks: Ranges::new(blocks.collect()).unwrap_or_default(),
            len,
        }
    }
}

impl Vendors {
    /// How many blocks there are.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The maker: that of the longest block which holds the address. Group addresses and locally
    /// administered ones, whose first octet has one of the two lowest bits set (IEEE 802, clause
    /// 8), have none.
    pub fn get(&self, mac: [u8; 6]) -> Option<&str> {
        const GROUP_OR_LOCAL: u8 = 0b11;
        let [first, ..] = mac;
        if first & GROUP_OR_LOCAL != 0 {
            return None;
        }
        let number = mac
            .iter()
            .fold(0, |number, byte| number << 8 | u64::from(*byte));
        let name = self.blocks.get(number)?;
        self.names.get(name as usize).map(AsRef::as_ref)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_block_answers() {
        let mut builder = Builder::default();
        for (assignment, name, is_new) in [
            ("70B3D5", "large", true),
            ("70B3D5F", "medium", true),
            ("70b3d5f2f", "small", true),
            ("000D3A", "other", true),
            ("000D3A", "again", false),
            ("02AAAA", "local", true),
        ] {
            let block = Block::parse(assignment).unwrap();
            assert_eq!(builder.add(block, name), is_new, "{assignment}");
        }
        let vendors = builder.finish();
        assert_eq!(vendors.len(), 5);
        for (mac, expected) in [
            ([0x70, 0xB3, 0xD5, 0x00, 0, 1], Some("large")),
            ([0x70, 0xB3, 0xD5, 0xF0, 0, 1], Some("medium")),
            ([0x70, 0xB3, 0xD5, 0xF2, 0xEF, 0xFF], Some("medium")),
            ([0x70, 0xB3, 0xD5, 0xF2, 0xF0, 0], Some("small")),
            ([0x70, 0xB3, 0xD5, 0xF2, 0xFF, 0xFF], Some("small")),
            ([0x70, 0xB3, 0xD5, 0xF3, 0, 0], Some("medium")),
            ([0x00, 0x0D, 0x3A, 0xFF, 0xFF, 0xFF], Some("other")),
            ([0x00, 0x0D, 0x3B, 0, 0, 0], None),
            // Locally administered, and a group.
            ([0x02, 0xAA, 0xAA, 0, 0, 1], None),
            ([0x01, 0x0D, 0x3A, 0, 0, 1], None),
            ([0xFF; 6], None),
        ] {
            assert_eq!(vendors.get(mac), expected, "{mac:X?}");
        }
        assert_eq!(Vendors::default().get([0; 6]), None);
    }

    #[test]
    fn what_is_no_assignment() {
        for text in [
            "",
            "70B3D",
            "70B3D5F2",
            "70B3D5F2F0",
            "70-B3-D",
            "+70B3D",
            "G0B3D5",
        ] {
            assert_eq!(Block::parse(text), None, "{text}");
        }
    }
}
