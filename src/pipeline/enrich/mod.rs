//! What the whole message tells about each of its records.
//!
//! All records of a message are at hand before any is encoded, so that one row can answer for
//! another.

mod listener;

use bumpalo::Bump;
use bumpalo::collections::Vec as ArenaVec;

use super::record::{Kind, Record};

/// What was found out about one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// What the row is.
    pub kind: Kind,
    /// Facts that only a listener has.
    pub listener: Option<Listener>,
}

/// Facts that only a listener has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Whether the socket takes IPv4 and IPv6 peers alike.
    pub dual_stack: bool,
}

/// Finds out about every record of a message, in their order.
pub fn message<'a>(records: &[Record<'_>], arena: &'a Bump) -> ArenaVec<'a, Facts> {
    let mut facts = ArenaVec::with_capacity_in(records.len(), arena);
    facts.extend(records.iter().map(|record| {
        let kind = record.kind();
        let listener = (kind == Kind::Listener).then_some(Listener { dual_stack: false });
        Facts { kind, listener }
    }));
    listener::dual_stack(records, &mut facts, arena);
    facts
}
