//! Numbers and addresses by themselves.

use std::net::{Ipv4Addr, Ipv6Addr};

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

/// `[::1]:80` and nothing else.
#[inline]
pub(crate) fn ipv6_and_port(text: &str) -> Option<(Ipv6Addr, u16)> {
    let [b'[', rest @ ..] = text.as_bytes() else {
        return None;
    };
    let mut rest = rest;
    let ip = take_ipv6(&mut rest)?;
    let [b']', b':', port @ ..] = rest else {
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
    let mut rest = text.as_bytes();
    let ip = take_ipv6(&mut rest)?;
    rest.is_empty().then_some(ip)
}

/// Takes as much of the text as is one address.
fn take_ipv6(rest: &mut &[u8]) -> Option<Ipv6Addr> {
    let follows = |rest: &[u8]| rest.first().is_some_and(u8::is_ascii_hexdigit);
    // The groups so far, and those before `::` with their number.
    let (mut groups, mut count) = (0, 0);
    let mut before_gap = None;
    let mut is_more = true;
    if let [b':', b':', after @ ..] = *rest {
        before_gap = Some((0, 0));
        *rest = after;
        is_more = follows(after);
    }
    while is_more {
        let start = *rest;
        let group = take_group(rest)?;
        if let [b'.', ..] = *rest {
            *rest = start;
            groups = (groups << 32) | u128::from(take_ipv4(rest)?.to_bits());
            count += 2;
            break;
        }
        groups = (groups << 16) | u128::from(group);
        count += 1;
        is_more = match *rest {
            [b':', b':', after @ ..] if before_gap.is_none() => {
                before_gap = Some((groups, count));
                groups = 0;
                *rest = after;
                follows(after)
            }
            [b':', after @ ..] if count < 8 => {
                *rest = after;
                true
            }
            _ => false,
        };
    }
    let bits = match before_gap {
        None if count == 8 => groups,
        // `::` stands for one group at least.
        Some((before, number)) if count < 8 => {
            before.checked_shl(16 * (8 - number)).unwrap_or(0) | groups
        }
        _ => return None,
    };
    Some(Ipv6Addr::from_bits(bits))
}

/// One group: 1 to 4 hex digits.
#[inline]
fn take_group(rest: &mut &[u8]) -> Option<u16> {
    let mut group = 0;
    let mut digits = 0;
    while let [byte, after @ ..] = *rest {
        let Some(digit) = char::from(*byte).to_digit(16) else {
            break;
        };
        if digits == 4 {
            return None;
        }
        group = (group << 4) | digit;
        digits += 1;
        *rest = after;
    }
    if digits == 0 {
        return None;
    }
    u16::try_from(group).ok()
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
    fn groups() {
        for text in [
            "::",
            "::1",
            "1::",
            "1:2:3:4:5:6:7:8",
            "1:2:3:4:5:6:7::",
            "::2:3:4:5:6:7:8",
            "1:2:3::5:6:7:8",
            "1::2:3",
            "::1.2.3.4",
            "1:2:3:4:5:6:1.2.3.4",
            "1::5:1.2.3.4",
            "::ffff:1.2.3.4",
            "FFFF::abcd",
            "0001::",
            "1:2:3:4:5::1.2.3.4",
            "",
            ":",
            ":::",
            "1",
            "1:",
            ":1",
            "1:::2",
            "1::2::3",
            "1:2:3:4:5:6:7",
            "1:2:3:4:5:6:7:8:",
            "1:2:3:4:5:6:7:8:9",
            "1:2:3:4:5:6:7:8::",
            "::1:2:3:4:5:6:7:8",
            "1:2:3:4::5:6:7:8",
            "00001::",
            "::g",
            "::1 ",
            "::1.2.3",
            "::1.2.3.4.5",
            "::1.2.3.4:5",
            "1:2:3:4:5:6:7:1.2.3.4",
            "1:2:3:4:5:6::1.2.3.4",
            "::1:2:3:4:5:6:1.2.3.4",
            "::1.2.3.04",
            "::.1.2.3",
            "::abc.1.2.3",
            "1.2.3.4",
            "1.2.3.4::",
            "::1:",
            "::1::",
            "1::2:",
        ] {
            assert_eq!(ipv6(text), text.parse().ok(), "{text}");
        }
    }

    #[test]
    fn what_is_not_only_an_address_and_a_port() {
        for text in [
            "[::1]",
            "[::1:80",
            "::1:80",
            "[::1%1]:80",
            "[1::2:]:80",
            "[::]:*",
            "[]:1",
        ] {
            assert_eq!(ipv6_and_port(text), None, "{text}");
        }
        for text in [
            "1.2.3.4",
            "1.2.3.4:",
            "1.2.3.4:*",
            "1.2.3.4.80",
            " 1.2.3.4:80",
        ] {
            assert_eq!(ipv4_and_port(text), None, "{text}");
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
        fn agrees_on_ipv6_too(
            text in "[0-9a-fA-F]{0,4}(::?[0-9a-fA-F]{0,4}){1,8}|:?(:[0-9a-f]{1,2}){1,7}(:1\\.2\\.3\\.4)?",
            bits in any::<u128>(),
        ) {
            prop_assert_eq!(ipv6(&text), text.parse().ok());
            let ip = Ipv6Addr::from_bits(bits);
            prop_assert_eq!(ipv6(&ip.to_string()), Some(ip));
            prop_assert_eq!(ipv6_and_port(&format!("[{ip}]:443")), Some((ip, 443)));
        }

        #[test]
        fn every_address_and_port(bits in any::<u32>(), port in any::<u16>()) {
            let ip = Ipv4Addr::from_bits(bits);
            prop_assert_eq!(ipv4_and_port(&format!("{ip}:{port}")), Some((ip, port)));
        }
    }
}
