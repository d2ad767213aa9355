//! What an address is for: its scope by IANA's registries, and an IPv4 address inside an IPv6 one.
//!
//! From the special-purpose address registries (2025-10-09), the multicast registries (RFC 5771,
//! RFC 4291) and RFC 3879; the longest prefix wins. The arms of [`of`] stand in the order of the
//! addresses, each longer prefix before the one that it lies in. `scopes.csv` has the rows that
//! they are tested against, and `scripts/iana-scopes.py` holds those against a new revision of
//! the registries. Standard libraries differ from the registries in places.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

named! {
    /// What an address is for.
    Scope:
    Unspecified "unspecified" 1 "The unspecified address, `0.0.0.0` or `::`."
    ThisNetwork "this_network" 2 "Hosts on this network (RFC 791)."
    Private "private" 3 "Private use (RFC 1918)."
    Shared "shared" 4 "Shared address space of carriers (RFC 6598)."
    Loopback "loopback" 5 "Within the host (RFC 1122, RFC 4291)."
    LinkLocal "link_local" 6 "Within the link (RFC 3927, RFC 4291)."
    IetfProtocol "ietf_protocol" 7 "IETF protocol assignments (RFC 6890, RFC 2928)."
    ServiceContinuity "service_continuity" 8 "IPv4 service continuity (RFC 7335)."
    Dummy "dummy" 9 "Dummy address (RFC 7600, RFC 9780)."
    PcpAnycast "pcp_anycast" 10 "Port control protocol anycast (RFC 7723)."
    TurnAnycast "turn_anycast" 11 "TURN anycast (RFC 8155)."
    DnsSdSrpAnycast "dns_sd_srp_anycast" 12 "DNS-SD service registration anycast (RFC 9665)."
    Nat64Discovery "nat64_discovery" 13 "NAT64 and DNS64 discovery (RFC 7050)."
    Documentation "documentation" 14 "Documentation (RFC 5737, RFC 3849, RFC 9637)."
    As112 "as112" 15 "AS112 name servers (RFC 7534, RFC 7535)."
    Amt "amt" 16 "Automatic multicast tunneling (RFC 7450)."
    SixToFourRelay "six_to_four_relay" 17 "6to4 relay anycast, deprecated (RFC 7526)."
    SixA44Relay "six_a44_relay" 18 "6a44 relay anycast (RFC 6751)."
    Benchmarking "benchmarking" 19 "Benchmarking (RFC 2544, RFC 5180)."
    Multicast "multicast" 20 "Multicast (RFC 5771, RFC 4291)."
    Reserved "reserved" 21 "Reserved, or not allocated (RFC 1112, RFC 4291)."
    LimitedBroadcast "limited_broadcast" 22 "Limited broadcast (RFC 919)."
    Nat64 "nat64" 23 "IPv4 to IPv6 translation (RFC 6052)."
    Nat64Local "nat64_local" 24 "Local IPv4 to IPv6 translation (RFC 8215)."
    Discard "discard" 25 "Discard-only (RFC 6666)."
    Teredo "teredo" 26 "Teredo (RFC 4380)."
    Orchid "orchid" 27 "ORCHID, deprecated (RFC 4843)."
    OrchidV2 "orchid_v2" 28 "ORCHIDv2 (RFC 7343)."
    Drip "drip" 29 "Drone remote identification (RFC 9374)."
    SixToFour "six_to_four" 30 "6to4 (RFC 3056)."
    Srv6 "srv6" 31 "Segment routing SIDs (RFC 9602)."
    UniqueLocal "unique_local" 32 "Unique local (RFC 4193)."
    SiteLocal "site_local" 33 "Site local, deprecated (RFC 3879)."
    Global "global" 34 "Everything else that is allocated."
}

impl Scope {
    /// Whether the registry calls the address globally reachable; absent where it says that the
    /// question does not apply.
    pub const fn global(self) -> Option<bool> {
        match self {
            Self::Global
            | Self::PcpAnycast
            | Self::TurnAnycast
            | Self::DnsSdSrpAnycast
            | Self::As112
            | Self::Amt
            | Self::Nat64
            | Self::OrchidV2
            | Self::Drip => Some(true),
            Self::SixToFourRelay | Self::SixToFour | Self::Teredo | Self::Orchid => None,
            _ => Some(false),
        }
    }
}

/// The scope of an address.
pub const fn of(ip: IpAddr) -> Scope {
    match ip {
        IpAddr::V4(ip) => of_v4(ip),
        IpAddr::V6(ip) => of_v6(ip),
    }
}

const fn of_v4(ip: Ipv4Addr) -> Scope {
    match ip.octets() {
        [0, 0, 0, 0] => Scope::Unspecified,
        [0, ..] => Scope::ThisNetwork,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Scope::Private,
        [100, 64..=127, ..] => Scope::Shared,
        [127, ..] => Scope::Loopback,
        [169, 254, ..] => Scope::LinkLocal,
        [192, 0, 0, last] => match last {
            0..=7 => Scope::ServiceContinuity,
            8 => Scope::Dummy,
            9 => Scope::PcpAnycast,
            10 => Scope::TurnAnycast,
            170 | 171 => Scope::Nat64Discovery,
            _ => Scope::IetfProtocol,
        },
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Scope::Documentation,
        [192, 31, 196, _] | [192, 175, 48, _] => Scope::As112,
        [192, 52, 193, _] => Scope::Amt,
        [192, 88, 99, 2] => Scope::SixA44Relay,
        [192, 88, 99, _] => Scope::SixToFourRelay,
        [198, 18 | 19, ..] => Scope::Benchmarking,
        [224..=239, ..] => Scope::Multicast,
        [255, 255, 255, 255] => Scope::LimitedBroadcast,
        [240..=255, ..] => Scope::Reserved,
        _ => Scope::Global,
    }
}

const fn of_v6(ip: Ipv6Addr) -> Scope {
    match ip.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Scope::Unspecified,
        [0, 0, 0, 0, 0, 0, 0, 1] => Scope::Loopback,
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => Scope::Nat64,
        [0x64, 0xff9b, 1, ..] => Scope::Nat64Local,
        [0x100, 0, 0, 0, ..] => Scope::Discard,
        [0x100, 0, 0, 1, ..] => Scope::Dummy,
        [0x2001, 0..=0x1ff, ..] => within_ietf_protocol(ip),
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Scope::Documentation,
        [0x2002, ..] => Scope::SixToFour,
        [0x2620, 0x4f, 0x8000, ..] => Scope::As112,
        [0x2000..=0x3fff, ..] => Scope::Global,
        [0x5f00, ..] => Scope::Srv6,
        [0xfc00..=0xfdff, ..] => Scope::UniqueLocal,
        [0xfe80..=0xfebf, ..] => Scope::LinkLocal,
        [0xfec0..=0xfeff, ..] => Scope::SiteLocal,
        [0xff00..=0xffff, ..] => Scope::Multicast,
        _ => Scope::Reserved,
    }
}

/// The assignments of `2001::/23`.
const fn within_ietf_protocol(ip: Ipv6Addr) -> Scope {
    match ip.segments() {
        [_, 0, ..] => Scope::Teredo,
        [_, 1, 0, 0, 0, 0, 0, 1] => Scope::PcpAnycast,
        [_, 1, 0, 0, 0, 0, 0, 2] => Scope::TurnAnycast,
        [_, 1, 0, 0, 0, 0, 0, 3] => Scope::DnsSdSrpAnycast,
        [_, 2, 0, ..] => Scope::Benchmarking,
        [_, 3, ..] => Scope::Amt,
        [_, 4, 0x112, ..] => Scope::As112,
        [_, 0x10..=0x1f, ..] => Scope::Orchid,
        [_, 0x20..=0x2f, ..] => Scope::OrchidV2,
        [_, 0x30..=0x3f, ..] => Scope::Drip,
        _ => Scope::IetfProtocol,
    }
}

/// The IPv4 address inside an IPv6 one of that scope: of NAT64, 6to4, a Teredo client, or in an
/// ISATAP interface id.
pub const fn embedded_ipv4(ip: IpAddr, scope: Scope) -> Option<Ipv4Addr> {
    /// The first half of an ISATAP interface id (RFC 5214), and its bit that is set where the
    /// IPv4 address is globally unique.
    const ISATAP: u32 = 0x5efe;
    const UNIVERSAL: u32 = 0x0200_0000;

    let IpAddr::V6(ip) = ip else { return None };
    let bits = ip.to_bits();
    match scope {
        Scope::Nat64 => Some(ipv4_at(bits, 0)),
        Scope::SixToFour => Some(ipv4_at(bits, 80)),
        Scope::Teredo => Some(ipv4_at(!bits, 0)),
        Scope::Multicast => None,
        _ if ipv4_at(bits, 32).to_bits() & !UNIVERSAL == ISATAP => Some(ipv4_at(bits, 0)),
        _ => None,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "32 of the bits are wanted")]
const fn ipv4_at(bits: u128, shift: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits((bits >> shift) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every row of the registries; the file's first lines say its form and its revision.
    const ROWS: &str = include_str!("scopes.csv");

    #[derive(Clone, Copy)]
    struct Prefix {
        v4: bool,
        /// First and last address; of IPv4 in the low 32 bits.
        first: u128,
        last: u128,
        length: u32,
        scope: Scope,
        global: Option<bool>,
    }

    fn rows() -> Vec<Prefix> {
        let rows = ROWS.lines().filter(|line| !line.starts_with('#'));
        let rows = rows.skip(1).map(|line| {
            let [prefix, name, global, _] = *line.split(',').collect::<Vec<_>>() else {
                panic!("{line}")
            };
            let (ip, length) = prefix.split_once('/').unwrap();
            let (v4, first, bits) = match ip.parse().unwrap() {
                IpAddr::V4(ip) => (true, u128::from(u32::from(ip)), 32),
                IpAddr::V6(ip) => (false, u128::from(ip), 128),
            };
            let length: u32 = length.parse().unwrap();
            let host = 1_u128
                .checked_shl(bits - length)
                .map_or(u128::MAX, |size| size - 1);
            assert_eq!(first & host, 0, "{line}");
            Prefix {
                v4,
                first,
                last: first | host,
                length,
                scope: Scope::from_name(name).unwrap(),
                global: match global {
                    "yes" => Some(true),
                    "no" => Some(false),
                    "n/a" => None,
                    _ => panic!("{line}"),
                },
            }
        });
        rows.collect()
    }

    fn address(v4: bool, number: u128) -> IpAddr {
        if v4 {
            Ipv4Addr::from(u32::try_from(number).unwrap()).into()
        } else {
            Ipv6Addr::from(number).into()
        }
    }

    /// The longest prefix by trying them all.
    fn expected(rows: &[Prefix], v4: bool, number: u128) -> Prefix {
        let holds = |row: &&Prefix| row.v4 == v4 && (row.first..=row.last).contains(&number);
        *rows
            .iter()
            .filter(holds)
            .max_by_key(|row| row.length)
            .unwrap()
    }

    #[test]
    fn first_and_last_addresses_of_every_row_and_their_neighbours() {
        let rows = rows();
        for row in &rows {
            let max = if row.v4 {
                u128::from(u32::MAX)
            } else {
                u128::MAX
            };
            for number in [
                row.first,
                row.last,
                row.first.saturating_sub(1),
                row.last.saturating_add(1).min(max),
                row.first + (row.last - row.first) / 2,
                (row.first + 1).min(row.last),
            ] {
                let ip = address(row.v4, number);
                let expected = expected(&rows, row.v4, number);
                assert_eq!(of(ip), expected.scope, "{ip}");
                assert_eq!(of(ip).global(), expected.global, "{ip}");
            }
        }
    }

    #[test]
    fn every_scope_has_a_row() {
        let rows = rows();
        for scope in Scope::ALL {
            assert!(
                rows.iter().any(|row| row.scope == *scope),
                "{}",
                scope.name()
            );
        }
    }

    #[test]
    fn ipv4_inside_ipv6() {
        for (ip, expected) in [
            ("64:ff9b::192.0.2.33", Some("192.0.2.33")),
            ("64:ff9b:1::192.0.2.33", None),
            ("2002:c000:204::1", Some("192.0.2.4")),
            // RFC 4380, section 4: the client's address is inverted.
            ("2001:0:4136:e378:8000:63bf:3fff:fdd2", Some("192.0.2.45")),
            ("fe80::5efe:10.1.2.3", Some("10.1.2.3")),
            ("2001:db8::200:5efe:203.0.113.9", Some("203.0.113.9")),
            ("2001:db8::100:5efe:203.0.113.9", None),
            ("2001:db8::5eff:203.0.113.9", None),
            ("ff02::5efe:10.1.2.3", None),
            // The prefix goes before the interface id.
            ("2002:c000:204::5efe:10.1.2.3", Some("192.0.2.4")),
            ("2001:db8::1", None),
            ("192.0.2.4", None),
        ] {
            let ip: IpAddr = ip.parse().unwrap();
            let expected = expected.map(|ip| ip.parse().unwrap());
            assert_eq!(embedded_ipv4(ip, of(ip)), expected, "{ip}");
        }
    }
}
