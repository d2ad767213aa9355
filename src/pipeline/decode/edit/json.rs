//! Edits of a JSON message: the text of a value is exchanged where it stands.

use std::ops::Range;

use bumpalo::Bump;

use super::{Change, Edit, NewValue, Part};
use crate::pipeline::code::Rejection;
use crate::pipeline::decode::json::{BYTE_ORDER_MARK, MAX_DEPTH};
use crate::pipeline::decode::scan::{Malformed, Scanner, Value, unescape};
use crate::pipeline::reject::Reject;

/// A part of the text, and what comes in its place.
type Splice = (Range<usize>, String);

/// The message's text with one edit.
pub(super) fn edited(body: &[u8], edit: &Edit, arena: &Bump) -> Result<Vec<u8>, Reject> {
    let mark = if body.starts_with(BYTE_ORDER_MARK) {
        BYTE_ORDER_MARK.len()
    } else {
        0
    };
    let (mark, text) = body.split_at_checked(mark).unwrap_or((&[], body));
    let text = std::str::from_utf8(text).map_err(|_| unreadable("not UTF-8"))?;
    let splices = splices(text, edit, arena).map_err(|fault| unreadable(fault.what()))?;
    let mut out = mark.to_vec();
    let mut done = 0;
    for (range, new) in splices {
        let before = text.get(done..range.start).unwrap_or_default();
        out.extend_from_slice(before.as_bytes());
        out.extend_from_slice(new.as_bytes());
        done = range.end;
    }
    out.extend_from_slice(text.get(done..).unwrap_or_default().as_bytes());
    Ok(out)
}

#[cold]
fn unreadable(what: &str) -> Reject {
    let sentence = format!("not valid JSON: {what}");
    Reject::new(Rejection::MalformedJson, None, &sentence)
}

/// What is to be exchanged, from front to back.
fn splices(text: &str, edit: &Edit, arena: &Bump) -> Result<Vec<Splice>, Malformed> {
    let mut scanner = Scanner::new(text);
    if scanner.peek() != Some(b'{') {
        return Err(Malformed::NoObject);
    }
    let key_of_part = match edit.field.part {
        Part::Metadata => "metadata",
        Part::Data => "data",
    };
    // Of duplicate keys the last wins: what was found in an earlier one does not matter.
    let mut found = None;
    let mut is_empty = true;
    scanner.object(arena, |scanner, key| {
        is_empty = false;
        let first = scanner.peek();
        let start = scanner.at();
        if key != key_of_part {
            return scanner.skip(usize::MAX);
        }
        found = Some(match (edit.field.part, first) {
            (Part::Data, Some(b'[')) => records(scanner, edit, arena)?,
            (_, Some(b'{')) => object(scanner, edit, arena)?.into_iter().collect(),
            _ => {
                scanner.skip(usize::MAX)?;
                let is_missing = edit.field.part == Part::Metadata;
                let new = is_missing.then(|| new_object(&edit.change, edit)).flatten();
                let range = start..scanner.at();
                new.map(|new| (range, new)).into_iter().collect()
            }
        });
        Ok(())
    })?;
    let end = scanner.at() - 1;
    Ok(match found {
        Some(splices) => splices,
        // There are no metadata: the message gets some.
        None if edit.field.part == Part::Metadata => {
            let comma = if is_empty { "" } else { "," };
            let new = new_object(&edit.change, edit);
            let new = new.map(|new| (end..end, format!("{comma}\"metadata\":{new}")));
            new.into_iter().collect()
        }
        None => Vec::new(),
    })
}

fn records<'t>(
    scanner: &mut Scanner<'t>,
    edit: &Edit,
    arena: &'t Bump,
) -> Result<Vec<Splice>, Malformed> {
    let mut splices = Vec::new();
    scanner.array(|scanner| {
        if scanner.peek() == Some(b'{') {
            splices.extend(object(scanner, edit, arena)?);
            return Ok(());
        }
        scanner.skip(usize::MAX)
    })?;
    Ok(splices)
}

/// Reads an object, and gives what is to be exchanged in it.
fn object<'t>(
    scanner: &mut Scanner<'t>,
    edit: &Edit,
    arena: &'t Bump,
) -> Result<Option<Splice>, Malformed> {
    let mut last = None;
    let mut is_empty = true;
    scanner.object(arena, |scanner, key| {
        is_empty = false;
        scanner.peek();
        let start = scanner.at();
        if edit.field.is_called(key) {
            let value = match scanner.peek() {
                // Not text, whatever is in it.
                Some(b'{' | b'[') => {
                    scanner.skip(usize::MAX)?;
                    Value::Object
                }
                _ => scanner.value(MAX_DEPTH)?,
            };
            last = Some((start..scanner.at(), value));
            return Ok(());
        }
        scanner.skip(usize::MAX)
    })?;
    let end = scanner.at() - 1;
    let new = match &edit.change {
        Change::Set(value) => Some(in_json(value)),
        // To the contract null is absent, and nothing around it need change.
        Change::Remove => last.is_some().then(|| "null".to_owned()),
        Change::Replace { pattern, with } => last
            .as_ref()
            .and_then(|(_, value)| text_of(*value, arena))
            .and_then(|text| Change::replaced(pattern, with, text))
            .map(|text| quoted(&text)),
    };
    let absent = || {
        let comma = if is_empty { "" } else { "," };
        (end..end, format!("{comma}\"{}\":", edit.field.name))
    };
    let (range, before) = match last {
        Some((range, _)) => (range, String::new()),
        None => absent(),
    };
    Ok(new.map(|new| (range, before + &new)))
}

fn text_of<'t>(value: Value<'t>, arena: &'t Bump) -> Option<&'t str> {
    match value {
        Value::Text(text) => Some(text),
        Value::Escaped(text) => unescape(text, arena),
        _ => None,
    }
}

/// An object of that field alone, where the change gives it a value.
fn new_object(change: &Change, edit: &Edit) -> Option<String> {
    match change {
        Change::Set(value) => Some(format!("{{\"{}\":{}}}", edit.field.name, in_json(value))),
        Change::Remove | Change::Replace { .. } => None,
    }
}

fn in_json(value: &NewValue) -> String {
    match value {
        NewValue::Text(text) | NewValue::Time(text, _) => quoted(text),
        NewValue::Flag(flag) => flag.to_string(),
        NewValue::Number(number) => number.to_string(),
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
