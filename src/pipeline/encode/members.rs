//! Members of JSON objects, written straight into an output buffer.
//!
//! Every member ends with a comma; [`close`] takes the last one of an object away.

use std::io::Write;

use super::text::push_decimal;

/// The text, or nothing where it is empty.
pub(super) fn sent(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

pub(super) fn push_object(out: &mut Vec<u8>, key: &str, write: impl FnOnce(&mut Vec<u8>)) {
    push_key(out, key);
    out.push(b'{');
    write(out);
    close(out);
    out.push(b',');
}

/// An object, unless it comes out empty.
pub(super) fn push_object_if_any(out: &mut Vec<u8>, key: &str, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    push_key(out, key);
    out.push(b'{');
    let empty = out.len();
    write(out);
    if out.len() == empty {
        out.truncate(start);
        return;
    }
    close(out);
    out.push(b',');
}

/// Ends an object: its last member's comma gives way to the brace.
pub(super) fn close(out: &mut Vec<u8>) {
    out.pop_if(|last| *last == b',');
    out.push(b'}');
}

pub(super) fn push_list<'t>(out: &mut Vec<u8>, key: &str, items: impl Iterator<Item = &'t str>) {
    push_key(out, key);
    out.push(b'[');
    for item in items {
        push_string(out, item);
        out.push(b',');
    }
    out.pop_if(|last| *last == b',');
    out.extend_from_slice(b"],");
}

pub(super) fn push_member(out: &mut Vec<u8>, key: &str, value: Option<&str>) {
    if let Some(value) = value {
        push_key(out, key);
        push_string(out, value);
        out.push(b',');
    }
}

/// A string whose text needs no escapes.
pub(super) fn push_plain(out: &mut Vec<u8>, key: &str, write: impl FnOnce(&mut Vec<u8>)) {
    push_key(out, key);
    out.push(b'"');
    write(out);
    out.extend_from_slice(br#"","#);
}

pub(super) fn push_number(out: &mut Vec<u8>, key: &str, value: Option<u64>) {
    if let Some(value) = value {
        push_key(out, key);
        push_decimal(out, value);
        out.push(b',');
    }
}

/// A whole number as a string.
pub(super) fn push_decimal_text(out: &mut Vec<u8>, key: &str, value: i64) {
    push_plain(out, key, |out| push_signed(out, value));
}

/// A whole number that may be negative.
pub(super) fn push_integer(out: &mut Vec<u8>, key: &str, value: i64) {
    push_key(out, key);
    push_signed(out, value);
    out.push(b',');
}

fn push_signed(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    push_decimal(out, value.unsigned_abs());
}

/// A number with a fraction, in the shortest digits that are read back as the same; what is no
/// number to JSON is left out.
pub(super) fn push_float(out: &mut Vec<u8>, key: &str, value: f64) {
    if value.is_finite() {
        push_key(out, key);
        // Writing to a vector cannot fail.
        let _ = serde_json::to_writer(&mut *out, &value);
        out.push(b',');
    }
}

pub(super) fn push_flag(out: &mut Vec<u8>, key: &str, value: bool) {
    push_key(out, key);
    out.extend_from_slice(if value { b"true," } else { b"false," });
}

pub(super) fn push_key(out: &mut Vec<u8>, key: &str) {
    out.push(b'"');
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(br#"":"#);
}

/// A JSON string (RFC 8259, section 7): only what must be escaped is.
pub(super) fn push_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    push_escaped(out, text);
    out.push(b'"');
}

/// The inside of a JSON string.
pub(super) fn push_escaped(out: &mut Vec<u8>, text: &str) {
    let must_escape = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(must_escape) {
        let (clean, escaped) = rest.split_at(at);
        out.extend_from_slice(clean);
        if let Some((byte, after)) = escaped.split_first() {
            push_escape(out, *byte);
            rest = after;
        }
    }
    out.extend_from_slice(rest);
}

/// A JSON string in lower case, as far as its letters are ASCII's.
pub(super) fn push_lower_case(out: &mut Vec<u8>, text: &str) {
    let start = out.len();
    push_string(out, text);
    if let Some(written) = out.get_mut(start..) {
        written.make_ascii_lowercase();
    }
}

fn push_escape(out: &mut Vec<u8>, byte: u8) {
    let short = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        _ => {
            // Writing to a vector cannot fail.
            let _ = write!(out, "\\u{byte:04x}");
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn strings_are_read_back_as_they_were(text: String) {
            let mut out = Vec::new();
            push_string(&mut out, &text);
            let read: String = serde_json::from_slice(&out).unwrap();
            prop_assert_eq!(read, text);
        }
    }
}
