//! The operator's tables, and what they are asked about each record.

use std::sync::Arc;

use bumpalo::Bump;

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

/// What was read of the databases of one generation.
#[derive(Debug, Default)]
pub(super) struct Kept {
    of: Arc<Reference>,
    places: maxmind::Kept<maxmind::Place>,
    systems: maxmind::Kept<maxmind::System>,
}

impl Kept {
    /// Forgets what is of another generation than this one.
    pub(super) fn is_of(&mut self, reference: &Arc<Reference>) {
        if !Arc::ptr_eq(&self.of, reference) {
            // Held for as long as it is compared with: no other can have its address.
            self.of = Arc::clone(reference);
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
}

impl<'a> Asked<'a> {
    /// Nothing where there is nothing to ask.
    pub(super) fn of(settings: &'a Enrich) -> Option<Self> {
        let (enabled, reference) = (settings.enabled, &*settings.reference);
        let databases = |of: &'a [Arc<Database>], enrichment| {
            if enabled.has(enrichment) {
                of
            } else {
                Default::default()
            }
        };
        let (labels, vendors) = (reference.labels.as_deref(), reference.vendors.as_deref());
        let asked = Self {
            labels: labels.filter(|_| enabled.has(Enrichment::NetworkLabel)),
            geo: databases(&reference.geo, Enrichment::Geo),
            asn: databases(&reference.asn, Enrichment::As),
            vendors: vendors.filter(|_| enabled.has(Enrichment::MacVendor)),
        };
        let is_any = asked.labels.is_some() || asked.vendors.is_some() || asked.has_databases();
        is_any.then_some(asked)
    }

    const fn has_databases(&self) -> bool {
        !self.geo.is_empty() || !self.asn.is_empty()
    }

    /// Adds what the tables tell about a record.
    pub(super) fn look_up(
        &self,
        record: &Record<'_>,
        facts: &mut Facts<'a>,
        kept: &mut Kept,
        arena: &'a Bump,
    ) {
        let mut ran = Ran::default();
        self.of_end(&record.local, &mut facts.local, &mut ran, kept, arena);
        if let Some(remote) = &record.remote {
            self.of_end(remote, &mut facts.remote, &mut ran, kept, arena);
        }
        facts.success = facts.success.union(ran.success.without(ran.failure));
        facts.failure = facts.failure.union(ran.failure);
    }

    fn of_end(
        &self,
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
        let Some(ip) = end.ip else { return };
        if let Some(labels) = self.labels {
            facts.network = labels.get(ip).map(|label| &*arena.alloc(label));
            ran.success.add(Enrichment::NetworkLabel);
        }
        let is_global = || facts.scope.unwrap_or_else(|| scope::of(ip)).global() == Some(true);
        if !self.has_databases() || !is_global() {
            return;
        }
        if !self.geo.is_empty() {
            let place = maxmind::place(ip, self.geo, &mut kept.places, arena);
            facts.geo = ran.take(Enrichment::Geo, place);
        }
        if !self.asn.is_empty() {
            let system = maxmind::system(ip, self.asn, &mut kept.systems, arena);
            facts.autonomous_system = ran.take(Enrichment::As, system);
        }
    }
}

/// What ran on a record, and what failed at one of its ends.
#[derive(Default)]
struct Ran {
    success: Enrichments,
    failure: Enrichments,
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
