//! One row's text to canonical values: the protocol stack first, then the two ends by it, then
//! the state.

mod address;
mod end;
mod protocol;
pub(super) mod services;
mod state;

use bumpalo::Bump;

use address::Address;
use end::Fault;
use protocol::{Named, Spelling, Stack};

use super::code::{Rejection, Warning, Warnings};
use super::record::{Network, ProcessId, Record, Row, State, Transport, present};
use super::reject::Reject;
use super::settings::Limits;

/// Reads a row: the protocol stack first, then the addresses by it. The position in the message
/// is the record's index; what must be computed is kept in the arena.
///
/// The error is the first rejection that holds, in the order of [`Rejection`].
pub fn record<'a>(
    index: u32,
    row: Row<'a>,
    limits: &Limits,
    arena: &'a Bump,
) -> Result<Record<'a>, Reject> {
    check_presence(&row)?;
    let stack = protocol::read(row.protocol, arena)?;
    let (local, remote) = read_ends(&row, stack)?;
    check_process_id(row.process_id)?;
    check_lengths(&row, limits)?;

    let network = network(stack, &local, remote.as_ref());
    let datagram = stack.is_datagram();
    let state = state::read(row.state, datagram);
    let warnings = warnings(&row, stack, state, &local, remote.as_ref());
    Ok(Record {
        index,
        row,
        protocols: stack.protocols(network, arena),
        transport: transport(stack, &local, remote.as_ref()),
        network,
        state: state.state(),
        local: local.end,
        remote: remote.map(|remote| remote.end),
        both_families: takes_both_families(stack, &local),
        datagram,
        warnings,
    })
}

/// The fields that no record can do without.
fn check_presence(row: &Row<'_>) -> Result<(), Reject> {
    let missing = |code, field, text| Err(Reject::new(code, Some(field), text));
    if present(row.local_address).is_none_or(|text| text.trim_ascii() == "-") {
        let text = "local_address is missing: a record needs a local address";
        return missing(Rejection::MissingLocalAddress, "local_address", text);
    }
    if present(row.protocol).is_none() {
        let text = "protocol is missing: a record needs a protocol list, for example tcp,ipv4";
        return missing(Rejection::MissingProtocol, "protocol", text);
    }
    Ok(())
}

/// Reads both ends. An invalid address is told before a list that does not pair.
fn read_ends<'a>(
    row: &Row<'a>,
    stack: &Stack<'a>,
) -> Result<(Address<'a>, Option<Address<'a>>), Reject> {
    let local = end::local(row.local_address, stack);
    let remote = end::remote(row.remote_address, stack);
    let (field, text, code, problem) = match (local, remote) {
        (Ok(local), Ok(remote)) => return Ok((local, remote)),
        (Err(Fault::Invalid(problem)), _) => (
            "local_address",
            row.local_address,
            Rejection::InvalidLocalAddress,
            problem,
        ),
        (_, Err(Fault::Invalid(problem))) => (
            "remote_address",
            row.remote_address,
            Rejection::InvalidRemoteAddress,
            problem,
        ),
        (Err(Fault::Unpaired), _) => unpaired("local_address", row.local_address),
        (_, Err(Fault::Unpaired)) => unpaired("remote_address", row.remote_address),
    };
    Err(Reject::value(code, field, problem, text))
}

fn unpaired<'t>(
    field: &'static str,
    text: &'t str,
) -> (&'static str, &'t str, Rejection, &'static str) {
    let problem = "has a number of elements that does not pair with the protocol list";
    (field, text, Rejection::AddressProtocolMismatch, problem)
}

fn check_process_id(id: ProcessId<'_>) -> Result<(), Reject> {
    let ProcessId::Invalid(text) = id else {
        return Ok(());
    };
    Err(Reject::value(
        Rejection::InvalidProcessId,
        "process_id",
        "is not a whole number between 0 and 4294967295",
        text,
    ))
}

fn check_lengths(row: &Row<'_>, limits: &Limits) -> Result<(), Reject> {
    let fields = [
        ("local_address", row.local_address),
        ("remote_address", row.remote_address),
        ("protocol", row.protocol),
        ("state", row.state),
        ("process_name", row.process_name),
        ("service", row.service),
    ];
    let max = limits.max_field_bytes;
    let Some((field, text)) = fields.iter().find(|(_, text)| text.len() > max) else {
        return Ok(());
    };
    let size = text.len();
    Err(Reject::new(
        Rejection::FieldTooLong,
        Some(field),
        &format!("{field} has {size} bytes, more than validate.max_field_bytes ({max})"),
    ))
}

/// The network: what the local end shows, else the remote, else what the stack names.
fn network(stack: &Stack<'_>, local: &Address, remote: Option<&Address>) -> Option<Network> {
    let remote = || remote.and_then(|remote| remote.family);
    local
        .family
        .or_else(remote)
        .or_else(|| stack.named.family())
}

/// The transport, with the protocol that a raw socket's address brings.
fn transport<'a>(
    stack: &Stack<'a>,
    local: &Address,
    remote: Option<&Address>,
) -> Option<Transport<'a>> {
    let mut transport = stack.transport?;
    let remote = || remote.and_then(|remote| remote.protocol);
    transport.number = transport.number.or_else(|| local.protocol.or_else(remote));
    Some(transport)
}

/// Whether the row itself says that the socket takes peers of both families.
fn takes_both_families(stack: &Stack<'_>, local: &Address) -> bool {
    let unspecified = || local.end.ip.is_some_and(|ip| ip.is_unspecified());
    let unnamed = matches!(stack.named, Named::Nothing | Named::Ip);
    (local.any && unnamed) || (stack.spelling == Spelling::BothFamilies && unspecified())
}

/// Whether an address is not of the named family, or the two ends are of different families.
/// IPv4 on a socket of IPv6 is neither: such sockets take both.
fn families_differ(stack: &Stack<'_>, local: &Address, remote: Option<&Address>) -> bool {
    let (local, remote) = (local.family, remote.and_then(|remote| remote.family));
    let is_ipv6 = |family| family == Some(Network::Ipv6);
    let misnamed =
        stack.named.family() == Some(Network::Ipv4) && (is_ipv6(local) || is_ipv6(remote));
    misnamed || (local.is_some() && remote.is_some() && local != remote)
}

/// What is odd about the record.
fn warnings(
    row: &Row<'_>,
    stack: &Stack<'_>,
    state: state::Reading,
    local: &Address,
    remote: Option<&Address>,
) -> Warnings {
    let mut warnings = local.warnings;
    if let Some(remote) = remote {
        warnings = warnings.union(remote.warnings);
    }
    let has_ports = stack.transport.is_some_and(|transport| transport.has_ports);
    let listens = state.state() == Some(State::Listen);
    for (holds, warning) in [
        (row.unknown_fields, Warning::UnknownFields),
        (
            state == state::Reading::Unrecognized,
            Warning::UnrecognizedState,
        ),
        (stack.unrecognized, Warning::UnrecognizedProtocol),
        (
            families_differ(stack, local, remote),
            Warning::AddressFamilyMismatch,
        ),
        (listens && remote.is_some(), Warning::ListenWithRemote),
        (
            has_ports && local.end.port == Some(0),
            Warning::ZeroLocalPort,
        ),
    ] {
        if holds {
            warnings.add(warning);
        }
    }
    warnings
}

#[cfg(test)]
mod tests;
