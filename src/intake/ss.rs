//! Linux: `ss -tunap` of iproute2, with or without `-n`, `-H`, `-e`, `-o`, `-i`, `-m`.
//!
//! A row is the protocol, which `ss` leaves out where only one was asked for, the state, two
//! queue lengths, the two ends and what its options add. Without the protocol a table with an
//! unconnected socket in it is taken for UDP's, and any other for TCP's; name both protocols
//! (`-tu`) to have it told. `ss state established` leaves out the state instead: such rows look
//! like netstat's, and are read as such, without processes.
//!
//! `ss` wraps what does not fit the terminal, and puts details (`-i`, `-m`) on lines of their
//! own; both begin with a blank, and belong to the row above. `users:(("sshd",pid=1,fd=3),…)`
//! lists all processes that have the socket, older versions without `pid=` and `fd=`. A record
//! has one: the lowest id is taken, which is the parent's mostly and stays, and how often there
//! were others is counted. Names are cut at 15 characters by the kernel.
//!
//! Sockets of Unix, netlink, vsock, TIPC and XDP are left out; packet sockets are kept.

use super::Reading;
use super::row::Row;
use super::text::lines;

/// States as `ss` prints them.
const STATES: &[&str] = &[
    "LISTEN",
    "ESTAB",
    "UNCONN",
    "TIME-WAIT",
    "CLOSE-WAIT",
    "SYN-SENT",
    "SYN-RECV",
    "FIN-WAIT-1",
    "FIN-WAIT-2",
    "LAST-ACK",
    "CLOSING",
    "CLOSED",
    "BOUND-INACTIVE",
    "NEW-SYN-RECV",
    "UNKNOWN",
];

/// Beginnings of the names of socket families that are no network's.
const NO_NETWORK: &[&str] = &["u_", "nl", "v_", "ti", "xdp", "vsock"];

/// Whether a line begins a row of this kind.
pub(super) fn fits(line: &str) -> bool {
    head(line).is_some()
}

/// The protocol, where there is one, the state, and what follows the queues.
struct Head<'a> {
    protocol: &'a str,
    state: &'a str,
    rest: std::str::SplitWhitespace<'a>,
}

fn head(line: &str) -> Option<Head<'_>> {
    let mut rest = line.split_whitespace();
    let first = rest.next()?;
    let (protocol, state) = if STATES.contains(&first) {
        ("", first)
    } else {
        (first, rest.next().filter(|word| STATES.contains(word))?)
    };
    for _ in 0..2 {
        let queue = rest.next()?;
        if !queue.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
    }
    Some(Head {
        protocol,
        state,
        rest,
    })
}

/// A row's line, those that belong to it, and where they are.
struct Logical {
    number: u64,
    line: String,
}

/// Reads the text.
pub(super) fn read(text: &str, reading: &mut Reading) {
    let alone = alone_protocol(text);
    let mut open: Option<Logical> = None;
    for (number, line) in lines(text) {
        if head(line).is_some() {
            close(open.take(), alone, reading);
            open = Some(Logical {
                number,
                line: line.to_owned(),
            });
            continue;
        }
        match &mut open {
            Some(open) if line.starts_with([' ', '\t']) => {
                open.line.push(' ');
                open.line.push_str(line.trim_start());
            }
            _ => reading.no_row(number, line),
        }
    }
    close(open, alone, reading);
}

/// The protocol of rows that do not name theirs.
fn alone_protocol(text: &str) -> &'static str {
    let unconnected = |line: &str| {
        head(line).is_some_and(|head| head.protocol.is_empty() && head.state == "UNCONN")
    };
    if text.lines().any(unconnected) {
        "udp"
    } else {
        "tcp"
    }
}

/// Adds the row of a line that is whole now.
fn close(logical: Option<Logical>, alone: &str, reading: &mut Reading) {
    let Some(Logical { number, line }) = logical else {
        return;
    };
    let Some(mut head) = head(&line) else { return };
    if NO_NETWORK
        .iter()
        .any(|start| head.protocol.starts_with(start))
    {
        reading.leave_out("sockets of Unix, netlink and other families of one host");
        return;
    }
    let (Some(local), Some(remote)) = (head.rest.next(), head.rest.next()) else {
        reading.unread(number, "has too few columns");
        return;
    };
    let protocol = if head.protocol.is_empty() {
        alone
    } else {
        head.protocol
    };
    let owners = owners(&line);
    for _ in 1..owners.len() {
        reading.leave_out("further processes with the same socket");
    }
    let (process_id, process_name) = owners
        .into_iter()
        .min_by_key(|(id, _)| id.parse().unwrap_or(u64::MAX))
        .unwrap_or_default();
    reading.row(Row {
        local_address: local.to_owned(),
        remote_address: remote.to_owned(),
        protocol: protocol.to_owned(),
        state: head.state.to_owned(),
        process_id: process_id.to_owned(),
        process_name: process_name.to_owned(),
        ..Row::default()
    });
}

/// The processes of `users:(("sshd",pid=1,fd=3),("sshd",pid=2,fd=3))`: ids, each once, and names.
fn owners(line: &str) -> Vec<(&str, &str)> {
    let Some((_, mut rest)) = line.split_once("users:((") else {
        return Vec::new();
    };
    let mut owners: Vec<(&str, &str)> = Vec::new();
    while let Some((name, after)) = rest
        .strip_prefix('"')
        .and_then(|rest| rest.split_once("\","))
    {
        let id = after.strip_prefix("pid=").unwrap_or(after);
        let end = id.find([',', ')']).unwrap_or(id.len());
        let (id, after) = id.split_at(end);
        // One process with several descriptors stands there once for each, one after another.
        if owners.last().is_none_or(|(last, _)| *last != id) {
            owners.push((id, name));
        }
        let Some((_, next)) = after.split_once(",(") else {
            break;
        };
        rest = next;
    }
    owners
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_of_every_form() {
        let cases: &[(&str, &[(&str, &str)])] = &[
            (r#"users:(("sshd",pid=7,fd=3))"#, &[("7", "sshd")]),
            (r#"users:(("sshd",7,3))"#, &[("7", "sshd")]),
            (
                r#"users:(("nginx",pid=9,fd=6),("nginx",pid=8,fd=6)) ino:1"#,
                &[("9", "nginx"), ("8", "nginx")],
            ),
            (
                r#"users:(("a b",pid=9,fd=6),("a b",pid=9,fd=7))"#,
                &[("9", "a b")],
            ),
            (r#"users:(("(sd-pam)",pid=9,fd=6))"#, &[("9", "(sd-pam)")]),
            ("", &[]),
            ("users:((", &[]),
            (r#"users:(("x",pid="#, &[("", "x")]),
        ];
        for (text, expected) in cases {
            assert_eq!(owners(text), *expected, "{text}");
        }
    }

    #[test]
    fn rows_begin_with_a_protocol_or_a_state() {
        assert!(fits("tcp   LISTEN 0 128 0.0.0.0:22 0.0.0.0:*"));
        assert!(fits("ESTAB 0 0 10.0.0.1:22 10.0.0.2:5"));
        for line in [
            "Netid State  Recv-Q Send-Q Local Address:Port Peer Address:Port",
            "tcp 0 0 0.0.0.0:22 0.0.0.0:* LISTEN",
            "\t cubic wscale:7,7 rto:204",
            "LISTEN x 0 a b",
        ] {
            assert!(!fits(line), "{line}");
        }
    }
}
