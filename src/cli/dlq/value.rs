//! The bytes of a dead letter for a person.

use std::fmt::Write as _;

/// How bytes are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Raw {
    /// As text where they are UTF-8, else in hex.
    Auto,
    /// As text; what is no UTF-8 is replaced.
    Text,
    /// In hex.
    Hex,
    /// Not at all.
    None,
}

/// Bytes on one line of hex.
const WIDTH: usize = 16;

/// The bytes, a few blanks before each line.
pub(super) fn shown(bytes: &[u8], raw: Raw) -> String {
    match (raw, std::str::from_utf8(bytes)) {
        (Raw::None, _) => String::new(),
        (Raw::Auto, Ok(text)) => lines(text),
        (Raw::Text, _) => lines(&String::from_utf8_lossy(bytes)),
        (Raw::Auto | Raw::Hex, _) => hex(bytes),
    }
}

fn lines(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let _ = writeln!(out, "  {}", printable(line));
    }
    out
}

/// The text without anything that would speak to a terminal.
pub(super) fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() || is_bidirectional(character) {
            out.extend(character.escape_default());
        } else {
            out.push(character);
        }
    }
    out
}

/// Characters that reorder what stands around them.
fn is_bidirectional(character: char) -> bool {
    matches!(character, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

fn hex(bytes: &[u8]) -> String {
    let mut out = String::new();
    for (number, line) in bytes.chunks(WIDTH).enumerate() {
        let _ = write!(out, "  {:08x} ", number * WIDTH);
        for byte in line {
            let _ = write!(out, " {byte:02x}");
        }
        let _ = write!(out, "{:1$}  ", "", 3 * (WIDTH - line.len()));
        let shown = line.iter().map(|byte| match byte {
            b' '..=b'~' => char::from(*byte),
            _ => '.',
        });
        out.extend(shown);
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_as_asked_and_never_speak_to_the_terminal() {
        assert_eq!(shown(b"a\x1B[2J\nb", Raw::Auto), "  a\\u{1b}[2J\n  b\n");
        assert_eq!(shown(b"a\xFF", Raw::Text), "  a\u{FFFD}\n");
        assert_eq!(shown(b"abc", Raw::None), "");
        insta::assert_snapshot!(shown(b"\x0A\x10hello, everybody\xFF", Raw::Auto), @r"
          00000000  0a 10 68 65 6c 6c 6f 2c 20 65 76 65 72 79 62 6f  ..hello, everybo
          00000010  64 79 ff                                         dy.
        ");
        assert_eq!(printable("a\u{202E}b"), "a\\u{202e}b");
    }
}
