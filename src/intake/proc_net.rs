//! Linux: `/proc/net/tcp`, `tcp6`, `udp` and `udp6`, one or several after one another.
//!
//! A row is its number and a colon, the two ends in hex, the state in hex, queues, a timer, the
//! user and the socket's inode. An address is in the kernel's byte order, in words of 32 bits,
//! which the core reads as little-endian, as on all but a few machines; its length says the
//! family. The states are Linux's numbers, which only this source may use: they are named here.
//! The protocol stands nowhere: TCP's and UDP's rows differ by what follows the inode (UDP has
//! three columns, TCP two or seven). `/proc/net/raw` looks like UDP's and must not be given.
//!
//! There is no process: the inode leads to it only on the live host, see `--live`.

use super::Reading;
use super::row::Row;
use super::text::lines;

/// The columns of a UDP row; TCP has fewer or more.
const UDP_COLUMNS: usize = 13;
const LEAST_COLUMNS: usize = 10;

/// A row, with what only the live host can make use of.
pub(super) struct Socket {
    pub(super) row: Row,
    /// The inode; 0 where the socket belongs to no process any more.
    pub(super) inode: u64,
}

/// Whether a line is a row of this kind.
pub(super) fn fits(line: &str) -> bool {
    socket(line).is_some()
}

/// Reads the text.
pub(super) fn read(text: &str, reading: &mut Reading) {
    for (number, line) in lines(text) {
        match socket(line) {
            Some(socket) => reading.row(socket.row),
            None => reading.no_row(number, line),
        }
    }
}

/// Reads a row.
pub(super) fn socket(line: &str) -> Option<Socket> {
    let mut cells = [""; UDP_COLUMNS + 1];
    let mut count = 0;
    for cell in line.split_whitespace() {
        // Further columns are TCP's own, and nothing to a record.
        if let Some(slot) = cells.get_mut(count) {
            *slot = cell;
            count += 1;
        }
    }
    let [number, local, remote, state, _, _, _, _, _, inode, ..] = cells;
    let is_number = number.strip_suffix(':').is_some_and(|number| {
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    });
    if !is_number || count < LEAST_COLUMNS {
        return None;
    }
    let family = family(local).filter(|found| family(remote) == Some(*found))?;
    let transport = if count == UDP_COLUMNS { "udp" } else { "tcp" };
    Some(Socket {
        row: Row {
            local_address: local.to_owned(),
            remote_address: remote.to_owned(),
            protocol: format!("{transport},{family}"),
            state: name(state, transport)?.to_owned(),
            ..Row::default()
        },
        inode: inode.parse().ok()?,
    })
}

/// The family, by the length of the address.
fn family(end: &str) -> Option<&'static str> {
    let (address, port) = end.split_once(':')?;
    let hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if port.len() != 4 || !hex(port) || !hex(address) {
        return None;
    }
    match address.len() {
        8 => Some("ipv4"),
        32 => Some("ipv6"),
        _ => None,
    }
}

/// The name of one of Linux's numbers, of `include/net/tcp_states.h`. A datagram socket is
/// "closed" where it has no peer.
fn name(number: &str, transport: &str) -> Option<&'static str> {
    Some(match number {
        "01" => "ESTABLISHED",
        "02" => "SYN_SENT",
        "03" | "0C" => "SYN_RECV",
        "04" => "FIN_WAIT1",
        "05" => "FIN_WAIT2",
        "06" => "TIME_WAIT",
        "07" if transport == "udp" => "",
        "07" => "CLOSED",
        "08" => "CLOSE_WAIT",
        "09" => "LAST_ACK",
        "0A" => "LISTEN",
        "0B" => "CLOSING",
        "0D" => "BOUND",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transport_and_family_are_told_by_columns_and_length() {
        for (line, protocol, state, inode) in [
            (
                "   0: 00000000:07E8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 638 1 00000000f2daf8f4 100 0 0 10 0",
                "tcp,ipv4",
                "LISTEN",
                638,
            ),
            (
                "   1: 0100007F:8008 0100007F:2DB6 06 00000000:00000000 03:000005AD 00000000     0        0 0 3 000000007ed2d78a",
                "tcp,ipv4",
                "TIME_WAIT",
                0,
            ),
            (
                "  245: 3500007F:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000   101        0 20604 2 0000000000000000 0",
                "udp,ipv4",
                "",
                20604,
            ),
            (
                " 9: 00000000000000000000000001000000:0277 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 5 1 0 100 0 0 10 0",
                "tcp,ipv6",
                "LISTEN",
                5,
            ),
        ] {
            let socket = socket(line).unwrap_or_else(|| panic!("{line}"));
            let row = socket.row;
            let found = (&*row.protocol, &*row.state, socket.inode);
            assert_eq!(found, (protocol, state, inode), "{line}");
        }
    }

    #[test]
    fn other_lines_do_not_fit() {
        for line in [
            "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode",
            "1: 00000000:07E8 00000000:0000 0A",
            "1: 0000000:07E8 00000000:0000 0A 0:0 0:0 0 0 0 1 1 1",
            "1: 00000000:07E8 00000000:0000 FF 0:0 0:0 0 0 0 1 1 1",
            "0.0.0.0:1 0.0.0.0:1 a b c d e f g h i j",
        ] {
            assert!(!fits(line), "{line}");
        }
    }
}
