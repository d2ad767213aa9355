//! JSON as tools write it: one object a line, an array, or objects after one another; and the
//! line of each, for what must be reported.

use std::fmt;

use serde::de::{Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::text::lines;

/// An object of a file, and its line.
pub(super) struct Object {
    pub(super) line: u64,
    pub(super) fields: Map<String, Value>,
}

/// Lines that are looked at to tell one object a line from other JSON.
const FIRST_LINES: usize = 20;

/// Hands over every object of the text and every element of its arrays, or what is wrong with a
/// place and its line. A file that was cut gives what stands before the cut.
pub(super) fn objects(text: &str, mut take: impl FnMut(Result<Object, (u64, String)>)) {
    if is_by_line(text) {
        for (line, text) in lines(text) {
            documents(text, line, &mut take);
        }
    } else {
        documents(text, 1, &mut take);
    }
}

/// Whether the text has one object a line: one of the first lines is a whole object.
fn is_by_line(text: &str) -> bool {
    let first = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let is_object = |line: &str| {
        line.starts_with('{')
            && line.ends_with('}')
            && serde_json::from_str::<&RawValue>(line).is_ok()
    };
    // An array's brackets on lines of their own tell otherwise, though it have one element.
    !text.trim_start().starts_with('[') && first.take(FIRST_LINES).any(is_object)
}

/// Reads documents that follow one another, each on any number of lines. After a fault the rest
/// of its line is passed over, so that no text is read twice.
fn documents(text: &str, mut line: u64, take: &mut impl FnMut(Result<Object, (u64, String)>)) {
    let mut rest = text;
    loop {
        let trimmed = rest.trim_start();
        line += count_lines(&rest[..rest.len() - trimmed.len()]);
        if trimmed.is_empty() {
            return;
        }
        let consumed = document(trimmed, line, take);
        line += count_lines(&trimmed[..consumed]);
        rest = &trimmed[consumed..];
    }
}

/// Reads the document at the beginning of the text, which begins on that line; gives how many of
/// its bytes it took.
fn document(text: &str, line: u64, take: &mut impl FnMut(Result<Object, (u64, String)>)) -> usize {
    let mut json = serde_json::Deserializer::from_str(text);
    let result = if text.starts_with('[') {
        let mut places = Places {
            text,
            place: 0,
            line,
        };
        let mut element = |raw: &RawValue| {
            let line = places.line_of(raw.get());
            take(object(raw.get(), line));
        };
        (&mut json).deserialize_seq(Elements(&mut element))
    } else {
        let raw: Result<&RawValue, _> = serde::Deserialize::deserialize(&mut json);
        raw.map(|raw| take(object(raw.get(), line)))
    };
    // What is left of a line belongs to no document that could be read.
    let to_line_end = |from: usize| text[from..].find('\n').map_or(text.len(), |end| from + end);
    match result {
        Ok(()) => json.into_iter::<serde::de::IgnoredAny>().byte_offset(),
        Err(error) => {
            take(Err((line + error.line() as u64 - 1, fault(&error))));
            let lines = text.match_indices('\n').map(|(place, _)| place + 1);
            let start = std::iter::once(0).chain(lines).nth(error.line() - 1);
            to_line_end(start.unwrap_or(text.len()))
        }
    }
}

/// What is wrong, without the place, which is told by the file's own line.
fn fault(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or(&text);
    format!("is not JSON ({what})")
}

fn object(text: &str, line: u64) -> Result<Object, (u64, String)> {
    match serde_json::from_str(text) {
        Ok(Value::Object(fields)) => Ok(Object { line, fields }),
        Ok(_) => Err((line, "is not an object".to_owned())),
        Err(error) => Err((line, fault(&error))),
    }
}

fn count_lines(text: &str) -> u64 {
    memchr::memchr_iter(b'\n', text.as_bytes()).count() as u64
}

/// The lines of parts of a text that come in order.
struct Places<'a> {
    text: &'a str,
    place: usize,
    line: u64,
}

impl Places<'_> {
    fn line_of(&mut self, part: &str) -> u64 {
        // The part is borrowed from the text, so its address says where it stands.
        let place = (part.as_ptr() as usize).wrapping_sub(self.text.as_ptr() as usize);
        if let Some(between) = self.text.get(self.place..place) {
            self.line += count_lines(between);
            self.place = place;
        }
        self.line
    }
}

/// An array's elements, each handed over as it is read.
struct Elements<'a, F>(&'a mut F);

impl<'de, F: FnMut(&'de RawValue)> Visitor<'de> for Elements<'_, F> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while let Some(element) = elements.next_element()? {
            (self.0)(element);
        }
        Ok(())
    }
}

/// A field's text: strings and numbers as they are written, and nothing of any other type.
pub(super) fn text(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.trim().to_owned(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Bool(value)) => value.to_string(),
        _ => String::new(),
    }
}

/// The first of these fields that has a text.
pub(super) fn first_text(fields: &Map<String, Value>, names: &[&str]) -> String {
    let texts = names.iter().map(|name| text(fields.get(*name)));
    texts
        .into_iter()
        .find(|text| !text.is_empty())
        .unwrap_or_default()
}

/// The object at that path.
pub(super) fn at<'a>(
    fields: &'a Map<String, Value>,
    path: &[&str],
) -> Option<&'a Map<String, Value>> {
    path.iter()
        .try_fold(fields, |fields, name| fields.get(*name)?.as_object())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of the objects, and of the faults, after one another.
    fn places(text: &str) -> (Vec<u64>, Vec<u64>) {
        let (mut found, mut faults) = (Vec::new(), Vec::new());
        objects(text, |object| match object {
            Ok(object) => found.push(object.line),
            Err((line, _)) => faults.push(line),
        });
        (found, faults)
    }

    #[test]
    fn objects_in_every_arrangement() {
        for (text, found, faults) in [
            ("", &[][..], &[][..]),
            ("{}\n{}\r\n\n{}", &[1, 2, 4], &[]),
            ("{\"a\":\n1}\n{\n}\n", &[1, 3], &[]),
            ("[{},\n{},{}\n,\n {}]", &[1, 2, 2, 4], &[]),
            ("[\n  {\"a\":1}\n]\n", &[2], &[]),
            ("[]\n[{}]", &[2], &[]),
            ("{} {}", &[1, 1], &[]),
            ("{}\nno\n{}", &[1, 3], &[2]),
            ("{\"cut\n{}\n", &[2], &[1]),
            ("[{},\n{\"a\":1},\n{\"a\":", &[1, 2], &[3]),
            ("[1,{}]", &[1], &[1]),
            ("7", &[], &[1]),
        ] {
            assert_eq!(places(text), (found.to_vec(), faults.to_vec()), "{text}");
        }
    }

    #[test]
    fn a_fault_is_told_without_the_place_in_its_part() {
        let mut told = Vec::new();
        objects("{}\n{\"a\" 1}", |object| told.extend(object.err()));
        assert_eq!(told, [(2, "is not JSON (expected `:`)".to_owned())]);
    }
}
