//! A rejection: the reason, the field, and one sentence for a person.

use super::code::Reason;

/// Longest sentence of a rejection, in bytes.
pub const MAX_MESSAGE_BYTES: usize = 200;

/// Why a message or a record was rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// The code.
    pub reason: Reason,
    /// The field at fault, for example `local_address` or `metadata.timestamp`.
    pub field: Option<&'static str>,
    /// One sentence that names the field and the value: printable, at most
    /// [`MAX_MESSAGE_BYTES`] bytes.
    pub message: String,
}

impl Reject {
    /// A rejection of something that has no single field, or whose sentence says it all.
    #[cold]
    pub fn new(
        reason: impl Into<Reason>,
        field: Option<&'static str>,
        message: &(impl ToString + ?Sized),
    ) -> Self {
        Self {
            reason: reason.into(),
            field,
            message: printable(&message.to_string(), MAX_MESSAGE_BYTES),
        }
    }

    /// A rejection of a field's value: "`field` `problem`: `value`".
    #[cold]
    pub fn value(
        reason: impl Into<Reason>,
        field: &'static str,
        problem: &str,
        value: &str,
    ) -> Self {
        Self::new(
            reason,
            Some(field),
            &format!("{field} {problem}: \"{value}\""),
        )
    }
}

/// The text with control characters escaped, those that turn the direction of writing among
/// them, cut to at most `max_bytes` bytes; a cut shows as an ellipsis.
pub(super) fn printable(text: &str, max_bytes: usize) -> String {
    const ELLIPSIS: char = '…';
    let mut out = String::new();
    let mut fits = 0;
    for character in text.chars() {
        if is_unprintable(character) {
            out.extend(character.escape_default());
        } else {
            out.push(character);
        }
        if out.len() > max_bytes {
            out.truncate(fits);
            out.push(ELLIPSIS);
            break;
        }
        if out.len() + ELLIPSIS.len_utf8() <= max_bytes {
            fits = out.len();
        }
    }
    out
}

/// Whether a terminal obeys the character rather than show it: controls, and the marks, embeddings
/// and isolates of Unicode's bidirectional algorithm (UAX #9), by which `gpj.exe` can be shown as
/// `exe.jpg`.
pub fn is_unprintable(character: char) -> bool {
    let turns = matches!(
        character,
        '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    turns || character.is_control()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::code::Rejection;

    #[test]
    fn a_sentence_is_cut_and_has_no_control_characters() {
        let short = Reject::value(
            Rejection::InvalidProtocol,
            "protocol",
            "is odd",
            "a\u{0}\nb",
        );
        assert_eq!(short.message, r#"protocol is odd: "a\u{0}\nb""#);
        assert_eq!(printable("a\u{202e}gpj.exe", 99), "a\\u{202e}gpj.exe");
        let long = Reject::new(Rejection::InvalidProtocol, None, &"é".repeat(150));
        assert!(long.message.len() <= MAX_MESSAGE_BYTES);
        assert!(long.message.ends_with("é…"));
        let exact = "x".repeat(MAX_MESSAGE_BYTES);
        assert_eq!(
            Reject::new(Rejection::InvalidProtocol, None, &exact).message,
            exact
        );
    }
}
