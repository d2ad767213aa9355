//! Telling the encodings apart.
//!
//! A header's word goes before the configured one, and that before the bytes. The bytes are
//! judged so that no valid message is misread:
//!
//! - A JSON message begins, after white space, with `{`. If the text is well-formed JSON, it is
//!   JSON. That a protobuf message begins so is possible: 0x0A is a line feed and also the tag
//!   of the metadata, any length can follow it, and 0x7B, `{`, is one.
//! - But a valid protobuf message is never well-formed JSON. It has a timestamp, which is
//!   written as the tag of its seconds, 0x08, or of its nanoseconds, 0x10, or as nothing with
//!   the length 0x00; and JSON allows these bytes nowhere, in strings neither. So what begins
//!   like JSON and is none, is protobuf if it reads as that.
//! - A message that does not begin so is not JSON, and protobuf if it reads as that.

use bumpalo::Bump;

use super::{Contents, framing, json, protobuf};
use crate::pipeline::code::Rejection;
use crate::pipeline::message::{Encoding, Input};
use crate::pipeline::reject::Reject;
use crate::pipeline::settings::SourceFormat;

/// The encoding that a content-type header names, or else the setting; parameters such as a
/// charset do not matter, and other types are as good as none.
pub(super) fn named(input: &Input<'_>, setting: SourceFormat) -> SourceFormat {
    let content_type = input.header("content-type").unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    let is = |name: &str| media_type.eq_ignore_ascii_case(name);
    if is("application/json") {
        SourceFormat::Json
    } else if is("application/x-protobuf") || is("application/protobuf") {
        SourceFormat::Protobuf
    } else {
        setting
    }
}

/// A message read in the encoding that its bytes are in.
pub(super) struct Detected<'a> {
    pub(super) encoding: Encoding,
    pub(super) framing: &'a [u8],
    pub(super) contents: Contents<'a>,
}

/// Finds the encoding and reads the message.
///
/// # Errors
/// What is wrong with the message in the encoding that it seems to be in, or `unknown_format`.
pub(super) fn detect<'a>(
    value: &'a [u8],
    max_records: usize,
    arena: &'a Bump,
) -> Result<Detected<'a>, Reject> {
    let (framing, body) = split_json(value);
    if !json::begins_object(body) {
        return protobuf(value, max_records, arena);
    }
    match json::contents(body, max_records, arena) {
        Ok(contents) => Ok(Detected {
            encoding: Encoding::Json,
            framing,
            contents,
        }),
        Err(reject) if json::is_well_formed(body) => Err(reject),
        Err(reject) => match protobuf(value, max_records, arena) {
            Ok(detected) if detected.contents.metadata.is_some() => Ok(detected),
            _ => Err(reject),
        },
    }
}

/// Confluent framing, and what would be the JSON text behind it. Clients put message indexes before
/// protobuf only, but they do no harm before JSON.
fn split_json(value: &[u8]) -> (&[u8], &[u8]) {
    let header = framing::header_length(value);
    let (framing, body) = split(value, header);
    if header == 0 || json::begins_object(body) {
        return (framing, body);
    }
    match framing::indexes_length(body) {
        Some(indexes) => split(value, header + indexes),
        None => (framing, body),
    }
}

/// Reads a value as protobuf, behind Confluent framing where there is some.
fn protobuf<'a>(
    value: &'a [u8],
    max_records: usize,
    arena: &'a Bump,
) -> Result<Detected<'a>, Reject> {
    let (framing, body) = match framing::header_length(value) {
        0 => split(value, 0),
        header => {
            let (_, behind) = split(value, header);
            let indexes = framing::indexes_length(behind).ok_or_else(unknown)?;
            split(value, header + indexes)
        }
    };
    let contents = match protobuf::contents(body, max_records, arena) {
        Ok(contents) => contents,
        Err(reject) if begins_with_known_field(body) => return Err(reject),
        Err(_) => return Err(unknown()),
    };
    if contents.metadata.is_none() && contents.record_count == 0 {
        return Err(unknown());
    }
    Ok(Detected {
        encoding: Encoding::Protobuf,
        framing,
        contents,
    })
}

fn begins_with_known_field(body: &[u8]) -> bool {
    matches!(
        body.first(),
        Some(&(protobuf::METADATA_TAG | protobuf::DATA_TAG))
    )
}

#[cold]
fn unknown() -> Reject {
    let sentence = "neither JSON nor protobuf of the contract; a content-type header or \
                    `source.format` names the encoding";
    Reject::new(Rejection::UnknownFormat, None, sentence)
}

fn split(bytes: &[u8], length: usize) -> (&[u8], &[u8]) {
    bytes.split_at_checked(length).unwrap_or((&[], bytes))
}
