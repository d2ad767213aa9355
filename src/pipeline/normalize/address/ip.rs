//! Numbers and addresses by themselves.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Longest text of an IPv6 address, with an embedded IPv4 tail.
const MAX_IPV6_BYTES: usize = 45;

/// The form of nearly all rows, `1.2.3.4:80` and nothing else.
#[inline]
pub(crate) fn ipv4_and_port(text: &str) -> Option<(Ipv4Addr, u16)> {
    let mut rest = text.as_bytes();
    let ip = take_ipv4(&mut rest)?;
    let [b':', port @ ..] = rest else {
        return None;
    };
    Some((ip, decimal(port)?))
}

/// An IPv4 address of four plain octets: no leading zeros, no shorthand.
pub(super) fn ipv4(text: &str) -> Option<Ipv4Addr> {
    let (ip, rest) = ipv4_prefix(text)?;
    rest.is_empty().then_some(ip)
}

/// An IPv4 address and what follows it.
pub(super) fn ipv4_prefix(text: &str) -> Option<(Ipv4Addr, &str)> {
    let mut rest = text.as_bytes();
    let ip = take_ipv4(&mut rest)?;
    let rest = text.get(text.len() - rest.len()..)?;
    Some((ip, rest))
}

/// A number of 1 to 5 decimal digits, at most 65535.
#[inline]
pub(super) fn decimal(text: &[u8]) -> Option<u16> {
    if text.is_empty() || text.len() > 5 {
        return None;
    }
    let mut number = 0;
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number * 10 + u32::from(digit);
    }
    u16::try_from(number).ok()
}

/// An IPv6 address without zone.
pub(super) fn ipv6(text: &str) -> Option<Ipv6Addr> {
    if text.len() > MAX_IPV6_BYTES {
        return None;
    }
    text.parse().ok()
}

#[inline]
fn take_ipv4(rest: &mut &[u8]) -> Option<Ipv4Addr> {
    let a = take_octet(rest)?;
    take_dot(rest)?;
    let b = take_octet(rest)?;
    take_dot(rest)?;
    let c = take_octet(rest)?;
    take_dot(rest)?;
    let d = take_octet(rest)?;
    Some(Ipv4Addr::new(a, b, c, d))
}

#[inline]
fn take_dot(rest: &mut &[u8]) -> Option<()> {
    let [b'.', after @ ..] = *rest else {
        return None;
    };
    *rest = after;
    Some(())
}

#[inline]
fn take_octet(rest: &mut &[u8]) -> Option<u8> {
    let [first @ b'0'..=b'9', after @ ..] = *rest else {
        return None;
    };
    let mut octet = u16::from(first - b'0');
    *rest = after;
    while let [digit @ b'0'..=b'9', after @ ..] = *rest {
        // A digit after a zero that leads, or a fourth digit, is no octet.
        if octet == 0 || octet > 25 {
            return None;
        }
        octet = octet * 10 + u16::from(digit - b'0');
        *rest = after;
    }
    u8::try_from(octet).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers() {
        for (text, number) in [
            ("0", Some(0)),
            ("65535", Some(65535)),
            ("00080", Some(80)),
            ("65536", None),
            ("99999", None),
            ("000080", None),
            ("", None),
            ("+80", None),
            ("-1", None),
            (" 80", None),
            ("8:", None),
            ("٨", None),
        ] {
            assert_eq!(decimal(text.as_bytes()), number, "{text}");
        }
    }

    #[test]
    fn octets() {
        for text in [
            "256.1.1.1",
            "1.2.3",
            "1.2.3.4.",
            "01.2.3.4",
            "1.2.3.00",
            "1..3.4",
            "1.2.3.1000",
            "1.2.3.999",
            "0x1.2.3.4",
            "",
            ".1.2.3",
            "1.2.3.4 ",
            "1,2,3,4",
        ] {
            assert_eq!(ipv4(text), None, "{text}");
        }
        assert_eq!(ipv4("0.10.255.100"), Some(Ipv4Addr::new(0, 10, 255, 100)));
        assert_eq!(
            ipv4_prefix("1.2.3.4é"),
            Some((Ipv4Addr::new(1, 2, 3, 4), "é"))
        );
    }

    proptest! {
        #[test]
        fn agrees_with_the_standard_library(text in "[0-9]{1,3}(\\.[0-9]{1,3}){2,4}") {
            prop_assert_eq!(ipv4(&text), text.parse().ok());
        }

        #[test]
        fn every_address_and_port(bits in any::<u32>(), port in any::<u16>()) {
            let ip = Ipv4Addr::from_bits(bits);
            prop_assert_eq!(ipv4_and_port(&format!("{ip}:{port}")), Some((ip, port)));
        }
    }
}
