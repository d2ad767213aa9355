//! What every spelling of the vocabulary is read as: one golden that lists spelling and reading.
//!
//! A changed line is a changed event for somebody's rows.

mod common;

use std::fmt::Write as _;

use bumpalo::Bump;
use common::{formats, input, settings};
use netsieve::pipeline::code::Warning;
use netsieve::pipeline::normalize;
use netsieve::pipeline::record::{Endpoint, Record, Row, State};
use netsieve::pipeline::settings::{Format, Limits};

/// Protocol, local, remote, state.
type Spelling = (&'static str, &'static str, &'static str, &'static str);

fn reading((protocol, local, remote, state): Spelling) -> String {
    let arena = Bump::new();
    let row = Row {
        protocol,
        local_address: local,
        remote_address: remote,
        state,
        ..Row::default()
    };
    match normalize::record(0, row, &Limits::default(), &arena) {
        Ok(record) => {
            judge(&row);
            record_line(&record)
        }
        Err(reject) => format!("{}: {}", reject.reason.name(), reject.message),
    }
}

/// Its event is valid in every format.
fn judge(row: &Row<'_>) {
    let message = serde_json::json!({
        "metadata": { "agent_id": "a", "project": "p", "timestamp": "2023-11-14T22:00:00Z" },
        "data": [{
            "protocol": row.protocol, "local_address": row.local_address,
            "remote_address": row.remote_address, "state": row.state,
        }],
    });
    let message = serde_json::to_vec(&message).expect("plain JSON");
    let judged = formats::judge(&input(&message, &[]), &settings(Format::Json));
    assert_eq!(judged.len(), 1);
}

fn record_line(record: &Record<'_>) -> String {
    let mut line = format!("{} {}", record.kind().name(), record.protocols.join(","));
    if let Some(number) = record.transport.and_then(|transport| transport.number) {
        let _ = write!(line, " #{number}");
    }
    if let Some(state) = record.state {
        let _ = write!(line, " {}", state.name());
    }
    let _ = write!(line, " | {}", end_line(&record.local));
    if let Some(remote) = &record.remote {
        let _ = write!(line, " -> {}", end_line(remote));
    }
    if record.both_families {
        line.push_str(" | both families");
    }
    let warnings: Vec<_> = record.warnings.iter().map(Warning::name).collect();
    if !warnings.is_empty() {
        let _ = write!(line, " | {}", warnings.join(" "));
    }
    line
}

fn end_line(end: &Endpoint<'_>) -> String {
    let mac = |mac: [u8; 6]| mac.map(|byte| format!("{byte:02X}")).join("-");
    let parts = [
        end.ip.map(|ip| format!("ip={ip}")),
        end.port.map(|port| format!("port={port}")),
        end.zone.map(|zone| format!("zone={zone}")),
        end.mac.map(|octets| format!("mac={}", mac(octets))),
        end.name.map(|name| format!("name={name}")),
    ];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    if parts.is_empty() {
        "(nothing)".to_owned()
    } else {
        parts.join(" ")
    }
}

fn golden(spellings: &[Spelling]) -> String {
    let mut text = String::new();
    for spelling @ (protocol, local, remote, state) in spellings {
        let _ = writeln!(text, "{protocol} | {local} | {remote} | {state}");
        let _ = writeln!(text, "    {}", reading(*spelling));
    }
    text
}

#[test]
fn states() {
    let spellings = [
        "ESTABLISHED",
        "established",
        "ESTAB",
        "5",
        "SYN_SENT",
        "SYN-SENT",
        "SynSent",
        "3",
        "SYN_RECV",
        "SYN_RCVD",
        "SYN-RECV",
        "SYN_RECEIVED",
        "SynReceived",
        "NEW_SYN_RECV",
        "4",
        "FIN_WAIT1",
        "FIN_WAIT_1",
        "FIN-WAIT-1",
        "FinWait1",
        "6",
        "FIN_WAIT2",
        "FIN_WAIT_2",
        "FIN-WAIT-2",
        "FinWait2",
        "7",
        "TIME_WAIT",
        "TIME-WAIT",
        "TimeWait",
        "11",
        "CLOSED",
        "CLOSE",
        "DELETE_TCB",
        "DeleteTcb",
        "12",
        "UNCONN",
        "1",
        "CLOSE_WAIT",
        "CLOSE-WAIT",
        "CloseWait",
        "8",
        "LAST_ACK",
        "LAST-ACK",
        "LastAck",
        "10",
        "LISTEN",
        "LISTENING",
        "Listening",
        "2",
        "CLOSING",
        "9",
        "",
        "-",
        "NONE",
        "UNKNOWN",
        "???",
        "UNDEF",
        "RESERVED",
        "CONN_IDLE",
        "BOUND",
        "100",
        "01",
        "0A",
        "13",
        "OPEN",
    ];
    let mut text = String::new();
    for state in spellings {
        let tcp = reading(("tcp,ipv4", "10.0.0.1:80", "", state));
        let udp = reading(("udp,ipv4", "10.0.0.1:80", "", state));
        let _ = writeln!(text, "{state:?}\n    {tcp}\n    {udp}");
    }
    insta::assert_snapshot!(text);
    // No canonical name is left out.
    for state in State::ALL {
        assert!(spellings.contains(&state.name()), "{}", state.name());
    }
}

#[test]
fn protocols() {
    let lists = [
        "tcp",
        "udp",
        "udplite",
        "sctp",
        "dccp",
        "mptcp",
        "icmp",
        "icm4",
        "icmpv6",
        "icmp6",
        "icm6",
        "ipv6-icmp",
        "igmp",
        "gre",
        "esp",
        "ah",
        "raw",
        "6",
        "17",
        "58",
        "0",
        "89",
        "255",
        "256",
        "06",
        "ipv4",
        "ip4",
        "inet",
        "ipv6",
        "ip6",
        "inet6",
        "ip",
        "tcp4",
        "tcp6",
        "udp4",
        "udp6",
        "raw6",
        "tcp46",
        "udp46",
        "TCP, IPv4",
        "ipv4,tcp",
        "ip,tcp",
        "eth,ipv4,tcp,http",
        "ethernet,ipv4,udp",
        "802.3,ipv4",
        "802.11,ipv4,udp",
        "tcp,ipv4,ipv6",
        "unix",
        "vsock",
        "tls",
        "smb,tcp",
        "Http",
        "tcp,",
        ",",
        "",
        " ",
        "tcp,,ipv4",
        "t\u{0}cp",
    ];
    let mut text = String::new();
    for protocol in lists {
        let _ = writeln!(text, "{protocol:?}");
        for local in ["10.0.0.1", "*", "::1"] {
            let _ = writeln!(text, "    {}", reading((protocol, local, "", "")));
        }
    }
    insta::assert_snapshot!(text);
}

/// Every spelling of the vocabulary's table, as local and as remote.
#[test]
fn addresses() {
    let spellings = [
        ("tcp,ipv4", "1.2.3.4:80"),
        ("tcp,ipv6", "[::1]:80"),
        ("udp,ipv6", "[fe80::244e:2f1e:2096:62b2%9]:1900"),
        ("udp", "[fe80::9cc5:aeff:fec5:34ae]%eth0:123"),
        ("udp", "127.0.0.53%lo:53"),
        ("udp", "*:*"),
        ("udp,ipv4", "*:*"),
        ("udp", "0.0.0.0:*"),
        ("udp", "[::]:*"),
        ("tcp6", ":::*"),
        ("udp4", "*.*"),
        ("udp46", "*.*"),
        ("tcp", "*:6556"),
        ("tcp6", ":::22"),
        ("tcp6", "::1:25"),
        ("tcp6", "2a00:1450:4001:82a::443"),
        ("tcp4", "*.22"),
        ("tcp4", "127.0.0.1.25"),
        ("tcp6", "::1.631"),
        ("tcp6", "fe80::1%lo0.123"),
        ("tcp6", "fe80::1%em0.100.123"),
        ("tcp4", "192.168.1.221.5486"),
        ("tcp6", "2600:1700:bab0:d.5"),
        ("tcp6", "fe80::aede:48ff:.5"),
        ("tcp", "localhost:ssh"),
        ("udp", "0.0.0.0:bootpc"),
        ("tcp", "dc01.corp.local:445"),
        ("tcp4", "localhost.ssh"),
        ("tcp", "host:no-such-service"),
        ("tcp", "[::ffff:10.0.0.1]:443"),
        ("tcp,ipv6", "[::ffff:10.0.0.1]:443"),
        ("tcp,ipv4", "[fe80:0:0:0:1:2:3:4]:445"),
        ("tcp", "3500007F:0035"),
        ("tcp", "00000000000000000000000001000000:0019"),
        ("ethernet", "00-0D-3A-13-E3-69"),
        ("ethernet", "00:0d:3a:13:e3:69"),
        ("ethernet", "000d.3a13.e369"),
        ("raw", "0.0.0.0:1"),
        ("raw6", "[::]:ipv6-icmp"),
        ("raw,ipv4", "10.0.0.1:ospf"),
        ("icmp", "10.0.0.1:8"),
        ("p_raw", "*:eth0"),
        ("p_dgr", "arp:eth0"),
        ("ipv4", "10.0.0.1"),
        ("tcp", "10.0.0.1"),
        ("tcp", "1.2.3.4.5"),
        ("tcp", "1.2.3.4:0"),
        ("tcp,ipv4", "80,1.2.3.4"),
        (
            "tcp,ipv4,ethernet",
            "172.16.111.218:52279,00-0D-3A-13-E3-69",
        ),
        ("http,tcp,ipv4", "80,1.2.3.4"),
        ("unix", "/run/x.sock"),
        ("tcp,ipv4", "1,2,3"),
        ("tcp", "0"),
        ("tcp", "-"),
        ("tcp", "None:None"),
        ("tcp", "localhost"),
        ("tcp", "10.0.0.1:65536"),
        ("tcp", "10.0.0.1:+80"),
        ("tcp", "010.0.0.1:80"),
        ("tcp", "10.0.0.256:80"),
        ("tcp", "[::1"),
        ("tcp", "[1.2.3.4]:80"),
        ("tcp", "a..b:80"),
        ("tcp", "10.0.0.1:80\u{0}"),
        ("ethernet", "00-0D-3A-13-E3"),
    ];
    let mut text = String::new();
    for (protocol, address) in spellings {
        let peer = match protocol {
            "ethernet" => "02-00-00-00-00-01",
            "p_raw" | "p_dgr" => "ip:eth1",
            "raw" | "raw6" | "raw,ipv4" => "[2001:db8::2]",
            _ => "[2001:db8::2]:50000",
        };
        let _ = writeln!(text, "{protocol} {address:?}");
        let _ = writeln!(text, "    {}", reading((protocol, address, "", "")));
        let _ = writeln!(text, "    {}", reading((protocol, peer, address, "")));
    }
    insta::assert_snapshot!(text);
}

#[test]
fn rows() {
    let text = golden(&[
        // Nemesis's own example, and what agents send for Windows.
        (
            "tcp,ipv4",
            "172.16.111.218:52279",
            "172.16.111.171:80",
            "ESTABLISHED",
        ),
        ("tcp,ipv4", "0.0.0.0:135", "0.0.0.0:0", "LISTEN"),
        ("udp,ipv4", "0.0.0.0:3389", "", ""),
        ("tcp,ipv4", "[::]:445", "[::]:0", "LISTENING"),
        ("udp,ipv4", "0.0.0.0:123", "*:*", ""),
        ("tcp,ipv4", "10.0.0.5:50000", "None:None", "BOUND"),
        // ss
        ("tcp", "*:6556", "*:*", "LISTEN"),
        ("udp", "127.0.0.53%lo:53", "0.0.0.0:*", "UNCONN"),
        ("icmp6", "*:58", "*:*", "UNCONN"),
        ("p_raw", "*:eth0", "*", "UNCONN"),
        // net-tools
        ("tcp6", ":::22", ":::*", "LISTEN"),
        ("raw6", ":::58", ":::*", "7"),
        ("tcp", "localhost:ssh", "0.0.0.0:*", "LISTEN"),
        // macOS
        ("tcp46", "*.80", "*.*", "LISTEN"),
        (
            "tcp4",
            "192.168.1.221.5450",
            "104.155.21.255.555",
            "ESTABLISHED",
        ),
        ("icm4", "*.*", "*.*", ""),
        // Oddities that warn.
        ("tcp,ipv4", "10.0.0.1:80", "10.0.0.2:50000", "LISTEN"),
        ("tcp,ipv4", "10.0.0.1:0", "10.0.0.2:443", "SYN_SENT"),
        ("tcp", "10.0.0.1:80", "[2001:db8::1]:50000", "ESTABLISHED"),
        ("quic,udp,ipv4", "10.0.0.1:443", "", "OPEN"),
    ]);
    insta::assert_snapshot!(text);
}
