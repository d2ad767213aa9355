//! The protobuf wire format: tags, varints, lengths, and what is skipped.

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

/// Writes a length-delimited field.
pub(super) fn put_bytes(field: u32, bytes: &[u8], out: &mut Vec<u8>) {
    put_varint(u64::from(field << 3 | 2), out);
    put_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            return out.push(low);
        }
        out.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
        let mut reader = Reader::new(bytes);
        let value = reader.varint().ok()?;
        Some((value, reader.rest.len()))
    }

    #[test]
    fn varints_up_to_64_bits() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), 1 << 63, u64::MAX] {
            let mut bytes = Vec::new();
            put_varint(value, &mut bytes);
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
