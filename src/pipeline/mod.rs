//! The core: bytes and coordinates in, encoded events and dead letters out.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)
)]

pub mod code;
pub mod decode;
pub mod emit;
pub mod message;
pub mod normalize;
pub mod record;
pub mod reject;
pub mod settings;
pub mod time;
pub mod validate;

use bumpalo::Bump;

use emit::Emitted;
use message::Input;
use settings::Settings;

/// Turns one message into events and dead letters.
///
/// `out` is cleared first; its tally goes on counting. The arena belongs to this message alone:
/// reset it before the next.
pub fn process<'a>(_input: &Input<'a>, _settings: &Settings, _arena: &'a Bump, _out: &mut Emitted) {
    todo!()
}

/// The headers of a dead letter: the source message's own, then netsieve's, replacing any of
/// the same names.
pub fn dead_letter_headers(
    _letter: &emit::DeadLetter,
    _input: &Input<'_>,
) -> Vec<(String, Option<Vec<u8>>)> {
    todo!()
}
