//! Bytes to an envelope, and one record's bytes to a row.
//!
//! The envelope is read once and its records stay raw bytes, so that a record which is corrupt
//! costs that record alone, and each one's own bytes are at hand for its dead letter.

mod detect;
pub mod edit;
mod framing;
mod json;
mod protobuf;
mod rebuild;
mod scan;
mod whole;

use bumpalo::Bump;

use super::code::Rejection;
use super::message::{Encoding, Envelope, Input, RawMetadata};
use super::record::Row;
use super::reject::Reject;
use super::settings::{Limits, Settings, SourceFormat};
use super::wire;
use detect::Detected;

pub use rebuild::rebuild;

/// What a message holds, in either encoding.
#[derive(Clone, Copy, Debug, Default)]
struct Contents<'a> {
    metadata: Option<RawMetadata<'a>>,
    unknown_fields: bool,
    records: &'a [&'a [u8]],
    /// How many records there are, which may be more than are kept.
    record_count: usize,
}

/// Takes a message apart: finds its encoding, reads its metadata, and splits its records, each
/// still as its own raw bytes.
///
/// # Errors
/// A rejection of the whole message: it is empty, too large, has too many records, or cannot be
/// read.
pub fn envelope<'a>(
    input: &Input<'a>,
    settings: &Settings,
    arena: &'a Bump,
) -> Result<Envelope<'a>, Reject> {
    let (value, limits) = (input.value, &settings.limits);
    if value.is_empty() {
        return Err(empty());
    }
    if value.len() > limits.max_message_bytes {
        return Err(too_large(
            "the message",
            value.len(),
            limits.max_message_bytes,
            None,
        ));
    }
    let Detected {
        encoding,
        framing,
        contents,
    } = match detect::named(input, settings.format) {
        SourceFormat::Auto => {
            let body = value.get(framing::header_length(value)..);
            if json::is_blank(body.unwrap_or_default()) {
                return Err(empty());
            }
            detect::detect(value, limits.max_records, arena)?
        }
        SourceFormat::Json if json::is_blank(value) => return Err(empty()),
        SourceFormat::Json => unframed(
            Encoding::Json,
            json::contents(value, limits.max_records, arena),
            value,
        )?,
        SourceFormat::Protobuf => unframed(
            Encoding::Protobuf,
            protobuf::contents(value, limits.max_records, arena),
            value,
        )?,
    };
    within_limits(&contents, limits)?;
    Ok(Envelope {
        encoding,
        framing,
        metadata: contents.metadata,
        unknown_fields: contents.unknown_fields,
        records: contents.records,
    })
}

/// Reads one record's raw bytes.
///
/// # Errors
/// `malformed_record`: the bytes are not a record, or a value has the wrong type.
pub fn row<'a>(encoding: Encoding, raw: &'a [u8], arena: &'a Bump) -> Result<Row<'a>, Reject> {
    match encoding {
        Encoding::Protobuf => protobuf::row(raw, arena),
        Encoding::Json => json::row(raw, arena),
    }
}

/// A message of a named encoding. Framing is looked for only where the bytes may decide, so
/// where it is the likely fault, the rejection says how to have it read.
fn unframed<'a>(
    encoding: Encoding,
    contents: Result<Contents<'a>, Reject>,
    value: &[u8],
) -> Result<Detected<'a>, Reject> {
    let contents = contents.map_err(|reject| {
        if framing::is_framed(value) {
            let sentence = "the value begins like Confluent framing, which is read with \
                            `source.format = \"auto\"` and no content-type header";
            Reject::new(reject.reason, reject.field, sentence)
        } else {
            reject
        }
    })?;
    Ok(Detected {
        encoding,
        framing: &[],
        contents,
    })
}

fn within_limits(contents: &Contents<'_>, limits: &Limits) -> Result<(), Reject> {
    let metadata = contents.metadata.map(|metadata| metadata.raw);
    let metadata = metadata.unwrap_or_default();
    // Every dead letter repeats each further occurrence with its tag and length.
    let again = |raw: &&[u8]| 1 + wire::varint_len(raw.len());
    let framing_bytes: usize = metadata.iter().skip(1).map(again).sum();
    let content_bytes: usize = metadata.iter().map(|raw| raw.len()).sum();
    let metadata_bytes = content_bytes + framing_bytes;
    if metadata_bytes > limits.max_metadata_bytes {
        let (limit, field) = (limits.max_metadata_bytes, Some("metadata"));
        return Err(too_large("the metadata", metadata_bytes, limit, field));
    }
    if contents.record_count > limits.max_records {
        let (count, limit) = (contents.record_count, limits.max_records);
        let sentence = format!("the message has {count} records, more than the limit of {limit}");
        return Err(Reject::new(
            Rejection::BatchTooLarge,
            Some("data"),
            &sentence,
        ));
    }
    Ok(())
}

#[cold]
fn empty() -> Reject {
    Reject::new(Rejection::EmptyMessage, None, "the message is empty")
}

#[cold]
fn too_large(part: &str, bytes: usize, limit: usize, field: Option<&'static str>) -> Reject {
    let sentence = format!("{part}: {bytes} bytes, more than the limit of {limit}");
    Reject::new(Rejection::MessageTooLarge, field, &sentence)
}

#[cfg(test)]
mod tests;
