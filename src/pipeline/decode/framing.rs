//! Confluent framing: what schema-registry clients put before a body.
//!
//! A zero byte, the schema's id in four bytes, and before a protobuf body the path to the
//! message type inside its schema file: a count and so many indexes, zigzag varints, where the
//! usual path, the first type, is written as the single byte 0. Neither a JSON text nor a
//! protobuf message can begin with a zero byte, so the framing is never mistaken for a body.

use crate::pipeline::wire::Reader;

/// The zero byte and the schema's id.
const HEADER_BYTES: usize = 5;

/// Most message indexes: one for each level at which a message type is declared inside another.
/// The framing is repeated in every dead letter, so that it must have a bound.
const MAX_INDEXES: u64 = 16;

/// Whether a value begins with framing's zero byte.
pub(super) fn is_framed(value: &[u8]) -> bool {
    value.first() == Some(&0)
}

/// The length of the zero byte and the schema's id; nothing where there are none.
pub(super) fn header_length(value: &[u8]) -> usize {
    if is_framed(value) && value.len() >= HEADER_BYTES {
        HEADER_BYTES
    } else {
        0
    }
}

/// The length of the message indexes that begin a protobuf body; nothing when they are not
/// indexes.
pub(super) fn indexes_length(body: &[u8]) -> Option<usize> {
    let mut reader = Reader::new(body);
    let count = index(&mut reader)?;
    if count > MAX_INDEXES {
        return None;
    }
    for _ in 0..count {
        index(&mut reader)?;
    }
    body.len().checked_sub(reader.remaining())
}

/// One zigzag varint that is not negative.
fn index(reader: &mut Reader<'_>) -> Option<u64> {
    let zigzag = reader.varint().ok()?;
    zigzag.is_multiple_of(2).then_some(zigzag / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_a_zero_byte_and_four_more() {
        assert_eq!(header_length(&[0, 0, 0, 0, 7, b'{']), 5);
        assert_eq!(header_length(&[0, 0, 0, 0, 7]), 5);
        assert_eq!(header_length(&[0, 0, 0, 0]), 0);
        assert_eq!(header_length(&[1, 0, 0, 0, 7]), 0);
        assert_eq!(header_length(&[]), 0);
    }

    #[test]
    fn indexes_are_a_count_and_zigzag_numbers() {
        assert_eq!(indexes_length(&[0, 0x0A]), Some(1), "the first type");
        assert_eq!(indexes_length(&[2, 0, 0x0A]), Some(2), "[0] in long");
        assert_eq!(indexes_length(&[4, 2, 0x80, 0x01, 0x0A]), Some(4));
        assert_eq!(indexes_length(&[]), None);
        assert_eq!(indexes_length(&[4, 2]), None, "cut off");
        assert_eq!(indexes_length(&[1]), None, "a negative count");
        assert_eq!(indexes_length(&[2, 1]), None, "a negative index");
        assert_eq!(indexes_length(&[0xFE, 0xFF, 0xFF, 0xFF, 0x0F]), None);
    }
}
