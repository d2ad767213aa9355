//! Who called whom: an ordered list of rules, the first that holds decides, and says why.

use std::net::IpAddr;

use super::index::{Fit, Listeners, Quality};
use super::internal::Internal;
use super::listener::FIRST_EPHEMERAL_PORT;
use super::scope::Scope;
use crate::pipeline::record::{Endpoint, Record, State};

named! {
    /// The direction as the host sees it.
    Host:
    Ingress "ingress" 1 "The other end called."
    Egress "egress" 2 "The host called."
    Local "local" 3 "Both ends are within the host."
    Unknown "unknown" 4 "Who called is not known."
}

named! {
    /// The direction as the border of the internal networks sees it.
    Perimeter:
    Inbound "inbound" 1 "An external end called an internal one."
    Outbound "outbound" 2 "An internal end called an external one."
    Internal "internal" 3 "Both ends are internal."
    External "external" 4 "Neither end is internal."
    Unknown "unknown" 5 "Who called, or an end, is not known."
}

named! {
    /// The end that called.
    Initiator:
    Local "local" 1 "The local end."
    Remote "remote" 2 "The remote end."
    Unknown "unknown" 3 "Not known."
}

named! {
    /// The rule that told who called.
    Basis:
    SynSent "syn_sent" 1 "The state is SYN_SENT: the local end is calling."
    SynRecv "syn_recv" 2 "The state is SYN_RECV: the local end is being called."
    ListenerExact "listener_exact" 3 "A listener of the message on the local address and port."
    ListenerWildcard "listener_wildcard" 4 "A listener on the local port, on the wildcard of the family."
    ListenerDualStack "listener_dual_stack" 5 "A listener on the local port, on a wildcard that takes both families."
    PeerListener "peer_listener" 6 "Within the host: a listener of the message on the remote end."
    NoListener "no_listener" 7 "The message has listeners for the transport, but none on the local end."
    Ports "ports" 8 "One port looks like a server's and the other like a client's."
    None "none" 9 "No rule holds."
}

named! {
    /// How sure the answer is.
    Confidence:
    Low "low" 1 "A guess by convention."
    Medium "medium" 2 "Likely by what else the message shows."
    High "high" 3 "As good as said by the message."
}

/// Who called whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Direction {
    /// As the host sees it.
    pub host: Host,
    /// As the border of the internal networks sees it.
    pub perimeter: Perimeter,
    /// The end that called.
    pub initiator: Initiator,
    /// The rule that told so.
    pub basis: Basis,
    /// How sure it is; absent where no rule holds.
    pub confidence: Option<Confidence>,
}

/// One end of a connection, and what is known of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct End<'e, 'a> {
    pub(super) endpoint: &'e Endpoint<'a>,
    /// The scope, where there is an address.
    pub(super) scope: Option<Scope>,
    /// Whether its port has a service.
    pub(super) has_service: bool,
}

/// A connection, and all that its direction depends on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Connection<'e, 'a> {
    pub(super) record: &'e Record<'a>,
    pub(super) local: End<'e, 'a>,
    pub(super) remote: End<'e, 'a>,
    /// The best listeners for the local end.
    pub(super) fit: Option<Fit>,
}

/// What a rule answers.
type Answer = (Initiator, Basis, Option<Confidence>);

/// The direction of a connection.
pub(super) fn of(
    connection: &Connection<'_, '_>,
    records: &[Record<'_>],
    listeners: &Listeners,
    internal: &Internal,
) -> Direction {
    let within_host = connection.within_host().is_some();
    let (initiator, basis, confidence) = by_state(connection.record)
        .or_else(|| by_listeners(connection, within_host, records, listeners))
        .or_else(|| by_absence(connection, within_host, listeners))
        .or_else(|| {
            let (initiator, _) = by_ports(connection)?;
            Some((initiator, Basis::Ports, Some(Confidence::Low)))
        })
        .unwrap_or((Initiator::Unknown, Basis::None, None));
    let host = match initiator {
        _ if within_host => Host::Local,
        Initiator::Local => Host::Egress,
        Initiator::Remote => Host::Ingress,
        Initiator::Unknown => Host::Unknown,
    };
    Direction {
        host,
        perimeter: perimeter(connection, initiator, internal),
        initiator,
        basis,
        confidence,
    }
}

/// Why both ends are of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pipeline) enum WithinHost {
    /// They have one address.
    SameAddress,
    /// Both are loopback.
    Loopback,
}

impl Connection<'_, '_> {
    /// Whether both ends are of the host, and why.
    pub(super) fn within_host(&self) -> Option<WithinHost> {
        let (local, remote) = (self.local.endpoint, self.remote.endpoint);
        let loopback = |end: &End<'_, '_>| end.scope == Some(Scope::Loopback);
        let zones_differ = matches!((local.zone, remote.zone), (Some(a), Some(b)) if a != b);
        if local.ip.is_some() && local.ip == remote.ip && !zones_differ {
            return Some(WithinHost::SameAddress);
        }
        (loopback(&self.local) && loopback(&self.remote)).then_some(WithinHost::Loopback)
    }
}

/// Rule 2: the handshake itself.
fn by_state(record: &Record<'_>) -> Option<Answer> {
    match record.state? {
        State::SynSent => Some((Initiator::Local, Basis::SynSent, Some(Confidence::High))),
        State::SynRecv => Some((Initiator::Remote, Basis::SynRecv, Some(Confidence::High))),
        _ => None,
    }
}

/// Rule 3, and within the host its counterpart for the remote end. A datagram socket without a
/// peer proves less than a listener: it may be a client's.
fn by_listeners(
    connection: &Connection<'_, '_>,
    within_host: bool,
    records: &[Record<'_>],
    listeners: &Listeners,
) -> Option<Answer> {
    let record = connection.record;
    let at_most = if record.datagram {
        Confidence::Medium
    } else {
        Confidence::High
    };
    let local = connection.fit.map(|fit| match fit.quality {
        Quality::Exact => (Initiator::Remote, Basis::ListenerExact, Some(at_most)),
        Quality::Wildcard => (Initiator::Remote, Basis::ListenerWildcard, Some(at_most)),
        Quality::DualStack => (
            Initiator::Remote,
            Basis::ListenerDualStack,
            Some(Confidence::Medium),
        ),
    });
    let surest = |answer: &Answer| answer.2 >= Some(at_most);
    if !within_host || local.as_ref().is_some_and(surest) {
        return local;
    }
    // A surer answer from the other end goes before a weaker one from this.
    let peer = listeners.find(record.transport, connection.remote.endpoint, None, records);
    peer.map(|_| (Initiator::Local, Basis::PeerListener, Some(at_most)))
        .or(local)
}

/// Rule 4: a host that listens for a transport shows where, and it is not here. Where "here" is must
/// be known: of a port that was cut nobody can say that nothing listens on it.
fn by_absence(
    connection: &Connection<'_, '_>,
    within_host: bool,
    listeners: &Listeners,
) -> Option<Answer> {
    let listens = connection
        .record
        .transport
        .is_some_and(|transport| listeners.any_for(transport));
    let by_ports = || by_ports(connection).map(|(initiator, _)| initiator);
    let is_known = connection.local.endpoint.port.is_some();
    let holds = !within_host && listens && is_known && by_ports() != Some(Initiator::Remote);
    holds.then_some((
        Initiator::Local,
        Basis::NoListener,
        Some(Confidence::Medium),
    ))
}

/// What tells the server's port from the client's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pipeline) enum PortTest {
    /// It is below 1024, where only privileged processes bind.
    Privileged,
    /// It has a service, and the other is one that systems hand out to clients.
    Service,
    /// It is not one that systems hand out to clients, and the other is.
    Assigned,
}

/// Rule 5: what ports are for. Each test counts only if it holds for one end and not the other,
/// and that end is the server.
pub(super) fn by_ports(connection: &Connection<'_, '_>) -> Option<(Initiator, PortTest)> {
    let port = |end: &End<'_, '_>| end.endpoint.port.filter(|port| *port != 0);
    let (local, remote) = (port(&connection.local)?, port(&connection.remote)?);
    let is_server_by = [
        (PortTest::Privileged, [local < 1024, remote < 1024]),
        (
            PortTest::Service,
            [
                connection.local.has_service && remote >= FIRST_EPHEMERAL_PORT,
                connection.remote.has_service && local >= FIRST_EPHEMERAL_PORT,
            ],
        ),
        (
            PortTest::Assigned,
            [local < FIRST_EPHEMERAL_PORT, remote < FIRST_EPHEMERAL_PORT],
        ),
    ];
    is_server_by
        .into_iter()
        .find_map(|(test, holds)| match holds {
            [true, false] => Some((Initiator::Remote, test)),
            [false, true] => Some((Initiator::Local, test)),
            _ => None,
        })
}

fn perimeter(
    connection: &Connection<'_, '_>,
    initiator: Initiator,
    internal: &Internal,
) -> Perimeter {
    let is_internal = |end: &End<'_, '_>| {
        let ip: IpAddr = end.endpoint.ip?;
        Some(internal.holds(ip, end.scope?))
    };
    let ends = (
        is_internal(&connection.local),
        is_internal(&connection.remote),
    );
    let (Some(local), Some(remote)) = ends else {
        return Perimeter::Unknown;
    };
    match (local, remote, initiator) {
        (true, true, _) => Perimeter::Internal,
        (false, false, _) => Perimeter::External,
        (_, _, Initiator::Unknown) => Perimeter::Unknown,
        (true, false, Initiator::Local) | (false, true, Initiator::Remote) => Perimeter::Outbound,
        (true, false, Initiator::Remote) | (false, true, Initiator::Local) => Perimeter::Inbound,
    }
}
