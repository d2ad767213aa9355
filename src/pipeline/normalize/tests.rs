//! Whole rows: lists that pair with their stack, families, remotes that are none, and sockets
//! without connections.

mod rejections;

use std::fmt::Write as _;

use bumpalo::Bump;

use super::*;
use crate::pipeline::record::Endpoint;

fn row<'a>(protocol: &'a str, local: &'a str, remote: &'a str, state: &'a str) -> Row<'a> {
    Row {
        protocol,
        local_address: local,
        remote_address: remote,
        state,
        ..Row::default()
    }
}

fn read<'a>(row: Row<'a>, arena: &'a Bump) -> Result<Record<'a>, Reject> {
    record(7, row, &Limits::default(), arena)
}

fn end(end: &Endpoint<'_>) -> String {
    let mut line = String::new();
    for part in [
        end.ip.map(|ip| ip.to_string()),
        end.port.map(|port| format!(":{port}")),
        end.zone.map(|zone| format!("%{zone}")),
        end.mac.map(|mac| format!("{mac:02X?}")),
        end.name.map(|name| format!("={name}")),
    ]
    .into_iter()
    .flatten()
    {
        let _ = write!(line, "{part} ");
    }
    line.trim_end().to_owned()
}

/// Both ends and the warnings of a row, or the code of its rejection.
fn ends(protocol: &str, local: &str, remote: &str) -> String {
    let arena = Bump::new();
    match read(row(protocol, local, remote, ""), &arena) {
        Ok(record) => {
            let warnings: Vec<_> = record.warnings.iter().map(Warning::name).collect();
            let remote = record.remote.as_ref().map_or("none".to_owned(), end);
            let line = format!("{} | {remote} {}", end(&record.local), warnings.join(" "));
            line.trim_end().to_owned()
        }
        Err(reject) => reject.reason.name().to_owned(),
    }
}

#[test]
fn address_lists_pair_with_the_stack() {
    let mac = "[00, 0D, 3A, 13, E3, 69]";
    for (protocol, local, expected) in [
        // 1: one element.
        ("tcp,ipv4", "1.2.3.4:80", "1.2.3.4 :80 | none".to_owned()),
        ("tcp", "1.2.3.4:80", "1.2.3.4 :80 | none".to_owned()),
        ("ipv4", "1.2.3.4", "1.2.3.4 | none".to_owned()),
        ("icmp,ipv4", "1.2.3.4", "1.2.3.4 | none".to_owned()),
        ("ethernet", "000d.3a13.e369", format!("{mac} | none")),
        ("802.11", "000d.3a13.e369", format!("{mac} | none")),
        ("ipv4,ethernet", "1.2.3.4", "1.2.3.4 | none".to_owned()),
        (
            "tcp,ipv6",
            "[fe80::1%a,b]:80",
            "fe80::1 :80 %a,b | none".to_owned(),
        ),
        // 2: as many as the whole stack, in the order as written.
        ("tcp,ipv4", "80,1.2.3.4", "1.2.3.4 :80 | none".to_owned()),
        ("ipv4,tcp", "1.2.3.4, 80", "1.2.3.4 :80 | none".to_owned()),
        ("tcp4", "80,1.2.3.4", "1.2.3.4 :80 | none".to_owned()),
        (
            "tcp,ipv4",
            "ssh,*",
            "0.0.0.0 :22 | none address_not_numeric".to_owned(),
        ),
        ("tcp,ipv4", "*,1.2.3.4", "1.2.3.4 | none".to_owned()),
        ("icmp,ipv4", "8,1.2.3.4", "1.2.3.4 | none".to_owned()),
        (
            "tcp,ipv4",
            "80,host",
            ":80 =host | none address_not_numeric".to_owned(),
        ),
        (
            "tcp,ipv6",
            "80,[fe80::1%a,b]",
            "fe80::1 :80 %a,b | none".to_owned(),
        ),
        (
            "ethernet,ipv4,tcp",
            "00:0d:3a:13:e3:69,1.2.3.4,80",
            format!("1.2.3.4 :80 {mac} | none"),
        ),
        (
            "http,tcp,ipv4",
            "GET /,80,1.2.3.4",
            "1.2.3.4 :80 =GET / | none unrecognized_protocol".to_owned(),
        ),
        (
            "tcp,ethernet",
            "1.2.3.4:80,000d.3a13.e369",
            format!("1.2.3.4 :80 {mac} | none"),
        ),
        // 3: as many as the layers that carry addresses.
        (
            "http,tcp,ipv4",
            "80,1.2.3.4",
            "1.2.3.4 :80 | none unrecognized_protocol".to_owned(),
        ),
        // 4: ip and port in one.
        (
            "tcp,ipv4,ethernet",
            "172.16.111.218:52279,00-0D-3A-13-E3-69",
            format!("172.16.111.218 :52279 {mac} | none"),
        ),
        (
            "ethernet,ipv4,tcp",
            "00-0D-3A-13-E3-69,172.16.111.218:52279",
            format!("172.16.111.218 :52279 {mac} | none"),
        ),
        (
            "tcp,ethernet,ipv4",
            "1.2.3.4:80,00-0D-3A-13-E3-69",
            format!("1.2.3.4 :80 {mac} | none"),
        ),
        (
            "http,tcp,ipv4,ethernet",
            "1.2.3.4:80,00-0D-3A-13-E3-69",
            format!("1.2.3.4 :80 {mac} | none unrecognized_protocol"),
        ),
    ] {
        assert_eq!(ends(protocol, local, ""), expected, "{protocol} {local}");
    }
}

#[test]
fn address_lists_that_do_not_pair_or_have_bad_elements() {
    for (protocol, local, expected) in [
        ("tcp,ipv4", "80,1.2.3.4,x", "address_protocol_mismatch"),
        ("tcp", "80,1.2.3.4", "address_protocol_mismatch"),
        ("tcp,ethernet", "a,b,c", "address_protocol_mismatch"),
        (
            "http,tcp,ipv4,ethernet",
            "a,b,c,d,e",
            "address_protocol_mismatch",
        ),
        ("tcp,ipv4", "1.2.3.4,80", "invalid_local_address"),
        ("tcp,ipv4", "80,", "invalid_local_address"),
        ("tcp,ipv4", ",", "invalid_local_address"),
        ("tcp,ipv4", "-,1.2.3.4", "invalid_local_address"),
        ("ethernet", "1.2.3.4", "invalid_local_address"),
        ("tcp,ipv4,ethernet", "1.2.3.4:80,x", "invalid_local_address"),
    ] {
        assert_eq!(ends(protocol, local, ""), expected, "{protocol} {local}");
    }
}

#[test]
fn remote_lists_may_leave_elements_out() {
    for (remote, expected) in [
        ("443,5.6.7.8", "5.6.7.8 :443"),
        ("-,5.6.7.8", "5.6.7.8"),
        ("443,-", ":443"),
        ("0,0.0.0.0", "none"),
        ("*,*", "none"),
        (",", "none"),
        ("-,-", "none"),
        ("None,None", "none"),
    ] {
        let expected = format!("1.2.3.4 :80 | {expected}");
        assert_eq!(ends("tcp,ipv4", "80,1.2.3.4", remote), expected, "{remote}");
    }
    assert_eq!(
        ends("tcp,ipv4", "80,1.2.3.4", "1,2,3"),
        "address_protocol_mismatch"
    );
    assert_eq!(
        ends("tcp,ipv4", "80,1.2.3.4", "x y,1.2.3.4"),
        "invalid_remote_address"
    );
}

#[test]
fn no_remote_in_any_spelling() {
    for remote in [
        "",
        " ",
        "-",
        "0",
        "*",
        "*:*",
        "*.*",
        "None",
        "None:None",
        "none",
        "NONE:0",
        "0.0.0.0",
        "0.0.0.0:0",
        "0.0.0.0:*",
        "0.0.0.0.*",
        "[::]:0",
        "[::]:*",
        "[::]",
        "::",
        ":::*",
        ":::0",
        "*:0",
        "*.0",
        "*%eth0:*",
        "0.0.0.0%lo:*",
        "[::]%eth0:*",
        "[::ffff:0.0.0.0]:0",
        "00000000:0000",
        "00000000000000000000000000000000:0000",
    ] {
        for protocol in ["tcp", "udp,ipv4", "tcp6", "udp46"] {
            let line = ends(protocol, "[::1]:80", remote);
            assert!(line.contains("| none"), "{protocol} {remote}: {line}");
        }
        assert!(
            ends("unix", "/run/x.sock", remote).contains("| none"),
            "{remote}"
        );
    }
    for (remote, expected) in [
        ("*:80", ":: :80"),
        ("0.0.0.0:80", "0.0.0.0 :80"),
        ("[::1]:0", "::1 :0"),
        ("127.0.0.1", "127.0.0.1"),
    ] {
        let line = ends("tcp", "[::1]:80", remote);
        assert!(line.contains(&format!("| {expected}")), "{remote}: {line}");
    }
    assert_eq!(ends("icmp", "1.2.3.4", "0.0.0.0:8"), "1.2.3.4 | none");
    assert_eq!(ends("p_raw", "arp:eth0", "*"), "%eth0 | none");
    assert_eq!(
        ends("ethernet", "000d.3a13.e369", "*")
            .split(' ')
            .next_back(),
        Some("none")
    );
}

#[test]
fn a_local_that_is_none_is_missing() {
    for local in ["", "  ", "-", " - "] {
        for protocol in ["tcp", "unix", ""] {
            assert_eq!(
                ends(protocol, local, ""),
                "missing_local_address",
                "{local}"
            );
        }
    }
    assert_eq!(ends("tcp", "0", ""), "invalid_local_address");
    assert_eq!(ends("ipv4", "0", ""), "invalid_local_address");
    assert_eq!(ends("ethernet", "0", ""), "invalid_local_address");
}

#[test]
fn an_opaque_stack_keeps_its_addresses_as_text() {
    for (local, remote, expected) in [
        ("/run/x.sock", "1234", "=/run/x.sock | =1234"),
        ("a,b,c", "x", "=a,b,c | =x"),
        (" 2:1024 ", "1.2.3.4:80", "=2:1024 | =1.2.3.4:80"),
        ("0", "", "=0 | none"),
    ] {
        let expected = format!("{expected} unrecognized_protocol");
        for protocol in ["unix", "vsock", "tls,smb", "256"] {
            assert_eq!(ends(protocol, local, remote), expected);
        }
    }
}

#[test]
fn families() {
    let mismatch = Warning::AddressFamilyMismatch;
    for (protocol, local, remote, protocols, warned) in [
        ("tcp,ipv4", "1.2.3.4:1", "5.6.7.8:2", "tcp,ipv4", false),
        ("tcp,ipv4", "[::1]:1", "", "tcp,ipv6", true),
        ("tcp4", "[::1]:1", "[::2]:1", "tcp,ipv6", true),
        ("tcp,ipv6", "1.2.3.4:1", "", "tcp,ipv4", false),
        (
            "tcp,ipv6",
            "[::ffff:1.2.3.4]:1",
            "5.6.7.8:1",
            "tcp,ipv4",
            false,
        ),
        ("tcp,ipv4", "[::ffff:1.2.3.4]:1", "", "tcp,ipv4", false),
        ("tcp", "1.2.3.4:1", "", "tcp,ipv4", false),
        ("tcp", "[::1]:1", "", "tcp,ipv6", false),
        ("tcp", "1.2.3.4:1", "[::1]:1", "tcp,ipv4", true),
        ("tcp,ipv6", "[::1]:1", "1.2.3.4:1", "tcp,ipv6", true),
        ("tcp,ipv4", "1.2.3.4:1", "[::1]:1", "tcp,ipv4", true),
        ("tcp", "host:1", "[::1]:1", "tcp,ipv6", false),
        ("tcp", "host:1", "", "tcp", false),
        ("tcp,ip", "host:1", "", "tcp,ip", false),
        ("tcp,ip", "[::1]:1", "", "tcp,ipv6", false),
        ("tcp,ipv4,ipv6", "[::1]:1", "", "tcp,ipv4,ipv6", false),
        ("tcp,ipv4", "2a00:1450:4001:82a::443", "", "tcp,ipv6", true),
        ("tcp", "fe80::aede:48ff:.5", "", "tcp,ipv6", false),
        ("tcp,ipv4", "::ffff:192.168.178.:443", "", "tcp,ipv4", false),
    ] {
        let arena = Bump::new();
        let record = read(row(protocol, local, remote, ""), &arena).unwrap();
        let text = format!("{protocol} {local} {remote}");
        assert_eq!(record.protocols.join(","), protocols, "{text}");
        assert_eq!(record.warnings.has(mismatch), warned, "{text}");
        let shown = match record.network {
            Some(network) => record.protocols.contains(&network.name()),
            None => !protocols.contains("ipv"),
        };
        assert!(shown, "{text}: {:?}", record.network);
    }
}

#[test]
fn any_address_by_the_named_family() {
    for (protocol, local, ip, both) in [
        ("tcp", "*:80", "::", true),
        ("tcp,ip", "*:80", "::", true),
        ("tcp,ipv4", "*:80", "0.0.0.0", false),
        ("tcp,ipv6", "*:80", "::", false),
        ("tcp4", "*.80", "0.0.0.0", false),
        ("tcp6", "*.80", "::", false),
        ("tcp46", "*.80", "::", true),
        ("udp46", "*.*", "::", true),
        ("udp46", "[::]:53", "::", true),
        ("udp46", "[::1]:53", "::1", false),
        ("tcp,ipv4,ipv6", "*:80", "::", false),
        ("tcp", "[::]:80", "::", false),
        ("tcp", "0.0.0.0:80", "0.0.0.0", false),
    ] {
        let arena = Bump::new();
        let record = read(row(protocol, local, "", "LISTEN"), &arena).unwrap();
        assert_eq!(
            record.local.ip.unwrap().to_string(),
            ip,
            "{protocol} {local}"
        );
        assert_eq!(record.both_families, both, "{protocol} {local}");
    }
}

#[test]
fn sockets_without_connections_have_no_closed_state() {
    for (protocol, datagram) in [
        ("udp,ipv4", true),
        ("udp6", true),
        ("udplite", true),
        ("raw", true),
        ("icmp", true),
        ("igmp", true),
        ("89", true),
        ("p_raw", true),
        ("p_dgr", true),
        ("tcp,ipv4", false),
        ("sctp", false),
        ("dccp", false),
        ("mptcp", false),
        ("ipv4", false),
        ("ethernet", false),
        ("unix", false),
    ] {
        let local = match protocol {
            "p_raw" | "p_dgr" => "arp:eth0",
            "ethernet" => "000d.3a13.e369",
            _ => "1.2.3.4",
        };
        let arena = Bump::new();
        for state in ["UNCONN", "CLOSE"] {
            let record = read(row(protocol, local, "", state), &arena).unwrap();
            assert_eq!(record.datagram, datagram, "{protocol}");
            let expected = (!datagram).then_some(State::Closed);
            assert_eq!(record.state, expected, "{protocol}");
        }
    }
}

#[test]
fn the_protocol_of_a_raw_socket() {
    for (protocol, local, remote, number) in [
        ("raw", "0.0.0.0:1", "0.0.0.0:*", Some(1)),
        ("raw6", "[::]:ipv6-icmp", "[::]:*", Some(58)),
        ("raw,ipv4", "0.0.0.0:*", "1.2.3.4:47", Some(47)),
        ("raw,ipv4", "89,0.0.0.0", "", Some(89)),
        ("raw,ipv4", "0.0.0.0:*", "", None),
    ] {
        let arena = Bump::new();
        let record = read(row(protocol, local, remote, "7"), &arena).unwrap();
        let transport = record.transport.unwrap();
        assert_eq!(
            (transport.name, transport.number),
            ("raw", number),
            "{local}"
        );
        assert_eq!(record.local.port, None);
        assert_eq!(record.state, None);
    }
}

#[test]
fn warnings_of_the_record() {
    let arena = Bump::new();
    let strange = Row {
        unknown_fields: true,
        ..row("http,tcp,ipv4", "[::1]:0", "host:x", "odd")
    };
    let record = read(strange, &arena).unwrap();
    let expected: Warnings = [
        Warning::UnknownFields,
        Warning::UnrecognizedState,
        Warning::UnrecognizedProtocol,
        Warning::AddressNotNumeric,
        Warning::AddressFamilyMismatch,
        Warning::ZeroLocalPort,
    ]
    .into_iter()
    .collect();
    assert_eq!(record.warnings, expected);
    assert_eq!(record.state, Some(State::Unknown));
    assert_eq!(record.index, 7);

    let listener = read(row("tcp", "1.2.3.4:80", "5.6.7.8:9", "LISTENING"), &arena).unwrap();
    let expected: Warnings = [Warning::ListenWithRemote].into_iter().collect();
    assert_eq!(listener.warnings, expected);
    assert!(listener.remote.is_some());

    let plain = read(row("tcp", "1.2.3.4:80", "0.0.0.0:0", "LISTEN"), &arena).unwrap();
    assert!(plain.warnings.is_empty());
}
