//! Canonical text of numbers, addresses, ids and times, written straight into an output buffer.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::super::message::Time;

const LOWER: &[u8; 16] = b"0123456789abcdef";
const UPPER: &[u8; 16] = b"0123456789ABCDEF";

fn digit(value: u8, alphabet: &[u8; 16]) -> u8 {
    alphabet
        .get(usize::from(value & 0x0F))
        .copied()
        .unwrap_or(b'0')
}

fn hex(byte: u8, alphabet: &[u8; 16]) -> [u8; 2] {
    [digit(byte >> 4, alphabet), digit(byte, alphabet)]
}

/// Appends a UUID, hyphenated and in lower case (RFC 9562, section 4).
pub fn push_uuid(out: &mut Vec<u8>, id: [u8; 16]) {
    let digits = id.map(|byte| hex(byte, LOWER));
    let (first, rest) = digits.as_flattened().split_at(8);
    out.extend_from_slice(first);
    for group in rest.chunks(4).take(3) {
        out.push(b'-');
        out.extend_from_slice(group);
    }
    out.push(b'-');
    out.extend_from_slice(rest.get(12..).unwrap_or_default());
}

/// Appends a MAC address with hyphens in upper case (IEEE 802).
pub fn push_mac(out: &mut Vec<u8>, mac: [u8; 6]) {
    for (index, byte) in mac.into_iter().enumerate() {
        if index > 0 {
            out.push(b'-');
        }
        out.extend_from_slice(&hex(byte, UPPER));
    }
}

/// Appends a number in decimal.
pub(super) fn push_decimal(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    for place in digits.iter_mut().rev() {
        *place = b'0' + (number % 10) as u8;
        number /= 10;
        start -= 1;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(start..).unwrap_or_default());
}

/// Appends a number in decimal with leading zeros to at least `width` digits.
fn push_padded(out: &mut Vec<u8>, number: u64, width: u32) {
    let mut bound = 10_u64.pow(width - 1);
    while bound > number.max(1) {
        out.push(b'0');
        bound /= 10;
    }
    push_decimal(out, number);
}

/// Appends an address in canonical text: RFC 5952 for IPv6.
pub fn push_ip(out: &mut Vec<u8>, ip: IpAddr) {
    match ip {
        IpAddr::V4(ip) => push_ipv4(out, ip),
        IpAddr::V6(ip) => push_ipv6(out, ip),
    }
}

fn push_ipv4(out: &mut Vec<u8>, ip: Ipv4Addr) {
    for (index, octet) in ip.octets().into_iter().enumerate() {
        if index > 0 {
            out.push(b'.');
        }
        if octet >= 100 {
            out.push(b'0' + octet / 100);
        }
        if octet >= 10 {
            out.push(b'0' + octet / 10 % 10);
        }
        out.push(b'0' + octet % 10);
    }
}

/// Lower case, no leading zeros, the longest run of two or more zero groups (of equal ones the
/// first) as `::`. Mapped IPv4 addresses do not come here: they are unmapped when read.
fn push_ipv6(out: &mut Vec<u8>, ip: Ipv6Addr) {
    let groups = ip.segments();
    let (mut run_start, mut run_len) = (groups.len(), 1);
    let mut zeros = 0;
    for (index, group) in groups.into_iter().enumerate() {
        zeros = if group == 0 { zeros + 1 } else { 0 };
        if zeros > run_len {
            (run_start, run_len) = (index + 1 - zeros, zeros);
        }
    }
    let run = run_start..run_start + run_len;
    for (index, group) in groups.into_iter().enumerate() {
        if run.contains(&index) {
            if index == run_start {
                out.extend_from_slice(b"::");
            }
            continue;
        }
        if index > 0 && index != run.end {
            out.push(b':');
        }
        push_group(out, group);
    }
}

fn push_group(out: &mut Vec<u8>, group: u16) {
    let [high, low] = group.to_be_bytes();
    let digits = [hex(high, LOWER), hex(low, LOWER)];
    let digits = digits.as_flattened();
    let zeros = digits
        .iter()
        .take(3)
        .take_while(|digit| **digit == b'0')
        .count();
    out.extend_from_slice(digits.get(zeros..).unwrap_or_default());
}

/// Appends a time in RFC 3339, UTC, with as many of three, six or nine fractional digits as it
/// needs (the protobuf JSON mapping's rule).
pub fn push_time(out: &mut Vec<u8>, time: Time) {
    const DAY: i64 = 86_400;
    let (year, month, day) = civil_from_days(time.seconds.div_euclid(DAY));
    let second = time.seconds.rem_euclid(DAY).unsigned_abs();
    push_padded(out, year, 4);
    for (mark, value) in [
        (b'-', month),
        (b'-', day),
        (b'T', second / 3600),
        (b':', second / 60 % 60),
        (b':', second % 60),
    ] {
        out.push(mark);
        push_padded(out, value, 2);
    }
    let nanos = u64::from(time.nanos);
    if nanos > 0 {
        out.push(b'.');
        match (nanos % 1_000_000, nanos % 1_000) {
            (0, _) => push_padded(out, nanos / 1_000_000, 3),
            (_, 0) => push_padded(out, nanos / 1_000, 6),
            _ => push_padded(out, nanos, 9),
        }
    }
    out.push(b'Z');
}

/// Year, month and day of a day counted from 1970-01-01 in the proleptic Gregorian calendar,
/// for the years 1 to 9999: days are counted from a 1 March, so that the leap day comes last.
fn civil_from_days(days: i64) -> (u64, u64, u64) {
    const FROM_0000_03_01: i64 = 719_468;
    const DAYS_OF_400_YEARS: u64 = 146_097;
    let days = days.saturating_add(FROM_0000_03_01).max(0).unsigned_abs();
    let era = days / DAYS_OF_400_YEARS;
    let day_of_era = days % DAYS_OF_400_YEARS;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(push: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        push(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn uuids_and_macs() {
        let id = [
            0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0, 1, 2, 3, 4, 5, 6, 7,
        ];
        assert_eq!(
            text(|out| push_uuid(out, id)),
            "01234567-89ab-cdef-0001-020304050607"
        );
        let mac = [0, 0x0d, 0x3a, 0x13, 0xe3, 0x69];
        assert_eq!(text(|out| push_mac(out, mac)), "00-0D-3A-13-E3-69");
    }

    #[test]
    fn rfc_5952_examples() {
        for (written, canonical) in [
            ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
            ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
            ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"),
            ("2001:DB8::0001", "2001:db8::1"),
            ("0:0:0:0:0:0:0:0", "::"),
            ("0:0:0:0:0:0:0:1", "::1"),
            ("1:0:0:0:0:0:0:0", "1::"),
        ] {
            let ip = written.parse().unwrap();
            assert_eq!(text(|out| push_ip(out, ip)), canonical);
        }
    }

    #[test]
    fn times() {
        for (seconds, nanos, expected) in [
            (0, 0, "1970-01-01T00:00:00Z"),
            (1_659_394_295, 0, "2022-08-01T22:51:35Z"),
            (1_709_210_096, 789_000_000, "2024-02-29T12:34:56.789Z"),
            (-1, 1_000, "1969-12-31T23:59:59.000001Z"),
            (-62_135_596_800, 1, "0001-01-01T00:00:00.000000001Z"),
            (
                253_402_300_799,
                999_999_999,
                "9999-12-31T23:59:59.999999999Z",
            ),
        ] {
            assert_eq!(
                text(|out| push_time(out, Time { seconds, nanos })),
                expected
            );
        }
    }

    proptest! {
        #[test]
        fn numbers_read_as_std_writes_them(number: u64, v4: u32, v6: [u16; 8], zeroed: u8) {
            prop_assert_eq!(text(|out| push_decimal(out, number)), number.to_string());
            let ip = Ipv4Addr::from(v4);
            prop_assert_eq!(text(|out| push_ip(out, ip.into())), ip.to_string());
            let mut groups = v6;
            for (index, group) in groups.iter_mut().enumerate() {
                if zeroed >> index & 1 == 1 {
                    *group = 0;
                }
            }
            let ip = Ipv6Addr::from(groups);
            prop_assume!(ip.to_ipv4().is_none());
            prop_assert_eq!(text(|out| push_ip(out, ip.into())), ip.to_string());
        }

        #[test]
        fn times_agree_with_jiff(seconds in -62_135_596_800_i64..=253_402_300_799 - 86_400) {
            let expected = jiff::Timestamp::from_second(seconds).unwrap().to_string();
            prop_assert_eq!(text(|out| push_time(out, Time { seconds, nanos: 0 })), expected);
        }
    }
}
