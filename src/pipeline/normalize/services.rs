//! IANA's service names: to read a service name in place of a port, and for all who need the
//! registry, its table.
//!
//! The table is text, sorted by name, and searched where it lies: it costs nothing until a row
//! has a service name. `scripts/iana-services.py` makes it and says its format in its head.

use std::ops::RangeInclusive;

/// The table; see its first lines.
const TABLE: &str = include_str!("services.txt");

/// The transports for which IANA registers services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pipeline) enum Registry {
    /// TCP, and MPTCP, which opens as TCP does.
    Tcp,
    /// UDP, and UDP-Lite, which has no registry of its own.
    Udp,
    /// SCTP.
    Sctp,
    /// DCCP.
    Dccp,
}

impl Registry {
    /// Every one, in the order of the letters in the table.
    pub(in crate::pipeline) const ALL: [Self; 4] = [Self::Tcp, Self::Udp, Self::Sctp, Self::Dccp];

    /// The transport's letter in the table.
    const fn letter(self) -> u8 {
        match self {
            Self::Tcp => b't',
            Self::Udp => b'u',
            Self::Sctp => b's',
            Self::Dccp => b'd',
        }
    }
}

/// Ports of a service on some transports.
#[derive(Clone, Debug)]
pub(in crate::pipeline) struct Place {
    letters: &'static str,
    /// The ports.
    pub(in crate::pipeline) ports: RangeInclusive<u16>,
    /// Whether no other name stands before this for the ports.
    pub(in crate::pipeline) is_first: bool,
}

impl Place {
    fn read(text: &'static str) -> Option<Self> {
        let digits = text.find(|c: char| c.is_ascii_digit())?;
        let (letters, ports) = text.split_at_checked(digits)?;
        let numbers = ports.strip_suffix('~').unwrap_or(ports);
        let (first, last) = numbers.split_once('-').unwrap_or((numbers, numbers));
        Some(Self {
            letters,
            ports: first.parse().ok()?..=last.parse().ok()?,
            is_first: numbers.len() == ports.len(),
        })
    }

    /// Whether they are on that transport.
    pub(in crate::pipeline) fn is_of(&self, registry: Registry) -> bool {
        self.letters.as_bytes().contains(&registry.letter())
    }
}

/// Every service: its name and its places.
pub(in crate::pipeline) fn all() -> impl Iterator<Item = (&'static str, impl Iterator<Item = Place>)>
{
    let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| {
        let (name, text) = line.split_once(' ')?;
        Some((name, places(text)))
    })
}

fn places(text: &'static str) -> impl Iterator<Item = Place> {
    text.split_ascii_whitespace().filter_map(Place::read)
}

/// The port of a service on a transport, of several the lowest. Case does not count.
pub(super) fn port_of(name: &str, registry: Registry) -> Option<u16> {
    let mut places = places(line_of(name)?);
    let place = places.find(|place| place.is_of(registry))?;
    Some(*place.ports.start())
}

/// Whether the text has the form of a service name: at least one letter, and either letters,
/// digits, hyphens and underscores only, or one of the registry's odd old names.
pub(super) fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    text.bytes().any(|byte| byte.is_ascii_alphabetic())
        && (text.bytes().all(plain) || line_of(text).is_some())
}

/// The rest of the table's line that begins with that name, by binary search over the text.
fn line_of(name: &str) -> Option<&'static str> {
    let mut lines = TABLE;
    while !lines.is_empty() {
        let middle = lines.len() / 2;
        let before = lines.get(..middle)?;
        let start = before.rfind('\n').map_or(0, |end| end + 1);
        let (lower, rest) = lines.split_at_checked(start)?;
        let (line, upper) = rest.split_once('\n')?;
        let (found, places) = line.split_once(' ')?;
        let lower_case = |text: &'static str| text.bytes().map(|byte| byte.to_ascii_lowercase());
        let wanted = name.bytes().map(|byte| byte.to_ascii_lowercase());
        lines = match wanted.cmp(lower_case(found)) {
            std::cmp::Ordering::Less => lower,
            std::cmp::Ordering::Equal => return Some(places),
            std::cmp::Ordering::Greater => upper,
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_found_and_has_a_port() {
        let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
        let mut count = 0;
        for line in lines {
            let (name, places) = line.split_once(' ').unwrap();
            assert_eq!(line_of(&name.to_ascii_uppercase()), Some(places), "{name}");
            assert!(is_name(name), "{name}");
            let found = Registry::ALL.iter();
            let found = found.filter_map(|&registry| port_of(name, registry));
            assert_ne!(found.count(), 0, "{line}");
            let read = super::places(places).count();
            assert_eq!(read, places.split(' ').count(), "{line}");
            count += 1;
        }
        assert!(count > 6000);
    }

    #[test]
    fn ports_by_name_and_transport() {
        for (name, registry, port) in [
            ("ssh", Registry::Tcp, Some(22)),
            ("SSH", Registry::Sctp, Some(22)),
            ("http", Registry::Tcp, Some(80)),
            ("www", Registry::Tcp, Some(80)),
            ("https", Registry::Udp, Some(443)),
            ("bootpc", Registry::Udp, Some(68)),
            ("imaps", Registry::Udp, None),
            ("ipp", Registry::Tcp, Some(631)),
            ("http-alt", Registry::Tcp, Some(591)),
            ("x11", Registry::Tcp, Some(6000)),
            ("z39.50", Registry::Tcp, Some(210)),
            ("submissions", Registry::Tcp, Some(465)),
            ("ssh", Registry::Dccp, None),
            ("no-such-service", Registry::Tcp, None),
            ("", Registry::Tcp, None),
            ("#", Registry::Tcp, None),
            ("zzzzzzzz", Registry::Tcp, None),
        ] {
            assert_eq!(port_of(name, registry), port, "{name}");
        }
    }

    #[test]
    fn the_form_of_a_name() {
        for name in ["http", "x", "914c/g", "whois++", "no_such-1"] {
            assert!(is_name(name), "{name}");
        }
        for text in ["", "80", "-", "a b", "a.b", "ü", "a\0", "+80", "#"] {
            assert!(!is_name(text), "{text}");
        }
    }
}
