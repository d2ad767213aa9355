//! macOS and FreeBSD: `netstat -an`, with or without `-A`, `-W`, `-n`, `-v`.
//!
//! A row is the protocol with its family (`tcp4`, `udp46`, `icm6`), two queue lengths and the
//! two addresses, in which the port follows a dot, then for TCP the state. `-A` puts the
//! address of the control block before it (macOS a flow hash as well). macOS's `-v` has
//! `process:pid` far to the right, since macOS 14; earlier columns of bare ids are not read.
//!
//! macOS cuts addresses to 22 columns, with `-A` to 18, FreeBSD likewise without `-W`: the core
//! marks what it can tell to be cut, and knows nothing of the rest. Without `-v` there is no
//! process. The sections of Unix sockets, kernel events and kernel control are left out.

use super::Reading;
use super::linux_netstat::columns;
use super::row::Row;
use super::text::lines;
use super::words::{WORDS, is_words};

/// Whether a line is a row of this kind.
pub(super) fn fits(line: &str) -> bool {
    row(line).is_some()
}

/// Reads the text.
pub(super) fn read(text: &str, reading: &mut Reading) {
    let mut of_internet = true;
    for (number, line) in lines(text) {
        if let Some(row) = row(line) {
            reading.row(row);
        } else if is_words(line) {
            // These systems do not translate their titles.
            if line.starts_with("Active") || line.starts_with("Registered") {
                of_internet = line.contains("Internet");
            }
            reading.leave_out(WORDS);
        } else if of_internet || is_of_internet(line) {
            reading.no_row(number, line);
        } else {
            reading.leave_out("Unix sockets and kernel sockets");
        }
    }
}

/// Whether a line that is no row begins as one, whatever section it stands in.
fn is_of_internet(line: &str) -> bool {
    let line = without_addresses(line);
    ["tcp", "udp", "icm"]
        .iter()
        .any(|start| line.starts_with(start))
}

/// The line from its protocol on, without the addresses that `-A` puts before it.
fn without_addresses(line: &str) -> &str {
    let mut rest = line.trim_start();
    for _ in 0..2 {
        let Some((word, after)) = rest.split_once(char::is_whitespace) else {
            break;
        };
        let is_hex = word.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_hex {
            break;
        }
        rest = after.trim_start();
    }
    rest
}

/// Whether the address ends in a port after a dot, or has been cut before it.
fn has_dot_port(address: &str) -> bool {
    let last = address.rsplit(':').next().unwrap_or(address);
    last.contains('.')
}

fn row(line: &str) -> Option<Row> {
    let columns = columns(without_addresses(line))?;
    if !has_dot_port(columns.local) || !has_dot_port(columns.remote) {
        return None;
    }
    let (word, after) = columns
        .rest
        .split_once(char::is_whitespace)
        .unwrap_or((columns.rest, ""));
    let is_state = word.starts_with(|first: char| first.is_ascii_uppercase())
        && word
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    let (state, rest) = if is_state {
        (word, after)
    } else {
        ("", columns.rest)
    };
    let (process_name, process_id) = process(rest);
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

/// The `process:pid` that follows the counters of `-v`; the name may have blanks.
fn process(rest: &str) -> (&str, &str) {
    let named = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c.is_whitespace());
    let Some((name, after)) = named.split_once(':') else {
        return ("", "");
    };
    let pid = after.split_whitespace().next().unwrap_or_default();
    let is_pid = !pid.is_empty() && pid.bytes().all(|byte| byte.is_ascii_digit());
    if is_pid { (name.trim(), pid) } else { ("", "") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_all_options() {
        for (line, expected) in [
            (
                "tcp4       0     44 10.10.10.84.22         10.10.16.21.36812      ESTABLISHED",
                ("tcp4", "10.10.10.84.22", "ESTABLISHED", "", ""),
            ),
            (
                "7fb03cb93c70600d 777662f1 udp4       0      0  *.58043            *.*",
                ("udp4", "*.58043", "", "", ""),
            ),
            (
                "fffff80057aa11e0 tcp46 0 0 *.80 *.* LISTEN",
                ("tcp46", "*.80", "LISTEN", "", ""),
            ),
            (
                "tcp6 0 0 fe80::c34:4384:6.49194 fe80::142d:1153:.64524 ESTABLISHED 10640 1962 131072 131376 rapportd:3000 00102 00000004",
                (
                    "tcp6",
                    "fe80::c34:4384:6.49194",
                    "ESTABLISHED",
                    "rapportd",
                    "3000",
                ),
            ),
            (
                "udp4 0 0 *.5353 *.* 0 0 786896 9216 Google Chrome He:512 00102",
                ("udp4", "*.5353", "", "Google Chrome He", "512"),
            ),
        ] {
            let row = row(line).unwrap_or_else(|| panic!("{line}"));
            let found = (
                &*row.protocol,
                &*row.local_address,
                &*row.state,
                &*row.process_name,
                &*row.process_id,
            );
            assert_eq!(found, expected, "{line}");
        }
    }

    #[test]
    fn rows_of_other_systems_and_sections_do_not_fit() {
        for line in [
            "tcp6 0 0 :::22 :::* LISTEN",
            "tcp 0 0 0.0.0.0:22 0.0.0.0:* LISTEN",
            "kctl 0 0 1 7 com.apple.netsrc",
            "fffff80057aa11e0 stream 0 0 0 0 0 0",
        ] {
            assert!(!fits(line), "{line}");
        }
    }
}
