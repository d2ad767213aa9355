//! The types between the stages: a row as it was sent, and the record that it becomes.
//!
//! Everything borrows from the message's bytes or from the arena of the message, so that no
//! field costs an allocation of its own.

use std::fmt;
use std::net::IpAddr;

use super::code::Warnings;

/// One row as it was sent, decoded but not read: text untouched, "" where absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Row<'a> {
    /// Local (source) address.
    pub local_address: &'a str,
    /// Remote (destination) address.
    pub remote_address: &'a str,
    /// Protocol stack, a comma list.
    pub protocol: &'a str,
    /// State, in the sender's spelling.
    pub state: &'a str,
    /// Process id.
    pub process_id: ProcessId<'a>,
    /// Process name, path or command line.
    pub process_name: &'a str,
    /// Service name.
    pub service: &'a str,
    /// Whether the row has fields that the contract does not know.
    pub unknown_fields: bool,
}

/// A process id as it was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProcessId<'a> {
    /// Absent, or one of the spellings of "unknown" that carries no number.
    #[default]
    Absent,
    /// A number in range; 0 and 4294967295 mean unknown.
    Number(u32),
    /// A number or text that is no process id, as sent.
    Invalid(&'a str),
}

impl ProcessId<'_> {
    /// The number as sent, where there is one; 0 is how protobuf writes an absent one.
    pub fn number(self) -> Option<u32> {
        match self {
            Self::Number(id) if id != 0 => Some(id),
            _ => None,
        }
    }

    /// The id, where one is known.
    pub fn known(self) -> Option<u32> {
        self.number().filter(|id| *id != u32::MAX)
    }
}

/// The text, or nothing where it is empty or blank: the contract takes both as absent.
pub fn present(text: &str) -> Option<&str> {
    let blank = text.bytes().all(|byte| byte.is_ascii_whitespace());
    (!blank).then_some(text)
}

/// A valid record: the row, and what it says in canonical form.
#[derive(Clone, Debug)]
pub struct Record<'a> {
    /// Position in the message, from 0.
    pub index: u32,
    /// The row as sent.
    pub row: Row<'a>,
    /// The protocol stack top-down, canonical.
    pub protocols: &'a [&'a str],
    /// The transport, where the stack has one.
    pub transport: Option<Transport<'a>>,
    /// The network layer, named or inferred from an address.
    pub network: Option<Network>,
    /// The state, where there is one.
    pub state: Option<State>,
    /// The end on the host.
    pub local: Endpoint<'a>,
    /// The other end, where there is one.
    pub remote: Option<Endpoint<'a>>,
    /// Whether the row itself says that the socket takes both families (`*` with no family
    /// named, or `tcp46`).
    pub both_families: bool,
    /// Whether the socket is a datagram, raw or packet socket: one that has no connections.
    pub datagram: bool,
    /// What is odd about the record.
    pub warnings: Warnings,
}

/// A transport of a protocol stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transport<'a> {
    /// Canonical name, for example `tcp`; the number in decimal for a protocol without one here.
    pub name: &'a str,
    /// IANA protocol number; absent for `raw` without a known protocol.
    pub number: Option<u8>,
    /// Whether its addresses have ports.
    pub has_ports: bool,
}

/// A network layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Network {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}

impl Network {
    /// `ipv4` or `ipv6`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
        }
    }

    /// The family of an address.
    pub const fn of(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(_) => Self::Ipv4,
            IpAddr::V6(_) => Self::Ipv6,
        }
    }
}

/// One end of a socket. Mapped IPv4 addresses never appear: they are unmapped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Endpoint<'a> {
    /// The address.
    pub ip: Option<IpAddr>,
    /// The port.
    pub port: Option<u16>,
    /// The zone or interface.
    pub zone: Option<&'a str>,
    /// The MAC address.
    pub mac: Option<[u8; 6]>,
    /// A name in place of a numeric address, as sent.
    pub name: Option<&'a str>,
}

/// An end in the usual notation: `10.0.0.5:445`, `[fe80::1%eth0]:22`, `printer:9100`. The zone
/// follows the host after a percent sign (RFC 4007, section 11), "" where there is none; a host
/// with colons stands in brackets before a port (RFC 5952, section 6).
pub(crate) fn host_and_port(host: &str, zone: &str, port: Option<impl fmt::Display>) -> String {
    let mut text = host.to_owned();
    if !zone.is_empty() {
        text = format!("{text}%{zone}");
    }
    match port {
        Some(port) if text.contains(':') => format!("[{text}]:{port}"),
        Some(port) => format!("{text}:{port}"),
        None => text,
    }
}

macro_rules! states {
    ($($variant:ident $name:literal $number:literal $meaning:literal)*) => {
        /// The twelve states of the contract; the numbers are those of the event schema.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum State {
            $(#[doc = $meaning] $variant = $number,)*
        }

        impl State {
            /// Every state.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The canonical name, upper case as the contract has it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }
        }
    };
}

states! {
    Established "ESTABLISHED" 1 "A connection has been established."
    SynSent "SYN_SENT" 2 "The local end is trying to connect."
    SynRecv "SYN_RECV" 3 "The local end has received a connection request."
    FinWait1 "FIN_WAIT1" 4 "The connection is shutting down."
    FinWait2 "FIN_WAIT2" 5 "The local end waits for the remote end to shut down."
    TimeWait "TIME_WAIT" 6 "The local end waits for packets still in the network."
    Closed "CLOSED" 7 "The socket is closed."
    CloseWait "CLOSE_WAIT" 8 "The remote end has shut down."
    LastAck "LAST_ACK" 9 "The remote end has shut down and the acknowledgement is awaited."
    Listen "LISTEN" 10 "The local end waits for connections."
    Closing "CLOSING" 11 "Both ends have shut down but not all data were sent."
    Unknown "UNKNOWN" 12 "A spelling that is no known state."
}

impl State {
    /// Whether the connection is on its way to its end, or has reached it.
    pub const fn is_closing(self) -> bool {
        match self {
            Self::FinWait1
            | Self::FinWait2
            | Self::TimeWait
            | Self::Closed
            | Self::CloseWait
            | Self::LastAck
            | Self::Closing => true,
            Self::Established | Self::SynSent | Self::SynRecv | Self::Listen | Self::Unknown => {
                false
            }
        }
    }
}

/// What a row is; the numbers are those of the event schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// It has a remote end.
    Connection = 1,
    /// It waits for peers.
    Listener = 2,
    /// The rest.
    Idle = 3,
}

impl Kind {
    /// Every kind.
    pub const ALL: &[Self] = &[Self::Connection, Self::Listener, Self::Idle];

    /// The name in events and filters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Listener => "listener",
            Self::Idle => "idle",
        }
    }
}

impl<'a> Record<'a> {
    /// The process id, where one is known.
    pub fn process_id(&self) -> Option<u32> {
        self.row.process_id.known()
    }

    /// The process name as sent.
    pub fn process_name(&self) -> Option<&'a str> {
        present(self.row.process_name)
    }

    /// The service as sent.
    pub fn service(&self) -> Option<&'a str> {
        present(self.row.service)
    }

    /// What the row is: a listener when its state says so or when it is a datagram socket
    /// without a peer, else a connection when it has a peer.
    pub fn kind(&self) -> Kind {
        match (self.state, &self.remote) {
            (Some(State::Listen), _) => Kind::Listener,
            (_, Some(_)) => Kind::Connection,
            (_, None) if self.datagram => Kind::Listener,
            (_, None) => Kind::Idle,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_written_as_usual() {
        for (host, zone, port, expected) in [
            ("10.0.0.5", "", Some(445), "10.0.0.5:445"),
            ("10.0.0.5", "eth0", None, "10.0.0.5%eth0"),
            ("fe80::1", "eth0", Some(22), "[fe80::1%eth0]:22"),
            ("fe80::1", "", None, "fe80::1"),
        ] {
            assert_eq!(host_and_port(host, zone, port), expected);
        }
    }
}
