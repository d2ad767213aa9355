//! Which listeners take both families.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bumpalo::Bump;
use bumpalo::collections::Vec as ArenaVec;

use super::{Facts, Listener};
use crate::pipeline::record::Record;

const ANY_V4: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
const ANY_V6: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// A port of a transport: what a listener on any address claims of its family.
type Claim = (Option<u8>, Option<u16>);

/// Sets `dual_stack` on the listeners on `::`: those whose row says so, and those beside which
/// the message shows no listener on `0.0.0.0` of the same transport and port. A host that needs
/// two sockets for the two families shows both.
pub(super) fn dual_stack(records: &[Record<'_>], facts: &mut [Facts], arena: &Bump) {
    let on_any_v6 = |record: &Record<'_>| record.local.ip == Some(ANY_V6);
    let listens = |facts: &Facts| facts.listener.is_some();
    let pairs = || {
        records
            .iter()
            .zip(facts.iter())
            .filter(|(_, facts)| listens(facts))
    };
    if !pairs().any(|(record, _)| on_any_v6(record)) {
        return;
    }
    let mut v4_claims = ArenaVec::new_in(arena);
    v4_claims.extend(
        pairs()
            .filter(|(record, _)| record.local.ip == Some(ANY_V4))
            .map(|(record, _)| claim(record)),
    );
    v4_claims.sort_unstable();
    for (record, facts) in records
        .iter()
        .zip(facts)
        .filter(|(record, _)| on_any_v6(record))
    {
        if let Some(listener) = &mut facts.listener {
            let dual_stack =
                record.both_families || v4_claims.binary_search(&claim(record)).is_err();
            *listener = Listener { dual_stack };
        }
    }
}

fn claim(record: &Record<'_>) -> Claim {
    (
        record.transport.and_then(|transport| transport.number),
        record.local.port,
    )
}
