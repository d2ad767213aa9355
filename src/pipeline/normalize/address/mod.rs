//! One address: the forms in which tools print an ip and a port.
//!
//! The forms are tried in a fixed order; the first that fits decides, and where its parts are
//! bad the address is invalid. What cannot be known is left absent, never guessed.

mod ip;
mod ipv6;
mod link;

pub(super) use ip::{ipv4_and_port, ipv6_and_port};
pub(super) use link::{mac, packet};

use std::net::IpAddr;

use super::protocol;
use super::services::{self, Registry};
use crate::pipeline::code::{Warning, Warnings};
use crate::pipeline::record::{Endpoint, Network};

/// What the stack says of its addresses.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    /// What may follow an ip.
    pub(super) trailer: Trailer,
    /// What `*` stands for.
    pub(super) any: IpAddr,
    /// Whether transport and network came as one word, as BSD tools print them.
    pub(super) joined: bool,
}

/// What may follow an ip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trailer {
    /// A port, or the name of a service of that registry.
    Port(Registry),
    /// The number or name of an IP protocol.
    Protocol,
    /// Something like a port that means nothing on this transport.
    Ignored,
    /// Nothing, as the stack has no transport; where a port is there beyond doubt it is dropped.
    Nothing,
}

/// An address that was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Address<'a> {
    /// Its parts.
    pub(super) end: Endpoint<'a>,
    /// Whether it was written as `*`.
    pub(super) any: bool,
    /// The family that it shows, even where the ip itself was cut.
    pub(super) family: Option<Network>,
    /// The IP protocol that follows the address of a raw socket.
    pub(super) protocol: Option<u8>,
    /// What is odd about it.
    pub(super) warnings: Warnings,
}

/// What is wrong with an address, to follow the name of its field.
pub(super) type Problem = &'static str;

/// An address, or what is wrong with it.
pub(super) type Reading<'a> = Result<Address<'a>, Problem>;

const UNKNOWN_FORM: Problem = "is not an address of a known form";
const NOT_IPV4: Problem = "is not a valid IPv4 address";
const NOT_IPV6: Problem = "is not a valid IPv6 address";
const BAD_ZONE: Problem = "has an empty zone or one with blanks or control characters";
const BAD_PORT: Problem = "has a port that is no number up to 65535, `*` or service name";
const BAD_PROTOCOL: Problem = "has a protocol that is no number up to 255, `*` or protocol name";
const NO_PORT: Problem = "is a name without a port";

/// Width of macOS netstat's column for an IPv4 address and its port.
const IPV4_COLUMN: usize = 18;

/// Reads an address without blanks around it.
pub(super) fn read<'a>(text: &'a str, form: &Form) -> Reading<'a> {
    let bytes = text.as_bytes();
    match bytes.first() {
        None => return Err("is empty"),
        Some(b'[') => return ipv6::bracketed(text, form),
        Some(b'*') => return wildcard(text, form),
        Some(_) => {}
    }
    if let Some(address) = proc_net(text, form) {
        return address;
    }
    if text.contains('%') {
        return zoned(text, form);
    }
    if memchr::memchr_iter(b':', bytes).nth(1).is_some() {
        return ipv6::unbracketed(text, form);
    }
    ipv4_or_name(text, form)
}

impl<'a> Address<'a> {
    /// An ip, unmapped.
    fn of(ip: IpAddr) -> Self {
        let ip = ip.to_canonical();
        Self {
            end: Endpoint {
                ip: Some(ip),
                ..Endpoint::default()
            },
            family: Some(Network::of(ip)),
            ..Self::default()
        }
    }

    fn with_zone(mut self, zone: &'a str) -> Reading<'a> {
        let bad = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '%' | '[' | ']');
        if zone.is_empty() || zone.contains(bad) {
            return Err(BAD_ZONE);
        }
        self.end.zone = Some(zone);
        Ok(self)
    }

    /// Reads what follows the ip.
    pub(super) fn with_trailer(mut self, text: &str, trailer: Trailer) -> Reading<'a> {
        if text == "*" {
            return Ok(self);
        }
        match trailer {
            Trailer::Port(registry) => {
                if let Some(port) = ip::decimal(text.as_bytes()) {
                    self.end.port = Some(port);
                } else if services::is_name(text) {
                    self.end.port = services::port_of(text, registry);
                    self.warnings.add(Warning::AddressNotNumeric);
                } else {
                    return Err(BAD_PORT);
                }
            }
            Trailer::Protocol => match ip::decimal(text.as_bytes()).map(u8::try_from) {
                Some(Ok(number)) => self.protocol = Some(number),
                Some(Err(_)) => return Err(BAD_PROTOCOL),
                None => {
                    self.protocol = protocol::number_of(text);
                    if self.protocol.is_none() {
                        if !services::is_name(text) {
                            return Err(BAD_PROTOCOL);
                        }
                        self.warnings.add(Warning::AddressNotNumeric);
                    }
                }
            },
            Trailer::Ignored | Trailer::Nothing => {
                if ip::decimal(text.as_bytes()).is_none() && !services::is_name(text) {
                    return Err(BAD_PORT);
                }
            }
        }
        Ok(self)
    }
}

impl Form {
    /// Whether the stack has a transport with ports.
    fn has_ports(&self) -> bool {
        matches!(self.trailer, Trailer::Port(_))
    }

    /// Takes the zone apart from what follows it.
    fn split_zone<'a>(&self, text: &'a str) -> (&'a str, Option<&'a str>) {
        let split = match self.trailer {
            // A VLAN's interface has a dot in its name, so the last separator is the port's.
            Trailer::Port(_) => text.rsplit_once(':').or_else(|| text.rsplit_once('.')),
            Trailer::Protocol | Trailer::Ignored => text.rsplit_once(':'),
            Trailer::Nothing => None,
        };
        split.map_or((text, None), |(zone, port)| (zone, Some(port)))
    }
}

/// `*`, `*:80`, `*.80`, `*%eth0:68`.
fn wildcard<'a>(text: &'a str, form: &Form) -> Reading<'a> {
    let mut address = Address::of(form.any);
    address.any = true;
    let rest = text.get(1..).unwrap_or_default();
    if rest.is_empty() {
        return Ok(address);
    }
    if let Some(rest) = rest.strip_prefix('%') {
        let (zone, port) = form.split_zone(rest);
        return finish(address.with_zone(zone)?, port, form);
    }
    let port = rest.strip_prefix([':', '.']).ok_or(UNKNOWN_FORM)?;
    address.with_trailer(port, form.trailer)
}

/// `fe80::1%lo0.123`, `127.0.0.53%lo:53`.
fn zoned<'a>(text: &'a str, form: &Form) -> Reading<'a> {
    let (ip, rest) = text.split_once('%').ok_or(UNKNOWN_FORM)?;
    let address = match ip::ipv4(ip) {
        Some(ip) => Address::of(IpAddr::V4(ip)),
        None => Address::of(IpAddr::V6(ip::ipv6(ip).ok_or(UNKNOWN_FORM)?)),
    };
    if form.has_ports()
        && !rest.contains(':')
        && let Some(cut) = ipv6::cut_dotted(text, form)
    {
        return cut;
    }
    let (zone, port) = form.split_zone(rest);
    finish(address.with_zone(zone)?, port, form)
}

/// Adds the trailer where there is one.
fn finish<'a>(address: Address<'a>, trailer: Option<&str>, form: &Form) -> Reading<'a> {
    match trailer {
        Some(text) => address.with_trailer(text, form.trailer),
        None => Ok(address),
    }
}

/// `3500007F:0035`: an address as Linux's /proc/net has it, in 32-bit words of the host's byte
/// order (little-endian on all but a few machines), and its port in hex.
fn proc_net<'a>(text: &'a str, form: &Form) -> Option<Reading<'a>> {
    let upper_hex = |text: &str| {
        text.bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F'))
    };
    if !matches!(text.len(), 13 | 37) {
        return None;
    }
    let (ip, port) = text.split_once(':')?;
    if !matches!(ip.len(), 8 | 32) || port.len() != 4 || !upper_hex(ip) || !upper_hex(port) {
        return None;
    }
    let number = u128::from_str_radix(ip, 16).ok()?;
    let mut octets = number.to_be_bytes();
    for word in octets.chunks_exact_mut(4) {
        word.reverse();
    }
    let ip = match octets {
        [.., a, b, c, d] if ip.len() == 8 => IpAddr::from([a, b, c, d]),
        octets => IpAddr::from(octets),
    };
    let mut address = Address::of(ip);
    let number = u16::from_str_radix(port, 16).ok()?;
    match form.trailer {
        Trailer::Port(_) => address.end.port = Some(number),
        Trailer::Protocol => address.protocol = u8::try_from(number).ok(),
        Trailer::Ignored | Trailer::Nothing => {}
    }
    Some(Ok(address))
}

/// `1.2.3.4`, `1.2.3.4:80`, `1.2.3.4.80`, or a name.
fn ipv4_or_name<'a>(text: &'a str, form: &Form) -> Reading<'a> {
    let Some((ip, rest)) = ip::ipv4_prefix(text) else {
        return name(text, form);
    };
    let address = Address::of(IpAddr::V4(ip));
    if rest.is_empty() {
        return Ok(address);
    }
    if let Some(port) = rest.strip_prefix(':') {
        return address.with_trailer(port, form.trailer);
    }
    match rest.strip_prefix('.') {
        Some(port) if !port.contains(['.', ':']) => {
            let digits = port.bytes().filter(u8::is_ascii_digit).count();
            if form.has_ports() && text.len() == IPV4_COLUMN && digits < 5 {
                // The port may have lost its end; what it says is checked all the same.
                let mut cut = address.with_trailer(port, form.trailer)?;
                cut.end.port = None;
                cut.warnings.add(Warning::AddressTruncated);
                return Ok(cut);
            }
            address.with_trailer(port, form.trailer)
        }
        _ => name(text, form),
    }
}

/// A host name, with a port where the stack has ports.
fn name<'a>(text: &'a str, form: &Form) -> Reading<'a> {
    let takes_trailer = form.trailer != Trailer::Nothing;
    let (host, port) = match text.split_once(':') {
        Some((host, port)) if takes_trailer => (host, Some(port)),
        Some(_) => return Err(UNKNOWN_FORM),
        None if form.has_ports() => {
            let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
            match text.rsplit_once('.') {
                Some((host, port)) if form.joined || digits(port) => (host, Some(port)),
                _ => return Err(check_host(text).err().unwrap_or(NO_PORT)),
            }
        }
        None => (text, None),
    };
    check_host(host)?;
    let mut address = Address::default();
    address.end.name = Some(host);
    address.warnings.add(Warning::AddressNotNumeric);
    finish(address, port, form)
}

/// Whether the text can be a host's name.
fn check_host(host: &str) -> Result<(), Problem> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if host.is_empty() || !host.bytes().all(allowed) {
        return Err(UNKNOWN_FORM);
    }
    // The root's dot may end a name.
    let labels = host.strip_suffix('.').unwrap_or(host);
    if labels.split('.').any(str::is_empty) {
        return Err("has a name with an empty label");
    }
    let last = labels.rsplit('.').next().unwrap_or_default();
    if last.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NOT_IPV4);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
