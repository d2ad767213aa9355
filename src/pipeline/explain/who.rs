//! Who called whom: the rule that held, and what it rests on.

use super::super::enrich::direction::{
    Basis, Direction, Initiator, Perimeter, PortTest, WithinHost,
};
use super::super::enrich::evidence::Rows;
use super::super::enrich::internal::Entry;
use super::super::record::Endpoint;
use super::{Explained, ends};

/// Direction and perimeter, where the record has them.
pub(super) fn push(of: &Explained<'_, '_>, answers: &mut Vec<(&'static str, String)>) {
    let (Some(direction), Some(remote)) = (of.facts.direction, &of.record.remote) else {
        return;
    };
    answers.push(("direction", host(of, direction, remote)));
    answers.push(("perimeter", perimeter(of, direction, remote)));
}

/// "ingress, the remote end called: a listener on 0.0.0.0:445 in the same message (record 2),
/// rule listener_wildcard, high".
fn host(of: &Explained<'_, '_>, direction: Direction, remote: &Endpoint<'_>) -> String {
    let within = match of.evidence.within_host {
        Some(WithinHost::Loopback) => " (both ends are loopback)",
        Some(WithinHost::SameAddress) => " (both ends have the same address)",
        None => "",
    };
    let caller = caller(direction.initiator);
    let because = because(of, direction.basis, remote);
    let mut text = format!(
        "{}{within}, {caller}: {because}, rule {}",
        direction.host.name(),
        direction.basis.name()
    );
    if let Some(confidence) = direction.confidence {
        text = format!("{text}, {}", confidence.name());
    }
    text
}

fn caller(initiator: Initiator) -> &'static str {
    match initiator {
        Initiator::Local => "the local end called",
        Initiator::Remote => "the remote end called",
        Initiator::Unknown => "who called is not known",
    }
}

fn because(of: &Explained<'_, '_>, basis: Basis, remote: &Endpoint<'_>) -> String {
    match basis {
        Basis::SynSent => "the state is SYN_SENT".to_owned(),
        Basis::SynRecv => "the state is SYN_RECV".to_owned(),
        Basis::ListenerExact | Basis::ListenerWildcard => listener(of, &of.evidence.listeners),
        Basis::ListenerDualStack => {
            let listener = listener(of, &of.evidence.listeners);
            format!("{listener}, which takes both families")
        }
        Basis::PeerListener => {
            let listener = listener(of, &of.evidence.peer_listeners);
            format!("{listener}, which is the remote end's")
        }
        Basis::NoListener => {
            let transport = of.record.transport.map_or("", |transport| transport.name);
            let local = ends::text(&of.record.local);
            format!("the message has listeners for {transport}, and none of them is on {local}")
        }
        Basis::Ports => by_ports(of, remote),
        Basis::None => {
            let known = |end: &Endpoint<'_>| end.port.is_some_and(|port| port != 0);
            if known(&of.record.local) && known(remote) {
                "no state, no listener and no port tells".to_owned()
            } else {
                "no state and no listener tells, and a port is not known".to_owned()
            }
        }
    }
}

/// The listeners that were found; why they prove less where they do.
fn listener(of: &Explained<'_, '_>, rows: &Rows) -> String {
    let first = rows.first.first().and_then(|place| of.at(*place));
    let on = first.map_or_else(String::new, |first| {
        format!(" on {}", ends::text(&first.local))
    });
    let datagram = if of.record.datagram {
        ", a datagram socket, which may be a client's"
    } else {
        ""
    };
    format!(
        "a listener{on} in the same message ({}){datagram}",
        of.rows(rows)
    )
}

fn by_ports(of: &Explained<'_, '_>, remote: &Endpoint<'_>) -> String {
    let Some((initiator, test)) = of.evidence.ports else {
        return String::new();
    };
    let ends = match initiator {
        Initiator::Remote => [&of.record.local, remote],
        Initiator::Local | Initiator::Unknown => [remote, &of.record.local],
    };
    let [server, client] = ends.map(|end| end.port.unwrap_or_default());
    match test {
        PortTest::Privileged => format!("port {server} is below 1024 and port {client} is not"),
        PortTest::Service => {
            format!("port {server} has a service, and port {client} is one that systems hand out")
        }
        PortTest::Assigned => {
            format!("port {client} is one that systems hand out and port {server} is not")
        }
    }
}

/// "inbound: the remote end called, 8.8.8.8 is not internal, 10.0.0.5 is by its scope private".
fn perimeter(of: &Explained<'_, '_>, direction: Direction, remote: &Endpoint<'_>) -> String {
    let name = direction.perimeter.name();
    if of.record.local.ip.is_none() || remote.ip.is_none() {
        return format!("{name}: the address of an end is not known");
    }
    let local = side(&of.record.local, of.evidence.local_is_internal);
    let remote = side(remote, of.evidence.remote_is_internal);
    // Within a host both ends often have the same address.
    let sides = if local == remote {
        local
    } else {
        format!("{local}, {remote}")
    };
    match direction.perimeter {
        Perimeter::Internal | Perimeter::External => format!("{name}: {sides}"),
        Perimeter::Inbound | Perimeter::Outbound | Perimeter::Unknown => {
            format!("{name}: {}, {sides}", caller(direction.initiator))
        }
    }
}

fn side(end: &Endpoint<'_>, entry: Option<Entry>) -> String {
    let ip = end.ip.map_or_else(String::new, |ip| ip.to_string());
    match entry {
        None => format!("{ip} is not internal"),
        Some(Entry::Scope(scope)) => format!("{ip} is internal by its scope {}", scope.name()),
        Some(Entry::Range(first, last)) => {
            format!("{ip} is internal by the networks from {first} to {last}")
        }
    }
}
