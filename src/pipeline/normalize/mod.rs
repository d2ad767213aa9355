//! One row's text to canonical values.

use bumpalo::Bump;

use super::record::{Record, Row};
use super::reject::Reject;
use super::settings::Limits;

/// Reads a row: the protocol stack first, then the addresses by it.
pub fn record<'a>(
    _index: u32,
    _row: Row<'a>,
    _limits: &Limits,
    _arena: &'a Bump,
) -> Result<Record<'a>, Reject> {
    todo!()
}
