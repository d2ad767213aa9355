//! Times as text: RFC 3339, and ISO 8601 without an offset.

use super::message::Time;

/// 0001-01-01T00:00:00Z in seconds since 1970.
const MIN_SECONDS: i64 = -62_135_596_800;
/// 9999-12-31T23:59:59Z in seconds since 1970.
const MAX_SECONDS: i64 = 253_402_300_799;

const DAY_SECONDS: i64 = 86_400;

impl Time {
    /// The time of so many seconds and nanoseconds since 1970, as `google.protobuf.Timestamp`
    /// has them; nothing outside the years 1 to 9999 or the nanoseconds of a second.
    pub fn from_parts(seconds: i64, nanos: i32) -> Option<Self> {
        let nanos = u32::try_from(nanos).ok()?;
        let in_range = (MIN_SECONDS..=MAX_SECONDS).contains(&seconds) && nanos < 1_000_000_000;
        in_range.then_some(Self { seconds, nanos })
    }

    /// The time that a text says: `2022-08-01T22:51:35.123Z`, UTC where it has no offset.
    ///
    /// Everything of RFC 3339 is taken: `t`, a blank and `z` for `T` and `Z`, any number of
    /// fractional digits (beyond nanoseconds they are cut), and a leap second, which becomes
    /// the last nanosecond of its minute, since UTC without leap seconds has no other place for
    /// it in that day. Of ISO 8601 the offset `+0200` and the decimal comma are taken besides.
    ///
    /// ```
    /// use netsieve::pipeline::message::Time;
    ///
    /// let time = Time::parse("2022-08-01T22:51:35").unwrap();
    /// assert_eq!((time.seconds, time.nanos), (1_659_394_295, 0));
    /// assert_eq!(Time::parse("2022-08-02T00:51:35.0+02:00"), Some(time));
    /// assert_eq!(Time::parse("yesterday"), None);
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        let mut rest = text.as_bytes();
        let rest = &mut rest;
        let year = digits(rest, 4)?;
        byte(rest, b"-")?;
        let month = digits(rest, 2)?;
        byte(rest, b"-")?;
        let day = digits(rest, 2)?;
        byte(rest, b"Tt ")?;
        let hour = digits(rest, 2)?;
        byte(rest, b":")?;
        let minute = digits(rest, 2)?;
        byte(rest, b":")?;
        let second = digits(rest, 2)?;
        let nanos = fraction(rest)?;
        let offset_seconds = offset(rest)?;
        let valid = (1..=12).contains(&month)
            && (1..=days_in_month(year, month)).contains(&day)
            && hour < 24
            && minute < 60
            && second <= 60
            && rest.is_empty();
        if !valid {
            return None;
        }
        let second_of_day = hour * 3600 + minute * 60 + second.min(59);
        let seconds = days_since_1970(year, month, day) * DAY_SECONDS + second_of_day;
        let seconds = seconds - offset_seconds;
        if second < 60 {
            return Self::from_parts(seconds, nanos);
        }
        // Leap seconds are put before midnight UTC and nowhere else.
        let last_of_day = seconds.rem_euclid(DAY_SECONDS) == DAY_SECONDS - 1;
        let nanos = last_of_day.then_some(999_999_999)?;
        Self::from_parts(seconds, nanos)
    }
}

/// Exactly so many digits.
fn digits(rest: &mut &[u8], count: usize) -> Option<i64> {
    let (digits, after) = rest.split_at_checked(count)?;
    *rest = after;
    digits.iter().try_fold(0, |value, digit| {
        let digit = digit.is_ascii_digit().then(|| i64::from(digit - b'0'))?;
        Some(value * 10 + digit)
    })
}

/// One of these bytes.
fn byte(rest: &mut &[u8], any_of: &[u8]) -> Option<u8> {
    let (first, after) = rest.split_first()?;
    *rest = after;
    any_of.contains(first).then_some(*first)
}

/// The nanoseconds of a fraction; 0 where there is none.
fn fraction(rest: &mut &[u8]) -> Option<i32> {
    let [b'.' | b',', after @ ..] = *rest else {
        return Some(0);
    };
    let length = after.iter().take_while(|it| it.is_ascii_digit()).count();
    let (digits, after) = after.split_at_checked(length)?;
    *rest = after;
    if digits.is_empty() {
        return None;
    }
    let nine = digits.iter().chain(std::iter::repeat(&b'0')).take(9);
    Some(nine.fold(0, |nanos, digit| nanos * 10 + i32::from(digit - b'0')))
}

/// The seconds that local time is ahead of UTC; 0 where the text ends.
fn offset(rest: &mut &[u8]) -> Option<i64> {
    if rest.is_empty() {
        return Some(0);
    }
    let sign = match byte(rest, b"Zz+-")? {
        b'+' => 1,
        b'-' => -1,
        _ => return Some(0),
    };
    let hours = digits(rest, 2)?;
    if let [b':', after @ ..] = *rest {
        *rest = after;
    }
    let minutes = digits(rest, 2)?;
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

fn days_in_month(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 31,
    }
}

/// The days from 1970-01-01 to a day of the Gregorian calendar. Years are taken to begin in
/// March, so that the leap day ends one.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    365 * year + leap_days + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spellings_of_one_time() {
        for text in [
            "2022-08-01T22:51:35",
            "2022-08-01T22:51:35Z",
            "2022-08-01t22:51:35z",
            "2022-08-01 22:51:35",
            "2022-08-01 22:51:35Z",
            "2022-08-01T22:51:35+00:00",
            "2022-08-01T22:51:35-00:00",
            "2022-08-01T22:51:35+0000",
            "2022-08-02T00:51:35+02:00",
            "2022-08-02T00:51:35+0200",
            "2022-08-01T17:21:35-05:30",
            "2022-08-01T22:51:35.0",
            "2022-08-01T22:51:35,000Z",
            "2022-08-01T22:51:35.0000000009Z",
        ] {
            let time = Time::parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((time.seconds, time.nanos), (1_659_394_295, 0), "{text}");
        }
    }

    #[test]
    fn fractions_and_bounds() {
        for (text, seconds, nanos) in [
            ("1970-01-01T00:00:00.5Z", 0, 500_000_000),
            ("1970-01-01T00:00:00.123456789Z", 0, 123_456_789),
            ("1970-01-01T00:00:00.1234567899", 0, 123_456_789),
            ("1969-12-31T23:59:59.9", -1, 900_000_000),
            ("0001-01-01T00:00:00Z", MIN_SECONDS, 0),
            ("9999-12-31T23:59:59.999999999Z", MAX_SECONDS, 999_999_999),
            ("2000-02-29T00:00:00", 951_782_400, 0),
            ("2016-12-31T23:59:60Z", 1_483_228_799, 999_999_999),
            ("2017-01-01T01:59:60.25+02:00", 1_483_228_799, 999_999_999),
        ] {
            assert_eq!(Time::parse(text), Some(Time { seconds, nanos }), "{text}");
        }
    }

    #[test]
    fn what_is_no_time() {
        for text in [
            "",
            " ",
            "now",
            "1659394295",
            "2022-08-01",
            "2022-08-01T22:51",
            "20220801T225135Z",
            "2022-8-01T22:51:35",
            "2022-00-01T22:51:35",
            "2022-13-01T22:51:35",
            "2022-08-00T22:51:35",
            "2022-08-32T22:51:35",
            "2022-04-31T22:51:35",
            "2022-02-29T22:51:35",
            "1900-02-29T22:51:35",
            "0000-01-01T00:00:00Z",
            "0001-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
            "10000-01-01T00:00:00Z",
            "-0001-01-01T00:00:00Z",
            "2022-08-01T24:00:00",
            "2022-08-01T22:60:35",
            "2022-08-01T22:51:61",
            "2022-08-01T22:51:60",
            "2022-08-01T23:59:60+02:00",
            "2022-08-01T22:51:35.",
            "2022-08-01T22:51:35.Z",
            "2022-08-01T22:51:35.1.2",
            "2022-08-01T22:51:35+2:00",
            "2022-08-01T22:51:35+02",
            "2022-08-01T22:51:35+24:00",
            "2022-08-01T22:51:35+02:60",
            "2022-08-01T22:51:35ZZ",
            "2022-08-01T22:51:35Z ",
            " 2022-08-01T22:51:35Z",
            "2022-08-01_22:51:35Z",
            "２022-08-01T22:51:35Z",
        ] {
            assert_eq!(Time::parse(text), None, "{text}");
        }
    }

    #[test]
    fn parts_have_the_range_of_the_schema() {
        assert!(Time::from_parts(MIN_SECONDS, 0).is_some());
        assert!(Time::from_parts(MAX_SECONDS, 999_999_999).is_some());
        for (seconds, nanos) in [
            (MIN_SECONDS - 1, 0),
            (MAX_SECONDS + 1, 0),
            (i64::MIN, 0),
            (i64::MAX, 0),
            (0, -1),
            (0, 1_000_000_000),
            (0, i32::MIN),
        ] {
            assert_eq!(Time::from_parts(seconds, nanos), None);
        }
    }

    proptest! {
        #[test]
        fn every_time_is_read_as_an_independent_printer_writes_it(
            seconds in MIN_SECONDS..=MAX_SECONDS,
            nanos in 0..1_000_000_000_i32,
        ) {
            let text = prost_types::Timestamp { seconds, nanos }.to_string();
            prop_assert_eq!(Time::parse(&text), Time::from_parts(seconds, nanos), "{}", text);
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}|[-0-9TtZz:.,+ ]{0,40}") {
            let _ = Time::parse(&text);
        }
    }
}
