//! What a row and the whole message tell about each record.
//!
//! All records of a message are at hand before any is encoded, so that one row can answer for
//! another. [`message`] goes over them twice: once to read what each row tells by itself and to
//! index the listeners, once to answer. The cost is that of the records, whatever is among them.

/// An enum whose variants have a name in events and a number in the schema.
macro_rules! named {
    ($(#[$about:meta])* $kind:ident: $($variant:ident $name:literal $number:literal $meaning:literal)*) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $kind {
            $(#[doc = $meaning] $variant = $number,)*
        }

        impl $kind {
            /// Every one, in the order of the numbers.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name in events and filters.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// One sentence that says what it means.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning),* }
            }

            /// The one with that name.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.name() == name)
            }
        }
    };
}

mod answers;
pub mod community_id;
pub mod direction;
pub(super) mod evidence;
mod index;
pub mod internal;
pub mod labels;
pub mod listener;
pub mod lookup;
pub mod maxmind;
mod peers;
pub mod prefix;
pub mod process;
mod ranges;
pub mod reference;
#[cfg(test)]
mod rows;
pub mod scope;
pub mod service;
#[cfg(test)]
mod tests;
pub mod vendors;

use std::net::Ipv4Addr;
use std::sync::Arc;

use bumpalo::Bump;
use bumpalo::collections::Vec as ArenaVec;

use super::record::{Endpoint, Kind, Record, State};
use community_id::CommunityId;
use direction::{Connection, Direction, End};
use index::{Listeners, Owner, Program};
use internal::Internal;
use listener::Listener;
use lookup::{AutonomousSystem, Geo, NetworkLabel};
use peers::Peers;
use process::Category;
use reference::{Asked, Kept, Reference};
use scope::Scope;

named! {
    /// The enrichments, as `enrichments` in events and the configuration name them.
    Enrichment:
    Scope "scope" 1 "Scope, global reachability and embedded IPv4 address of both ends."
    Service "service" 2 "IANA service names of the ports."
    Process "process" 3 "Executable and category of the process."
    Direction "direction" 4 "Who called whom, seen from the host and from the perimeter."
    CommunityId "community_id" 5 "Community ID of the flow."
    Listener "listener" 6 "Exposure, families and peers of a listener."
    PeerProcess "peer_process" 7 "Process at the other end of a connection within the host."
    PidInference "pid_inference" 8 "Process of a row without one, by the listener that it came in by."
    NetworkLabel "network_label" 9 "The operator's names for the networks of both ends."
    Geo "geo" 10 "Where globally reachable addresses are."
    As "as" 11 "Whose networks globally reachable addresses are part of."
    MacVendor "mac_vendor" 12 "Makers of the interfaces by their MAC addresses."
}

/// A set of enrichments, listed in their fixed order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Enrichments(u16);

impl Enrichments {
    /// The empty set.
    pub const NONE: Self = Self(0);
    /// All of them.
    pub const ALL: Self = {
        let mut all = Self::NONE;
        let mut rest = Enrichment::ALL;
        while let [first, others @ ..] = rest {
            all.add(*first);
            rest = others;
        }
        all
    };

    /// Adds one.
    pub const fn add(&mut self, enrichment: Enrichment) {
        self.0 |= 1 << enrichment as u16;
    }

    /// Takes one away.
    pub const fn remove(&mut self, enrichment: Enrichment) {
        self.0 &= !(1 << enrichment as u16);
    }

    /// Whether one is in the set.
    pub const fn has(self, enrichment: Enrichment) -> bool {
        self.0 & (1 << enrichment as u16) != 0
    }

    /// Those of either set.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those that are not in the other set.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many there are.
    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// Those of the set, in order.
    pub fn iter(self) -> impl Iterator<Item = Enrichment> {
        let all = Enrichment::ALL.iter().copied();
        all.filter(move |enrichment| self.has(*enrichment))
    }
}

/// Settings of the enrichments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrich {
    /// Those that are switched on.
    pub enabled: Enrichments,
    /// Which addresses belong to the operator.
    pub internal: Internal,
    /// Seed of the Community ID; monitors that are to agree need the same.
    pub community_id_seed: u16,
    /// The operator's tables; a message is enriched from one generation of each.
    pub reference: Arc<Reference>,
}

impl Default for Enrich {
    fn default() -> Self {
        Self {
            enabled: Enrichments::ALL,
            internal: Internal::default(),
            community_id_seed: 0,
            reference: Arc::default(),
        }
    }
}

/// What was found out about one record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Facts<'a> {
    /// What the row is.
    pub kind: Kind,
    /// Of the local end.
    pub local: EndFacts<'a>,
    /// Of the remote end.
    pub remote: EndFacts<'a>,
    /// Who called whom; on connections.
    pub direction: Option<Direction>,
    /// The id of the flow.
    pub community_id: Option<CommunityId>,
    /// The process that owns the socket, as far as it is known.
    pub process: Process<'a>,
    /// Facts that only a listener has.
    pub listener: Option<Listener>,
    /// The process at the other end of a connection within the host.
    pub peer_process: Option<&'a Process<'a>>,
    /// The enrichments that ran on the record.
    pub success: Enrichments,
    /// The enrichments that failed on the record.
    pub failure: Enrichments,
}

/// What was found out about one end.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct EndFacts<'a> {
    /// What its address is for.
    pub scope: Option<Scope>,
    /// The IPv4 address inside its IPv6 one.
    pub embedded_ipv4: Option<Ipv4Addr>,
    /// IANA's name of its port on the record's transport.
    pub service: Option<&'static str>,
    /// The operator's name for its network.
    pub network: Option<&'a NetworkLabel<'a>>,
    /// Where it is.
    pub geo: Option<&'a Geo<'a>>,
    /// Whose network it is part of.
    pub autonomous_system: Option<&'a AutonomousSystem<'a>>,
    /// IEEE's name of the maker of its MAC address's interface.
    pub mac_vendor: Option<&'a str>,
}

/// A process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Process<'a> {
    /// Its id.
    pub pid: Option<u32>,
    /// Name, path or command line as sent.
    pub name: Option<&'a str>,
    /// The program: the lower-case base name.
    pub executable: Option<&'a str>,
    /// What kind of program it is.
    pub category: Option<Category>,
    /// Whether the id is not the row's own but that of a listener.
    pub pid_inferred: bool,
}

impl Process<'_> {
    /// Whether nothing is known of it.
    pub const fn is_unknown(&self) -> bool {
        self.pid.is_none() && self.name.is_none() && self.executable.is_none()
    }
}

/// Indexes over the records of a message, and what was read of the operator's databases; one per
/// worker, reused.
#[derive(Debug, Default)]
pub struct Tables {
    listeners: Listeners,
    peers: Peers,
    kept: Kept,
}

/// Finds out about every record of a message, in their order.
pub fn message<'a>(
    records: &[Record<'a>],
    settings: &'a Enrich,
    tables: &mut Tables,
    arena: &'a Bump,
) -> ArenaVec<'a, Facts<'a>> {
    let enabled = settings.enabled;
    let mut facts = ArenaVec::with_capacity_in(records.len(), arena);
    facts.extend(records.iter().map(|record| of_row(record, settings, arena)));
    if let Some(mut asked) = Asked::of(settings, records.len(), arena) {
        tables.kept.is_of(settings);
        asked.look_up(records, &mut facts, &mut tables.kept, arena);
    }
    let needs_index = [
        Enrichment::Direction,
        Enrichment::Listener,
        Enrichment::PidInference,
    ];
    if needs_index
        .into_iter()
        .any(|enrichment| enabled.has(enrichment))
    {
        tables.listeners.index(records, &mut facts);
    } else {
        tables.listeners.clear();
    }
    tables.peers.clear();
    for (at, record) in (0..).zip(records) {
        answer(at, record, records, &mut facts, settings, tables);
    }
    if enabled.has(Enrichment::Listener) {
        tables.listeners.say_peers(&mut facts);
    }
    tables.peers.join(records, &mut facts, arena);
    facts
}

/// What a row tells by itself.
fn of_row<'a>(record: &Record<'a>, settings: &Enrich, arena: &'a Bump) -> Facts<'a> {
    let enabled = settings.enabled;
    let kind = record.kind();
    let mut facts = Facts {
        kind,
        local: end_facts(record, &record.local, enabled),
        remote: record
            .remote
            .as_ref()
            .map_or_else(EndFacts::default, |remote| {
                end_facts(record, remote, enabled)
            }),
        direction: None,
        community_id: None,
        process: Process {
            pid: record.process_id(),
            name: record.process_name(),
            ..Process::default()
        },
        listener: None,
        peer_process: None,
        success: Enrichments::NONE,
        failure: Enrichments::NONE,
    };
    if facts.local.scope.or(facts.remote.scope).is_some() {
        facts.success.add(Enrichment::Scope);
    }
    let has_port = |end: &Endpoint<'_>| end.port.is_some();
    if enabled.has(Enrichment::Service)
        && record
            .transport
            .is_some_and(|transport| transport.has_ports)
        && (has_port(&record.local) || record.remote.as_ref().is_some_and(has_port))
    {
        facts.success.add(Enrichment::Service);
    }
    if let Some(name) = facts
        .process
        .name
        .filter(|_| enabled.has(Enrichment::Process))
    {
        facts.process.executable = process::executable(name, arena);
        let own = settings.reference.categories.as_deref();
        let category = |executable| match own {
            Some(own) => own.get(executable),
            None => process::category(executable),
        };
        facts.process.category = facts.process.executable.and_then(category);
        facts.success.add(Enrichment::Process);
    }
    if enabled.has(Enrichment::CommunityId) {
        facts.community_id = community_id::of(record, kind, settings.community_id_seed).ok();
        if facts.community_id.is_some() {
            facts.success.add(Enrichment::CommunityId);
        }
    }
    if kind == Kind::Listener && enabled.has(Enrichment::Listener) {
        facts.listener = Some(listener::of_row(record));
        facts.success.add(Enrichment::Listener);
    }
    facts
}

fn end_facts<'a>(record: &Record<'_>, end: &Endpoint<'_>, enabled: Enrichments) -> EndFacts<'a> {
    let scope = end
        .ip
        .filter(|_| enabled.has(Enrichment::Scope))
        .map(scope::of);
    let embedded_ipv4 = end
        .ip
        .zip(scope)
        .and_then(|(ip, scope)| scope::embedded_ipv4(ip, scope));
    let service = if enabled.has(Enrichment::Service) {
        service::of(record, end)
    } else {
        None
    };
    EndFacts {
        scope,
        embedded_ipv4,
        service,
        ..EndFacts::default()
    }
}

/// What the message tells about a connection.
fn answer(
    at: u32,
    record: &Record<'_>,
    records: &[Record<'_>],
    facts: &mut [Facts<'_>],
    settings: &Enrich,
    tables: &mut Tables,
) {
    let enabled = settings.enabled;
    let Some(own) = facts.get(at as usize) else {
        return;
    };
    let Some(connection) = connection(record, own, records, enabled, &tables.listeners) else {
        return;
    };
    let fit = connection.fit;
    let mut own = *own;
    if enabled.has(Enrichment::Direction) {
        let internal = &settings.internal;
        own.direction = Some(direction::of(
            &connection,
            records,
            &tables.listeners,
            internal,
        ));
        own.success.add(Enrichment::Direction);
    }
    let has_peer = record.datagram || record.state == Some(State::Established);
    if let Some(fit) = fit.filter(|_| has_peer) {
        tables.listeners.count_peer(&fit);
    }
    if own.process.pid.is_none() && enabled.has(Enrichment::PidInference) {
        if let Some(fit) = fit {
            infer_process(&mut own.process, tables.listeners.owner(&fit, facts), facts);
        }
        own.success.add(Enrichment::PidInference);
    }
    if enabled.has(Enrichment::PeerProcess) && connection.within_host().is_some() {
        tables.peers.add(at, record);
        own.success.add(Enrichment::PeerProcess);
    }
    if let Some(place) = facts.get_mut(at as usize) {
        *place = own;
    }
}

/// A connection with what the rules need of it.
fn connection<'e, 'a>(
    record: &'e Record<'a>,
    facts: &Facts<'_>,
    records: &[Record<'_>],
    enabled: Enrichments,
    listeners: &Listeners,
) -> Option<Connection<'e, 'a>> {
    let (Kind::Connection, Some(remote)) = (facts.kind, &record.remote) else {
        return None;
    };
    Some(Connection {
        record,
        local: end(record, &record.local, &facts.local, enabled),
        remote: end(record, remote, &facts.remote, enabled),
        fit: listeners.find(record.transport, &record.local, record.network, records),
    })
}

/// An end with what the rules need of it, found again where its enrichment is switched off.
fn end<'e, 'a>(
    record: &Record<'_>,
    endpoint: &'e Endpoint<'a>,
    facts: &EndFacts<'_>,
    enabled: Enrichments,
) -> End<'e, 'a> {
    let service = match facts.service {
        None if !enabled.has(Enrichment::Service) => service::of(record, endpoint),
        known => known,
    };
    End {
        endpoint,
        scope: facts.scope.or_else(|| endpoint.ip.map(scope::of)),
        has_service: service.is_some(),
    }
}

/// The process of the listener that a row without one came in by. What the row says itself of
/// its program stays.
fn infer_process<'a>(process: &mut Process<'a>, owner: Owner, facts: &[Facts<'a>]) {
    let Owner::One(pid, program) = owner else {
        return;
    };
    process.pid = Some(pid);
    process.pid_inferred = true;
    if let (None, Program::Of(at)) = (process.name, program)
        && let Some(listener) = facts.get(at as usize)
    {
        process.executable = listener.process.executable;
        process.category = listener.process.category;
    }
}
