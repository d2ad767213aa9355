//! The protobuf wire format: fields read from bytes, and written one by one into a buffer.

/// The deepest nesting of groups that is skipped; no schema in use has any.
const MAX_GROUP_DEPTH: usize = 100;

/// Why bytes are not protobuf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed {
    /// What is wrong, in words.
    pub(super) what: &'static str,
    /// How many bytes were left to read when it was found.
    pub(super) rest: usize,
}

/// How a field's value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WireType {
    Varint,
    Fixed64,
    Bytes,
    GroupStart,
    GroupEnd,
    Fixed32,
}

/// The start of a field: its number and how its value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag {
    pub(super) field: u32,
    pub(super) wire: WireType,
}

/// Reads fields from the front of a slice, borrowing what it gives.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// How many bytes are left.
    pub(super) const fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// The next field's tag, or nothing at the end.
    #[inline]
    pub(super) fn tag(&mut self) -> Result<Option<Tag>, Malformed> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let key = u32::try_from(self.varint()?)
            .map_err(|_| self.malformed("a field number is out of range"))?;
        let wire = match key & 7 {
            0 => WireType::Varint,
            1 => WireType::Fixed64,
            2 => WireType::Bytes,
            3 => WireType::GroupStart,
            4 => WireType::GroupEnd,
            5 => WireType::Fixed32,
            _ => return Err(self.malformed("a wire type does not exist")),
        };
        match key >> 3 {
            0 => Err(self.malformed("a field has the number 0")),
            field => Ok(Some(Tag { field, wire })),
        }
    }

    /// A varint: at most ten bytes, 64 bits.
    #[inline]
    pub(super) fn varint(&mut self) -> Result<u64, Malformed> {
        match self.rest {
            [byte @ 0..0x80, rest @ ..] => {
                self.rest = rest;
                Ok(u64::from(*byte))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0;
        let mut bytes = self.rest.iter();
        for shift in (0..64).step_by(7) {
            let Some(&byte) = bytes.next() else {
                return Err(self.malformed("a number is cut off"));
            };
            if shift == 63 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                self.rest = bytes.as_slice();
                return Ok(value);
            }
        }
        Err(self.malformed("a number has more than 64 bits"))
    }

    /// The bytes of a length-delimited field.
    #[inline]
    pub(super) fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.varint()?;
        let split = usize::try_from(length).ok();
        let split = split.and_then(|length| self.rest.split_at_checked(length));
        let Some((bytes, rest)) = split else {
            return Err(self.malformed("a length runs past the end"));
        };
        self.rest = rest;
        Ok(bytes)
    }

    /// Steps over the value of a field, whole groups included.
    pub(super) fn skip(&mut self, tag: Tag) -> Result<(), Malformed> {
        self.skip_nested(tag, MAX_GROUP_DEPTH)
    }

    fn skip_nested(&mut self, tag: Tag, depth: usize) -> Result<(), Malformed> {
        match tag.wire {
            WireType::Varint => self.varint().map(drop),
            WireType::Fixed64 => self.fixed(8),
            WireType::Bytes => self.bytes().map(drop),
            WireType::Fixed32 => self.fixed(4),
            WireType::GroupEnd => Err(self.malformed("a group ends that did not begin")),
            WireType::GroupStart => {
                let Some(depth) = depth.checked_sub(1) else {
                    return Err(self.malformed("groups are nested too deep"));
                };
                loop {
                    match self.tag()? {
                        None => return Err(self.malformed("a group does not end")),
                        Some(inner) if inner.wire == WireType::GroupEnd => {
                            return if inner.field == tag.field {
                                Ok(())
                            } else {
                                Err(self.malformed("a group ends inside another"))
                            };
                        }
                        Some(inner) => self.skip_nested(inner, depth)?,
                    }
                }
            }
        }
    }

    fn fixed(&mut self, length: usize) -> Result<(), Malformed> {
        match self.rest.get(length..) {
            Some(rest) => {
                self.rest = rest;
                Ok(())
            }
            None => Err(self.malformed("a number is cut off")),
        }
    }

    #[cold]
    pub(super) const fn malformed(&self, what: &'static str) -> Malformed {
        Malformed {
            what,
            rest: self.rest.len(),
        }
    }
}

/// A field's tag for a varint value.
pub(super) const fn varint_tag(number: u32) -> u32 {
    number << 3
}

/// A field's tag for a length-delimited value.
pub(super) const fn bytes_tag(number: u32) -> u32 {
    number << 3 | 2
}

/// How many bytes a number takes as a varint.
pub(super) const fn varint_len(value: usize) -> usize {
    let bits = usize::BITS - (value | 1).leading_zeros();
    bits.div_ceil(7) as usize
}

/// Appends a varint.
#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "a varint takes a number seven bits at a time"
)]
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

/// Appends a field with a double, unless it is 0, which is what an absent one means.
#[inline]
pub(super) fn push_double(out: &mut Vec<u8>, number: u32, value: f64) {
    const FIXED64: u32 = 1;
    if value != 0.0 {
        push_varint(out, (number << 3 | FIXED64).into());
        out.extend_from_slice(&value.to_le_bytes());
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
/// it fits; a longer content, such as an end with all that tables tell of it, is moved to make
/// room.
#[inline]
pub(super) fn push_nested(out: &mut Vec<u8>, number: u32, write: impl FnOnce(&mut Vec<u8>)) {
    push_varint(out, bytes_tag(number).into());
    let at = out.len();
    out.push(0);
    write(out);
    let len = out.len() - at - 1;
    match (u8::try_from(len), out.get_mut(at)) {
        (Ok(short @ ..0x80), Some(place)) => *place = short,
        _ => widen_length(out, at, len),
    }
}

/// Moves the content at the end of `out` to make room for a length of more than one byte before
/// it, and writes that.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a varint takes a number seven bits at a time"
)]
fn widen_length(out: &mut Vec<u8>, at: usize, len: usize) {
    let width = varint_len(len);
    let end = out.len();
    out.resize(end + width - 1, 0);
    out.copy_within(at + 1..end, at + width);
    let mut rest = len;
    for place in out.iter_mut().skip(at).take(width) {
        *place = rest as u8 | 0x80;
        rest >>= 7;
    }
    if let Some(last) = out.get_mut(at + width - 1) {
        *last &= 0x7F;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_varints_length_is_what_is_written() {
        for value in [0, 1, 0x7F, 0x80, 0x3FFF, 0x4000, usize::MAX] {
            let mut bytes = Vec::new();
            push_varint(&mut bytes, value as u64);
            assert_eq!(varint_len(value), bytes.len(), "{value}");
        }
    }

    #[test]
    fn a_nested_contents_length_is_as_wide_as_it_must_be() {
        for len in [0, 1, 0x7F, 0x80, 0x3FFF, 0x4000, 0x20_0000] {
            let content: Vec<u8> = (0..=u8::MAX).cycle().take(len).collect();
            let mut out = b"before".to_vec();
            push_nested(&mut out, 7, |out| out.extend_from_slice(&content));
            let mut expected = b"before".to_vec();
            push_bytes(&mut expected, 7, &content);
            assert!(out == expected, "{len}");
        }
    }

    fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
        let mut reader = Reader::new(bytes);
        let value = reader.varint().ok()?;
        Some((value, reader.rest.len()))
    }

    #[test]
    fn varints_up_to_64_bits() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), 1 << 63, u64::MAX] {
            let mut bytes = Vec::new();
            push_varint(&mut bytes, value);
            bytes.push(0xFF);
            assert_eq!(varint(&bytes), Some((value, 1)), "{value}");
            for cut in 0..bytes.len() - 1 {
                assert_eq!(varint(&bytes[..cut]), None, "{value} cut at {cut}");
            }
        }
        assert_eq!(varint(&[0x80, 0x80, 0x00]), Some((0, 0)), "overlong");
        let mut ten = [0xFF; 10];
        ten[9] = 2;
        assert_eq!(varint(&ten), None, "65 bits");
        assert_eq!(varint(&[0x80; 11]), None, "eleven bytes");
    }

    /// Whether the bytes are fields and nothing else.
    fn well_formed(bytes: &[u8]) -> Result<(), &'static str> {
        let mut reader = Reader::new(bytes);
        while let Some(tag) = reader.tag().map_err(|it| it.what)? {
            reader.skip(tag).map_err(|it| it.what)?;
        }
        Ok(())
    }

    #[test]
    fn fields_are_skipped_by_their_wire_type() {
        let good: [&[u8]; 8] = [
            &[],
            &[0x08, 0x96, 0x01],
            &[0x09, 1, 2, 3, 4, 5, 6, 7, 8],
            &[0x0A, 2, 0xFF, 0xFE],
            &[0x0D, 1, 2, 3, 4],
            &[0x0B, 0x08, 0x01, 0x0C],
            &[0x0B, 0x13, 0x14, 0x0C],
            &[0xFA, 0xFF, 0xFF, 0xFF, 0x0F, 0],
        ];
        for bytes in good {
            assert_eq!(well_formed(bytes), Ok(()), "{bytes:X?}");
            for cut in 1..bytes.len() {
                assert!(well_formed(&bytes[..cut]).is_err(), "{bytes:X?} at {cut}");
            }
        }
        for (bytes, what) in [
            (&[0x00_u8, 0x00][..], "a field has the number 0"),
            (&[0x0E], "a wire type does not exist"),
            (&[0x0C], "a group ends that did not begin"),
            (&[0x0B, 0x14], "a group ends inside another"),
            (&[0x0B], "a group does not end"),
            (&[0x0A, 5, 1], "a length runs past the end"),
            (
                &[0x80, 0x80, 0x80, 0x80, 0x10],
                "a field number is out of range",
            ),
        ] {
            assert_eq!(well_formed(bytes), Err(what), "{bytes:X?}");
        }
    }

    #[test]
    fn groups_nest_to_a_bound() {
        let nested = |depth| [vec![0x0B; depth], vec![0x0C; depth]].concat();
        assert_eq!(well_formed(&nested(MAX_GROUP_DEPTH)), Ok(()));
        let deep = Err("groups are nested too deep");
        assert_eq!(well_formed(&nested(MAX_GROUP_DEPTH + 1)), deep);
        assert_eq!(well_formed(&nested(1_000_000)), deep);
    }
}
