//! Edits of a protobuf message: of the part that holds it, a field is taken out and put at the
//! end. All other fields stay, byte for byte and in their order.

use super::{Change, Edit, NewValue, Part};
use crate::pipeline::code::Rejection;
use crate::pipeline::message::Time;
use crate::pipeline::reject::Reject;
use crate::pipeline::wire::{self, Malformed, Reader, WireType};

/// The message with one edit.
pub(super) fn edited(body: &[u8], edit: &Edit) -> Result<Vec<u8>, Reject> {
    let number = match edit.field.part {
        Part::Metadata => 1,
        Part::Data => 2,
    };
    let out = message(body, number, edit).map_err(|malformed| {
        let sentence = format!("not valid protobuf: {}", malformed.what);
        Reject::new(Rejection::MalformedProtobuf, None, &sentence)
    })?;
    Ok(out)
}

fn message(body: &[u8], number: u32, edit: &Edit) -> Result<Vec<u8>, Malformed> {
    let mut out = Vec::with_capacity(body.len() + 64);
    let mut reader = Reader::new(body);
    let mut is_there = false;
    loop {
        let start = body.len() - reader.remaining();
        let Some(tag) = reader.tag()? else { break };
        if tag.field == number && tag.wire == WireType::Bytes {
            is_there = true;
            let raw = reader.bytes()?;
            match part(raw, edit)? {
                Some(new) => wire::push_bytes(&mut out, number, &new),
                None => copy(body, start, &reader, &mut out),
            }
            continue;
        }
        reader.skip(tag)?;
        copy(body, start, &reader, &mut out);
    }
    let is_missing = !is_there && edit.field.part == Part::Metadata;
    if let (true, Change::Set(value)) = (is_missing, &edit.change) {
        wire::push_nested(&mut out, number, |out| push(out, edit, value));
    }
    Ok(out)
}

/// The metadata or a record with the edit; nothing where it stays as it is. A record that cannot
/// be read stays too: it alone is lost, and is told when it is sent again.
fn part(raw: &[u8], edit: &Edit) -> Result<Option<Vec<u8>>, Malformed> {
    let taken = match take_out(raw, edit.field.number) {
        Err(_) if edit.field.part == Part::Data => return Ok(None),
        taken => taken?,
    };
    let Taken { mut rest, last } = taken;
    match (&edit.change, last) {
        (Change::Set(value), _) => push(&mut rest, edit, value),
        (Change::Remove, None) => return Ok(None),
        (Change::Remove, Some(_)) => {}
        (Change::Replace { pattern, with }, last) => {
            let text = last.and_then(|bytes| std::str::from_utf8(bytes).ok());
            let Some(new) = text.and_then(|text| Change::replaced(pattern, with, text)) else {
                return Ok(None);
            };
            wire::push_bytes(&mut rest, edit.field.number, new.as_bytes());
        }
    }
    Ok(Some(rest))
}

/// A part without a field.
struct Taken<'a> {
    rest: Vec<u8>,
    /// The field's last bytes; empty where its value is none of bytes.
    last: Option<&'a [u8]>,
}

fn take_out(raw: &[u8], number: u32) -> Result<Taken<'_>, Malformed> {
    let mut taken = Taken {
        rest: Vec::with_capacity(raw.len() + 64),
        last: None,
    };
    let mut reader = Reader::new(raw);
    loop {
        let start = raw.len() - reader.remaining();
        let Some(tag) = reader.tag()? else {
            return Ok(taken);
        };
        if tag.field == number && tag.wire == WireType::Bytes {
            taken.last = Some(reader.bytes()?);
            continue;
        }
        reader.skip(tag)?;
        if tag.field == number {
            taken.last = Some(&[]);
        } else {
            copy(raw, start, &reader, &mut taken.rest);
        }
    }
}

fn copy(from: &[u8], start: usize, reader: &Reader<'_>, out: &mut Vec<u8>) {
    let end = from.len() - reader.remaining();
    out.extend_from_slice(from.get(start..end).unwrap_or_default());
}

fn push(out: &mut Vec<u8>, edit: &Edit, value: &NewValue) {
    let number = edit.field.number;
    match value {
        NewValue::Text(text) => wire::push_text(out, number, text),
        NewValue::Flag(flag) => wire::push_nonzero(out, number, u64::from(*flag)),
        NewValue::Number(id) => wire::push_nonzero(out, number, u64::from(*id)),
        NewValue::Time(_, Time { seconds, nanos }) => wire::push_nested(out, number, |out| {
            wire::push_nonzero(out, 1, seconds.cast_unsigned());
            wire::push_nonzero(out, 2, u64::from(*nanos));
        }),
    }
}
