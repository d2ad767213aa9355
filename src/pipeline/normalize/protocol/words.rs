//! The words of a protocol list, and the names and numbers of IP protocols.

use super::{Element, Layer, Link};
use crate::pipeline::normalize::address::Trailer;
use crate::pipeline::normalize::services::Registry;
use crate::pipeline::record::{Network, Transport};

/// Canonical lists of a transport alone, over IPv4 and over IPv6.
pub(super) type Common = [&'static [&'static str]; 3];

/// A transport that has a name here.
pub(super) struct Known {
    /// The transport.
    pub(super) transport: Transport<'static>,
    /// What may follow its addresses.
    pub(super) trailer: Trailer,
    /// Its lists.
    pub(super) common: Common,
}

macro_rules! known {
    ($($id:ident $name:literal $number:expr, $trailer:expr;)*) => {
        $(pub(super) static $id: Known = Known {
            transport: Transport {
                name: $name,
                number: $number,
                has_ports: matches!($trailer, Trailer::Port(_)),
            },
            trailer: $trailer,
            common: [&[$name], &[$name, "ipv4"], &[$name, "ipv6"]],
        };)*
    };
}

known! {
    TCP "tcp" Some(6), Trailer::Port(Registry::Tcp);
    UDP "udp" Some(17), Trailer::Port(Registry::Udp);
    UDPLITE "udplite" Some(136), Trailer::Port(Registry::Udp);
    SCTP "sctp" Some(132), Trailer::Port(Registry::Sctp);
    DCCP "dccp" Some(33), Trailer::Port(Registry::Dccp);
    MPTCP "mptcp" Some(6), Trailer::Port(Registry::Tcp);
    ICMP "icmp" Some(1), Trailer::Ignored;
    ICMPV6 "icmpv6" Some(58), Trailer::Ignored;
    IGMP "igmp" Some(2), Trailer::Ignored;
    GRE "gre" Some(47), Trailer::Ignored;
    ESP "esp" Some(50), Trailer::Ignored;
    AH "ah" Some(51), Trailer::Ignored;
    RAW "raw" None, Trailer::Protocol;
}

/// What one word of a list says.
#[derive(Clone, Copy)]
pub(super) enum Word {
    /// A transport that has a name here.
    Transport(&'static Known),
    /// Another transport, by its IANA number.
    Number(u8),
    /// A network; `None` is `ip`, of either family.
    Network(Option<Network>),
    /// A link and its canonical name.
    Link(Link, &'static str),
    /// Transport and network in one.
    Joined(&'static Known, Network),
    /// A transport over both families; its network is IPv6.
    Both(&'static Known),
    /// Anything else.
    Unknown,
}

impl Word {
    /// The word as one or two elements of the stack; `text` is how it was written.
    pub(super) fn elements(self, text: &str) -> (Element<'_>, Option<Element<'_>>) {
        let element = |layer, name| Element { layer, name };
        let transport = |known: &Known| element(Layer::Transport, known.transport.name);
        let network = |network: Network| element(Layer::Network, network.name());
        match self {
            Self::Transport(known) => (transport(known), None),
            Self::Number(_) => (element(Layer::Transport, text), None),
            Self::Network(None) => (element(Layer::Network, "ip"), None),
            Self::Network(Some(family)) => (network(family), None),
            Self::Link(_, name) => (element(Layer::Link, name), None),
            Self::Joined(known, family) => (transport(known), Some(network(family))),
            Self::Both(known) => (transport(known), Some(network(Network::Ipv6))),
            Self::Unknown => (element(Layer::Application, text), None),
        }
    }
}

/// Longest known word, in bytes.
const MAX_WORD_BYTES: usize = 9;

/// Reads one word; case does not count.
pub(super) fn word(text: &str) -> Word {
    let mut letters = [0; MAX_WORD_BYTES];
    let Some(letters) = letters.get_mut(..text.len()) else {
        return Word::Unknown;
    };
    letters.copy_from_slice(text.as_bytes());
    letters.make_ascii_lowercase();
    match &*letters {
        b"tcp4" => Word::Joined(&TCP, Network::Ipv4),
        b"tcp6" => Word::Joined(&TCP, Network::Ipv6),
        b"tcp46" => Word::Both(&TCP),
        b"udp4" => Word::Joined(&UDP, Network::Ipv4),
        b"udp6" => Word::Joined(&UDP, Network::Ipv6),
        b"udp46" => Word::Both(&UDP),
        b"raw6" => Word::Joined(&RAW, Network::Ipv6),
        b"ipv4" | b"ip4" | b"inet" => Word::Network(Some(Network::Ipv4)),
        b"ipv6" | b"ip6" | b"inet6" => Word::Network(Some(Network::Ipv6)),
        b"ip" => Word::Network(None),
        b"ethernet" | b"eth" | b"802.3" => Word::Link(Link::Mac, "ethernet"),
        b"802.11" => Word::Link(Link::Mac, "802.11"),
        b"p_raw" => Word::Link(Link::Packet, "p_raw"),
        b"p_dgr" => Word::Link(Link::Packet, "p_dgr"),
        letters => match transport(letters) {
            Some(known) => Word::Transport(known),
            None => number(text).map_or(Word::Unknown, |number| {
                by_number(number).map_or(Word::Number(number), Word::Transport)
            }),
        },
    }
}

/// The transport of that lower-case name.
fn transport(name: &[u8]) -> Option<&'static Known> {
    Some(match name {
        b"tcp" => &TCP,
        b"udp" => &UDP,
        b"udplite" => &UDPLITE,
        b"sctp" => &SCTP,
        b"dccp" => &DCCP,
        b"mptcp" => &MPTCP,
        b"icmp" | b"icm4" => &ICMP,
        b"icmpv6" | b"icmp6" | b"icm6" | b"ipv6-icmp" => &ICMPV6,
        b"igmp" => &IGMP,
        b"gre" => &GRE,
        b"esp" => &ESP,
        b"ah" => &AH,
        b"raw" => &RAW,
        _ => return None,
    })
}

/// The transport of that IANA number, where it has a name here.
fn by_number(number: u8) -> Option<&'static Known> {
    Some(match number {
        1 => &ICMP,
        2 => &IGMP,
        6 => &TCP,
        17 => &UDP,
        33 => &DCCP,
        47 => &GRE,
        50 => &ESP,
        51 => &AH,
        58 => &ICMPV6,
        132 => &SCTP,
        136 => &UDPLITE,
        _ => return None,
    })
}

/// An IP protocol number as IANA writes it: decimal, without sign or leading zeros.
fn number(text: &str) -> Option<u8> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let padded = text.len() > 1 && text.starts_with('0');
    (plain && !padded).then(|| text.parse().ok())?
}

/// The number of an IP protocol by its name, in the protocol's own list and in IANA's and
/// /etc/protocols' spelling: raw sockets have one of these in place of a port.
pub(crate) fn number_of(name: &str) -> Option<u8> {
    const NAMES: &[(&str, u8)] = &[
        ("hopopt", 0),
        ("ggp", 3),
        ("ipencap", 4),
        ("ipv4", 4),
        ("st", 5),
        ("egp", 8),
        ("igp", 9),
        ("pup", 12),
        ("hmp", 20),
        ("xns-idp", 22),
        ("rdp", 27),
        ("iso-tp4", 29),
        ("xtp", 36),
        ("ddp", 37),
        ("idpr-cmtp", 38),
        ("ipv6", 41),
        ("ipv6-route", 43),
        ("ipv6-frag", 44),
        ("idrp", 45),
        ("rsvp", 46),
        ("ipsec-esp", 50),
        ("ipsec-ah", 51),
        ("skip", 57),
        ("ipv6-nonxt", 59),
        ("ipv6-opts", 60),
        ("rspf", 73),
        ("vmtp", 81),
        ("eigrp", 88),
        ("ospf", 89),
        ("ospfigp", 89),
        ("ax.25", 93),
        ("ipip", 94),
        ("etherip", 97),
        ("encap", 98),
        ("pim", 103),
        ("ipcomp", 108),
        ("vrrp", 112),
        ("l2tp", 115),
        ("isis", 124),
        ("fc", 133),
        ("mobility-header", 135),
        ("mpls-in-ip", 137),
        ("manet", 138),
        ("hip", 139),
        ("shim6", 140),
        ("wesp", 141),
        ("rohc", 142),
    ];
    if let Word::Transport(known) = word(name) {
        return known.transport.number;
    }
    let mut names = NAMES.iter();
    let (_, number) = names.find(|(known, _)| known.eq_ignore_ascii_case(name))?;
    Some(*number)
}
