//! Every form of address, valid and not, as the stack's kind has it.

use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;
use crate::pipeline::code::Warning;

const TCP: Form = Form {
    trailer: Trailer::Port(Registry::Tcp),
    any: IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    joined: false,
};
const UDP: Form = Form {
    trailer: Trailer::Port(Registry::Udp),
    ..TCP
};
const TCP4: Form = Form {
    any: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    joined: true,
    ..TCP
};
const RAW: Form = Form {
    trailer: Trailer::Protocol,
    ..TCP
};
const ICMP: Form = Form {
    trailer: Trailer::Ignored,
    ..TCP
};
const IP: Form = Form {
    trailer: Trailer::Nothing,
    ..TCP
};

/// The parts of an address in one line, for example `10.0.0.1 :443 %eth0 =name cut`.
fn line(reading: Reading<'_>) -> String {
    let address = match reading {
        Ok(address) => address,
        Err(problem) => return format!("! {problem}"),
    };
    let mut parts = Vec::new();
    if address.any {
        parts.push("*".to_owned());
    }
    parts.extend(address.end.name.map(|name| format!("={name}")));
    parts.extend(address.end.ip.map(|ip| ip.to_string()));
    parts.extend(address.end.port.map(|port| format!(":{port}")));
    parts.extend(address.protocol.map(|number| format!("/{number}")));
    parts.extend(address.end.zone.map(|zone| format!("%{zone}")));
    for (warning, short) in [
        (Warning::AddressNotNumeric, "name"),
        (Warning::AddressTruncated, "cut"),
    ] {
        if address.warnings.has(warning) {
            parts.push(short.to_owned());
        }
    }
    parts.join(" ")
}

fn check(form: &Form, table: &[(&str, &str)]) {
    let wrong: Vec<_> = table
        .iter()
        .map(|(text, expected)| (*text, line(read(text, form)), *expected))
        .filter(|(_, got, expected)| got != expected)
        .collect();
    assert!(wrong.is_empty(), "text, got, expected: {wrong:#?}");
}

#[test]
fn ip_and_port() {
    check(
        &TCP,
        &[
            ("1.2.3.4:80", "1.2.3.4 :80"),
            ("1.2.3.4:*", "1.2.3.4"),
            ("1.2.3.4:0", "1.2.3.4 :0"),
            ("1.2.3.4:65535", "1.2.3.4 :65535"),
            ("1.2.3.4:00080", "1.2.3.4 :80"),
            ("1.2.3.4", "1.2.3.4"),
            ("10.0.0.1", "10.0.0.1"),
            ("1.2.3.4.5", "1.2.3.4 :5"),
            ("127.0.0.1.25", "127.0.0.1 :25"),
            ("127.0.0.1.*", "127.0.0.1"),
            ("1.2.3.4.http", "1.2.3.4 :80 name"),
            ("0.0.0.0:ssh", "0.0.0.0 :22 name"),
            ("1.2.3.4:SSH", "1.2.3.4 :22 name"),
            ("1.2.3.4:80abc", "1.2.3.4 name"),
            ("1.2.3.4:z39.50", "1.2.3.4 :210 name"),
            ("[::1]:80", "::1 :80"),
            ("[::1]", "::1"),
            ("[::]:*", "::"),
            ("[::1]:http", "::1 :80 name"),
            ("[::ffff:10.0.0.1]:443", "10.0.0.1 :443"),
            ("[::ffff:a00:1]:443", "10.0.0.1 :443"),
            ("[fe80:0:0:0:1:2:3:4]:445", "fe80::1:2:3:4 :445"),
            ("[2001:DB8::A]:1", "2001:db8::a :1"),
            (
                "[fe80::244e:2f1e:2096:62b2%9]:1900",
                "fe80::244e:2f1e:2096:62b2 :1900 %9",
            ),
            (
                "[fe80::9cc5:aeff:fec5:34ae]%eth0:123",
                "fe80::9cc5:aeff:fec5:34ae :123 %eth0",
            ),
            ("[fe80::1]%eth0", "fe80::1 %eth0"),
            ("[fe80::1%eth0]%eth0:1", "fe80::1 :1 %eth0"),
            ("127.0.0.53%lo:53", "127.0.0.53 :53 %lo"),
            ("127.0.0.53%lo", "127.0.0.53 %lo"),
            ("3500007F:0035", "127.0.0.53 :53"),
            ("00000000:0000", "0.0.0.0 :0"),
            ("00000000000000000000000001000000:1F90", "::1 :8080"),
            (
                "B80D01200000000067452301EFCDAB89:0050",
                "2001:db8::123:4567:89ab:cdef :80",
            ),
            ("0000000000000000FFFF00003500007F:0035", "127.0.0.53 :53"),
        ],
    );
    check(&UDP, &[("0.0.0.0:bootpc", "0.0.0.0 :68 name")]);
}

#[test]
fn wildcards() {
    check(
        &TCP,
        &[
            ("*", "* ::"),
            ("*:*", "* ::"),
            ("*.*", "* ::"),
            ("*:6556", "* :: :6556"),
            ("*.22", "* :: :22"),
            ("*%eth0:68", "* :: :68 %eth0"),
            ("*%eth0", "* :: %eth0"),
            ("*.http", "* :: :80 name"),
            (":::22", ":: :22"),
            (":::*", "::"),
            (
                "*:",
                "! has a port that is no number up to 65535, `*` or service name",
            ),
            ("*x", "! is not an address of a known form"),
            ("**", "! is not an address of a known form"),
            (
                "*%:1",
                "! has an empty zone or one with blanks or control characters",
            ),
        ],
    );
    check(&TCP4, &[("*.22", "* 0.0.0.0 :22"), ("*:*", "* 0.0.0.0")]);
    check(&IP, &[("*", "* ::"), ("*%eth0.100", "* :: %eth0.100")]);
}

#[test]
fn ipv6_without_brackets() {
    check(
        &TCP,
        &[
            ("::1:25", "::1 :25"),
            ("2001:db8::1:2", "2001:db8::1 :2"),
            ("2001:db8::1", "2001:db8::1"),
            ("1:2:3:4:5:6:7:8:443", "1:2:3:4:5:6:7:8 :443"),
            ("fe80:0:0:0:1:2:3:4", "fe80::1:2:3:4"),
            ("::1:http", "::1 :80 name"),
            ("::1:abcd", "::1:abcd"),
            ("::ffff:10.0.0.1:443", "10.0.0.1 :443"),
            ("::ffff:10.0.0.1", "10.0.0.1"),
            ("::ffff:1.2.3.4.80", "1.2.3.4 :80"),
            ("::1.631", "::1 :631"),
            ("::1.*", "::1"),
            ("::1.http", "::1 :80 name"),
            ("fe80::1%lo0.123", "fe80::1 :123 %lo0"),
            ("fe80::1%lo0:123", "fe80::1 :123 %lo0"),
            ("fe80::1%lo0", "fe80::1 %lo0"),
            ("fe80::1%em0.100.123", "fe80::1 :123 %em0.100"),
        ],
    );
    check(
        &IP,
        &[
            ("::1", "::1"),
            ("::1:25", "::1:25"),
            ("::ffff:10.0.0.1", "10.0.0.1"),
            ("fe80::1%em0.100", "fe80::1 %em0.100"),
            ("[fe80::1%9]", "fe80::1 %9"),
            (":::22", "! is not a valid IPv6 address"),
            ("::1.631", "! is not a valid IPv6 address"),
            ("10.0.0.1", "10.0.0.1"),
            ("10.0.0.1:80", "10.0.0.1"),
            ("localhost", "=localhost name"),
            ("localhost:80", "! is not an address of a known form"),
        ],
    );
}

#[test]
fn names() {
    check(
        &TCP,
        &[
            ("localhost:ssh", "=localhost :22 name"),
            ("dc01.corp.local:445", "=dc01.corp.local :445 name"),
            ("localhost:*", "=localhost name"),
            ("localhost.22", "=localhost :22 name"),
            ("a_b-c.d.:80", "=a_b-c.d. :80 name"),
            ("1.2.3.4.example.com:80", "=1.2.3.4.example.com :80 name"),
            ("host:no-such-service", "=host name"),
            ("localhost", "! is a name without a port"),
            ("dc01.corp.local", "! is a name without a port"),
            ("localhost.ssh", "! is a name without a port"),
            (
                "localhost:",
                "! has a port that is no number up to 65535, `*` or service name",
            ),
            (
                "localhost:70000",
                "! has a port that is no number up to 65535, `*` or service name",
            ),
            (":80", "! is not an address of a known form"),
            ("a..b:80", "! has a name with an empty label"),
            (".a:80", "! has a name with an empty label"),
            ("..:80", "! has a name with an empty label"),
            ("a b:80", "! is not an address of a known form"),
            ("a/b:80", "! is not an address of a known form"),
            ("hôte:80", "! is not an address of a known form"),
            ("a\0:80", "! is not an address of a known form"),
            ("foo.1:80", "! is not a valid IPv4 address"),
        ],
    );
    check(
        &TCP4,
        &[
            ("localhost.ssh", "=localhost :22 name"),
            ("host.corp.no-such", "=host.corp name"),
            ("localhost.*", "=localhost name"),
        ],
    );
}

#[test]
fn cut_columns() {
    check(
        &TCP,
        &[
            // 18 characters.
            ("192.168.1.221.5486", "192.168.1.221 cut"),
            ("192.168.1.64.53380", "192.168.1.64 :53380"),
            ("192.168.1.88.49153", "192.168.1.88 :49153"),
            ("104.155.21.255.555", "104.155.21.255 cut"),
            ("192.168.1.221.http", "192.168.1.221 name cut"),
            ("192.168.1.221:5486", "192.168.1.221 :5486"),
            ("192.168.1.80.548", "192.168.1.80 :548"),
            // An address of 16 characters.
            ("2600:1700:bab0:d.5", ":5 cut"),
            ("fe80::aede:48ff:.5", ":5 cut"),
            ("2603:1030:b00::e.4", ":4 cut"),
            ("fe80::aede:48ff:.*", "cut"),
            ("fe80::aede:48ff:.", "cut"),
            ("2620:1ec:21::14.44", "2620:1ec:21::14 :44"),
            ("fe80::abcd:12%en0.5", "fe80::abcd:12 :5 %en0"),
            ("fe80::abcd:12%en10.5", "fe80::abcd:12 :5 %en10"),
            ("fe80::abcd:1%en1.5", ":5 cut"),
            // 23 characters.
            ("2a00:1450:4001:82a::443", ":443 cut"),
            ("2001:db8:1:2:3:4:5:http", "cut"),
            ("2001:db8::1234:56:https", "2001:db8::1234:56 cut"),
            ("2001:db8:1:2:3:4:abcd:e", "cut"),
            ("2001:db8::12:3456:78:80", "2001:db8::12:3456:78 :80"),
            ("2a00:1450:4001:82a:a1:*", "cut"),
            ("::ffff:192.168.178.:443", ":443 cut"),
            ("2a00:1450:4001:82a::44", "2a00:1450:4001:82a::44"),
        ],
    );
    // Without ports nothing is taken for a cut column.
    check(
        &IP,
        &[
            ("2a00:1450:4001:82a::443", "2a00:1450:4001:82a::443"),
            ("192.168.1.221.5486", "192.168.1.221"),
        ],
    );
}

#[test]
fn transports_without_ports() {
    check(
        &RAW,
        &[
            ("0.0.0.0:1", "0.0.0.0 /1"),
            ("[::]:ipv6-icmp", ":: /58"),
            (":::58", ":: /58"),
            (":::*", "::"),
            ("*:ospf", "* :: /89"),
            ("0.0.0.0%eth0:icmp", "0.0.0.0 /1 %eth0"),
            ("0.0.0.0:255", "0.0.0.0 /255"),
            ("00000000:0001", "0.0.0.0 /1"),
            ("0.0.0.0:no-such", "0.0.0.0 name"),
            ("0.0.0.0", "0.0.0.0"),
            (
                "0.0.0.0:256",
                "! has a protocol that is no number up to 255, `*` or protocol name",
            ),
            (
                "0.0.0.0:+1",
                "! has a protocol that is no number up to 255, `*` or protocol name",
            ),
        ],
    );
    check(
        &ICMP,
        &[
            ("1.2.3.4:8", "1.2.3.4"),
            ("1.2.3.4", "1.2.3.4"),
            ("*.*", "* ::"),
            ("[fe80::1]%eth0:58", "fe80::1 %eth0"),
            ("fe80::1%em0.100", "fe80::1 %em0.100"),
            ("fe80::1%em0:58", "fe80::1 %em0"),
            (":::58", "::"),
            ("::1:58", "::1:58"),
            ("0000007F:0008", "127.0.0.0"),
            ("localhost", "=localhost name"),
            ("localhost:echo", "=localhost name"),
            (
                "1.2.3.4:80000",
                "! has a port that is no number up to 65535, `*` or service name",
            ),
        ],
    );
}

#[test]
fn invalid() {
    let port = "! has a port that is no number up to 65535, `*` or service name";
    let zone = "! has an empty zone or one with blanks or control characters";
    check(
        &TCP,
        &[
            ("", "! is empty"),
            ("0", "! is not a valid IPv4 address"),
            ("80", "! is not a valid IPv4 address"),
            ("1.2.3.4:65536", port),
            ("1.2.3.4:+80", port),
            ("1.2.3.4:-1", port),
            ("1.2.3.4:", port),
            ("1.2.3.4: 80", port),
            ("1.2.3.4:000080", port),
            ("1.2.3.4.70000", port),
            ("1.2.3.4:80\0", port),
            ("1.2.3.4.", port),
            ("[::1]:65536", port),
            ("[::1]:", port),
            ("::1:99999", port),
            ("::1:", port),
            ("256.1.1.1:80", "! is not a valid IPv4 address"),
            ("1.2.3:80", "! is not a valid IPv4 address"),
            ("010.0.0.1:80", "! is not a valid IPv4 address"),
            ("1.2.3.04:80", "! is not a valid IPv4 address"),
            ("1.2.3.4.5.6", "! is not a valid IPv4 address"),
            ("127.1:80", "! is not a valid IPv4 address"),
            ("1.2.3", "! is not a valid IPv4 address"),
            ("a b", "! is not an address of a known form"),
            ("[1.2.3.4]:80", "! is not a valid IPv6 address"),
            ("[::1", "! has no closing bracket"),
            ("[]:80", "! is not a valid IPv6 address"),
            ("[::1]80", "! is not an address of a known form"),
            ("[::1].80", "! is not an address of a known form"),
            ("[::g]:80", "! is not a valid IPv6 address"),
            ("[[::1]]:80", "! is not a valid IPv6 address"),
            ("[fe80::1%]:80", zone),
            ("[fe80::1]%:80", zone),
            ("[fe80::1%a b]:80", zone),
            ("[fe80::1%a]%b:80", "! has two different zones"),
            ("fe80::1%:80", zone),
            ("fe80::1%a\0:80", zone),
            ("127.0.0.1%lo:x y", port),
            ("%eth0:80", "! is not an address of a known form"),
            ("localhost%lo:80", "! is not an address of a known form"),
            ("1:2:3:4:5:6:7:8:9:10", "! is not a valid IPv6 address"),
            ("::1::2", "! is not a valid IPv6 address"),
            ("::1.2.3", "! is not a valid IPv6 address"),
            ("::1.2.3.4.5.6", "! is not a valid IPv6 address"),
            ("::256.2.3.4", "! is not a valid IPv6 address"),
            ("::ffff:01.2.3.4", "! is not a valid IPv6 address"),
            ("a:b:c", "! is not a valid IPv6 address"),
            ("3500007f:0035", "=3500007f :35 name"),
            ("3500007F:00G5", "=3500007F name"),
            ("00-0D-3A-13-E3-69", "! is a name without a port"),
            ("00:0d:3a:13:e3:69", "! is not a valid IPv6 address"),
        ],
    );
}

#[test]
fn macs() {
    let expected = [0x00, 0x0d, 0x3a, 0x13, 0xe3, 0x69];
    for text in [
        "00-0D-3A-13-E3-69",
        "00:0d:3a:13:e3:69",
        "000d.3a13.e369",
        "000D.3A13.E369",
    ] {
        assert_eq!(mac(text).unwrap().end.mac, Some(expected), "{text}");
    }
    for text in [
        "",
        "00-0D-3A-13-E3",
        "00-0D-3A-13-E3-69-00",
        "00-0D:3A-13-E3-69",
        "000d:3a13:e369",
        "000d.3a13e.369",
        "000d3a13e369",
        "00-0G-3A-13-E3-69",
        "0:d:3a:13:e3:69",
        "00-0D-3A-13-E3-6é",
        "1.2.3.4",
        "*",
    ] {
        assert!(mac(text).is_err(), "{text}");
    }
}

#[test]
fn packet_sockets() {
    for (text, expected) in [
        ("*:eth0", "%eth0"),
        ("arp:eth0", "%eth0"),
        ("[35020]:eth0", "%eth0"),
        ("arp:*", ""),
        ("eth0", "! is not a protocol and an interface (`arp:eth0`)"),
        (":eth0", "! is not a protocol and an interface (`arp:eth0`)"),
        (
            "arp:",
            "! has an empty zone or one with blanks or control characters",
        ),
        (
            "arp:a b",
            "! has an empty zone or one with blanks or control characters",
        ),
    ] {
        assert_eq!(line(packet(text)), expected, "{text}");
    }
}

#[test]
fn a_very_long_address_is_invalid() {
    for text in ["1", ":", "a:", "[", "%", "*", ".", "é", "[::1%", "f"] {
        let long = text.repeat(100_000);
        for form in [&TCP, &RAW, &IP] {
            assert!(read(&long, form).is_err() || text == "f", "{text}");
        }
    }
}

/// An address as an event prints it.
fn printed(ip: IpAddr, zone: Option<&str>, port: Option<u16>) -> String {
    let zone = zone.map(|zone| format!("%{zone}")).unwrap_or_default();
    let ip = match ip {
        IpAddr::V4(ip) => format!("{ip}{zone}"),
        IpAddr::V6(ip) => format!("[{ip}{zone}]"),
    };
    port.map_or(ip.clone(), |port| format!("{ip}:{port}"))
}

fn ips() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<u32>().prop_map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits))),
        any::<u128>().prop_map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits))),
        // Runs of zeros, where the printed form is short.
        any::<[bool; 8]>().prop_map(|set| {
            let groups = set.map(|is_set| if is_set { 0xfe80 } else { 0 });
            IpAddr::V6(Ipv6Addr::from(groups))
        }),
    ]
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC*|[0-9a-fA-F:.%*\\[\\]\\-]{0,40}") {
        for form in [TCP, UDP, TCP4, RAW, ICMP, IP] {
            let _ = read(&text, &form);
        }
        let _ = (mac(&text), packet(&text));
    }

    #[test]
    fn a_printed_address_reads_the_same(
        ip in ips(),
        zone in proptest::option::of("[a-z][a-z0-9.]{0,8}"),
        port in any::<u16>(),
    ) {
        let zone = zone.as_deref();
        let text = printed(ip, zone, Some(port));
        let end = read(&text, &TCP).unwrap().end;
        prop_assert_eq!(end.ip, Some(ip.to_canonical()));
        prop_assert_eq!((end.port, end.zone), (Some(port), zone));
        let again = printed(end.ip.unwrap(), end.zone, end.port);
        prop_assert_eq!(read(&again, &TCP).unwrap().end, end);
        let alone = printed(ip, zone, None);
        let end = read(&alone, &IP).unwrap().end;
        prop_assert_eq!((end.ip, end.zone), (Some(ip.to_canonical()), zone));
    }

    #[test]
    fn what_proc_net_prints(ip in ips(), port in any::<u16>()) {
        let words = |bytes: &[u8]| {
            let words = bytes.chunks(4).map(|word| u32::from_le_bytes(word.try_into().unwrap()));
            words.fold(String::new(), |hex, word| format!("{hex}{word:08X}"))
        };
        let hex = match ip {
            IpAddr::V4(ip) => words(&ip.octets()),
            IpAddr::V6(ip) => words(&ip.octets()),
        };
        let text = format!("{hex}:{port:04X}");
        let end = read(&text, &TCP).unwrap().end;
        prop_assert_eq!((end.ip, end.port), (Some(ip.to_canonical()), Some(port)));
    }
}
