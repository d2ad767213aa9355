//! A file's bytes to text, in whatever encoding the tool or its shell wrote it.

use std::borrow::Cow;

/// The text of a file, and whether some of its bytes were no text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text<'a> {
    /// The text, without a byte order mark.
    pub text: Cow<'a, str>,
    /// Whether bytes that are no text of the encoding were replaced by U+FFFD. Windows' console
    /// tools write in the code page of the console, so a localised word may have such a byte.
    pub replaced: bool,
}

/// Reads a unit of UTF-16 in a byte order.
type Unit = fn([u8; 2]) -> u16;

/// How much of a file without a mark is looked at to tell UTF-16, in bytes.
const SAMPLE_BYTES: usize = 4096;

/// Reads text: UTF-16 of either byte order, after its mark as PowerShell's `>` writes it or
/// without one, and UTF-8 with or without one.
pub fn decode(bytes: &[u8]) -> Text<'_> {
    match bytes {
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => utf8(rest),
        bytes => match unmarked_utf16(bytes) {
            Some(unit) => utf16(bytes, unit),
            None => utf8(bytes),
        },
    }
}

/// The byte order of UTF-16 whose mark is gone, as it is from parts of a file and from what was
/// appended to one. Nearly all that is read here is ASCII, of which UTF-16 has a zero in every
/// second byte; no other text has zeros at all.
fn unmarked_utf16(bytes: &[u8]) -> Option<Unit> {
    let (pairs, _) = bytes.get(..SAMPLE_BYTES).unwrap_or(bytes).as_chunks::<2>();
    let ascii = |pair: &&[u8; 2], high: usize| pair[high] == 0 && pair[1 - high] != 0;
    let orders: [(usize, Unit); 2] = [(1, u16::from_le_bytes), (0, u16::from_be_bytes)];
    let found = orders.into_iter().find(|(high, _)| {
        let count = pairs.iter().filter(|pair| ascii(pair, *high)).count();
        count > pairs.len() / 2
    });
    found.map(|(_, unit)| unit)
}

fn utf8(bytes: &[u8]) -> Text<'_> {
    let text = String::from_utf8_lossy(bytes);
    let replaced = matches!(text, Cow::Owned(_));
    Text { text, replaced }
}

fn utf16(bytes: &[u8], unit: Unit) -> Text<'static> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let units = pairs.iter().map(|pair| unit(*pair));
    let mut replaced = !rest.is_empty();
    let mut text = String::with_capacity(pairs.len());
    for character in char::decode_utf16(units) {
        replaced |= character.is_err();
        text.push(character.unwrap_or(char::REPLACEMENT_CHARACTER));
    }
    let text = Cow::Owned(text);
    Text { text, replaced }
}

/// The lines of a text with their numbers from 1, without line ends and the blanks before them;
/// of empty lines only the numbers are taken.
pub(super) fn lines(text: &str) -> impl Iterator<Item = (u64, &str)> {
    let lines = (1..).zip(text.split('\n').map(str::trim_end));
    lines.filter(|(_, line)| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_encoding_reads_alike() {
        let plain = "TCP ABHÖREN 😀\r\n";
        let units = || plain.encode_utf16();
        let little: Vec<u8> = [0xff, 0xfe]
            .into_iter()
            .chain(units().flat_map(u16::to_le_bytes))
            .collect();
        let big: Vec<u8> = [0xfe, 0xff]
            .into_iter()
            .chain(units().flat_map(u16::to_be_bytes))
            .collect();
        let marked = [b"\xef\xbb\xbf", plain.as_bytes()].concat();
        let (little_bare, big_bare) = (&little[2..], &big[2..]);
        for bytes in [
            plain.as_bytes(),
            &marked,
            &little,
            &big,
            little_bare,
            big_bare,
        ] {
            let text = decode(bytes);
            assert_eq!((&*text.text, text.replaced), (plain, false));
        }
    }

    #[test]
    fn what_is_no_text_is_replaced_and_said() {
        // The console's code page 850 has Ö at 0x99.
        let text = decode(b"ABH\x99REN");
        assert_eq!((&*text.text, text.replaced), ("ABH\u{fffd}REN", true));
        for bytes in [&b"\xff\xfea"[..], b"\xff\xfe\x00\xd8"] {
            assert!(decode(bytes).replaced, "{bytes:?}");
        }
        assert_eq!(decode(b"").text, "");
    }

    #[test]
    fn zeros_alone_are_not_utf16() {
        for bytes in [
            &b"a\0bc"[..],
            b"\0\0\0\0",
            b"ab\0cd\0",
            b"a",
            b"TCP 10.0.0.1:80\0\0",
        ] {
            let text = decode(bytes);
            assert_eq!(text.text.as_bytes(), bytes);
            assert!(!text.replaced);
        }
        // A part of a file may begin or end within a character.
        let cut = decode(b"T\0C\0P\0 ");
        assert_eq!((&*cut.text, cut.replaced), ("TCP", true));
    }

    #[test]
    fn lines_are_numbered_and_have_no_ends() {
        let found: Vec<_> = lines("a \r\n \r\n b\n").collect();
        assert_eq!(found, [(1, "a"), (3, " b")]);
    }
}
