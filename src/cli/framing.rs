//! Where one message of a file or of standard input ends and the next begins, without ever
//! holding more of one than is asked for; and the same when writing.

use std::io::{self, BufRead, Read, Write};

/// How messages follow one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// One a line; the last line may lack its end.
    Lines,
    /// Each after its length in bytes as a varint.
    Delimited,
    /// All there is, is one message.
    Whole,
}

/// Bytes of the longest varint.
const MAX_VARINT_BYTES: u32 = 10;

/// Writes a message or an event: after its length as a varint, or as a line.
pub(super) fn write(output: &mut impl Write, value: &[u8], delimited: bool) -> io::Result<()> {
    if !delimited {
        output.write_all(value)?;
        return output.write_all(b"\n");
    }
    let mut length = Vec::with_capacity(MAX_VARINT_BYTES as usize);
    prost::encoding::encode_varint(value.len() as u64, &mut length);
    output.write_all(&length)?;
    output.write_all(value)
}

/// Reads the next message into `message`, at most `max_bytes` of it, and skips the rest of it.
/// Gives the size of the whole, or nothing at the end.
///
/// What ends in the middle of a message is an error of the kind `UnexpectedEof`.
pub(super) fn next(
    input: &mut impl BufRead,
    framing: Framing,
    max_bytes: usize,
    message: &mut Vec<u8>,
) -> io::Result<Option<u64>> {
    message.clear();
    match framing {
        Framing::Lines => line(input, max_bytes, message),
        Framing::Delimited => match length(input)? {
            Some(length) => delimited(input, length, max_bytes, message).map(Some),
            None => Ok(None),
        },
        Framing::Whole => {
            let kept = input.take(max_bytes as u64).read_to_end(message)?;
            // A terminal that has ended goes on when it is read again.
            let has_ended = kept < max_bytes;
            let skipped = if has_ended {
                0
            } else {
                io::copy(input, &mut io::sink())?
            };
            Ok(Some(kept as u64 + skipped))
        }
    }
}

fn line(
    input: &mut impl BufRead,
    max_bytes: usize,
    message: &mut Vec<u8>,
) -> io::Result<Option<u64>> {
    let mut size = 0;
    let mut any = false;
    loop {
        let buffer = match input.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            buffer => buffer?,
        };
        if buffer.is_empty() {
            return Ok(any.then_some(size));
        }
        any = true;
        let end = memchr::memchr(b'\n', buffer);
        let part = &buffer[..end.unwrap_or(buffer.len())];
        let room = max_bytes - message.len();
        message.extend_from_slice(&part[..part.len().min(room)]);
        size += part.len() as u64;
        let consumed = part.len() + usize::from(end.is_some());
        input.consume(consumed);
        if end.is_some() {
            return Ok(Some(size));
        }
    }
}

fn delimited(
    input: &mut impl BufRead,
    length: u64,
    max_bytes: usize,
    message: &mut Vec<u8>,
) -> io::Result<u64> {
    let kept = length.min(max_bytes as u64);
    let mut read = input.take(kept).read_to_end(message)? as u64;
    if read == kept {
        read += io::copy(&mut input.take(length - kept), &mut io::sink())?;
    }
    if read < length {
        let why = format!("the input ends after {read} of the {length} bytes of a message");
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, why));
    }
    Ok(length)
}

/// A length, or nothing at the end of the input.
fn length(input: &mut impl BufRead) -> io::Result<Option<u64>> {
    let mut value: u64 = 0;
    for place in 0..MAX_VARINT_BYTES {
        let mut byte = [0];
        match input.read_exact(&mut byte) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && place == 0 => {
                return Ok(None);
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                let why = "the input ends within the length of a message";
                return Err(io::Error::new(error.kind(), why));
            }
            done => done?,
        }
        let [byte] = byte;
        // The tenth byte has room for one bit.
        if place == MAX_VARINT_BYTES - 1 && byte > 1 {
            break;
        }
        value |= u64::from(byte & 0x7F) << (7 * place);
        if byte & 0x80 == 0 {
            return Ok(Some(value));
        }
    }
    let why = "a message's length is no varint";
    Err(io::Error::new(io::ErrorKind::InvalidData, why))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every message with its whole size, and the error that ended the reading, if one did.
    fn all(input: &[u8], framing: Framing, max_bytes: usize) -> (Vec<(Vec<u8>, u64)>, bool) {
        // A small buffer, so that messages cross its ends.
        let mut input = io::BufReader::with_capacity(3, input);
        let mut message = Vec::new();
        let mut found = Vec::new();
        loop {
            match next(&mut input, framing, max_bytes, &mut message) {
                Ok(Some(size)) => found.push((message.clone(), size)),
                Ok(None) => return (found, false),
                Err(_) => return (found, true),
            }
            if framing == Framing::Whole {
                return (found, false);
            }
        }
    }

    fn sized(messages: &[&[u8]]) -> Vec<(Vec<u8>, u64)> {
        let sized = messages
            .iter()
            .map(|message| (message.to_vec(), message.len() as u64));
        sized.collect()
    }

    #[test]
    fn every_line_is_a_message_and_an_empty_one_too() {
        let expected = sized(&[b"first", b"", b"the third"]);
        for input in [&b"first\n\nthe third"[..], b"first\n\nthe third\n"] {
            assert_eq!(all(input, Framing::Lines, 100), (expected.clone(), false));
        }
        assert_eq!(all(b"", Framing::Lines, 100), (vec![], false));
    }

    #[test]
    fn of_a_long_message_only_the_beginning_is_kept() {
        let expected = vec![(b"abcd".to_vec(), 8), (b"i".to_vec(), 1)];
        assert_eq!(
            all(b"abcdefgh\ni\n", Framing::Lines, 4),
            (expected.clone(), false)
        );
        assert_eq!(
            all(b"\x08abcdefgh\x01i", Framing::Delimited, 4),
            (expected, false)
        );
        let whole = vec![(b"abcd".to_vec(), 10)];
        assert_eq!(all(b"abcdefgh\ni", Framing::Whole, 4), (whole, false));
    }

    #[test]
    fn delimited_messages_end_where_their_length_says() {
        let long = vec![b'x'; 300];
        let mut input = vec![0xAC, 0x02];
        input.extend_from_slice(&long);
        input.extend_from_slice(b"\x00\x02ab");
        let expected = sized(&[&long, b"", b"ab"]);
        assert_eq!(all(&input, Framing::Delimited, 1_000), (expected, false));
    }

    #[test]
    fn an_input_that_ends_within_a_message_is_an_error() {
        let good = sized(&[b"ab"]);
        for broken in [&b"\x02ab\x03cd"[..], b"\x02ab\x80", b"\x02ab\x03c"] {
            assert_eq!(all(broken, Framing::Delimited, 2), (good.clone(), true));
        }
        let overlong = [0xFF; 11];
        assert_eq!(all(&overlong, Framing::Delimited, 10), (vec![], true));
    }
}
