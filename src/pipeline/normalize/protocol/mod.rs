//! The protocol list: a comma list in any order and spelling to a stack whose layers are known.

mod words;

pub(super) use words::number_of;

use bumpalo::Bump;
use bumpalo::collections::Vec;

use super::address::Trailer;
use super::services::Registry;
use crate::pipeline::code::Rejection;
use crate::pipeline::record::{Network, Transport};
use crate::pipeline::reject::Reject;
use words::{Common, Known, TCP, UDP, Word, word};

/// A protocol stack.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stack<'a> {
    /// The list as sent. Its elements are read from it where they are wanted, which is rare,
    /// rather than kept: a hostile list has millions.
    text: &'a str,
    /// Number of elements, joined spellings split.
    pub(super) elements: usize,
    /// Number of elements whose layers carry addresses.
    pub(super) carriers: usize,
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

/// A stack of one known transport, alone or over one network.
const fn plain(
    text: &'static str,
    known: &'static Known,
    named: Named,
    spelling: Spelling,
) -> Stack<'static> {
    let elements = match named {
        Named::Nothing => 1,
        _ => 2,
    };
    Stack {
        text,
        elements,
        carriers: elements,
        transport: Some(known.transport),
        trailer: known.trailer,
        named,
        link: None,
        spelling,
        unrecognized: false,
        common: Some(&known.common),
    }
}

// What nearly all rows say, ready made.
static TCP_ALONE: Stack = plain("tcp", &TCP, Named::Nothing, Spelling::Apart);
static TCP_IPV4: Stack = plain("tcp,ipv4", &TCP, Named::Ipv4, Spelling::Apart);
static TCP_IPV6: Stack = plain("tcp,ipv6", &TCP, Named::Ipv6, Spelling::Apart);
static TCP4: Stack = plain("tcp4", &TCP, Named::Ipv4, Spelling::Joined);
static TCP6: Stack = plain("tcp6", &TCP, Named::Ipv6, Spelling::Joined);
static UDP_ALONE: Stack = plain("udp", &UDP, Named::Nothing, Spelling::Apart);
static UDP_IPV4: Stack = plain("udp,ipv4", &UDP, Named::Ipv4, Spelling::Apart);
static UDP_IPV6: Stack = plain("udp,ipv6", &UDP, Named::Ipv6, Spelling::Apart);
static UDP4: Stack = plain("udp4", &UDP, Named::Ipv4, Spelling::Joined);
static UDP6: Stack = plain("udp6", &UDP, Named::Ipv6, Spelling::Joined);

/// Reads a protocol list.
pub(super) fn read<'a>(text: &'a str, arena: &'a Bump) -> Result<&'a Stack<'a>, Reject> {
    match text {
        "tcp,ipv4" => Ok(&TCP_IPV4),
        "tcp,ipv6" => Ok(&TCP_IPV6),
        "udp,ipv4" => Ok(&UDP_IPV4),
        "udp,ipv6" => Ok(&UDP_IPV6),
        "tcp" | "TCP" => Ok(&TCP_ALONE),
        "udp" | "UDP" => Ok(&UDP_ALONE),
        "tcp4" => Ok(&TCP4),
        "tcp6" => Ok(&TCP6),
        "udp4" => Ok(&UDP4),
        "udp6" => Ok(&UDP6),
        _ => match list(text) {
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
fn list(text: &str) -> Result<Stack<'_>, &'static str> {
    let mut stack = Stack {
        text,
        elements: 0,
        carriers: 0,
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
        stack.push(text);
    }
    let networks = usize::from(stack.has_network());
    if stack.elements != 1 + networks || stack.carriers != stack.elements {
        stack.common = None;
    }
    Ok(stack)
}

impl<'a> Stack<'a> {
    /// Adds one word of the list.
    fn push(&mut self, text: &'a str) {
        self.elements += 1;
        self.carriers += 1;
        match word(text) {
            Word::Transport(known) => self.push_transport(known),
            Word::Number(number) => {
                if self.transport.is_none() {
                    self.trailer = Trailer::Ignored;
                    self.transport = Some(Transport {
                        name: text,
                        number: Some(number),
                        has_ports: false,
                    });
                }
            }
            Word::Network(network) => self.named = self.named.and(network),
            Word::Link(link, _) => {
                self.link.get_or_insert(link);
            }
            Word::Joined(known, network) => self.push_joined(known, network, Spelling::Joined),
            Word::Both(known) => {
                self.push_joined(known, Network::Ipv6, Spelling::BothFamilies);
            }
            Word::Unknown => {
                self.carriers -= 1;
                self.unrecognized = true;
            }
        }
    }

    fn push_transport(&mut self, known: &'static Known) {
        if self.transport.is_none() {
            self.transport = Some(known.transport);
            self.trailer = known.trailer;
            self.common = Some(&known.common);
        }
    }

    fn push_joined(&mut self, known: &'static Known, network: Network, spelling: Spelling) {
        self.elements += 1;
        self.carriers += 1;
        self.spelling = spelling;
        self.named = self.named.and(Some(network));
        self.push_transport(known);
    }

    /// The elements as they were written, joined spellings split.
    pub(super) fn elements(&self) -> impl Iterator<Item = Element<'a>> + use<'a> {
        self.text.split(',').flat_map(|text| {
            let text = text.trim_ascii();
            let (first, second) = word(text).elements(text);
            std::iter::once(first).chain(second)
        })
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
        let elements = Vec::from_iter_in(self.elements(), arena);
        let on = |layer| elements.iter().filter(move |e| e.layer == layer);
        let mut names = Vec::with_capacity_in(elements.len() + 1, arena);
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
    fn a_ready_made_stack_is_what_its_list_reads() {
        for text in [
            "tcp", "tcp,ipv4", "tcp,ipv6", "tcp4", "tcp6", "udp", "udp,ipv4", "udp,ipv6", "udp4",
            "udp6", "TCP", "UDP",
        ] {
            let arena = Bump::new();
            let ready = read(text, &arena).unwrap();
            let listed = Stack {
                text: ready.text,
                ..list(text).unwrap()
            };
            assert_eq!(format!("{ready:?}"), format!("{listed:?}"), "{text}");
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
