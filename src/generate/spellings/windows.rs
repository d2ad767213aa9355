//! What runs on Windows: netstat, PowerShell, Seatbelt.

use super::{Spelled, combined, family, plain, state_as, wildcard};
use crate::generate::hosts::Socket;
use crate::generate::rng::Rng;
use crate::pipeline::code::Warning;
use crate::pipeline::record::{Kind, State};

const NETSTAT_STATES: &[(State, &str)] = &[
    (State::SynRecv, "SYN_RECEIVED"),
    (State::FinWait1, "FIN_WAIT_1"),
    (State::FinWait2, "FIN_WAIT_2"),
    (State::Listen, "LISTENING"),
];

const POWERSHELL_STATES: &[(State, &str)] = &[
    (State::Established, "Established"),
    (State::SynSent, "SynSent"),
    (State::SynRecv, "SynReceived"),
    (State::FinWait1, "FinWait1"),
    (State::FinWait2, "FinWait2"),
    (State::TimeWait, "TimeWait"),
    (State::Closed, "DeleteTCB"),
    (State::CloseWait, "CloseWait"),
    (State::LastAck, "LastAck"),
    (State::Listen, "Listen"),
    (State::Closing, "Closing"),
];

/// The numbers of the Windows MIB, which .NET and PowerShell print as well.
const MIB_STATES: &[(State, &str)] = &[
    (State::Established, "5"),
    (State::SynSent, "3"),
    (State::SynRecv, "4"),
    (State::FinWait1, "6"),
    (State::FinWait2, "7"),
    (State::TimeWait, "11"),
    (State::Closed, "1"),
    (State::CloseWait, "8"),
    (State::LastAck, "10"),
    (State::Listen, "2"),
    (State::Closing, "9"),
];

const SEATBELT_STATES: &[(State, &str)] =
    &[(State::Established, "ESTAB"), (State::SynRecv, "SYN_RCVD")];

/// The tools of Windows know no peer of a datagram socket.
fn without_datagram_peer(spelled: &mut Spelled, socket: &Socket) {
    if socket.transport == "udp" {
        spelled.row.remote.clear();
        spelled.truth.remote = None;
        spelled.truth.kind = Some(Kind::Listener);
    }
}

/// `netstat -ano`: zones inside the brackets, `*:*` for datagrams.
pub(super) fn netstat(socket: &Socket, rng: &mut Rng) -> Spelled {
    let mut spelled = plain(socket);
    without_datagram_peer(&mut spelled, socket);
    spelled.row.state = state_as(socket.state, NETSTAT_STATES);
    if socket.transport == "udp" {
        "*:*".clone_into(&mut spelled.row.remote);
    } else if socket.remote.is_none() {
        spelled.row.remote = combined(wildcard(socket), 0);
    }
    if let Some(zone) = socket.zone {
        spelled.row.local = format!("[{}%{zone}]:{}", socket.local, socket.local_port);
        spelled.truth.local.zone = Some(zone.to_owned());
    }
    // An IPv4 peer of a dual-stack socket.
    if let Some((remote, port)) = socket.remote
        && socket.transport == "tcp"
        && socket.local.is_ipv4()
        && rng.chance(0.1)
    {
        spelled.row.local = format!("[::ffff:{}]:{}", socket.local, socket.local_port);
        spelled.row.remote = format!("[::ffff:{remote}]:{port}");
        "tcp,ipv6".clone_into(&mut spelled.row.protocol);
    }
    spelled
}

/// PowerShell's objects: states by their .NET names or by number, nothing for datagrams.
pub(super) fn powershell(socket: &Socket, rng: &mut Rng) -> Spelled {
    let mut spelled = plain(socket);
    without_datagram_peer(&mut spelled, socket);
    let states = if rng.chance(0.5) {
        MIB_STATES
    } else {
        POWERSHELL_STATES
    };
    spelled.row.state = state_as(socket.state, states);
    if socket.transport == "tcp" && socket.remote.is_none() {
        spelled.row.remote = combined(wildcard(socket), 0);
    }
    spelled
}

/// Seatbelt as its rows are submitted: the stack always says IPv4, no remote is `None:None`.
pub(super) fn seatbelt(socket: &Socket) -> Spelled {
    let mut spelled = plain(socket);
    without_datagram_peer(&mut spelled, socket);
    spelled.row.state = state_as(socket.state, SEATBELT_STATES);
    spelled.row.protocol = format!("{},ipv4", socket.transport);
    if spelled.row.remote.is_empty() {
        "None:None".clone_into(&mut spelled.row.remote);
    }
    if family(socket.local) == "ipv6" {
        spelled
            .truth
            .warnings
            .insert(Warning::AddressFamilyMismatch);
    }
    spelled
}
