//! Windows: `netstat -an`, `-ano`, `-anob`, with or without `-n`.
//!
//! A row is the protocol, always `TCP` or `UDP` in capitals, the two addresses, a state for TCP,
//! with `-o` the process id, and with `-t` the offload state, which is left out. Windows
//! translates title, heads and, in German, the states; rows are known by their form alone.
//!
//! With `-b` lines follow a row: the component (a service, for `svchost.exe`), then the program
//! in brackets, or a sentence, in the system's language, that its owner is not known. The
//! component nearest to the program is taken for the service; the DLLs that `-bv` of old Windows
//! lists are left out.
//!
//! Without `-n` Windows puts the host's own name for the remote of a listener, `PC7:0`: it is
//! written as the `0.0.0.0:0` that `-n` shows, since there is no peer.
//!
//! It has no executable's path, no user and no traffic. A redirected console writes in its code
//! page, PowerShell's `>` in UTF-16.

use super::Reading;
use super::row::Row;
use super::text::lines;
use super::words::state_in_english;

/// Words of the column that `-t` adds.
const OFFLOAD_STATES: &[&str] = &["InHost", "Offloaded", "Offloading", "Uploading"];

/// Whether a line is a row of this kind.
pub(super) fn fits(line: &str) -> bool {
    row(line).is_some()
}

/// Reads the text.
pub(super) fn read(text: &str, reading: &mut Reading) {
    let mut follows_row = false;
    for (number, line) in lines(text) {
        let words = line.trim_start();
        if let Some(row) = row(line) {
            reading.row(row);
            follows_row = true;
        } else if starts_row(words) {
            reading.unread(number, "has too few columns, or no address");
            follows_row = false;
        } else if !(follows_row && owner(words, reading)) {
            reading.no_row(number, words);
        }
    }
}

fn starts_row(words: &str) -> bool {
    let first = words.split_whitespace().next();
    matches!(first, Some("TCP" | "UDP"))
}

fn row(line: &str) -> Option<Row> {
    let mut cells = line.split_whitespace();
    let protocol = cells.next().filter(|_| starts_row(line.trim_start()))?;
    let (local, remote) = (cells.next()?, cells.next()?);
    if !local.contains(':') || !remote.contains(':') {
        return None;
    }
    let mut state = String::new();
    let mut process_id = "";
    for cell in cells {
        if cell.bytes().all(|byte| byte.is_ascii_digit()) {
            process_id = cell;
        } else if !OFFLOAD_STATES.contains(&cell) {
            if !state.is_empty() {
                state.push(' ');
            }
            state.push_str(cell);
        }
    }
    // A remote port of 0 is how a listener is shown.
    let alone = remote.ends_with(":0");
    let remote = match remote.strip_suffix(":0") {
        Some(host) if is_name(host) && local.starts_with('[') => "[::]:0",
        Some(host) if is_name(host) => "0.0.0.0:0",
        _ => remote,
    };
    let state = if protocol == "TCP" {
        state_in_english(&state, alone).to_owned()
    } else {
        state
    };
    Some(Row {
        local_address: local.to_owned(),
        remote_address: remote.to_owned(),
        protocol: protocol.to_owned(),
        state,
        process_id: process_id.to_owned(),
        ..Row::default()
    })
}

fn is_name(host: &str) -> bool {
    !host.starts_with('[') && host.bytes().any(|byte| byte.is_ascii_alphabetic())
}

/// Takes a line that `-b` prints below a row; gives whether it is one.
fn owner(words: &str, reading: &mut Reading) -> bool {
    let program = words
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let is_path = words.contains(['\\', '/']);
    let mut parts = words.split_whitespace();
    let is_single = parts.next().is_some() && parts.next().is_none();
    let Some(row) = reading.last_row() else {
        return false;
    };
    match program {
        Some(program) if row.process_name.is_empty() => program.clone_into(&mut row.process_name),
        None if is_path => reading.leave_out("DLLs of a program"),
        None if is_single && row.process_name.is_empty() => words.clone_into(&mut row.service),
        _ => return false,
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_known_by_their_form() {
        for line in [
            "  TCP    0.0.0.0:135            0.0.0.0:0              LISTENING       1712",
            "UDP [fe80::1%9]:1900 *:* 5",
            "  TCP    10.0.0.1:1 host:https NIEZNANY STAN 5 InHost",
        ] {
            assert!(fits(line), "{line}");
        }
        for line in [
            "tcp 0 0 0.0.0.0:22 0.0.0.0:* LISTEN",
            "TCP",
            "TCP a b c",
            "",
        ] {
            assert!(!fits(line), "{line}");
        }
        let row = row("TCP 10.0.0.1:1 h:https NIEZNANY STAN 5 InHost").unwrap();
        assert_eq!((&*row.state, &*row.process_id), ("NIEZNANY STAN", "5"));
    }
}
