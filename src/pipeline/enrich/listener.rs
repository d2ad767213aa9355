//! What only a listener has: who can reach it, and what sort of socket it is.

use std::net::IpAddr;

use super::scope::{self, Scope};
use super::service;
use crate::pipeline::record::Record;

named! {
    /// From where a listener can be reached, by the address that it is bound to.
    Exposure:
    Loopback "loopback" 1 "From the host alone."
    LinkLocal "link_local" 2 "From the link."
    Private "private" 3 "From the private network, or wherever its address is routed to."
    Global "global" 4 "From everywhere: the address is globally reachable."
    Any "any" 5 "By every address of the host."
}

/// Facts that only a listener has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listener {
    /// From where it can be reached; absent without an address.
    pub exposure: Option<Exposure>,
    /// Whether the socket takes IPv4 and IPv6 peers alike.
    pub dual_stack: bool,
    /// Whether it is most likely the socket of a client: a datagram socket on a high port
    /// without a service.
    pub ephemeral: bool,
    /// Established connections of the same message that came in by it.
    pub established_peers: u32,
}

/// The lowest port that systems hand out to clients.
pub(super) const FIRST_EPHEMERAL_PORT: u16 = 32_768;

/// The facts that the row alone tells.
pub(super) fn of_row(record: &Record<'_>) -> Listener {
    Listener {
        exposure: record.local.ip.map(exposure),
        dual_stack: false,
        ephemeral: is_ephemeral(record),
        established_peers: 0,
    }
}

/// Whether a listener is most likely the socket of a client.
pub(super) fn is_ephemeral(record: &Record<'_>) -> bool {
    let high = |port| port >= FIRST_EPHEMERAL_PORT;
    record.datagram
        && record.local.port.is_some_and(high)
        && service::of(record, &record.local).is_none()
}

fn exposure(ip: IpAddr) -> Exposure {
    let scope = scope::of(ip);
    match scope {
        Scope::Loopback => Exposure::Loopback,
        // A limited broadcast never leaves the link (RFC 919).
        Scope::LinkLocal | Scope::LimitedBroadcast => Exposure::LinkLocal,
        Scope::Multicast if stays_on_link(ip) => Exposure::LinkLocal,
        Scope::Multicast | Scope::Unspecified => Exposure::Any,
        _ if scope.global() == Some(true) => Exposure::Global,
        _ => Exposure::Private,
    }
}

/// Whether a multicast address is of the local network control block (RFC 5771), or of interface
/// or link scope (RFC 4291, the second byte's low half).
fn stays_on_link(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => matches!(ip.octets(), [224, 0, 0, _]),
        IpAddr::V6(ip) => matches!(ip.segments(), [first, ..] if matches!(first & 0xf, 1 | 2)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::rows::{listens, udp};
    use super::*;

    #[test]
    fn exposure_by_the_bound_address() {
        for (ip, expected) in [
            ("127.0.0.1", Exposure::Loopback),
            ("127.0.0.53", Exposure::Loopback),
            ("::1", Exposure::Loopback),
            ("169.254.3.4", Exposure::LinkLocal),
            ("fe80::1", Exposure::LinkLocal),
            ("224.0.0.251", Exposure::LinkLocal),
            ("ff01::1", Exposure::LinkLocal),
            ("ff02::fb", Exposure::LinkLocal),
            ("ff12::1", Exposure::LinkLocal),
            ("255.255.255.255", Exposure::LinkLocal),
            ("10.0.0.1", Exposure::Private),
            ("fd00::1", Exposure::Private),
            ("100.64.0.1", Exposure::Private),
            ("192.0.2.1", Exposure::Private),
            ("2001:db8::1", Exposure::Private),
            ("fec0::1", Exposure::Private),
            ("240.0.0.1", Exposure::Private),
            // Not said to be globally reachable.
            ("2002:c000:204::1", Exposure::Private),
            ("8.8.8.8", Exposure::Global),
            ("2606:4700::1111", Exposure::Global),
            ("192.31.196.1", Exposure::Global),
            ("0.0.0.0", Exposure::Any),
            ("::", Exposure::Any),
            ("239.255.255.250", Exposure::Any),
            ("224.0.1.1", Exposure::Any),
            ("ff05::2", Exposure::Any),
        ] {
            assert_eq!(exposure(ip.parse().unwrap()), expected, "{ip}");
        }
        assert_eq!(of_row(&listens("localhost:80")).exposure, None);
    }

    #[test]
    fn ephemeral_datagram_sockets() {
        for (record, expected) in [
            (udp("0.0.0.0:53", ""), false),
            (udp("0.0.0.0:5353", ""), false),
            (udp("0.0.0.0:32767", ""), false),
            (udp("0.0.0.0:33000", ""), true),
            (udp("[::]:65535", ""), true),
            (udp("0.0.0.0", ""), false),
            // These have a service: filenet-tms and bacnet.
            (udp("0.0.0.0:32768", ""), false),
            (udp("0.0.0.0:47808", ""), false),
            (listens("0.0.0.0:49152"), false),
        ] {
            assert_eq!(is_ephemeral(&record), expected, "{record:?}");
        }
    }
}
