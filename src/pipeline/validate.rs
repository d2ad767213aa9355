//! What must be present and in bounds, at the level of the message.

use super::message::{Envelope, Input, Metadata};
use super::reject::Reject;
use super::settings::Settings;

/// Judges a message's metadata.
pub fn metadata<'a>(
    _envelope: &Envelope<'a>,
    _input: &Input<'_>,
    _settings: &Settings,
) -> Result<Metadata<'a>, Reject> {
    todo!()
}
