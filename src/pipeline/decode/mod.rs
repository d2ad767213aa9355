//! Bytes to an envelope, and one record's bytes to a row.

use bumpalo::Bump;

use super::message::{Encoding, Envelope, Input};
use super::record::Row;
use super::reject::Reject;
use super::settings::Settings;

/// Takes a message apart: finds its encoding, reads its metadata, and splits its records, each
/// still as its own raw bytes.
pub fn envelope<'a>(
    _input: &Input<'a>,
    _settings: &Settings,
    _arena: &'a Bump,
) -> Result<Envelope<'a>, Reject> {
    todo!()
}

/// Reads one record's raw bytes.
pub fn row<'a>(_encoding: Encoding, _raw: &'a [u8], _arena: &'a Bump) -> Result<Row<'a>, Reject> {
    todo!()
}

/// Appends a message of one record.
pub fn rebuild(_envelope: &Envelope<'_>, _raw: &[u8], _out: &mut Vec<u8>) {
    todo!()
}
