//! netstat on macOS: a dot before the port, joined protocol names, cut columns.

use std::net::{IpAddr, Ipv6Addr};

use super::{Spelled, plain, state_as};
use crate::generate::hosts::Socket;
use crate::generate::manifest::End;
use crate::generate::rng::Rng;
use crate::pipeline::code::Warning;
use crate::pipeline::record::State;

const STATES: &[(State, &str)] = &[
    (State::SynRecv, "SYN_RCVD"),
    (State::FinWait1, "FIN_WAIT_1"),
    (State::FinWait2, "FIN_WAIT_2"),
];

/// Width of an IPv4 address and its port.
const IPV4_COLUMN: usize = 18;
/// Width of an IPv6 address, before its port.
const IPV6_ADDRESS: usize = 16;

/// `netstat -an`.
pub(super) fn netstat(socket: &Socket, rng: &mut Rng) -> Spelled {
    let mut spelled = plain(socket);
    spelled.row.state = state_as(socket.state, STATES);
    let dual = socket.local == Ipv6Addr::UNSPECIFIED && rng.chance(0.5);
    let family = match socket.local {
        IpAddr::V4(_) => "4",
        IpAddr::V6(_) if dual => "46",
        IpAddr::V6(_) => "6",
    };
    spelled.row.protocol = format!("{}{family}", socket.transport);
    let truth = &mut spelled.truth;
    let (local, mut cut) = column(socket.local, socket.local_port, &mut truth.local);
    spelled.row.local = local;
    if let (Some((ip, port)), Some(end)) = (socket.remote, truth.remote.as_mut()) {
        let (remote, cut_remote) = column(ip, port, end);
        spelled.row.remote = remote;
        cut |= cut_remote;
    } else {
        "*.*".clone_into(&mut spelled.row.remote);
    }
    if cut {
        truth.warnings.insert(Warning::AddressTruncated);
    }
    spelled
}

/// The address as it fits into the column, and whether it looks cut: then the part that the
/// cut went through is not known.
fn column(ip: IpAddr, port: u16, end: &mut End) -> (String, bool) {
    if ip.is_unspecified() {
        return (format!("*.{port}"), false);
    }
    let text = ip.to_string();
    if ip.is_ipv6() {
        let cut = text.len() >= IPV6_ADDRESS;
        if cut {
            end.ip = None;
        }
        return (format!("{text:.IPV6_ADDRESS$}.{port}"), cut);
    }
    let address = text.len() + 1;
    let mut text = format!("{text}.{port}");
    text.truncate(IPV4_COLUMN);
    // A whole port of four digits that ends at the column's edge looks the same as a cut one.
    let cut = text.len() == IPV4_COLUMN && text.len() - address < 5;
    if cut {
        end.port = None;
    }
    (text, cut)
}
