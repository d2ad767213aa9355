//! The operator's tables, and what they are asked about each record.

use std::net::IpAddr;
use std::sync::Arc;

use bumpalo::Bump;
use bumpalo::collections::Vec as ArenaVec;

use super::answers::{Answer, Answers, Ran};
use super::internal::folded;
use super::labels::Labels;
use super::maxmind::{self, Database};
use super::process::Categories;
use super::vendors::Vendors;
use super::{EndFacts, Enrich, Enrichment, Enrichments, Facts, scope};
use crate::pipeline::record::{Endpoint, Record};

/// One generation of the operator's tables. To replace one of them, a copy is made with another
/// in its place: the others are shared.
#[derive(Clone, Debug, Default)]
pub struct Reference {
    /// The names of networks.
    pub labels: Option<Arc<Labels>>,
    /// The categories of programs; without it the built-in ones hold.
    pub categories: Option<Arc<Categories>>,
    /// Databases of places, in the order in which they are asked.
    pub geo: Vec<Arc<Database>>,
    /// Databases of autonomous systems, in the order in which they are asked.
    pub asn: Vec<Arc<Database>>,
    /// The makers of interfaces.
    pub vendors: Option<Arc<Vendors>>,
}

/// Whether they are the very same tables, not only of the same content.
impl PartialEq for Reference {
    fn eq(&self, other: &Self) -> bool {
        fn same<'t, T: 't>(
            ours: impl IntoIterator<Item = &'t Arc<T>>,
            theirs: impl IntoIterator<Item = &'t Arc<T>>,
        ) -> bool {
            let theirs = theirs.into_iter().map(Arc::as_ptr);
            ours.into_iter().map(Arc::as_ptr).eq(theirs)
        }
        let Self {
            labels,
            categories,
            geo,
            asn,
            vendors,
        } = self;
        same(labels, &other.labels)
            && same(categories, &other.categories)
            && same(geo, &other.geo)
            && same(asn, &other.asn)
            && same(vendors, &other.vendors)
    }
}

impl Eq for Reference {}

/// What the tables of one generation have told, those that were asked.
#[derive(Debug, Default)]
pub(super) struct Kept {
    of: Arc<Reference>,
    asked: Enrichments,
    answers: Answers,
    places: maxmind::Kept<maxmind::Place>,
    systems: maxmind::Kept<maxmind::System>,
}

impl Kept {
    /// Forgets what is of another generation than this one, or of other tables.
    pub(super) fn is_of(&mut self, settings: &Enrich) {
        let asked = settings.enabled;
        if self.asked != asked || !Arc::ptr_eq(&self.of, &settings.reference) {
            // Held for as long as it is compared with: no other can have its address.
            self.of = Arc::clone(&settings.reference);
            self.asked = asked;
            self.answers.clear();
            self.places.clear();
            self.systems.clear();
        }
    }
}

/// The tables that a message is enriched from: those that are there and switched on.
pub(super) struct Asked<'a> {
    labels: Option<&'a Labels>,
    geo: &'a [Arc<Database>],
    asn: &'a [Arc<Database>],
    vendors: Option<&'a Vendors>,
    /// What was answered in this message: its rows have one host's addresses at one end, and
    /// often the same ones at the other.
    answered: ArenaVec<'a, (Option<IpAddr>, Answer<'a>)>,
}

/// Records whose answers are fetched together.
const FETCHED: usize = 64;
/// Most addresses whose answers are held for a message.
const MOST_ANSWERED: usize = 1 << 10;

impl<'a> Asked<'a> {
    /// Nothing where there is nothing to ask. The message has so many records.
    pub(super) fn of(settings: &'a Enrich, records: usize, arena: &'a Bump) -> Option<Self> {
        let (enabled, reference) = (settings.enabled, &*settings.reference);
        let databases = |of: &'a [Arc<Database>], enrichment| {
            if enabled.has(enrichment) {
                of
            } else {
                Default::default()
            }
        };
        let (labels, vendors) = (reference.labels.as_deref(), reference.vendors.as_deref());
        let mut asked = Self {
            labels: labels.filter(|_| enabled.has(Enrichment::NetworkLabel)),
            geo: databases(&reference.geo, Enrichment::Geo),
            asn: databases(&reference.asn, Enrichment::As),
            vendors: vendors.filter(|_| enabled.has(Enrichment::MacVendor)),
            answered: ArenaVec::new_in(arena),
        };
        if asked.vendors.is_none() && !asked.asks_by_address() {
            return None;
        }
        let slots = (2 * records).next_power_of_two().min(MOST_ANSWERED);
        asked.answered.resize(slots, (None, Answer::default()));
        Some(asked)
    }

    const fn asks_by_address(&self) -> bool {
        self.labels.is_some() || self.has_databases()
    }

    const fn has_databases(&self) -> bool {
        !self.geo.is_empty() || !self.asn.is_empty()
    }

    /// Adds what the tables tell about each record.
    pub(super) fn look_up(
        &mut self,
        records: &[Record<'_>],
        facts: &mut [Facts<'a>],
        kept: &mut Kept,
        arena: &'a Bump,
    ) {
        for (records, facts) in records.chunks(FETCHED).zip(facts.chunks_mut(FETCHED)) {
            if self.asks_by_address() {
                let remote = records
                    .iter()
                    .filter_map(|record| record.remote.as_ref()?.ip);
                remote.for_each(|ip| kept.answers.fetch(ip));
            }
            for (record, facts) in records.iter().zip(facts) {
                let mut ran = Ran::default();
                self.of_end(&record.local, &mut facts.local, &mut ran, kept, arena);
                if let Some(remote) = &record.remote {
                    self.of_end(remote, &mut facts.remote, &mut ran, kept, arena);
                }
                facts.success = facts.success.union(ran.success.without(ran.failure));
                facts.failure = facts.failure.union(ran.failure);
            }
        }
    }

    fn of_end(
        &mut self,
        end: &Endpoint<'_>,
        facts: &mut EndFacts<'a>,
        ran: &mut Ran,
        kept: &mut Kept,
        arena: &'a Bump,
    ) {
        if let (Some(vendors), Some(mac)) = (self.vendors, end.mac) {
            facts.mac_vendor = vendors.get(mac);
            ran.success.add(Enrichment::MacVendor);
        }
        let Some(ip) = end.ip.filter(|_| self.asks_by_address()) else {
            return;
        };
        let slot = slot_of(ip, self.answered.len());
        let answer = match self.answered.get(slot) {
            Some((Some(of), answer)) if *of == ip => *answer,
            _ => {
                let answer = self.find(ip, kept, arena);
                if let Some(place) = self.answered.get_mut(slot) {
                    *place = (Some(ip), answer);
                }
                answer
            }
        };
        facts.network = answer.network;
        facts.geo = answer.geo;
        facts.autonomous_system = answer.autonomous_system;
        ran.success = ran.success.union(answer.ran.success);
        ran.failure = ran.failure.union(answer.ran.failure);
    }

    fn find(&self, ip: IpAddr, kept: &mut Kept, arena: &'a Bump) -> Answer<'a> {
        if let Some(answer) = kept.answers.get(ip, arena) {
            return answer;
        }
        let answer = self.of_address(ip, kept, arena);
        kept.answers.keep(ip, &answer);
        answer
    }

    fn of_address(&self, ip: IpAddr, kept: &mut Kept, arena: &'a Bump) -> Answer<'a> {
        let mut answer = Answer::default();
        if let Some(labels) = self.labels {
            answer.network = labels.get(ip).map(|label| &*arena.alloc(label));
            answer.ran.success.add(Enrichment::NetworkLabel);
        }
        if !self.has_databases() || scope::of(ip).global() != Some(true) {
            return answer;
        }
        if !self.geo.is_empty() {
            let place = maxmind::place(ip, self.geo, &mut kept.places, arena);
            answer.geo = answer.ran.take(Enrichment::Geo, place);
        }
        if !self.asn.is_empty() {
            let system = maxmind::system(ip, self.asn, &mut kept.systems, arena);
            answer.autonomous_system = answer.ran.take(Enrichment::As, system);
        }
        answer
    }
}

/// The slot of an address among so many, a power of two.
fn slot_of(ip: IpAddr, slots: usize) -> usize {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let mixed = folded(ip).wrapping_mul(ODD) >> 32;
    mixed as usize & slots.saturating_sub(1)
}

impl Ran {
    fn take<T>(
        &mut self,
        enrichment: Enrichment,
        answer: Result<Option<T>, maxmind::Damaged>,
    ) -> Option<T> {
        if let Ok(answer) = answer {
            self.success.add(enrichment);
            answer
        } else {
            self.failure.add(enrichment);
            None
        }
    }
}
