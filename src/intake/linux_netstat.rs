//! Linux: `netstat -tunap` of net-tools, and BusyBox's, with or without `-n`, `-e`, `-o`, `-W`.
//!
//! A row is the protocol in small letters (`tcp`, `tcp6`, `udp`, `raw6`, …), two queue lengths
//! and the two addresses, then what its options add: the state, which UDP may not have, user and
//! inode (`-e`), `PID/Program name` (`-p`; `-` where it is not known), a timer (`-o`).
//!
//! net-tools translates its heads, and some states (`ESCUCHAR`, `OUÇA`). It cuts the name of the
//! program at 20 columns together with its id, and without `-W` an address at 23: the core knows
//! cut addresses by their length. A name may have blanks in it (`1234/sshd: root@pts`). Of
//! several processes with one socket it shows one. `-a` without `-t` and `-u` shows Unix sockets
//! as well, which are left out.

use super::Reading;
use super::row::Row;
use super::text::lines;
use super::words::{is_words, state_in_english};

/// Words that the timer's column begins with.
const TIMERS: &[&str] = &["off", "on", "keepalive", "timewait", "probe"];

/// Whether a line is a row of this kind.
pub(super) fn fits(line: &str) -> bool {
    row(line).is_some()
}

/// Reads the text.
pub(super) fn read(text: &str, reading: &mut Reading) {
    for (number, line) in lines(text) {
        if let Some(row) = row(line) {
            reading.row(row);
        } else if !is_words(line) && line.trim_start().starts_with("unix ") {
            reading.leave_out("Unix sockets");
        } else {
            reading.no_row(number, line);
        }
    }
}

/// The columns that all netstats of Unix begin with.
pub(super) struct Columns<'a> {
    pub(super) protocol: &'a str,
    pub(super) local: &'a str,
    pub(super) remote: &'a str,
    /// Whatever follows.
    pub(super) rest: &'a str,
}

/// Splits a row into those columns, or nothing where it is none.
pub(super) fn columns(line: &str) -> Option<Columns<'_>> {
    let mut rest = line;
    let mut cell = || {
        let trimmed = rest.trim_start();
        let end = trimmed.find(char::is_whitespace).unwrap_or(trimmed.len());
        let (cell, after) = trimmed.split_at(end);
        rest = after;
        (!cell.is_empty()).then_some(cell)
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let protocol = cell().filter(|cell| {
        let letters = cell.trim_end_matches(|c: char| c.is_ascii_digit());
        !letters.is_empty() && letters.bytes().all(|byte| byte.is_ascii_lowercase())
    })?;
    cell().filter(|cell| digits(cell))?;
    cell().filter(|cell| digits(cell))?;
    let (local, remote) = (cell()?, cell()?);
    Some(Columns {
        protocol,
        local,
        remote,
        rest: rest.trim(),
    })
}

/// Whether the address ends in a port after a colon, as Linux prints it, and not after a dot.
fn has_colon_port(address: &str) -> bool {
    let port = address.rsplit_once(':').map(|(_, port)| port);
    port.is_some_and(|port| !port.is_empty() && !port.contains('.'))
}

fn row(line: &str) -> Option<Row> {
    let columns = columns(line)?;
    if !has_colon_port(columns.local) || !has_colon_port(columns.remote) {
        return None;
    }
    let (state, rest) = state(columns.protocol, columns.rest);
    let (process_id, process_name) = program(rest);
    let alone = columns.remote.ends_with(":*");
    let state = if columns.protocol.starts_with("tcp") {
        state_in_english(state, alone)
    } else {
        state
    };
    Some(Row {
        local_address: columns.local.to_owned(),
        remote_address: columns.remote.to_owned(),
        protocol: columns.protocol.to_owned(),
        state: state.to_owned(),
        process_id: process_id.to_owned(),
        process_name: process_name.to_owned(),
        ..Row::default()
    })
}

/// The state, where there is one, and what follows it.
fn state<'a>(protocol: &str, rest: &'a str) -> (&'a str, &'a str) {
    let (word, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let digits = word.bytes().all(|byte| byte.is_ascii_digit());
    // A raw socket's state is a number; elsewhere a number is the user.
    let is_state = if digits {
        protocol.starts_with("raw")
    } else {
        word != "-" && !word.contains('/') && !TIMERS.contains(&word)
    };
    if is_state { (word, after) } else { ("", rest) }
}

/// The process id and the program's name of the last columns.
fn program(rest: &str) -> (&str, &str) {
    let mut place = 0;
    for word in rest.split(' ') {
        let id = word.split_once('/').map(|(id, _)| id);
        let is_id = |id: &str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
        if let Some(id) = id.filter(|id| is_id(id)) {
            let name = &rest[place + id.len() + 1..];
            return (id, before_timer(name).trim_end());
        }
        place += word.len() + 1;
    }
    ("", "")
}

/// The text before a timer's column: `nginx: master       off (0.00/0/0)`.
fn before_timer(text: &str) -> &str {
    let Some((before, _)) = text.rsplit_once(" (") else {
        return text;
    };
    match before.trim_end().rsplit_once(' ') {
        Some((name, timer)) if TIMERS.contains(&timer) || timer.starts_with("unkn-") => name,
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_the_addresses_is_told_apart() {
        for (line, expected) in [
            (
                "tcp 0 0 0.0.0.0:22 0.0.0.0:* LISTEN 618/sshd: /usr/sbin",
                ("LISTEN", "618", "sshd: /usr/sbin"),
            ),
            ("tcp6 0 0 :::22 :::* LISTEN 0 16054 -", ("LISTEN", "", "")),
            (
                "udp 0 0 0.0.0.0:68 0.0.0.0:* 0 18052 912/dhclient",
                ("", "912", "dhclient"),
            ),
            ("udp 0 0 0.0.0.0:68 0.0.0.0:*", ("", "", "")),
            (
                "udp 0 0 10.0.0.1:68 10.0.0.2:67 ESTABLISHED 5/NetworkManager",
                ("ESTABLISHED", "5", "NetworkManager"),
            ),
            (
                "raw 0 0 0.0.0.0:1 0.0.0.0:* 7 0 123 44/ping",
                ("7", "44", "ping"),
            ),
            (
                "tcp 0 0 1.2.3.4:22 5.6.7.8:99 ESTABLISHED 44/sshd: root@pts  keepalive (6871.71/0/0)",
                ("ESTABLISHED", "44", "sshd: root@pts"),
            ),
            ("udp 0 0 0.0.0.0:68 0.0.0.0:* off (0.00/0/0)", ("", "", "")),
            (
                "tcp 0 0 127.0.0.1:6379 0.0.0.0:* OUÇA 2535/redis-server 1",
                ("LISTEN", "2535", "redis-server 1"),
            ),
        ] {
            let row = row(line).unwrap_or_else(|| panic!("{line}"));
            let found = (&*row.state, &*row.process_id, &*row.process_name);
            assert_eq!(found, expected, "{line}");
        }
    }

    #[test]
    fn rows_of_other_systems_do_not_fit() {
        for line in [
            "tcp4 0 0 127.0.0.1.25 *.* LISTEN",
            "udp6 0 0 fe80::1%lo0.123 *.*",
            "tcp6 0 0 2600:1700:bab0:d.5 2607:f8b0:4003:c.9 ESTABLISHED",
            "TCP 0.0.0.0:135 0.0.0.0:0 LISTENING",
            "tcp LISTEN 0 128 0.0.0.0:22 0.0.0.0:*",
            "tcp 0 0 0.0.0.0:22",
        ] {
            assert!(!fits(line), "{line}");
        }
    }
}
