//! The state: any tool's spelling to one of the contract's twelve, or none.

use crate::pipeline::record::State;

/// What a state's text says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// No state.
    None,
    /// A known spelling.
    Known(State),
    /// No known spelling.
    Unrecognized,
}

impl Reading {
    /// The state of the record.
    pub(super) const fn state(self) -> Option<State> {
        match self {
            Self::None => None,
            Self::Known(state) => Some(state),
            Self::Unrecognized => Some(State::Unknown),
        }
    }
}

/// Longest spelling, in bytes, once hyphens, underscores and blanks are gone.
const MAX_BYTES: usize = 12;

/// Reads a state. Sockets that have no connections (`datagram`) have no closed state either:
/// tools print one all the same.
pub(super) fn read(text: &str, datagram: bool) -> Reading {
    // The contract's own spellings, which most rows have.
    let state = match text {
        "" => return Reading::None,
        "ESTABLISHED" => State::Established,
        "LISTEN" => State::Listen,
        "TIME_WAIT" => State::TimeWait,
        "CLOSE_WAIT" => State::CloseWait,
        "SYN_SENT" => State::SynSent,
        _ => return spelled(text, datagram),
    };
    Reading::Known(state)
}

/// Reads any spelling.
fn spelled(text: &str, datagram: bool) -> Reading {
    let text = text.trim_ascii();
    if text.starts_with(|first: char| first.is_ascii_digit()) {
        return numbered(text, datagram);
    }
    let mut letters = [0; MAX_BYTES];
    let mut length = 0;
    for byte in text.bytes() {
        if byte == b'-' || byte == b'_' || byte.is_ascii_whitespace() {
            continue;
        }
        let Some(slot) = letters.get_mut(length) else {
            return Reading::Unrecognized;
        };
        *slot = byte.to_ascii_uppercase();
        length += 1;
    }
    let state = match letters.get(..length).unwrap_or_default() {
        b"" | b"NONE" => return Reading::None,
        b"UNCONN" | b"CLOSE" if datagram => return Reading::None,
        b"ESTABLISHED" | b"ESTAB" => State::Established,
        b"SYNSENT" => State::SynSent,
        b"SYNRECV" | b"SYNRCVD" | b"SYNRECEIVED" | b"NEWSYNRECV" => State::SynRecv,
        b"FINWAIT1" => State::FinWait1,
        b"FINWAIT2" => State::FinWait2,
        b"TIMEWAIT" => State::TimeWait,
        b"CLOSED" | b"CLOSE" | b"UNCONN" | b"DELETETCB" => State::Closed,
        b"CLOSEWAIT" => State::CloseWait,
        b"LASTACK" => State::LastAck,
        b"LISTEN" | b"LISTENING" => State::Listen,
        b"CLOSING" => State::Closing,
        b"UNKNOWN" | b"???" | b"UNDEF" | b"RESERVED" | b"CONNIDLE" | b"BOUND" => State::Unknown,
        _ => return Reading::Unrecognized,
    };
    Reading::Known(state)
}

/// Reads a number of the Windows MIB, which .NET and PowerShell share. Linux numbers its states
/// otherwise and in hex with a leading zero; a record does not say which it means, so that form
/// is not read.
fn numbered(text: &str, datagram: bool) -> Reading {
    let state = match text {
        // net-tools prints Linux's number for an unconnected raw socket.
        "7" if datagram => return Reading::None,
        "1" | "12" => State::Closed,
        "2" => State::Listen,
        "3" => State::SynSent,
        "4" => State::SynRecv,
        "5" => State::Established,
        "6" => State::FinWait1,
        "7" => State::FinWait2,
        "8" => State::CloseWait,
        "9" => State::Closing,
        "10" => State::LastAck,
        "11" => State::TimeWait,
        "100" => State::Unknown,
        _ => return Reading::Unrecognized,
    };
    Reading::Known(state)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPELLINGS: &[(State, &[&str])] = &[
        (State::Established, &["ESTABLISHED", "ESTAB", "5"]),
        (State::SynSent, &["SYN_SENT", "SYN-SENT", "SynSent", "3"]),
        (
            State::SynRecv,
            &[
                "SYN_RECV",
                "SYN_RCVD",
                "SYN-RECV",
                "SYN_RECEIVED",
                "SynReceived",
                "NEW_SYN_RECV",
                "4",
            ],
        ),
        (
            State::FinWait1,
            &["FIN_WAIT1", "FIN_WAIT_1", "FIN-WAIT-1", "FinWait1", "6"],
        ),
        (
            State::FinWait2,
            &["FIN_WAIT2", "FIN_WAIT_2", "FIN-WAIT-2", "FinWait2", "7"],
        ),
        (
            State::TimeWait,
            &["TIME_WAIT", "TIME-WAIT", "TimeWait", "11"],
        ),
        (
            State::Closed,
            &[
                "CLOSED",
                "CLOSE",
                "DELETE_TCB",
                "DeleteTcb",
                "12",
                "UNCONN",
                "1",
            ],
        ),
        (
            State::CloseWait,
            &["CLOSE_WAIT", "CLOSE-WAIT", "CloseWait", "8"],
        ),
        (State::LastAck, &["LAST_ACK", "LAST-ACK", "LastAck", "10"]),
        (State::Listen, &["LISTEN", "LISTENING", "Listening", "2"]),
        (State::Closing, &["CLOSING", "9"]),
        (
            State::Unknown,
            &[
                "UNKNOWN",
                "???",
                "UNDEF",
                "RESERVED",
                "CONN_IDLE",
                "BOUND",
                "100",
            ],
        ),
    ];

    #[test]
    fn every_spelling_in_any_case() {
        for (state, spellings) in SPELLINGS {
            for text in *spellings {
                let lower = text.to_lowercase();
                for text in [*text, &lower, &format!(" {text}\t")] {
                    assert_eq!(read(text, false), Reading::Known(*state), "{text}");
                }
            }
        }
        assert_eq!(SPELLINGS.len(), State::ALL.len());
        assert_eq!(
            read("fin wait 1", false),
            Reading::Known(State::FinWait1),
            "blanks do not count"
        );
    }

    #[test]
    fn no_state() {
        for text in ["", "  ", "-", "NONE", "none"] {
            assert_eq!(read(text, false), Reading::None, "{text}");
            assert_eq!(read(text, true), Reading::None, "{text}");
        }
        for text in ["UNCONN", "unconn", "CLOSE", "7", " 7 "] {
            assert_eq!(read(text, true), Reading::None, "{text}");
        }
        assert_eq!(read("ESTAB", true), Reading::Known(State::Established));
        assert_eq!(read("CLOSED", true), Reading::Known(State::Closed));
    }

    #[test]
    fn unrecognized() {
        for text in [
            "01",
            "0A",
            "0C",
            "0",
            "13",
            "99",
            "101",
            "1 2",
            "-5",
            "+5",
            "OPEN",
            "FIN_WAIT",
            "LISTEN\0",
            "ESTABLISHEDX",
            "ESTABLISHED ESTABLISHED",
            "é",
            "5\u{0}",
            "٥",
        ] {
            assert_eq!(read(text, false), Reading::Unrecognized, "{text}");
        }
    }
}
