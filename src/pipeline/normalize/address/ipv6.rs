//! IPv6 forms: in brackets, and without, where only the text after the last colon tells a port
//! from a group.

use std::net::IpAddr;

use super::{Address, Form, NOT_IPV6, Reading, Trailer, UNKNOWN_FORM, finish, ip};
use crate::pipeline::code::Warning;
use crate::pipeline::normalize::services;
use crate::pipeline::record::Network;

/// Width of macOS netstat's column for an address without its port.
const DOTTED_COLUMN: usize = 16;

/// Width of net-tools' column for an address and its port.
const COLON_COLUMN: usize = 23;

/// `[::1]`, `[::1]:80`, `[fe80::1%9]:80` (Windows), `[fe80::1]%eth0:80` (ss).
pub(super) fn bracketed<'a>(text: &'a str, form: &Form) -> Reading<'a> {
    let inside = text.strip_prefix('[').ok_or(UNKNOWN_FORM)?;
    let (inside, after) = inside.split_once(']').ok_or("has no closing bracket")?;
    let (ip, inner_zone) = split(inside, '%');
    let mut address = Address::of(IpAddr::V6(ip::ipv6(ip).ok_or(NOT_IPV6)?));
    if let Some(zone) = inner_zone {
        address = address.with_zone(zone)?;
    }
    if let Some(after) = after.strip_prefix('%') {
        let (zone, port) = match after.rsplit_once(':') {
            Some((zone, port)) => (zone, Some(port)),
            None => (after, None),
        };
        if inner_zone.is_some_and(|inner| inner != zone) {
            return Err("has two different zones");
        }
        return finish(address.with_zone(zone)?, port, form);
    }
    match after.strip_prefix(':') {
        Some(port) => address.with_trailer(port, form.trailer),
        None if after.is_empty() => Ok(address),
        None => Err(UNKNOWN_FORM),
    }
}

fn split(text: &str, separator: char) -> (&str, Option<&str>) {
    match text.split_once(separator) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

/// Two or more colons and no brackets.
pub(super) fn unbracketed<'a>(text: &'a str, form: &Form) -> Reading<'a> {
    let (head, tail) = text.rsplit_once(':').ok_or(UNKNOWN_FORM)?;
    if tail.contains('.') {
        return dotted(text, tail, form);
    }
    let whole = |text| ip::ipv6(text).map(|ip| Address::of(IpAddr::V6(ip)));
    if !form.has_ports() {
        // A whole address, before a trailer that means nothing or little here.
        return match whole(text) {
            Some(address) => Ok(address),
            None if form.trailer == Trailer::Nothing => Err(NOT_IPV6),
            None => whole(head)
                .ok_or(NOT_IPV6)?
                .with_trailer(tail, form.trailer),
        };
    }
    let before = whole(head);
    if let Some(address) = before
        && (tail == "*" || ip::decimal(tail.as_bytes()).is_some())
    {
        return address.with_trailer(tail, form.trailer);
    }
    if text.len() == COLON_COLUMN && is_part(head) && is_tail(tail) {
        let mut address = before.unwrap_or_else(|| unknown(head));
        address.end.port = ip::decimal(tail.as_bytes());
        address.warnings.add(Warning::AddressTruncated);
        return Ok(address);
    }
    if let Some(address) = whole(text) {
        return Ok(address);
    }
    let address = before.ok_or(NOT_IPV6)?;
    address.with_trailer(tail, form.trailer)
}

/// Dots after the last colon: an embedded IPv4 tail, a port in BSD's dotted notation, or both.
fn dotted<'a>(text: &'a str, tail: &str, form: &Form) -> Reading<'a> {
    let labels = tail.split('.').count();
    if labels == 4 {
        let ip = ip::ipv6(text).ok_or(NOT_IPV6)?;
        return Ok(Address::of(IpAddr::V6(ip)));
    }
    if !matches!(labels, 2 | 5) || form.trailer == Trailer::Nothing {
        return Err(NOT_IPV6);
    }
    if form.has_ports()
        && let Some(cut) = cut_dotted(text, form)
    {
        return cut;
    }
    let (ip, port) = text.rsplit_once('.').ok_or(UNKNOWN_FORM)?;
    let ip = ip::ipv6(ip).ok_or(NOT_IPV6)?;
    Address::of(IpAddr::V6(ip)).with_trailer(port, form.trailer)
}

/// An IPv6 address and its port in dotted notation, the address exactly as wide as its column:
/// its end may be missing, so that only the port is known.
pub(super) fn cut_dotted<'a>(text: &'a str, form: &Form) -> Option<Reading<'a>> {
    let (address, port) = text.rsplit_once('.')?;
    let (ip, _zone) = split(address, '%');
    if address.len() != DOTTED_COLUMN || !is_part(ip) || !ip.contains(':') {
        return None;
    }
    let mut cut = unknown(ip);
    cut.warnings.add(Warning::AddressTruncated);
    // A port that was cut to nothing readable is absent, too.
    Some(Ok(cut.with_trailer(port, form.trailer).unwrap_or(cut)))
}

/// An address whose end is missing. That it is IPv6 still shows, unless it may be a mapped one.
fn unknown<'a>(part: &str) -> Address<'a> {
    let may_be_mapped = part
        .get(..6)
        .is_some_and(|start| start.eq_ignore_ascii_case("::ffff"));
    Address {
        family: (!may_be_mapped).then_some(Network::Ipv6),
        ..Address::default()
    }
}

/// Whether the text can be the start of an IPv6 address.
fn is_part(text: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_hexdigit() || byte == b':' || byte == b'.';
    let fits = |group: &str| group.len() <= 4 || group.contains('.');
    text.bytes().all(known) && text.split(':').all(fits) && !text.contains(":::")
}

/// Whether the text can be a port, a service's name or the start of one.
fn is_tail(text: &str) -> bool {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits || text == "*" || services::is_name(text)
}
