//! The operator's tables, and what they are asked about each record.

use std::ptr;
use std::sync::Arc;

use bumpalo::Bump;

use super::labels::Labels;
use super::{EndFacts, Enrich, Enrichment, Facts};
use crate::pipeline::record::{Endpoint, Record};

/// One generation of the operator's tables. To replace one of them, a copy is made with another
/// in its place: the others are shared.
#[derive(Clone, Debug, Default)]
pub struct Reference {
    /// The names of networks.
    pub labels: Option<Arc<Labels>>,
}

/// Whether they are the very same tables, not only of the same content.
impl PartialEq for Reference {
    fn eq(&self, other: &Self) -> bool {
        let Self { labels } = self;
        let same = |of: &Option<Arc<Labels>>| of.as_ref().map(Arc::as_ptr);
        ptr::eq(self, other) || same(labels) == same(&other.labels)
    }
}

impl Eq for Reference {}

/// The tables that a message is enriched from: those that are there and switched on.
pub(super) struct Asked<'a> {
    labels: Option<&'a Labels>,
}

impl<'a> Asked<'a> {
    /// Nothing where there is nothing to ask.
    pub(super) fn of(settings: &'a Enrich) -> Option<Self> {
        let (enabled, reference) = (settings.enabled, &*settings.reference);
        let labels = reference.labels.as_deref();
        let labels = labels.filter(|_| enabled.has(Enrichment::NetworkLabel));
        labels.is_some().then_some(Self { labels })
    }

    /// Adds what the tables tell about a record.
    pub(super) fn look_up(&self, record: &Record<'_>, facts: &mut Facts<'a>, arena: &'a Bump) {
        let mut local = facts.local;
        self.of_end(&record.local, &mut local, facts, arena);
        facts.local = local;
        if let Some(remote) = &record.remote {
            let mut end = facts.remote;
            self.of_end(remote, &mut end, facts, arena);
            facts.remote = end;
        }
    }

    fn of_end(
        &self,
        end: &Endpoint<'_>,
        of_end: &mut EndFacts<'a>,
        facts: &mut Facts<'a>,
        arena: &'a Bump,
    ) {
        if let (Some(labels), Some(ip)) = (self.labels, end.ip) {
            of_end.network = labels.get(ip).map(|label| &*arena.alloc(label));
            facts.success.add(Enrichment::NetworkLabel);
        }
    }
}
