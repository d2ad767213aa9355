//! Records for the tests of this module, from the spelling of their ends.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::pipeline::code::Warnings;
use crate::pipeline::record::{Endpoint, Network, ProcessId, Record, Row, State, Transport};

const fn transport(name: &'static str, number: u8) -> Transport<'static> {
    Transport {
        name,
        number: Some(number),
        has_ports: true,
    }
}

/// A TCP row; a remote of "" is none. `*:80` is a wildcard that says it takes both families.
pub(super) fn tcp(local: &str, remote: &str, state: Option<State>) -> Record<'static> {
    row(transport("tcp", 6), local, remote, state, false)
}

/// A UDP row.
pub(super) fn udp(local: &str, remote: &str) -> Record<'static> {
    row(transport("udp", 17), local, remote, None, true)
}

/// A TCP row that listens.
pub(super) fn listens(local: &str) -> Record<'static> {
    tcp(local, "", Some(State::Listen))
}

/// A TCP row with a peer.
pub(super) fn connects(local: &str, remote: &str) -> Record<'static> {
    tcp(local, remote, Some(State::Established))
}

/// The row with that owner; 0 and "" are none.
pub(super) fn owned(
    mut record: Record<'static>,
    pid: u32,
    process_name: &'static str,
) -> Record<'static> {
    record.row.process_id = ProcessId::Number(pid);
    record.row.process_name = process_name;
    record
}

fn row(
    transport: Transport<'static>,
    local: &str,
    remote: &str,
    state: Option<State>,
    datagram: bool,
) -> Record<'static> {
    let both_families = local.starts_with('*');
    let local = end(&local.replace('*', "[::]"));
    Record {
        index: 0,
        row: Row::default(),
        protocols: &[],
        transport: Some(transport),
        network: local.ip.map(Network::of),
        state,
        local,
        remote: (!remote.is_empty()).then(|| end(remote)),
        both_families,
        datagram,
        warnings: Warnings::NONE,
    }
}

/// `1.2.3.4:80`, `[fe80::1%eth0]:80`, either without a port, or a name.
fn end(text: &str) -> Endpoint<'static> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').unwrap();
            (host, port.strip_prefix(':'))
        }
        None => match text.split_once(':') {
            Some((host, port)) if !port.contains(':') => (host, Some(port)),
            _ => (text, None),
        },
    };
    let (host, zone) = match host.split_once('%') {
        Some((host, zone)) => (host, Some(&*zone.to_owned().leak())),
        None => (host, None),
    };
    let v4 = host.parse().map(|ip: Ipv4Addr| IpAddr::V4(ip));
    let v6 = || host.parse().map(|ip: Ipv6Addr| IpAddr::V6(ip));
    let ip = v4.or_else(|_| v6()).ok();
    Endpoint {
        ip,
        port: port.map(|port| port.parse().unwrap()),
        zone,
        mac: None,
        name: ip.is_none().then(|| &*host.to_owned().leak()),
    }
}
