//! The listeners of a message, found by what a connection says of one of its ends.
//!
//! The listeners are sorted by transport, port, address and zone once. Those of one address and
//! zone are a set: a connection fits sets, not listeners, so that a thousand listeners on one
//! port cost no more than one. Most connections have a port that nobody listens on, and are done
//! after a look at a bit.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Facts;
use super::internal::mapped;
use super::listener::is_ephemeral;
use crate::pipeline::record::{Endpoint, Kind, Network, Record, Transport};

/// A transport and a port in one number; absent ones have a value that no present one has.
type Place = u32;

/// The address that a listener is bound to, the wildcards first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Bound {
    /// `0.0.0.0`.
    AnyV4,
    /// `::`.
    AnyV6,
    /// A wildcard whose row says that it takes both families.
    Both,
    /// One address; IPv4 is mapped.
    One(u128),
}

/// A listener.
#[derive(Clone, Copy, Debug)]
struct Entry {
    place: Place,
    bound: Bound,
    /// Where its record stands in the message.
    record: u32,
    /// Whether connections are held against it.
    serves: bool,
    /// The set of its address, and that of its address and zone, which is not kept where no
    /// listener on the address has a zone.
    sets: [u32; 2],
}

/// The listeners of one transport and port that are bound to one address: all of them, or those
/// of one zone.
#[derive(Clone, Copy, Debug)]
struct Set {
    place: Place,
    bound: Bound,
    /// One of its records.
    record: u32,
    /// Of a set of an address, how many sets of its zones follow; 0 where none has a zone.
    zones: u32,
    /// Whether a wildcard takes the other family too.
    dual_stack: bool,
    owner: Owner,
    /// Established connections that fit it.
    peers: u32,
}

/// What the rows of a set say of their process.
#[derive(Clone, Copy, Debug)]
pub(super) enum Owner {
    /// No row yet.
    Unseen,
    /// One process: its id, and a record that names its program.
    One(u32, Program),
    /// More than one, or a row that does not say.
    Unsure,
}

/// The program of a process that several rows show.
#[derive(Clone, Copy, Debug)]
pub(super) enum Program {
    /// No row names one.
    Unseen,
    /// That of the record at this place in the message.
    Of(u32),
    /// The rows disagree.
    Unsure,
}

/// How well a listener fits an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quality {
    /// The same address.
    Exact,
    /// A wildcard of the same family.
    Wildcard,
    /// A wildcard that takes both families.
    DualStack,
}

/// The best listeners for an end, all of them equally good.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fit {
    pub(super) quality: Quality,
    sets: [Option<u32>; 4],
}

/// The listeners of a message; the memory is reused.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    entries: Vec<Entry>,
    sets: Vec<Set>,
    /// A bit for each port that somebody listens on, whatever the transport.
    ports: Vec<u64>,
    /// A bit for each transport, by its number.
    transports: [u64; 4],
}

impl Listeners {
    /// Indexes the listeners of a message, and says which take both families.
    pub(super) fn index(&mut self, records: &[Record<'_>], facts: &mut [Facts<'_>]) {
        self.clear();
        for (at, (record, facts)) in (0..).zip(records.iter().zip(facts.iter())) {
            if facts.kind == Kind::Listener {
                self.add(at, record);
            }
        }
        if self.entries.is_empty() {
            return;
        }
        self.entries.sort_unstable_by(|a, b| {
            let by_address = (a.place, a.bound).cmp(&(b.place, b.bound));
            by_address.then_with(|| zone(records, a.record).cmp(&zone(records, b.record)))
        });
        let Self { entries, sets, .. } = self;
        for place in entries.chunk_by_mut(|a, b| a.place == b.place) {
            let v4_is_taken = place
                .first()
                .is_some_and(|first| first.bound == Bound::AnyV4);
            for address in place.chunk_by_mut(|a, b| a.bound == b.bound) {
                let Some(first) = address.first() else {
                    continue;
                };
                let dual_stack = match first.bound {
                    Bound::AnyV6 => !v4_is_taken,
                    Bound::Both => true,
                    Bound::AnyV4 | Bound::One(_) => false,
                };
                say_dual_stack(address, dual_stack, facts);
                push_sets(address, dual_stack, sets, records, facts);
            }
        }
    }

    /// Forgets the message before.
    pub(super) fn clear(&mut self) {
        for entry in &self.entries {
            let port = entry.place & 0xffff;
            if let Some(word) = self.ports.get_mut(port as usize / 64) {
                *word = 0;
            }
        }
        self.entries.clear();
        self.sets.clear();
        self.transports = [0; 4];
    }

    fn add(&mut self, at: u32, record: &Record<'_>) {
        let serves = serving(record);
        if let Some((number, _)) = serves {
            set_bit(&mut self.transports, number.into());
        }
        let Some(bound) = bound(record) else { return };
        if let Some((_, Some(port))) = serves {
            self.ports.resize(1 << 10, 0);
            set_bit(&mut self.ports, port.into());
        }
        let serves = matches!(serves, Some((_, Some(_))));
        if serves || !matches!(bound, Bound::One(_)) {
            let number = record.transport.and_then(|transport| transport.number);
            self.entries.push(Entry {
                place: place(number, record.local.port),
                bound,
                record: at,
                serves,
                sets: [u32::MAX; 2],
            });
        }
    }

    /// Whether the message has listeners for that transport.
    pub(super) fn any_for(&self, transport: Transport<'_>) -> bool {
        let number = transport.number.map(usize::from);
        number.is_some_and(|number| has_bit(&self.transports, number))
    }

    /// The best listeners for an end of a connection. `network` is the family of an end that has
    /// no address.
    pub(super) fn find(
        &self,
        transport: Option<Transport<'_>>,
        end: &Endpoint<'_>,
        network: Option<Network>,
        records: &[Record<'_>],
    ) -> Option<Fit> {
        let port = end.port?;
        if !has_bit(&self.ports, port.into()) {
            return None;
        }
        let transport = transport.filter(|transport| transport.has_ports)?;
        let place = place(Some(transport.number?), Some(port));
        let look = |quality, bounds: &[Bound]| {
            let mut fit = Fit {
                quality,
                sets: [None; 4],
            };
            let mut free = fit.sets.iter_mut();
            for bound in bounds {
                self.push_fitting(place, *bound, end.zone, quality, records, &mut free);
            }
            fit.sets.first()?.map(|_| fit)
        };
        let same_address = end
            .ip
            .and_then(|ip| look(Quality::Exact, &[Bound::One(mapped(ip))]));
        let (wildcard, other) = match end.ip.map(Network::of).or(network)? {
            Network::Ipv4 => (Bound::AnyV4, Bound::AnyV6),
            Network::Ipv6 => (Bound::AnyV6, Bound::AnyV4),
        };
        same_address
            .or_else(|| look(Quality::Wildcard, &[wildcard]))
            .or_else(|| look(Quality::DualStack, &[other, Bound::Both]))
    }

    /// Puts the sets of one bound address that an end in that zone fits into `free`.
    fn push_fitting<'s>(
        &self,
        place: Place,
        bound: Bound,
        end_zone: Option<&str>,
        quality: Quality,
        records: &[Record<'_>],
        free: &mut impl Iterator<Item = &'s mut Option<u32>>,
    ) {
        let mut push = |at: usize| {
            if let Some(slot) = free.next() {
                *slot = u32::try_from(at).ok();
            }
        };
        let first = self
            .sets
            .partition_point(|set| (set.place, set.bound) < (place, bound));
        let Some(set) = self.sets.get(first) else {
            return;
        };
        if (set.place, set.bound) != (place, bound) {
            return;
        }
        if quality == Quality::DualStack && !set.dual_stack {
            return;
        }
        if set.zones == 0 || end_zone.is_none() {
            return push(first);
        }
        // An end in a zone: listeners of that zone, and those that name none.
        let zones = first + 1..first + 1 + set.zones as usize;
        let of_zones = self.sets.get(zones).unwrap_or_default();
        for wanted in [None, end_zone] {
            let at = of_zones.binary_search_by(|set| zone(records, set.record).cmp(&wanted));
            if let Ok(at) = at {
                push(first + 1 + at);
            }
        }
    }

    /// The listeners that fit, by their places in the message.
    pub(super) fn rows(&self, fit: &Fit, records: &[Record<'_>]) -> impl Iterator<Item = u32> {
        let order = |place, bound, record| (place, bound, zone(records, record));
        fit.sets.into_iter().flatten().flat_map(move |at| {
            let set = self.sets.get(at as usize);
            let start = set.map_or(self.entries.len(), |set| {
                let first = order(set.place, set.bound, set.record);
                self.entries
                    .partition_point(|entry| order(entry.place, entry.bound, entry.record) < first)
            });
            let entries = self.entries.get(start..).unwrap_or_default();
            let of_address = entries
                .iter()
                .take_while(move |entry| set.is_some_and(|set| set.holds_address(entry)));
            of_address
                .filter(move |entry| entry.sets.contains(&at))
                .map(|entry| entry.record)
        })
    }

    /// For a listener on `::`: one on `0.0.0.0` of the same transport and port.
    pub(super) fn v4_beside(&self, record: &Record<'_>) -> Option<u32> {
        let is_v6_wildcard = bound(record)? == Bound::AnyV6;
        let number = record.transport.and_then(|transport| transport.number);
        let wanted = (place(number, record.local.port), Bound::AnyV4);
        let first = self
            .entries
            .partition_point(|entry| (entry.place, entry.bound) < wanted);
        let entry = self.entries.get(first)?;
        let is_there = is_v6_wildcard && (entry.place, entry.bound) == wanted;
        is_there.then_some(entry.record)
    }

    /// Counts an established connection for each of the listeners that it fits.
    pub(super) fn count_peer(&mut self, fit: &Fit) {
        for at in fit.sets.iter().flatten() {
            if let Some(set) = self.sets.get_mut(*at as usize) {
                set.peers = set.peers.saturating_add(1);
            }
        }
    }

    /// The process that all of the fitting listeners belong to.
    pub(super) fn owner(&self, fit: &Fit, facts: &[Facts<'_>]) -> Owner {
        let sets = fit
            .sets
            .iter()
            .flatten()
            .filter_map(|at| self.sets.get(*at as usize));
        sets.fold(Owner::Unseen, |owner, set| owner.and(set.owner, facts))
    }

    /// Says to each listener how many connections were counted for it.
    pub(super) fn say_peers(&self, facts: &mut [Facts<'_>]) {
        let set_at = |at: u32| self.sets.get(at as usize);
        for entry in self.entries.iter().filter(|entry| entry.serves) {
            let [address, zone] = entry.sets.map(set_at);
            let Some(address) = address else { continue };
            let of_zone = zone
                .filter(|_| address.zones > 0)
                .map_or(0, |zone| zone.peers);
            if let Some(listener) = listener_at(facts, entry.record) {
                listener.established_peers = address.peers.saturating_add(of_zone);
            }
        }
    }
}

impl Set {
    fn holds_address(&self, entry: &Entry) -> bool {
        (self.place, self.bound) == (entry.place, entry.bound)
    }
}

impl Owner {
    /// The owner of a row at that place in the message.
    fn of(at: u32, facts: &[Facts<'_>]) -> Self {
        let Some(facts) = facts.get(at as usize) else {
            return Self::Unsure;
        };
        match (facts.process.pid, facts.process.executable) {
            (Some(pid), Some(_)) => Self::One(pid, Program::Of(at)),
            (Some(pid), None) => Self::One(pid, Program::Unseen),
            (None, _) => Self::Unsure,
        }
    }

    /// What two owners agree on.
    fn and(self, other: Self, facts: &[Facts<'_>]) -> Self {
        match (self, other) {
            (Self::Unseen, owner) | (owner, Self::Unseen) => owner,
            (Self::One(pid, one), Self::One(other_pid, other)) if pid == other_pid => {
                Self::One(pid, one.and(other, facts))
            }
            _ => Self::Unsure,
        }
    }
}

impl Program {
    fn and(self, other: Self, facts: &[Facts<'_>]) -> Self {
        let name = |at: u32| {
            facts
                .get(at as usize)
                .and_then(|facts| facts.process.executable)
        };
        match (self, other) {
            (Self::Unseen, program) | (program, Self::Unseen) => program,
            (Self::Of(one), Self::Of(other)) if name(one) == name(other) => Self::Of(one),
            _ => Self::Unsure,
        }
    }
}

/// Makes the sets of the listeners on one address, sorted by zone, and tells each its sets.
fn push_sets(
    address: &mut [Entry],
    dual_stack: bool,
    sets: &mut Vec<Set>,
    records: &[Record<'_>],
    facts: &[Facts<'_>],
) {
    let is_new =
        |entry: &Entry, set: &Set| zone(records, entry.record) != zone(records, set.record);
    let empty = |entry: &Entry| Set {
        place: entry.place,
        bound: entry.bound,
        record: entry.record,
        zones: 0,
        dual_stack,
        owner: Owner::Unseen,
        peers: 0,
    };
    let mut serving = address.iter_mut().filter(|entry| entry.serves).peekable();
    let Some(first) = serving.peek() else { return };
    let of_address = sets.len();
    sets.push(empty(first));
    // The last in order has a zone if any has.
    let has_zones = |entry: &Entry| zone(records, entry.record).is_some();
    let mut zoned = false;
    for entry in serving {
        let owner = Owner::of(entry.record, facts);
        zoned |= has_zones(entry);
        let is_first_of_zone = sets
            .last()
            .is_none_or(|last| sets.len() == of_address + 1 || is_new(entry, last));
        if is_first_of_zone {
            sets.push(empty(entry));
        }
        let of_zone = sets.len() - 1;
        for at in [of_address, of_zone] {
            if let Some(set) = sets.get_mut(at) {
                set.owner = set.owner.and(owner, facts);
            }
        }
        entry.sets = [of_address, of_zone].map(|at| u32::try_from(at).unwrap_or(u32::MAX));
    }
    if zoned {
        let count = sets.len() - of_address - 1;
        if let Some(set) = sets.get_mut(of_address) {
            set.zones = u32::try_from(count).unwrap_or(0);
        }
    } else {
        // One set says all.
        sets.truncate(of_address + 1);
    }
}

fn say_dual_stack(address: &[Entry], dual_stack: bool, facts: &mut [Facts<'_>]) {
    for entry in address {
        if let Some(listener) = listener_at(facts, entry.record) {
            listener.dual_stack = dual_stack;
        }
    }
}

fn listener_at<'f>(
    facts: &'f mut [Facts<'_>],
    at: u32,
) -> Option<&'f mut super::listener::Listener> {
    facts.get_mut(at as usize)?.listener.as_mut()
}

/// The transport and port of a listener that connections are held against: one that is not most
/// likely a client's. Its port may be unknown.
fn serving(record: &Record<'_>) -> Option<(u8, Option<u16>)> {
    let transport = record.transport.filter(|transport| transport.has_ports)?;
    let number = transport.number?;
    (!is_ephemeral(record)).then_some((number, record.local.port))
}

fn bound(record: &Record<'_>) -> Option<Bound> {
    const ANY_V4: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    const ANY_V6: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    Some(match record.local.ip? {
        ANY_V4 => Bound::AnyV4,
        ANY_V6 if record.both_families => Bound::Both,
        ANY_V6 => Bound::AnyV6,
        ip => Bound::One(mapped(ip)),
    })
}

fn place(number: Option<u8>, port: Option<u16>) -> Place {
    number.map_or(1 << 8, u32::from) << 17 | port.map_or(1 << 16, u32::from)
}

fn zone<'a>(records: &[Record<'a>], at: u32) -> Option<&'a str> {
    records
        .get(at as usize)
        .and_then(|record| record.local.zone)
}

fn set_bit(words: &mut [u64], bit: usize) {
    if let Some(word) = words.get_mut(bit / 64) {
        *word |= 1 << (bit % 64);
    }
}

fn has_bit(words: &[u64], bit: usize) -> bool {
    words
        .get(bit / 64)
        .is_some_and(|word| word >> (bit % 64) & 1 == 1)
}
