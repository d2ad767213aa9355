//! A network prefix in CIDR notation.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use super::internal::mapped;
use crate::pipeline::encode::push_ip;

/// A network: an address and how many of its first bits count; the others are 0.
///
/// ```
/// use netsieve::pipeline::enrich::prefix::Prefix;
///
/// let prefix = Prefix::parse("2001:DB8::/32").unwrap();
/// assert_eq!(prefix.to_string(), "2001:db8::/32");
/// assert!(Prefix::parse("10.0.0.1/8").is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    ip: IpAddr,
    length: u8,
}

/// Why a text is no prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidPrefix {
    /// What stands before the slash is no address.
    NoAddress,
    /// What stands after the slash is no number.
    NoLength,
    /// The length is above that of the address.
    TooLong,
    /// Bits after the prefix are set: most likely the length is not the one that was meant.
    BitsAfter,
}

impl InvalidPrefix {
    /// What is wrong, in words that follow the text itself.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoAddress => "is no prefix",
            Self::NoLength => "has no prefix length",
            Self::TooLong => "has a prefix longer than the address",
            Self::BitsAfter => "has bits set after its prefix",
        }
    }
}

impl Prefix {
    /// Reads `ADDRESS/LENGTH`, or an address alone, which is all of its bits. What lies in
    /// `::ffff:0:0/96` is the IPv4 prefix that it is mapped from.
    pub fn parse(text: &str) -> Result<Self, InvalidPrefix> {
        let (ip, length) = match text.split_once('/') {
            Some((ip, length)) => (ip, Some(length)),
            None => (text, None),
        };
        let ip: IpAddr = ip.parse().map_err(|_| InvalidPrefix::NoAddress)?;
        let bits: u8 = if ip.is_ipv4() { 32 } else { 128 };
        let length = match length {
            None => bits,
            Some(digits)
                if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) =>
            {
                digits.parse().map_err(|_| InvalidPrefix::TooLong)?
            }
            Some(_) => return Err(InvalidPrefix::NoLength),
        };
        if length > bits {
            return Err(InvalidPrefix::TooLong);
        }
        let prefix = Self { ip, length }.unmapped();
        let (first, last) = prefix.bounds();
        if mapped(prefix.ip) == first && first <= last {
            Ok(prefix)
        } else {
            Err(InvalidPrefix::BitsAfter)
        }
    }

    fn unmapped(self) -> Self {
        const MAPPED_BITS: u8 = 96;
        let v4 = match self.ip {
            IpAddr::V6(ip) => ip.to_ipv4_mapped(),
            IpAddr::V4(_) => None,
        };
        match (v4, self.length.checked_sub(MAPPED_BITS)) {
            (Some(v4), Some(length)) => Self {
                ip: v4.into(),
                length,
            },
            _ => self,
        }
    }

    /// Whether it is one of IPv4.
    pub const fn is_ipv4(self) -> bool {
        self.ip.is_ipv4()
    }

    /// First and last address as numbers; an IPv4 one as the IPv6 one that it is mapped to.
    pub(super) fn bounds(self) -> (u128, u128) {
        let bits = if self.is_ipv4() { 32 } else { 128 };
        let host = 1_u128
            .checked_shl(bits - u32::from(self.length))
            .map_or(u128::MAX, |size| size - 1);
        let ip = mapped(self.ip);
        (ip & !host, ip | host)
    }
}

impl fmt::Display for Prefix {
    /// The canonical text: the address as RFC 5952 has it, and the length.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut ip = Vec::with_capacity(Ipv6Addr::UNSPECIFIED.octets().len() * 3);
        push_ip(&mut ip, self.ip);
        write!(f, "{}/{}", String::from_utf8_lossy(&ip), self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_canonical() {
        for (text, canonical) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("10.0.0.0/08", "10.0.0.0/8"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("192.0.2.1", "192.0.2.1/32"),
            ("2001:DB8:0:0::/32", "2001:db8::/32"),
            ("::/0", "::/0"),
            ("::1", "::1/128"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("::ffff:0:0/96", "0.0.0.0/0"),
        ] {
            assert_eq!(
                Prefix::parse(text).unwrap().to_string(),
                canonical,
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_prefix() {
        for (text, error) in [
            ("", InvalidPrefix::NoAddress),
            ("10.0.0/8", InvalidPrefix::NoAddress),
            ("010.0.0.0/8", InvalidPrefix::NoAddress),
            (" 10.0.0.0/8", InvalidPrefix::NoAddress),
            ("10.0.0.0/", InvalidPrefix::NoLength),
            ("10.0.0.0/+8", InvalidPrefix::NoLength),
            ("10.0.0.0/8/8", InvalidPrefix::NoLength),
            ("10.0.0.0/33", InvalidPrefix::TooLong),
            ("10.0.0.0/300", InvalidPrefix::TooLong),
            ("10.0.0.0/99999", InvalidPrefix::TooLong),
            ("::/129", InvalidPrefix::TooLong),
            ("10.0.0.1/8", InvalidPrefix::BitsAfter),
            ("0.0.0.1/0", InvalidPrefix::BitsAfter),
            ("2001:db8::1/64", InvalidPrefix::BitsAfter),
            ("::ffff:10.0.0.1/104", InvalidPrefix::BitsAfter),
            ("::ffff:0.0.0.0/90", InvalidPrefix::BitsAfter),
        ] {
            assert_eq!(Prefix::parse(text), Err(error), "{text:?}");
        }
    }
}
