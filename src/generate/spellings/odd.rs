//! Rows that any tool may print now and then: odd, yet events, each with its warning.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Spelled, plain};
use crate::generate::hosts::{Host, Socket};
use crate::generate::manifest::End;
use crate::generate::rng::Rng;
use crate::pipeline::code::Warning;
use crate::pipeline::record::{Kind, State};

/// One odd row of the host.
pub(super) fn row(host: &Host, rng: &mut Rng) -> Spelled {
    let peer = IpAddr::from(Ipv4Addr::new(203, 0, 113, 40));
    let mut socket = Socket {
        transport: "tcp",
        local: host.v4.into(),
        local_port: 50_000 + rng.between(0, 999),
        remote: Some((peer, 443)),
        zone: None,
        state: Some(State::Established),
        pid: Some(4_242),
        process: "sync-agent",
        service: "",
    };
    match rng.below(9) {
        0 => unrecognized_state(&socket, rng),
        1 => {
            socket.state = Some(State::Listen);
            warned(&socket, Warning::ListenWithRemote)
        }
        2 => {
            socket.local_port = 0;
            warned(&socket, Warning::ZeroLocalPort)
        }
        3 => {
            let six = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x40);
            socket.remote = Some((six.into(), 443));
            warned(&socket, Warning::AddressFamilyMismatch)
        }
        4 => host_name(&socket),
        5 => unknown_service(&socket),
        6 => without_port(&socket),
        7 => bound(socket),
        _ => bsd_names(&socket),
    }
}

fn warned(socket: &Socket, warning: Warning) -> Spelled {
    let mut spelled = plain(socket);
    spelled.truth.warnings.insert(warning);
    spelled
}

/// Spellings of /proc in hexadecimal among them: only its own reader may know those.
fn unrecognized_state(socket: &Socket, rng: &mut Rng) -> Spelled {
    let mut spelled = warned(socket, Warning::UnrecognizedState);
    spelled.truth.state = Some(State::Unknown);
    let state = *rng.pick(&["01", "0A", "CONNECTED", "HALF_OPEN"]);
    state.clone_into(&mut spelled.row.state);
    spelled
}

fn host_name(socket: &Socket) -> Spelled {
    let mut spelled = warned(socket, Warning::AddressNotNumeric);
    "dc01.corp.example:445".clone_into(&mut spelled.row.remote);
    spelled.truth.remote = Some(End {
        name: Some("dc01.corp.example".to_owned()),
        port: Some(445),
        ..End::default()
    });
    spelled
}

fn unknown_service(socket: &Socket) -> Spelled {
    let mut spelled = warned(socket, Warning::AddressNotNumeric);
    "203.0.113.40:x-no-such-service".clone_into(&mut spelled.row.remote);
    if let Some(remote) = spelled.truth.remote.as_mut() {
        remote.port = None;
    }
    spelled
}

/// A bare address where one with a port is due.
fn without_port(socket: &Socket) -> Spelled {
    let mut spelled = plain(socket);
    spelled.row.remote = socket
        .remote
        .map_or_else(String::new, |(ip, _)| ip.to_string());
    if let Some(remote) = spelled.truth.remote.as_mut() {
        remote.port = None;
    }
    spelled
}

/// Bound and not connected: neither a listener nor a connection.
fn bound(mut socket: Socket) -> Spelled {
    socket.remote = None;
    socket.state = Some(State::Closed);
    let mut spelled = plain(&socket);
    "-".clone_into(&mut spelled.row.remote);
    spelled.truth.kind = Some(Kind::Idle);
    spelled
}

/// BSD's netstat without `-n`: a service name after the last dot.
fn bsd_names(socket: &Socket) -> Spelled {
    let mut spelled = warned(socket, Warning::AddressNotNumeric);
    "tcp4".clone_into(&mut spelled.row.protocol);
    "gw.corp.example.https".clone_into(&mut spelled.row.remote);
    spelled.truth.remote = Some(End {
        name: Some("gw.corp.example".to_owned()),
        port: Some(443),
        ..End::default()
    });
    spelled
}
