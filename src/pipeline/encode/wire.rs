//! Protobuf's wire format, written field by field into a buffer.

#![expect(
    clippy::cast_possible_truncation,
    reason = "a varint takes a number seven bits at a time, and a short length fits a byte"
)]

/// A field's tag for a varint value.
pub(super) const fn varint_tag(number: u32) -> u32 {
    number << 3
}

/// A field's tag for a length-delimited value.
pub(super) const fn bytes_tag(number: u32) -> u32 {
    number << 3 | 2
}

/// Appends a varint.
#[inline]
pub(super) fn push_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a field with a varint value.
#[inline]
pub(super) fn push_uint(out: &mut Vec<u8>, number: u32, value: u64) {
    push_varint(out, varint_tag(number).into());
    push_varint(out, value);
}

/// Appends a field with a varint value, unless it is 0, which is what an absent one means.
#[inline]
pub(super) fn push_nonzero(out: &mut Vec<u8>, number: u32, value: u64) {
    if value != 0 {
        push_uint(out, number, value);
    }
}

/// Appends a field of bytes or text.
#[inline]
pub(super) fn push_bytes(out: &mut Vec<u8>, number: u32, value: &[u8]) {
    push_varint(out, bytes_tag(number).into());
    push_varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

/// Appends a field of text, unless it is empty, which is what an absent one means.
#[inline]
pub(super) fn push_text(out: &mut Vec<u8>, number: u32, value: &str) {
    if !value.is_empty() {
        push_bytes(out, number, value.as_bytes());
    }
}

/// Appends a field whose content `write` appends. The length goes before it, in one byte where
/// it fits; a longer content is moved to make room, which is rare.
#[inline]
pub(super) fn push_nested(out: &mut Vec<u8>, number: u32, write: impl FnOnce(&mut Vec<u8>)) {
    push_varint(out, bytes_tag(number).into());
    let at = out.len();
    out.push(0);
    write(out);
    let len = out.len() - at - 1;
    if len < 0x80 {
        if let Some(place) = out.get_mut(at) {
            *place = len as u8;
        }
    } else {
        widen_length(out, at, len);
    }
}

#[cold]
fn widen_length(out: &mut Vec<u8>, at: usize, len: usize) {
    let mut prefix = Vec::with_capacity(10);
    push_varint(&mut prefix, len as u64);
    out.splice(at..=at, prefix);
}
