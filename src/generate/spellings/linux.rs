//! What runs on Linux: ss, net-tools, /proc, osquery, Velociraptor.

use std::net::{IpAddr, Ipv6Addr};

use super::{Row, Spelled, combined, family, plain, state_as, wildcard};
use crate::generate::hosts::Socket;
use crate::generate::manifest::{End, Truth};
use crate::generate::rng::Rng;
use crate::pipeline::code::Warning;
use crate::pipeline::record::{Kind, State};

const SS_STATES: &[(State, &str)] = &[
    (State::Established, "ESTAB"),
    (State::SynSent, "SYN-SENT"),
    (State::SynRecv, "SYN-RECV"),
    (State::FinWait1, "FIN-WAIT-1"),
    (State::FinWait2, "FIN-WAIT-2"),
    (State::TimeWait, "TIME-WAIT"),
    (State::Closed, "UNCONN"),
    (State::CloseWait, "CLOSE-WAIT"),
    (State::LastAck, "LAST-ACK"),
];

const NET_TOOLS_STATES: &[(State, &str)] = &[(State::Closed, "CLOSE")];

const OSQUERY_STATES: &[(State, &str)] = &[(State::SynRecv, "SYN_RCVD"), (State::Closed, "CLOSED")];

const VELOCIRAPTOR_STATES: &[(State, &str)] = &[(State::Established, "ESTAB")];

/// Service names of ports, as in /etc/services.
const SERVICE_NAMES: &[(&str, u16, &str)] = &[
    ("tcp", 22, "ssh"),
    ("tcp", 25, "smtp"),
    ("tcp", 80, "http"),
    ("tcp", 443, "https"),
    ("tcp", 5432, "postgresql"),
    ("udp", 53, "domain"),
    ("udp", 68, "bootpc"),
    ("udp", 123, "ntp"),
    ("udp", 5353, "mdns"),
];

/// net-tools cuts its columns of addresses here, unless it is told `-W`.
const NET_TOOLS_COLUMN: usize = 23;

/// `ss`: the transport alone names the stack, interfaces follow a `%`, `*` is a socket of both
/// families.
pub(super) fn ss(socket: &Socket, rng: &mut Rng) -> Spelled {
    if rng.chance(0.04) {
        return ss_without_ports(rng);
    }
    let mut spelled = plain(socket);
    socket.transport.clone_into(&mut spelled.row.protocol);
    spelled.row.state = match socket.state {
        None if socket.remote.is_some() => "ESTAB".to_owned(),
        None => "UNCONN".to_owned(),
        state => state_as(state, SS_STATES),
    };
    if socket.transport == "udp" && socket.remote.is_some() {
        spelled.truth.state = Some(State::Established);
    }
    let port = socket.local_port;
    if let Some(zone) = socket.zone {
        spelled.truth.local.zone = Some(zone.to_owned());
        spelled.row.local = match socket.local {
            IpAddr::V4(ip) => format!("{ip}%{zone}:{port}"),
            IpAddr::V6(ip) => format!("[{ip}]%{zone}:{port}"),
        };
    }
    match socket.remote {
        None if socket.local == Ipv6Addr::UNSPECIFIED && rng.chance(0.5) => {
            spelled.row.local = format!("*:{port}");
            "*:*".clone_into(&mut spelled.row.remote);
        }
        None if socket.local.is_ipv4() => "0.0.0.0:*".clone_into(&mut spelled.row.remote),
        None => "[::]:*".clone_into(&mut spelled.row.remote),
        Some((remote, remote_port)) if socket.local.is_ipv4() && rng.chance(0.1) => {
            spelled.row.local = format!("[::ffff:{}]:{port}", socket.local);
            spelled.row.remote = format!("[::ffff:{remote}]:{remote_port}");
        }
        Some(_) => {}
    }
    spelled
}

/// Raw and packet sockets, whose "port" is a protocol or an interface.
fn ss_without_ports(rng: &mut Rng) -> Spelled {
    let (protocol, local, remote) = *rng.pick(&[
        ("raw", "0.0.0.0:1", "0.0.0.0:*"),
        ("raw", "0.0.0.0:icmp", "0.0.0.0:*"),
        ("raw6", "[::]:ipv6-icmp", "[::]:*"),
        ("p_raw", "arp:eth0", "*"),
        ("p_dgr", "*:eth0", "*"),
    ]);
    let packet = protocol.starts_with("p_");
    let mut truth = Truth {
        kind: Some(Kind::Listener),
        ..Truth::default()
    };
    if packet {
        truth.link = Some(protocol);
        truth.local.zone = Some("eth0".to_owned());
    } else {
        let six = protocol == "raw6";
        truth.transport = Some("raw");
        truth.network = Some(if six { "ipv6" } else { "ipv4" });
        truth.local.ip = if six { "::" } else { "0.0.0.0" }.parse().ok();
    }
    let row = Row {
        local: local.to_owned(),
        remote: remote.to_owned(),
        protocol: protocol.to_owned(),
        state: "UNCONN".to_owned(),
        ..Row::default()
    };
    Spelled { row, truth }
}

/// `netstat -tunap`: IPv6 without brackets, columns cut.
pub(super) fn net_tools(socket: &Socket) -> Spelled {
    let mut spelled = plain(socket);
    spelled.row.state = state_as(socket.state, NET_TOOLS_STATES);
    if socket.local.is_ipv4() {
        if socket.remote.is_none() {
            "0.0.0.0:*".clone_into(&mut spelled.row.remote);
        }
        return spelled;
    }
    spelled.row.protocol = format!("{}6", socket.transport);
    let (local, cut_local) = column(socket.local, socket.local_port, &mut spelled.truth.local);
    spelled.row.local = local;
    let mut cut = cut_local;
    if let (Some((ip, port)), Some(end)) = (socket.remote, spelled.truth.remote.as_mut()) {
        let (remote, cut_remote) = column(ip, port, end);
        spelled.row.remote = remote;
        cut |= cut_remote;
    } else {
        ":::*".clone_into(&mut spelled.row.remote);
    }
    if cut {
        spelled.truth.warnings.insert(Warning::AddressTruncated);
    }
    spelled
}

/// The address as it fits into the column, and whether it had to be cut in a way that shows:
/// then nothing is known but the port. A cut that leaves a whole address cannot be seen.
fn column(ip: IpAddr, port: u16, end: &mut End) -> (String, bool) {
    let port = format!(":{port}");
    let mut address = ip.to_string();
    address.truncate(NET_TOOLS_COLUMN - port.len());
    let left = address.parse::<Ipv6Addr>().ok();
    end.ip = left.map(IpAddr::from);
    address.push_str(&port);
    (address, left.is_none())
}

/// `netstat -tuap`: names of hosts and services where there are any.
pub(super) fn net_tools_names(socket: &Socket) -> Spelled {
    let mut spelled = plain(socket);
    spelled.row.state = state_as(socket.state, NET_TOOLS_STATES);
    let truth = &mut spelled.truth;
    let (local, named_local) = named(socket, socket.local, socket.local_port, &mut truth.local);
    spelled.row.local = local;
    let mut named_any = named_local;
    if let (Some((ip, port)), Some(end)) = (socket.remote, truth.remote.as_mut()) {
        let (remote, named_remote) = named(socket, ip, port, end);
        spelled.row.remote = remote;
        named_any |= named_remote;
    } else {
        let any = if socket.local.is_ipv4() {
            "0.0.0.0:*"
        } else {
            "[::]:*"
        };
        any.clone_into(&mut spelled.row.remote);
    }
    if named_any {
        truth.warnings.insert(Warning::AddressNotNumeric);
    }
    spelled
}

fn named(socket: &Socket, ip: IpAddr, port: u16, end: &mut End) -> (String, bool) {
    let mut named = false;
    let service = SERVICE_NAMES
        .iter()
        .find(|(transport, number, _)| *transport == socket.transport && *number == port);
    let port_text = match service {
        Some((_, _, name)) => {
            named = true;
            (*name).to_owned()
        }
        None => port.to_string(),
    };
    let name = match ip {
        ip if ip.is_loopback() && ip.to_string() != "127.0.0.53" => Some("localhost".to_owned()),
        IpAddr::V4(ip) if ip.octets()[0] == 172 => {
            let [_, _, site, unit] = ip.octets();
            Some(format!("host-{unit}.site{site}.corp.example"))
        }
        _ => None,
    };
    let text = match name {
        Some(name) => {
            named = true;
            end.ip = None;
            end.name = Some(name.clone());
            format!("{name}:{port_text}")
        }
        None if ip.is_ipv4() => format!("{ip}:{port_text}"),
        None => format!("[{ip}]:{port_text}"),
    };
    (text, named)
}

/// `/proc/net/tcp` and its like: 32-bit words in the machine's (little-endian) order.
pub(super) fn proc_net(socket: &Socket) -> Spelled {
    let mut spelled = plain(socket);
    spelled.row.local = hexadecimal(socket.local, socket.local_port);
    let (remote, port) = socket.remote.unwrap_or((wildcard(socket), 0));
    spelled.row.remote = hexadecimal(remote, port);
    spelled.row.state = state_as(socket.state, &[]).to_ascii_lowercase();
    spelled
}

fn hexadecimal(ip: IpAddr, port: u16) -> String {
    let octets = match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let words = octets.chunks(4);
    let swapped = words.flat_map(|word| word.iter().rev());
    let digits: Vec<_> = swapped.map(|byte| format!("{byte:02X}")).collect();
    format!("{}:{port:04X}", digits.concat())
}

/// osquery: protocols by number, every address with a port.
pub(super) fn osquery(socket: &Socket) -> Spelled {
    let mut spelled = plain(socket);
    let number = if socket.transport == "tcp" { "6" } else { "17" };
    spelled.row.protocol = format!("{number},{}", family(socket.local));
    spelled.row.state = match socket.state {
        None => "NONE".to_owned(),
        state => state_as(state, OSQUERY_STATES),
    };
    if socket.remote.is_none() {
        spelled.row.remote = combined(wildcard(socket), 0);
    }
    spelled
}

/// Velociraptor: names of the stack in its own case and order, no remote where there is none.
pub(super) fn velociraptor(socket: &Socket) -> Spelled {
    let mut spelled = plain(socket);
    let network = if socket.local.is_ipv4() {
        "IPv4"
    } else {
        "IPv6"
    };
    let transport = socket.transport.to_ascii_uppercase();
    spelled.row.protocol = format!("{network}, {transport}");
    spelled.row.state = state_as(socket.state, VELOCIRAPTOR_STATES);
    spelled
}
