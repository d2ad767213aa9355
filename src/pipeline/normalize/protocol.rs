//! The protocol list: a comma list in any order and spelling to a stack whose layers are known.

use bumpalo::Bump;
use bumpalo::collections::Vec;

use super::address::Trailer;
use super::services::Registry;
use crate::pipeline::code::Rejection;
use crate::pipeline::record::{Network, Transport};
use crate::pipeline::reject::Reject;

/// A protocol stack.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stack<'a> {
    /// The elements as they were written, joined spellings split.
    pub(super) elements: &'a [Element<'a>],
    /// The first transport.
    pub(super) transport: Option<Transport<'a>>,
    /// What may follow an address, by the transport.
    pub(super) trailer: Trailer,
    /// The networks that are named.
    pub(super) named: Named,
    /// The first link.
    pub(super) link: Option<Link>,
    /// How transport and network were written.
    pub(super) spelling: Spelling,
    /// Whether an element is not known.
    pub(super) unrecognized: bool,
    /// The canonical list of a stack of nothing but one known transport and at most one network,
    /// by what the network turns out to be.
    common: Option<&'static Common>,
}

/// One element of a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Element<'a> {
    /// Its layer.
    pub(super) layer: Layer,
    /// Its canonical name, as sent where it is not known.
    name: &'a str,
}

/// The layers, top-down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layer {
    /// Whatever is not known.
    Application,
    /// Above the network.
    Transport,
    /// IP.
    Network,
    /// Below the network.
    Link,
}

/// The networks that a stack names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// No network.
    Nothing,
    /// `ip`, of either family.
    Ip,
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
    /// IPv4 and IPv6.
    Both,
}

impl Named {
    /// The one family that is named.
    pub(super) const fn family(self) -> Option<Network> {
        match self {
            Self::Ipv4 => Some(Network::Ipv4),
            Self::Ipv6 => Some(Network::Ipv6),
            Self::Nothing | Self::Ip | Self::Both => None,
        }
    }

    /// With one more network; `None` is `ip`.
    fn and(self, network: Option<Network>) -> Self {
        match (self, network) {
            (Self::Nothing, None) => Self::Ip,
            (named, None) => named,
            (Self::Nothing | Self::Ip | Self::Ipv4, Some(Network::Ipv4)) => Self::Ipv4,
            (Self::Nothing | Self::Ip | Self::Ipv6, Some(Network::Ipv6)) => Self::Ipv6,
            (_, Some(_)) => Self::Both,
        }
    }
}

/// How a stack's transport and network were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spelling {
    /// As two words, or only one of them.
    Apart,
    /// As one word, as BSD tools do (`tcp4`).
    Joined,
    /// As one word that names both families (`tcp46`).
    BothFamilies,
}

/// The kinds of link, by the form of their addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    /// Addresses are MACs.
    Mac,
    /// A packet socket: its address is a protocol and an interface.
    Packet,
}

/// Canonical lists of a transport alone, over IPv4 and over IPv6.
type Common = [&'static [&'static str]; 3];

/// A transport that has a name here.
struct Known {
    transport: Transport<'static>,
    trailer: Trailer,
    common: Common,
}

macro_rules! known {
    ($($id:ident $name:literal $number:expr, $trailer:expr;)*) => {
        $(static $id: Known = Known {
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

/// What one word of the list says.
enum Word {
    Transport(&'static Known),
    /// A transport without a name here, by its IANA number.
    Number(u8),
    /// A network; `None` is `ip`, of either family.
    Network(Option<Network>),
    Link(&'static str, Link),
    Joined(&'static Known, Network),
    /// A transport over both families.
    Both(&'static Known),
    Unknown,
}

/// Longest known word, in bytes.
const MAX_WORD_BYTES: usize = 9;

const TRANSPORT: Layer = Layer::Transport;
const NETWORK: Layer = Layer::Network;

/// A stack of one transport over one network, written as two words.
const fn usual(
    known: &'static Known,
    network: Network,
    elements: &'static [Element<'static>],
) -> Stack<'static> {
    Stack {
        elements,
        transport: Some(known.transport),
        trailer: known.trailer,
        named: match network {
            Network::Ipv4 => Named::Ipv4,
            Network::Ipv6 => Named::Ipv6,
        },
        link: None,
        spelling: Spelling::Apart,
        unrecognized: false,
        common: Some(&known.common),
    }
}

const fn element(layer: Layer, name: &str) -> Element<'_> {
    Element { layer, name }
}

// What nearly all rows say, ready made.
static TCP_IPV4: Stack = usual(
    &TCP,
    Network::Ipv4,
    &[element(TRANSPORT, "tcp"), element(NETWORK, "ipv4")],
);
static TCP_IPV6: Stack = usual(
    &TCP,
    Network::Ipv6,
    &[element(TRANSPORT, "tcp"), element(NETWORK, "ipv6")],
);
static UDP_IPV4: Stack = usual(
    &UDP,
    Network::Ipv4,
    &[element(TRANSPORT, "udp"), element(NETWORK, "ipv4")],
);
static UDP_IPV6: Stack = usual(
    &UDP,
    Network::Ipv6,
    &[element(TRANSPORT, "udp"), element(NETWORK, "ipv6")],
);

/// Reads a protocol list.
pub(super) fn read<'a>(text: &'a str, arena: &'a Bump) -> Result<&'a Stack<'a>, Reject> {
    match text {
        "tcp,ipv4" => Ok(&TCP_IPV4),
        "tcp,ipv6" => Ok(&TCP_IPV6),
        "udp,ipv4" => Ok(&UDP_IPV4),
        "udp,ipv6" => Ok(&UDP_IPV6),
        _ => match list(text, arena) {
            Ok(stack) => Ok(arena.alloc(stack)),
            Err(problem) => Err(Reject::value(
                Rejection::InvalidProtocol,
                "protocol",
                problem,
                text,
            )),
        },
    }
}

/// Reads any list; the error says what is wrong with it.
fn list<'a>(text: &'a str, arena: &'a Bump) -> Result<Stack<'a>, &'static str> {
    let mut elements = Vec::new_in(arena);
    let mut stack = Stack {
        elements: &[],
        transport: None,
        trailer: Trailer::Nothing,
        named: Named::Nothing,
        link: None,
        spelling: Spelling::Apart,
        unrecognized: false,
        common: None,
    };
    for text in text.split(',') {
        let text = text.trim_ascii();
        if text.is_empty() {
            return Err("has an empty element");
        }
        if text.chars().any(char::is_control) {
            return Err("has a control character");
        }
        stack.push(text, &mut elements);
    }
    let count = |layer| elements.iter().filter(|e| e.layer == layer).count();
    if count(Layer::Transport) != 1
        || count(Layer::Network) > 1
        || count(Layer::Application) + count(Layer::Link) > 0
    {
        stack.common = None;
    }
    stack.elements = elements.into_bump_slice();
    Ok(stack)
}

impl<'a> Stack<'a> {
    /// Adds one word of the list.
    fn push(&mut self, text: &'a str, elements: &mut Vec<'a, Element<'a>>) {
        match word(text) {
            Word::Transport(known) => elements.push(self.transport(known)),
            Word::Number(number) => {
                let transport = Transport {
                    name: text,
                    number: Some(number),
                    has_ports: false,
                };
                if self.transport.is_none() {
                    self.transport = Some(transport);
                    self.trailer = Trailer::Ignored;
                }
                elements.push(element(TRANSPORT, text));
            }
            Word::Network(network) => elements.push(self.network(network)),
            Word::Link(name, link) => {
                self.link.get_or_insert(link);
                elements.push(element(Layer::Link, name));
            }
            Word::Joined(known, network) => {
                self.spelling = Spelling::Joined;
                elements.push(self.transport(known));
                elements.push(self.network(Some(network)));
            }
            Word::Both(known) => {
                self.spelling = Spelling::BothFamilies;
                elements.push(self.transport(known));
                elements.push(self.network(Some(Network::Ipv6)));
            }
            Word::Unknown => {
                self.unrecognized = true;
                elements.push(element(Layer::Application, text));
            }
        }
    }

    fn transport(&mut self, known: &'static Known) -> Element<'static> {
        if self.transport.is_none() {
            self.transport = Some(known.transport);
            self.trailer = known.trailer;
            self.common = Some(&known.common);
        }
        element(TRANSPORT, known.transport.name)
    }

    fn network(&mut self, network: Option<Network>) -> Element<'static> {
        self.named = self.named.and(network);
        element(NETWORK, network.map_or("ip", Network::name))
    }

    /// Whether nothing of the stack is known, so that its addresses cannot be read.
    pub(super) fn is_opaque(&self) -> bool {
        self.transport.is_none() && !self.has_network() && self.link.is_none()
    }

    /// Whether any network is named.
    pub(super) fn has_network(&self) -> bool {
        self.named != Named::Nothing
    }

    /// Whether the stack's sockets have no connections.
    pub(super) fn is_datagram(&self) -> bool {
        match (self.trailer, self.transport) {
            (Trailer::Port(Registry::Udp), _) => true,
            (_, Some(transport)) => !transport.has_ports,
            (_, None) => self.link == Some(Link::Packet) && !self.has_network(),
        }
    }

    /// The canonical list, top-down, once the network is known.
    pub(super) fn protocols(&self, network: Option<Network>, arena: &'a Bump) -> &'a [&'a str] {
        if let Some([alone, over_ipv4, over_ipv6]) = self.common {
            match network {
                Some(Network::Ipv4) => return over_ipv4,
                Some(Network::Ipv6) => return over_ipv6,
                None if !self.has_network() => return alone,
                None => {}
            }
        }
        let mut names = Vec::with_capacity_in(self.elements.len() + 1, arena);
        let on = |layer| self.elements.iter().filter(move |e| e.layer == layer);
        names.extend(on(Layer::Application).map(|e| e.name));
        names.extend(on(Layer::Transport).map(|e| e.name));
        match network {
            Some(network) if !self.has_network() => names.push(network.name()),
            // A stack that names both families needs no correction.
            Some(network) if self.named != Named::Both => {
                names.extend(on(Layer::Network).map(|_| network.name()));
            }
            _ => names.extend(on(Layer::Network).map(|e| e.name)),
        }
        names.extend(on(Layer::Link).map(|e| e.name));
        names.into_bump_slice()
    }
}

/// Reads one word; case does not count.
fn word(text: &str) -> Word {
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
        b"ethernet" | b"eth" | b"802.3" => Word::Link("ethernet", Link::Mac),
        b"802.11" => Word::Link("802.11", Link::Mac),
        b"p_raw" => Word::Link("p_raw", Link::Packet),
        b"p_dgr" => Word::Link("p_dgr", Link::Packet),
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
pub(super) fn number_of(name: &str) -> Option<u8> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str, network: Option<Network>) -> String {
        let arena = Bump::new();
        let stack = read(text, &arena).unwrap();
        stack.protocols(network, &arena).join(",")
    }

    #[test]
    fn every_word_in_any_case() {
        for (name, words, number, ports) in [
            ("tcp", "tcp 6", Some(6), true),
            ("udp", "udp 17", Some(17), true),
            ("udplite", "udplite 136", Some(136), true),
            ("sctp", "sctp 132", Some(132), true),
            ("dccp", "dccp 33", Some(33), true),
            ("mptcp", "mptcp", Some(6), true),
            ("icmp", "icmp icm4 1", Some(1), false),
            ("icmpv6", "icmpv6 icmp6 icm6 ipv6-icmp 58", Some(58), false),
            ("igmp", "igmp 2", Some(2), false),
            ("gre", "gre 47", Some(47), false),
            ("esp", "esp 50", Some(50), false),
            ("ah", "ah 51", Some(51), false),
            ("raw", "raw", None, false),
            ("0", "0", Some(0), false),
            ("89", "89", Some(89), false),
            ("255", "255", Some(255), false),
        ] {
            for word in words.split(' ') {
                for text in [word, &word.to_uppercase(), &format!(" {word}\t")] {
                    let arena = Bump::new();
                    let stack = read(text, &arena).unwrap();
                    let transport = stack.transport.unwrap();
                    assert_eq!(transport.name, name, "{text}");
                    assert_eq!(transport.number, number, "{text}");
                    assert_eq!(transport.has_ports, ports, "{text}");
                    assert!(!stack.unrecognized);
                    assert_eq!(canonical(text, None), name);
                }
            }
        }
        for (words, name) in [
            ("ipv4 ip4 inet", "ipv4"),
            ("ipv6 ip6 inet6", "ipv6"),
            ("ip", "ip"),
            ("ethernet eth 802.3", "ethernet"),
            ("802.11", "802.11"),
            ("p_raw", "p_raw"),
            ("p_dgr", "p_dgr"),
        ] {
            for word in words.split(' ') {
                assert_eq!(canonical(&word.to_uppercase(), None), name);
            }
        }
    }

    #[test]
    fn joined_words_split() {
        for (text, list, both) in [
            ("tcp4", "tcp,ipv4", false),
            ("TCP6", "tcp,ipv6", false),
            ("udp4", "udp,ipv4", false),
            ("udp6", "udp,ipv6", false),
            ("raw6", "raw,ipv6", false),
            ("tcp46", "tcp,ipv6", true),
            ("udp46", "udp,ipv6", true),
        ] {
            let arena = Bump::new();
            let stack = read(text, &arena).unwrap();
            assert_eq!(
                stack.protocols(stack.named.family(), &arena).join(","),
                list
            );
            let spelling = if both {
                Spelling::BothFamilies
            } else {
                Spelling::Joined
            };
            assert_eq!(stack.spelling, spelling, "{text}");
        }
    }

    #[test]
    fn the_list_is_top_down_with_the_network_in_its_place() {
        for (text, network, list) in [
            ("ipv4,tcp", Some(Network::Ipv4), "tcp,ipv4"),
            ("tcp,ipv4", Some(Network::Ipv6), "tcp,ipv6"),
            ("tcp", Some(Network::Ipv6), "tcp,ipv6"),
            ("tcp,ip", None, "tcp,ip"),
            ("ip,udp", Some(Network::Ipv4), "udp,ipv4"),
            (
                "eth,ipv4,TCP,Http",
                Some(Network::Ipv4),
                "Http,tcp,ipv4,ethernet",
            ),
            ("eth,tcp", Some(Network::Ipv4), "tcp,ipv4,ethernet"),
            ("tcp,ipv4,ipv6", Some(Network::Ipv4), "tcp,ipv4,ipv6"),
            ("ipv6", Some(Network::Ipv4), "ipv4"),
            ("tls,smb", None, "tls,smb"),
            ("gre,tcp,ipv6", Some(Network::Ipv6), "gre,tcp,ipv6"),
        ] {
            assert_eq!(canonical(text, network), list, "{text}");
        }
    }

    #[test]
    fn unknown_words_are_kept() {
        for text in [
            "unix",
            "vsock",
            "tls",
            "Http",
            "256",
            "06",
            "+6",
            "99999999999",
            "icmp4",
            "raw4",
            "é",
        ] {
            let arena = Bump::new();
            let stack = read(text, &arena).unwrap();
            assert!(stack.unrecognized && stack.is_opaque(), "{text}");
            assert_eq!(canonical(text, None), text);
        }
    }

    #[test]
    fn empty_elements_and_control_characters_are_invalid() {
        for text in [
            ",",
            "tcp,",
            ",tcp",
            "tcp,,ipv4",
            "tcp, ,ipv4",
            "t\0p",
            "tcp\u{7f}",
            "tcp,\u{85}",
            "a\nb",
        ] {
            let arena = Bump::new();
            let reject = read(text, &arena).unwrap_err();
            assert_eq!(reject.reason, Rejection::InvalidProtocol.into(), "{text:?}");
        }
    }

    #[test]
    fn numbers_of_names() {
        assert_eq!(number_of("ICMP"), Some(1));
        assert_eq!(number_of("ipv6-icmp"), Some(58));
        assert_eq!(number_of("ospf"), Some(89));
        assert_eq!(number_of("udplite"), Some(136));
        assert_eq!(number_of("raw"), None);
        assert_eq!(number_of("ipv4"), Some(4));
        assert_eq!(number_of("nonsense"), None);
    }
}
