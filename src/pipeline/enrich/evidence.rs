//! By what the answers about a record were reached, for a person who asks.
//!
//! It is found again, after the answers and by the functions that gave them, so that it cannot
//! differ from them and costs nothing where nobody asks.

use super::community_id::{self, NoFlow};
use super::direction::{self, Initiator, PortTest, WithinHost};
use super::index::Owner;
use super::internal;
use super::{Enrich, Facts, Tables, connection, end};
use crate::pipeline::record::{Endpoint, Record};

/// What the answers about a record rest on. Rows are given by their places in the message.
#[derive(Clone, Debug)]
pub(in crate::pipeline) struct Evidence {
    /// Why both ends are of the host, where they are.
    pub(in crate::pipeline) within_host: Option<WithinHost>,
    /// The best listeners for the local end of a connection.
    pub(in crate::pipeline) listeners: Rows,
    /// Those for the remote end of a connection within the host.
    pub(in crate::pipeline) peer_listeners: Rows,
    /// The process id that the best listeners agree on.
    pub(in crate::pipeline) owner: Option<u32>,
    /// What the ports of a connection tell.
    pub(in crate::pipeline) ports: Option<(Initiator, PortTest)>,
    /// What makes the local end internal.
    pub(in crate::pipeline) local_is_internal: Option<internal::Entry>,
    /// What makes the remote end internal.
    pub(in crate::pipeline) remote_is_internal: Option<internal::Entry>,
    /// The rows that show a connection within the host from its other end.
    pub(in crate::pipeline) mirrors: Rows,
    /// Of a listener on `::`: one on `0.0.0.0` beside it.
    pub(in crate::pipeline) v4_beside: Option<u32>,
    /// Why there is no Community ID, where there is none.
    pub(in crate::pipeline) no_flow: Option<NoFlow>,
}

/// Rows that say the same, of many only the first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::pipeline) struct Rows {
    /// Their places in the message, ascending.
    pub(in crate::pipeline) first: Vec<u32>,
    /// Whether there are more.
    pub(in crate::pipeline) more: bool,
}

impl Rows {
    const MAX: usize = 3;

    pub(super) fn take(rows: impl Iterator<Item = u32>) -> Self {
        let mut first: Vec<_> = rows.take(Self::MAX + 1).collect();
        let more = first.len() > Self::MAX;
        first.truncate(Self::MAX);
        first.sort_unstable();
        Self { first, more }
    }
}

/// The evidence for the record at that place. `tables` are as the answers left them.
pub(in crate::pipeline) fn of(
    at: u32,
    records: &[Record<'_>],
    facts: &[Facts<'_>],
    settings: &Enrich,
    tables: &Tables,
) -> Option<Evidence> {
    let record = records.get(at as usize)?;
    let own = facts.get(at as usize)?;
    let listeners = &tables.listeners;
    let connection = connection(record, own, records, settings.enabled, listeners);
    let is_internal = |endpoint: &Endpoint<'_>, facts| {
        let end = end(record, endpoint, facts, settings.enabled);
        settings.internal.entry_of(endpoint.ip?, end.scope?)
    };
    let mut evidence = Evidence {
        within_host: None,
        listeners: Rows::default(),
        peer_listeners: Rows::default(),
        owner: None,
        ports: None,
        local_is_internal: is_internal(&record.local, &own.local),
        remote_is_internal: record
            .remote
            .as_ref()
            .and_then(|remote| is_internal(remote, &own.remote)),
        mirrors: Rows::default(),
        v4_beside: own.listener.and_then(|_| listeners.v4_beside(record)),
        no_flow: community_id::of(record, own.kind, settings.community_id_seed).err(),
    };
    let Some(connection) = connection else {
        return Some(evidence);
    };
    evidence.ports = direction::by_ports(&connection);
    evidence.within_host = connection.within_host();
    if let Some(fit) = connection.fit {
        evidence.listeners = Rows::take(listeners.rows(&fit, records));
        if let Owner::One(pid, _) = listeners.owner(&fit, facts) {
            evidence.owner = Some(pid);
        }
    }
    if evidence.within_host.is_some() {
        let peer = listeners.find(record.transport, connection.remote.endpoint, None, records);
        if let Some(fit) = peer {
            evidence.peer_listeners = Rows::take(listeners.rows(&fit, records));
        }
        evidence.mirrors = Rows::take(tables.peers.mirrors(record));
    }
    Some(evidence)
}
