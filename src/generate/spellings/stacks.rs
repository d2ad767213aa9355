//! Other stacks than a transport on IP: link layers, applications, protocols without ports,
//! sockets that are not of the internet at all.

use std::net::{IpAddr, Ipv4Addr};

use super::{Row, Spelled, combined, family, mac_text, plain};
use crate::generate::hosts::{Host, Socket};
use crate::generate::manifest::{End, Truth};
use crate::generate::rng::Rng;
use crate::pipeline::code::Warning;
use crate::pipeline::record::{Kind, State};

const PEER_MAC: [u8; 6] = [0x00, 0x1B, 0x21, 0x0A, 0xC4, 0x7E];

/// A sensor that lists an address for each layer, in each of the ways that the contract takes.
pub(super) fn link_sensor(host: &Host, socket: &Socket, rng: &mut Rng) -> Spelled {
    let mut spelled = plain(socket);
    spelled.truth.link = Some("ethernet");
    spelled.truth.local.mac = Some(host.mac);
    if let Some(remote) = spelled.truth.remote.as_mut() {
        remote.mac = Some(PEER_MAC);
    }
    let (transport, network) = (socket.transport, family(socket.local));
    let style = rng.below(6);
    if style == 5 {
        return link_only(host, rng);
    }
    spelled.row.protocol = match style {
        0 | 1 => format!("{transport},{network},ethernet"),
        2 => format!("ethernet,{network},{transport}"),
        _ => {
            spelled.truth.application = Some("tls");
            spelled.truth.warnings.insert(Warning::UnrecognizedProtocol);
            format!("tls,{transport},{network},eth")
        }
    };
    let separator = *rng.pick(&['-', ':', '.']);
    let list = |ip: IpAddr, port: u16, mac: [u8; 6]| {
        let mac = spelled_mac(mac, separator);
        match style {
            0 | 3 => format!("{},{mac}", combined(ip, port)),
            1 | 4 => format!("{port},{ip},{mac}"),
            _ => format!("{mac},{ip},{port}"),
        }
    };
    spelled.row.local = list(socket.local, socket.local_port, host.mac);
    if let Some((ip, port)) = socket.remote {
        spelled.row.remote = list(ip, port, PEER_MAC);
    }
    spelled
}

fn link_only(host: &Host, rng: &mut Rng) -> Spelled {
    let separator = *rng.pick(&['-', ':', '.']);
    let row = Row {
        local: spelled_mac(host.mac, separator),
        remote: spelled_mac(PEER_MAC, separator),
        protocol: rng.pick(&["ethernet", "eth", "802.3"]).to_string(),
        ..Row::default()
    };
    let with_mac = |mac| End {
        mac: Some(mac),
        ..End::default()
    };
    let truth = Truth {
        kind: Some(Kind::Connection),
        link: Some("ethernet"),
        local: with_mac(host.mac),
        remote: Some(with_mac(PEER_MAC)),
        ..Truth::default()
    };
    Spelled { row, truth }
}

/// IEEE's hyphens, Unix's colons or Cisco's groups of four.
fn spelled_mac(mac: [u8; 6], separator: char) -> String {
    if separator == '.' {
        let digits = mac_text(mac, '-').replace('-', "").to_ascii_lowercase();
        return format!("{}.{}.{}", &digits[..4], &digits[4..8], &digits[8..]);
    }
    let text = mac_text(mac, separator);
    if separator == ':' {
        text.to_ascii_lowercase()
    } else {
        text
    }
}

/// An agent that names the stack itself.
pub(super) fn custom_agent(host: &Host, socket: &Socket, rng: &mut Rng) -> Spelled {
    match rng.below(7) {
        0 => over_application(socket),
        1 => without_ports(host, rng),
        2 => other_transport(host, rng),
        3 => opaque(rng),
        4 => split_list(socket, rng),
        // The plain notation, most of all.
        _ => plain(socket),
    }
}

fn over_application(socket: &Socket) -> Spelled {
    let mut spelled = plain(socket);
    spelled.row.protocol = format!("tls, {}, {}", socket.transport, family(socket.local));
    spelled.truth.application = Some("tls");
    spelled.truth.warnings.insert(Warning::UnrecognizedProtocol);
    spelled
}

/// The list has the port and the ip apart, in the order of the protocols.
fn split_list(socket: &Socket, rng: &mut Rng) -> Spelled {
    let mut spelled = plain(socket);
    let down = rng.chance(0.5);
    let (transport, network) = (socket.transport, family(socket.local));
    let list = |ip: IpAddr, port: u16| {
        if down {
            format!("{port},{ip}")
        } else {
            format!("{ip},{port}")
        }
    };
    spelled.row.protocol = if down {
        format!("{transport},{network}")
    } else {
        format!("{network},{transport}")
    };
    spelled.row.local = list(socket.local, socket.local_port);
    if let Some((ip, port)) = socket.remote {
        spelled.row.remote = list(ip, port);
    }
    spelled
}

fn end(ip: impl Into<IpAddr>, port: Option<u16>) -> End {
    End {
        ip: Some(ip.into()),
        port,
        ..End::default()
    }
}

fn without_ports(host: &Host, rng: &mut Rng) -> Spelled {
    let peer = Ipv4Addr::new(203, 0, 113, 9);
    let (spelling, transport) = *rng.pick(&[
        ("icmp", "icmp"),
        ("icm4", "icmp"),
        ("gre", "gre"),
        ("esp", "esp"),
        ("ah", "ah"),
        ("igmp", "igmp"),
    ]);
    let dropped = rng.chance(0.5);
    let row = Row {
        local: if dropped {
            format!("{}:8", host.v4)
        } else {
            host.v4.to_string()
        },
        remote: peer.to_string(),
        protocol: format!("{spelling},ipv4"),
        ..Row::default()
    };
    let truth = Truth {
        kind: Some(Kind::Connection),
        transport: Some(transport),
        network: Some("ipv4"),
        local: end(host.v4, None),
        remote: Some(end(peer, None)),
        ..Truth::default()
    };
    Spelled { row, truth }
}

fn other_transport(host: &Host, rng: &mut Rng) -> Spelled {
    let transport = *rng.pick(&["sctp", "dccp", "udplite", "mptcp"]);
    let peer = Ipv4Addr::new(198, 51, 100, 77);
    let row = Row {
        local: combined(host.v4.into(), 40_123),
        remote: combined(peer.into(), 3868),
        protocol: format!("{transport},ipv4"),
        state: "ESTABLISHED".to_owned(),
        ..Row::default()
    };
    let truth = Truth {
        kind: Some(Kind::Connection),
        transport: Some(transport),
        network: Some("ipv4"),
        state: Some(State::Established),
        local: end(host.v4, Some(40_123)),
        remote: Some(end(peer, Some(3868))),
        ..Truth::default()
    };
    Spelled { row, truth }
}

/// Nothing of the stack is known: the addresses stay text.
fn opaque(rng: &mut Rng) -> Spelled {
    let name = |text: &str| End {
        name: Some(text.to_owned()),
        ..End::default()
    };
    let mut truth = Truth::default();
    truth.warnings.insert(Warning::UnrecognizedProtocol);
    let (protocol, local, remote, state) = if rng.chance(0.5) {
        truth.kind = Some(Kind::Listener);
        truth.state = Some(State::Listen);
        ("unix", "/run/systemd/private", "", "LISTEN")
    } else {
        truth.kind = Some(Kind::Connection);
        truth.state = Some(State::Established);
        truth.remote = Some(name("2:22"));
        ("vsock", "3:1024", "2:22", "ESTAB")
    };
    truth.application = Some(protocol);
    truth.local = name(local);
    let row = Row {
        local: local.to_owned(),
        remote: remote.to_owned(),
        protocol: protocol.to_owned(),
        state: state.to_owned(),
        ..Row::default()
    };
    Spelled { row, truth }
}
