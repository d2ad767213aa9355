//! Decimal text to a whole number, exactly: no floating point, whose rounding would make whole
//! numbers of some that are not.

/// The value of a decimal text (JSON's grammar, leading zeros allowed) that is a whole number,
/// clamped to 64 bits; nothing when the text is no number or not whole.
///
/// `1260.0` and `126e1` are whole, `0.5` is not.
pub(super) fn whole(text: &str) -> Option<i64> {
    let (negative, magnitude) = match text.strip_prefix('-') {
        Some(magnitude) => (true, magnitude),
        None => (false, text),
    };
    // Nearly all are a few digits.
    let few = magnitude.len() <= 18 && magnitude.bytes().all(|byte| byte.is_ascii_digit());
    let value = if few {
        magnitude.parse().ok()?
    } else {
        scaled(magnitude)?
    };
    Some(if negative { -value } else { value })
}

/// The value of a number with a fraction, an exponent or many digits, clamped to 64 bits.
fn scaled(magnitude: &str) -> Option<i64> {
    let (mantissa, exponent) = match magnitude.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, clamped(exponent)?),
        None => (magnitude, 0),
    };
    let (integer, fraction) = match mantissa.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (mantissa, ""),
    };
    if integer.is_empty() {
        return None;
    }
    // The decimal point comes after so many digits; more than the length never matter.
    let point = exponent.saturating_add(i64::try_from(integer.len()).ok()?);
    let mut value: i64 = 0;
    let mut digits: i64 = 0;
    for byte in integer.bytes().chain(fraction.bytes()) {
        let digit = byte.is_ascii_digit().then(|| i64::from(byte - b'0'))?;
        if digits < point {
            value = value.saturating_mul(10).saturating_add(digit);
        } else if digit != 0 {
            return None;
        }
        digits += 1;
    }
    while digits < point && value != 0 && value != i64::MAX {
        value = value.saturating_mul(10);
        digits += 1;
    }
    Some(value)
}

/// An exponent: a sign and digits, clamped to 64 bits.
fn clamped(exponent: &str) -> Option<i64> {
    let (sign, digits) = match exponent.as_bytes() {
        [b'-', digits @ ..] => (-1, digits),
        [b'+', digits @ ..] | digits => (1, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits.iter().fold(0_i64, |value, digit| {
        let digit = i64::from(digit - b'0');
        value.saturating_mul(10).saturating_add(digit)
    });
    Some(sign * value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_in_every_spelling() {
        for (text, value) in [
            ("0", 0),
            ("-0", 0),
            ("1260", 1260),
            ("007", 7),
            ("-1", -1),
            ("-1.0", -1),
            ("1260.0", 1260),
            ("1260.000e0", 1260),
            ("1e3", 1000),
            ("1E+3", 1000),
            ("12.60e2", 1260),
            ("1260000e-3", 1260),
            ("0e999999999999999999999", 0),
            ("0.0e-999999999999999999999", 0),
            ("4294967295", 4_294_967_295),
            ("4294967296", 4_294_967_296),
            ("000000000000000000000000001", 1),
            ("1e999999999999999999999", i64::MAX),
            ("99999999999999999999", i64::MAX),
            ("-99999999999999999999", -i64::MAX),
        ] {
            assert_eq!(whole(text), Some(value), "{text}");
        }
    }

    #[test]
    fn what_is_not_whole_is_nothing() {
        for text in [
            "",
            "-",
            "+1",
            " 1",
            "1 ",
            "--1",
            "1.",
            ".5",
            "0.5",
            "1e",
            "1e+",
            "1e-1",
            "1e-999999999999999999999",
            "1e1e1",
            "1.2.3",
            "0x10",
            "abc",
            "1_000",
            "NaN",
            "inf",
            "4294967295.00000000000000000001",
            "٣",
        ] {
            assert_eq!(whole(text), None, "{text}");
        }
    }

    #[test]
    fn a_megabyte_of_digits_is_just_large() {
        assert_eq!(whole(&"9".repeat(1 << 20)), Some(i64::MAX));
        assert_eq!(whole(&format!("1e{}", "9".repeat(1 << 20))), Some(i64::MAX));
    }
}
