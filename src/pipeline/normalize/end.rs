//! One end of a row: an address, or a list of addresses that pairs with the protocol list.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::address::{self, Address, Form, Problem, Reading, Trailer};
use super::protocol::{Layer, Link, Spelling, Stack};
use super::services::Registry;
use crate::pipeline::record::{Endpoint, Network};

/// Why an end cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The address is invalid; the text says how, to follow the field's name.
    Invalid(Problem),
    /// A list has a number of elements that does not pair with the protocol list.
    Unpaired,
}

impl From<Problem> for Fault {
    fn from(problem: Problem) -> Self {
        Self::Invalid(problem)
    }
}

/// What an element of an address list is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// Ip and port in one.
    Combined,
    Port,
    Ip,
    Link,
    /// Of another layer, or of a second protocol of its layer: kept as text.
    Text,
}

/// Reads the local end.
#[inline]
pub(super) fn local<'a>(text: &'a str, stack: &Stack<'a>) -> Result<Address<'a>, Fault> {
    match usual(text, stack) {
        Some(address) => Ok(address),
        None => read(text.trim_ascii(), stack, false),
    }
}

/// Reads the remote end; `None` where the row has none.
#[inline]
pub(super) fn remote<'a>(text: &'a str, stack: &Stack<'a>) -> Result<Option<Address<'a>>, Fault> {
    let address = if let Some(address) = usual(text, stack) {
        address
    } else {
        let text = text.trim_ascii();
        if is_nothing(text) || (stack.is_opaque() && is_unspecified(text)) {
            return Ok(None);
        }
        read(text, stack, true)?
    };
    let nowhere = address.end.ip.is_some_and(|ip| ip.is_unspecified());
    let portless = address.end.port.unwrap_or_default() == 0;
    Ok(if nowhere && portless || address == Address::default() {
        None
    } else {
        Some(address)
    })
}

/// The forms that nearly all rows have, ip and port.
#[inline]
fn usual<'a>(text: &str, stack: &Stack<'_>) -> Option<Address<'a>> {
    if !matches!(stack.trailer, Trailer::Port(_)) {
        return None;
    }
    if text.starts_with('[') {
        let (ip, port) = address::ipv6_and_port(text)?;
        return Some(at(IpAddr::V6(ip).to_canonical(), port));
    }
    let (ip, port) = address::ipv4_and_port(text)?;
    Some(at(IpAddr::V4(ip), port))
}

#[inline]
fn at<'a>(ip: IpAddr, port: u16) -> Address<'a> {
    Address {
        end: Endpoint {
            ip: Some(ip),
            port: Some(port),
            ..Endpoint::default()
        },
        family: Some(Network::of(ip)),
        ..Address::default()
    }
}

/// The spellings of "no remote" that are no address.
fn is_nothing(text: &str) -> bool {
    let none = |start: &str| start.eq_ignore_ascii_case("none");
    matches!(text, "" | "-" | "0" | "*" | "*:*" | "*.*") || text.get(..4).is_some_and(none)
}

/// Whether the text, which belongs to an opaque stack, is an unspecified ip without a port.
fn is_unspecified(text: &str) -> bool {
    let form = Form {
        trailer: Trailer::Port(Registry::Tcp),
        any: IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        joined: false,
    };
    address::read(text, &form).is_ok_and(|address| {
        address.end.ip.is_some_and(|ip| ip.is_unspecified())
            && address.end.port.unwrap_or_default() == 0
    })
}

fn read<'a>(text: &'a str, stack: &Stack<'a>, is_remote: bool) -> Result<Address<'a>, Fault> {
    if stack.is_opaque() {
        return Ok(as_text(text));
    }
    let count = match memchr::memchr(b',', text.as_bytes()) {
        Some(_) => elements(text).count(),
        None => 1,
    };
    if count == 1 {
        Ok(one(text, whole_stack(stack), stack)?)
    } else {
        list(text, count, stack, is_remote)
    }
}

/// What a lone element is.
fn whole_stack(stack: &Stack<'_>) -> Role {
    if stack.transport.is_none() && !stack.has_network() {
        Role::Link
    } else {
        Role::Combined
    }
}

/// Reads one element.
fn one<'a>(text: &'a str, role: Role, stack: &Stack<'a>) -> Reading<'a> {
    let mut form = Form {
        trailer: stack.trailer,
        any: match stack.named.family() {
            Some(Network::Ipv4) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            _ => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        },
        joined: stack.spelling != Spelling::Apart,
    };
    match role {
        Role::Combined => address::read(text, &form),
        Role::Ip => {
            form.trailer = Trailer::Nothing;
            address::read(text, &form)
        }
        Role::Port => match Address::default().with_trailer(text, stack.trailer) {
            // Where no network is named, the transport's element may bring the ip along.
            Err(_) if !stack.has_network() => address::read(text, &form),
            reading => reading,
        },
        Role::Link if stack.link == Some(Link::Packet) => address::packet(text),
        Role::Link => address::mac(text),
        Role::Text => Ok(as_text(text)),
    }
}

fn as_text(text: &str) -> Address<'_> {
    Address {
        end: Endpoint {
            name: (!text.is_empty()).then_some(text),
            ..Endpoint::default()
        },
        ..Address::default()
    }
}

/// Reads a list of several elements.
fn list<'a>(
    text: &'a str,
    count: usize,
    stack: &Stack<'a>,
    is_remote: bool,
) -> Result<Address<'a>, Fault> {
    let (names_all, combines) = pairing(count, stack).ok_or(Fault::Unpaired)?;
    let mut roles = roles(stack, names_all, combines);
    let mut address = Address::default();
    let mut kept = None;
    for text in elements(text).map(str::trim_ascii) {
        let role = roles.next().ok_or(Fault::Unpaired)?;
        match role {
            Role::Text => kept = kept.or(as_text(text).end.name),
            _ if is_remote && matches!(text, "" | "-") => {}
            _ => merge(&mut address, one(text, role, stack)?),
        }
    }
    address.end.name = address.end.name.or(kept);
    Ok(address)
}

/// How a list of that many elements pairs: whether every protocol has an element (rather than
/// only those that carry addresses), and whether ip and port are one element.
fn pairing(count: usize, stack: &Stack<'_>) -> Option<(bool, bool)> {
    if count == stack.elements {
        Some((true, false))
    } else if count == stack.carriers {
        Some((false, false))
    } else if count + 1 == stack.carriers && stack.transport.is_some() && stack.has_network() {
        Some((false, true))
    } else {
        None
    }
}

/// The roles of a list's elements, in the order in which the protocols were written.
fn roles(stack: &Stack<'_>, names_all: bool, combines: bool) -> impl Iterator<Item = Role> {
    let (mut port, mut ip, mut link) = (false, false, false);
    stack.elements().filter_map(move |element| {
        let (seen, role) = match element.layer {
            Layer::Application => return names_all.then_some(Role::Text),
            Layer::Transport => (&mut port, Role::Port),
            Layer::Network => (&mut ip, Role::Ip),
            Layer::Link => (&mut link, Role::Link),
        };
        if std::mem::replace(seen, true) {
            return Some(Role::Text);
        }
        match role {
            // The combined element stands where the first of the two was written.
            Role::Port | Role::Ip if combines => (port != ip).then_some(Role::Combined),
            role => Some(role),
        }
    })
}

fn merge<'a>(into: &mut Address<'a>, part: Address<'a>) {
    let end = &mut into.end;
    end.ip = end.ip.or(part.end.ip);
    end.port = end.port.or(part.end.port);
    end.zone = end.zone.or(part.end.zone);
    end.mac = end.mac.or(part.end.mac);
    end.name = end.name.or(part.end.name);
    into.any |= part.any;
    into.family = into.family.or(part.family);
    into.protocol = into.protocol.or(part.protocol);
    into.warnings = into.warnings.union(part.warnings);
}

/// The elements of an address list: commas inside brackets do not split.
fn elements(text: &str) -> impl Iterator<Item = &str> {
    let mut is_inside = false;
    text.split(move |character| {
        match character {
            '[' => is_inside = true,
            ']' => is_inside = false,
            _ => {}
        }
        character == ',' && !is_inside
    })
}
