//! What the operator's tables have told about addresses, kept from message to message.
//!
//! The tables are large and lie all over memory: asking each about an address costs more than all
//! else that is done for an event. The same addresses come again, so each worker keeps their whole
//! answers side by side, where one is found by three fetches whatever the tables are like.

use std::net::IpAddr;

use bumpalo::Bump;

use super::Enrichments;
use super::internal::{folded, mapped};
use super::lookup::{AutonomousSystem, GEO_TEXTS, Geo, NetworkLabel};

/// What the tables tell about an address.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Answer<'a> {
    pub(super) network: Option<&'a NetworkLabel<'a>>,
    pub(super) geo: Option<&'a Geo<'a>>,
    pub(super) autonomous_system: Option<&'a AutonomousSystem<'a>>,
    pub(super) ran: Ran,
}

/// What ran on a record, and what failed at one of its ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ran {
    pub(super) success: Enrichments,
    pub(super) failure: Enrichments,
}

/// The answers of one generation of tables. Memory follows what was asked for, up to a bound.
///
/// When the recent answers are many, they become the former ones, in place of those before, and
/// what is asked for again of the former becomes recent: what is not asked for is forgotten
/// without an account of each answer's use.
#[derive(Debug, Default)]
pub(super) struct Answers {
    recent: Half,
    former: Half,
}

/// Most answers of either half, of some 100 bytes each besides their texts.
const MOST: usize = 1 << MOST_BITS;
const MOST_BITS: u32 = 16;
/// A half that has so much text takes no more answers.
const MOST_TEXT_BYTES: usize = 8 << 20;

/// Answers in the order in which they came.
#[derive(Debug, Default)]
struct Half {
    /// In buckets: the place of an answer from 1, and some bits of its hash; 0 where none is.
    slots: Vec<u32>,
    answers: Vec<Kept>,
    text: String,
}

/// Slots of a bucket. An answer that finds no room in its own takes another's place, so that
/// addresses chosen to meet in one cost no more than those that are new.
const BUCKET: usize = 8;
/// Half of all slots stay empty.
const BUCKET_BITS: u32 = MOST_BITS + 1 - BUCKET.ilog2();
/// Bits of a slot that have the place; the others are of the hash.
const PLACE: u32 = (1 << (MOST_BITS + 1)) - 1;

/// An answer, its texts elsewhere.
#[derive(Clone, Copy, Debug)]
struct Kept {
    address: u128,
    /// Where its texts start, one after the other.
    start: u32,
    /// Their lengths; 0 where there is none.
    lengths: [u16; TEXTS],
    has_network: bool,
    has_geo: bool,
    has_system: bool,
    location: Option<(f64, f64)>,
    accuracy_radius_km: Option<u16>,
    number: Option<u32>,
    ran: Ran,
}

/// Those of a label, a place and an autonomous system.
const TEXTS: usize = 5 + GEO_TEXTS + 1;

impl Answers {
    /// Forgets all, for other tables.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The answer that was kept for an address.
    pub(super) fn get<'a>(&mut self, ip: IpAddr, arena: &'a Bump) -> Option<Answer<'a>> {
        let hash = hash(ip);
        let address = mapped(ip);
        if self.recent.is_full() {
            std::mem::swap(&mut self.recent, &mut self.former);
            self.recent.clear();
        }
        if let Some(kept) = self.recent.find(hash, address) {
            return Some(kept.copied(self.recent.text_of(kept), arena));
        }
        let kept = self.former.find(hash, address)?;
        let text = self.former.text_of(kept);
        self.recent.add(hash, *kept, &[text]);
        Some(kept.copied(text, arena))
    }

    /// Keeps the answer for an address that has none.
    pub(super) fn keep(&mut self, ip: IpAddr, answer: &Answer<'_>) {
        let texts = texts(answer);
        let mut lengths = [0; TEXTS];
        for (length, text) in lengths.iter_mut().zip(texts) {
            let Ok(bytes) = u16::try_from(text.len()) else {
                return;
            };
            *length = bytes;
        }
        let kept = Kept {
            address: mapped(ip),
            start: 0,
            lengths,
            has_network: answer.network.is_some(),
            has_geo: answer.geo.is_some(),
            has_system: answer.autonomous_system.is_some(),
            location: answer.geo.and_then(|geo| geo.location),
            accuracy_radius_km: answer.geo.and_then(|geo| geo.accuracy_radius_km),
            number: answer.autonomous_system.and_then(|system| system.number),
            ran: answer.ran,
        };
        self.recent.add(hash(ip), kept, &texts);
    }

    /// Fetches into the processor's caches what [`Answers::get`] needs. One look waits for each of its
    /// fetches in turn; those of many addresses, with nothing in between, do not wait for one
    /// another.
    #[inline]
    pub(super) fn fetch(&self, ip: IpAddr) {
        let kept = self.recent.find(hash(ip), mapped(ip));
        let text = kept.map(|kept| self.recent.text.as_bytes().get(kept.start as usize));
        std::hint::black_box(text.flatten().copied());
    }
}

impl Half {
    fn is_full(&self) -> bool {
        self.answers.len() >= MOST || self.text.len() >= MOST_TEXT_BYTES
    }

    fn clear(&mut self) {
        self.slots.fill(0);
        self.answers.clear();
        self.text.clear();
        // Texts are far below the bound's double but for the last of them.
        self.text.shrink_to(2 * MOST_TEXT_BYTES);
    }

    #[inline]
    fn find(&self, hash: u64, address: u128) -> Option<&Kept> {
        let start = bucket_of(hash);
        let bucket = self.slots.get(start..start + BUCKET)?;
        let alike = bucket
            .iter()
            .filter(|slot| **slot & !PLACE == mark_of(hash));
        alike
            .filter_map(|slot| self.answers.get(((slot & PLACE) as usize).checked_sub(1)?))
            .find(|kept| kept.address == address)
    }

    fn text_of(&self, kept: &Kept) -> &str {
        let start = kept.start as usize;
        let length: usize = kept.lengths.iter().map(|length| usize::from(*length)).sum();
        self.text.get(start..start + length).unwrap_or_default()
    }

    /// Adds an answer with its texts, one after the other.
    fn add(&mut self, hash: u64, mut kept: Kept, texts: &[&str]) {
        if self.slots.is_empty() {
            self.slots.resize(BUCKET << BUCKET_BITS, 0);
        }
        let (Ok(start), Ok(before)) = (
            u32::try_from(self.text.len()),
            u32::try_from(self.answers.len()),
        ) else {
            return;
        };
        let first = bucket_of(hash);
        let Some(bucket) = self.slots.get_mut(first..first + BUCKET) else {
            return;
        };
        let place = before + 1;
        let free = bucket.iter().position(|slot| *slot == 0);
        let at = free.unwrap_or(before as usize % BUCKET);
        if let Some(slot) = bucket.get_mut(at) {
            *slot = mark_of(hash) | place & PLACE;
        }
        kept.start = start;
        self.answers.push(kept);
        self.text.extend(texts.iter().copied());
    }
}

impl Kept {
    fn copied<'a>(&self, text: &str, arena: &'a Bump) -> Answer<'a> {
        let mut rest: &'a str = arena.alloc_str(text);
        let texts = self.lengths.map(|length| {
            let (text, after) = rest.split_at_checked(length.into()).unwrap_or_default();
            rest = after;
            text
        });
        let [prefix, name, texts @ ..] = texts;
        let said = texts.map(|text| Some(text).filter(|text| !text.is_empty()));
        let [role, site, tenant, place @ .., organization] = said;
        Answer {
            network: self.has_network.then(|| {
                &*arena.alloc(NetworkLabel {
                    prefix,
                    name,
                    role,
                    site,
                    tenant,
                })
            }),
            geo: self.has_geo.then(|| {
                &*arena.alloc(Geo {
                    location: self.location,
                    accuracy_radius_km: self.accuracy_radius_km,
                    ..Geo::of_texts(place)
                })
            }),
            autonomous_system: self.has_system.then(|| {
                &*arena.alloc(AutonomousSystem {
                    number: self.number,
                    organization,
                })
            }),
            ran: self.ran,
        }
    }
}

/// The texts of an answer, in the order in which they are kept.
fn texts<'t>(answer: &Answer<'t>) -> [&'t str; TEXTS] {
    let network = answer.network.map(|network| {
        let NetworkLabel {
            prefix,
            name,
            role,
            site,
            tenant,
        } = *network;
        [Some(prefix), Some(name), role, site, tenant]
    });
    let network = network.unwrap_or_default();
    let geo = answer.geo.copied().unwrap_or_default().texts();
    let system = answer.autonomous_system.copied().unwrap_or_default();
    let said = network.into_iter().chain(geo).chain([system.organization]);
    let mut texts = [""; TEXTS];
    for (text, said) in texts.iter_mut().zip(said) {
        *text = said.unwrap_or_default();
    }
    texts
}

const fn hash(ip: IpAddr) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    folded(ip).wrapping_mul(ODD)
}

/// The first slot of a hash's bucket: by its upper bits, which depend on all of the address's.
const fn bucket_of(hash: u64) -> usize {
    (hash >> (u64::BITS - BUCKET_BITS)) as usize * BUCKET
}

/// The bits of a hash that a slot has, other than those that its bucket tells.
#[expect(
    clippy::cast_possible_truncation,
    reason = "those bits are taken that are left"
)]
const fn mark_of(hash: u64) -> u32 {
    (hash >> 16) as u32 & !PLACE
}

#[cfg(test)]
mod tests {
    use super::super::Enrichment;
    use super::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    fn v4(number: u32) -> IpAddr {
        Ipv4Addr::from_bits(number).into()
    }

    /// Keeps an answer whose label has the address as its name.
    fn keep(answers: &mut Answers, ip: IpAddr, role: &str) {
        let network = NetworkLabel {
            prefix: "::/0",
            name: &ip.to_string(),
            role: Some(role).filter(|role| !role.is_empty()),
            site: None,
            tenant: None,
        };
        let answer = Answer {
            network: Some(&network),
            ..Answer::default()
        };
        answers.keep(ip, &answer);
    }

    fn name(answers: &mut Answers, ip: IpAddr) -> Option<String> {
        let arena = Bump::new();
        let answer = answers.get(ip, &arena)?;
        answer.network.map(|network| network.name.to_owned())
    }

    #[test]
    fn an_answer_comes_back_as_it_was() {
        let network = NetworkLabel {
            prefix: "10.0.0.0/8",
            name: "büro",
            role: None,
            site: Some("ber"),
            tenant: Some("sales"),
        };
        let geo = Geo {
            country_name: Some("Germany"),
            time_zone: Some("Europe/Berlin"),
            location: Some((52.5, 13.4)),
            accuracy_radius_km: Some(20),
            ..Geo::default()
        };
        let system = AutonomousSystem {
            number: Some(64_496),
            organization: Some("Example"),
        };
        let mut ran = Ran::default();
        ran.success.add(Enrichment::NetworkLabel);
        ran.failure.add(Enrichment::Geo);
        let all = Answer {
            network: Some(&network),
            geo: Some(&geo),
            autonomous_system: Some(&system),
            ran,
        };
        let only_number = AutonomousSystem {
            number: Some(1),
            organization: None,
        };
        let number = Answer {
            autonomous_system: Some(&only_number),
            ..Answer::default()
        };
        let (mut answers, arena) = (Answers::default(), Bump::new());
        let kept = [all, number, Answer::default()];
        for (last, answer) in (0..).zip(&kept) {
            assert_eq!(answers.get(v4(last), &arena), None);
            answers.keep(v4(last), answer);
        }
        for (last, answer) in (0..).zip(kept) {
            assert_eq!(answers.get(v4(last), &arena), Some(answer));
        }
        answers.clear();
        assert_eq!(answers.get(v4(0), &arena), None);
    }

    #[test]
    fn what_is_asked_for_again_stays_and_the_rest_is_forgotten() {
        let mut answers = Answers::default();
        let most = u32::try_from(MOST).unwrap();
        let (asked, never) = (v4(u32::MAX), v4(u32::MAX - 1));
        keep(&mut answers, asked, "");
        keep(&mut answers, never, "");
        for number in 0..3 * most {
            let found = name(&mut answers, v4(number));
            assert_eq!(found, None);
            keep(&mut answers, v4(number), "");
            if number % 1_000 == 0 {
                assert_eq!(name(&mut answers, asked), Some(asked.to_string()));
            }
            for half in [&answers.recent, &answers.former] {
                assert!(half.answers.len() <= MOST);
            }
        }
        assert_eq!(name(&mut answers, never), None);
        // But for those that found no room in their buckets, the latest are there.
        let latest = (2 * most..3 * most).map(v4);
        let there = latest.filter(|ip| name(&mut answers, *ip) == Some(ip.to_string()));
        assert!(there.count() > MOST * 9 / 10);
    }

    #[test]
    fn texts_have_a_bound() {
        let mut answers = Answers::default();
        let role = "r".repeat(60_000);
        for number in 0..1_000 {
            assert_eq!(name(&mut answers, v4(number)), None);
            keep(&mut answers, v4(number), &role);
            assert_eq!(name(&mut answers, v4(number)), Some(v4(number).to_string()));
            for half in [&answers.recent, &answers.former] {
                assert!(half.text.len() < MOST_TEXT_BYTES + role.len() + 100);
            }
        }
        // What is longer than any that is meant so is not kept, and is asked for each time.
        keep(&mut answers, v4(5_000), &"r".repeat(70_000));
        assert_eq!(name(&mut answers, v4(5_000)), None);
    }

    /// Addresses of one hash, the halves of which cancel out, get answers of their own.
    #[test]
    fn addresses_of_one_hash_are_told_apart() {
        let mut answers = Answers::default();
        let alike = |number: u128| Ipv6Addr::from_bits(number << 64 | number).into();
        for number in 1..=100 {
            let ip: IpAddr = alike(number);
            assert_eq!(hash(ip), 0);
            assert_eq!(name(&mut answers, ip), None);
            keep(&mut answers, ip, "");
            assert_eq!(name(&mut answers, ip), Some(ip.to_string()));
        }
        let kept = (1..=100).filter(|number| {
            let ip = alike(*number);
            name(&mut answers, ip).is_some_and(|found| found == ip.to_string())
        });
        assert_eq!(kept.count(), BUCKET);
    }
}
