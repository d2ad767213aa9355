//! An event as `netsieve.v1.Event`, fields in the order of their numbers, as generated code
//! writes them too.

use super::text::{push_ip, push_mac, push_uuid};
use super::{Event, MessageFacts, Prepared};
use crate::pipeline::enrich::direction::Direction;
use crate::pipeline::enrich::lookup::{Geo, NetworkLabel};
use crate::pipeline::enrich::{EndFacts, Facts, Process};
use crate::pipeline::message::{Encoding, Time};
use crate::pipeline::record::{Endpoint, Row};
use crate::pipeline::wire::{
    bytes_tag, push_bytes, push_double, push_nested, push_nonzero, push_text, push_uint,
    push_varint,
};

/// Field numbers of `netsieve.v1.Event`.
mod field {
    pub(super) const EVENT_ID: u32 = 1;
    pub(super) const CONNECTION_KEY: u32 = 2;
    pub(super) const KIND: u32 = 3;
    pub(super) const OBSERVED_AT: u32 = 4;
    pub(super) const EXPIRES_AT: u32 = 5;
    pub(super) const PROJECT: u32 = 6;
    pub(super) const AGENT_ID: u32 = 7;
    pub(super) const AGENT_TYPE: u32 = 8;
    pub(super) const AUTOMATED: u32 = 9;
    pub(super) const SOURCE: u32 = 10;
    pub(super) const MESSAGE_ID: u32 = 11;
    pub(super) const DATA_TYPE: u32 = 12;
    pub(super) const PROTOCOLS: u32 = 13;
    pub(super) const TRANSPORT: u32 = 14;
    pub(super) const NETWORK: u32 = 15;
    pub(super) const IANA_NUMBER: u32 = 16;
    pub(super) const STATE: u32 = 17;
    pub(super) const LOCAL: u32 = 18;
    pub(super) const REMOTE: u32 = 19;
    pub(super) const DIRECTION: u32 = 20;
    pub(super) const COMMUNITY_ID: u32 = 21;
    pub(super) const PROCESS: u32 = 22;
    pub(super) const SERVICE: u32 = 23;
    pub(super) const LISTENER: u32 = 24;
    pub(super) const PEER_PROCESS: u32 = 25;
    pub(super) const WARNINGS: u32 = 26;
    pub(super) const ENRICHMENTS: u32 = 27;
    pub(super) const ORIGIN: u32 = 28;
    pub(super) const INGEST: u32 = 29;
}

const UUID_LEN: u64 = 36;

/// Writes what all events of a message have in common.
pub(super) fn prepare(facts: &MessageFacts<'_>, prepared: &mut Prepared) {
    let metadata = facts.metadata;
    let out = &mut prepared.metadata;
    push_time(out, field::OBSERVED_AT, metadata.observed_at);
    if let Some(expires_at) = metadata.expires_at {
        push_time(out, field::EXPIRES_AT, expires_at);
    }
    push_text(out, field::PROJECT, metadata.project);
    push_text(out, field::AGENT_ID, metadata.agent_id);
    push_text(
        out,
        field::AGENT_TYPE,
        metadata.agent_type.unwrap_or_default(),
    );
    push_nonzero(out, field::AUTOMATED, metadata.automated.into());
    push_text(out, field::SOURCE, metadata.source.unwrap_or_default());
    push_text(
        out,
        field::MESSAGE_ID,
        metadata.message_id.unwrap_or_default(),
    );
    push_text(
        out,
        field::DATA_TYPE,
        metadata.data_type.unwrap_or_default(),
    );

    let out = &mut prepared.ingest;
    push_text(out, 1, facts.topic);
    push_nonzero(out, 2, i64::from(facts.partition).cast_unsigned());
    push_nonzero(out, 3, facts.offset.cast_unsigned());
}

/// Appends one event.
pub(super) fn push_event(
    out: &mut Vec<u8>,
    event: &Event<'_>,
    facts: &MessageFacts<'_>,
    prepared: &Prepared,
) {
    let record = event.record;
    for (number, id) in [
        (field::EVENT_ID, event.identity.event_id),
        (field::CONNECTION_KEY, event.identity.connection_key),
    ] {
        push_varint(out, bytes_tag(number).into());
        push_varint(out, UUID_LEN);
        push_uuid(out, id);
    }
    push_uint(out, field::KIND, event.facts.kind as u64);
    out.extend_from_slice(&prepared.metadata);
    for protocol in record.protocols {
        push_bytes(out, field::PROTOCOLS, protocol.as_bytes());
    }
    if let Some(transport) = record.transport {
        push_text(out, field::TRANSPORT, transport.name);
    }
    if let Some(network) = record.network {
        push_text(out, field::NETWORK, network.name());
    }
    if let Some(number) = record.transport.and_then(|transport| transport.number) {
        push_uint(out, field::IANA_NUMBER, number.into());
    }
    if let Some(state) = record.state {
        push_uint(out, field::STATE, state as u64);
    }
    push_ends(out, event);
    push_owner(out, event);
    for warning in event.warnings.iter() {
        push_text(out, field::WARNINGS, warning.name());
    }
    push_enrichments(out, event.facts);
    push_origin(out, event, facts.encoding);
    push_nested(out, field::INGEST, |out| {
        out.extend_from_slice(&prepared.ingest);
        push_nonzero(out, 4, record.index.into());
        push_nonzero(out, 5, facts.records.len() as u64);
    });
}

/// Both ends, and what there is between them.
fn push_ends(out: &mut Vec<u8>, event: &Event<'_>) {
    let (record, facts) = (event.record, event.facts);
    push_nested(out, field::LOCAL, |out| {
        push_endpoint(out, &record.local, &facts.local);
    });
    if let Some(remote) = &record.remote {
        push_nested(out, field::REMOTE, |out| {
            push_endpoint(out, remote, &facts.remote);
        });
    }
    if let Some(direction) = facts.direction {
        push_direction(out, direction);
    }
    if let Some(id) = facts.community_id {
        push_bytes(out, field::COMMUNITY_ID, id.as_bytes());
    }
}

fn push_owner(out: &mut Vec<u8>, event: &Event<'_>) {
    push_process(out, field::PROCESS, &event.facts.process);
    push_text(
        out,
        field::SERVICE,
        event.record.service().unwrap_or_default(),
    );
    if let Some(listener) = event.facts.listener {
        push_nested(out, field::LISTENER, |out| {
            let exposure = listener.exposure.map_or(0, |exposure| exposure as u64);
            push_nonzero(out, 1, exposure);
            push_nonzero(out, 2, listener.dual_stack.into());
            push_nonzero(out, 3, listener.ephemeral.into());
            push_nonzero(out, 4, listener.established_peers.into());
        });
    }
    if let Some(process) = event.facts.peer_process {
        push_process(out, field::PEER_PROCESS, process);
    }
}

fn push_process(out: &mut Vec<u8>, number: u32, process: &Process<'_>) {
    if process.is_unknown() {
        return;
    }
    push_nested(out, number, |out| {
        if let Some(pid) = process.pid {
            push_uint(out, 1, pid.into());
        }
        push_text(out, 2, process.name.unwrap_or_default());
        push_text(out, 3, process.executable.unwrap_or_default());
        push_nonzero(
            out,
            4,
            process.category.map_or(0, |category| category as u64),
        );
        push_nonzero(out, 5, process.pid_inferred.into());
    });
}

fn push_direction(out: &mut Vec<u8>, direction: Direction) {
    push_nested(out, field::DIRECTION, |out| {
        push_uint(out, 1, direction.host as u64);
        push_uint(out, 2, direction.perimeter as u64);
        push_uint(out, 3, direction.initiator as u64);
        push_uint(out, 4, direction.basis as u64);
        push_nonzero(
            out,
            5,
            direction
                .confidence
                .map_or(0, |confidence| confidence as u64),
        );
    });
}

fn push_endpoint(out: &mut Vec<u8>, endpoint: &Endpoint<'_>, facts: &EndFacts<'_>) {
    if let Some(ip) = endpoint.ip {
        push_nested(out, 1, |out| push_ip(out, ip));
    }
    if let Some(port) = endpoint.port {
        push_uint(out, 2, port.into());
    }
    push_text(out, 3, endpoint.zone.unwrap_or_default());
    if let Some(mac) = endpoint.mac {
        push_nested(out, 4, |out| push_mac(out, mac));
    }
    push_text(out, 5, endpoint.name.unwrap_or_default());
    if let Some(scope) = facts.scope {
        push_text(out, 6, scope.name());
        if let Some(global) = scope.global() {
            push_uint(out, 7, global.into());
        }
    }
    if let Some(ip) = facts.embedded_ipv4 {
        push_nested(out, 8, |out| push_ip(out, ip.into()));
    }
    push_text(out, 9, facts.service.unwrap_or_default());
    push_text(out, 10, facts.mac_vendor.unwrap_or_default());
    if let Some(label) = facts.network {
        push_nested(out, 11, |out| push_label(out, label));
    }
    if let Some(geo) = facts.geo {
        push_nested(out, 12, |out| push_geo(out, geo));
    }
    if let Some(system) = facts.autonomous_system {
        push_nested(out, 13, |out| {
            if let Some(number) = system.number {
                push_uint(out, 1, number.into());
            }
            push_text(out, 2, system.organization.unwrap_or_default());
        });
    }
}

fn push_label(out: &mut Vec<u8>, label: &NetworkLabel<'_>) {
    push_text(out, 1, label.prefix);
    push_text(out, 2, label.name);
    push_text(out, 3, label.role.unwrap_or_default());
    push_text(out, 4, label.site.unwrap_or_default());
    push_text(out, 5, label.tenant.unwrap_or_default());
}

fn push_geo(out: &mut Vec<u8>, geo: &Geo<'_>) {
    push_text(out, 1, geo.continent_code.unwrap_or_default());
    push_text(out, 2, geo.country_iso_code.unwrap_or_default());
    push_text(out, 3, geo.country_name.unwrap_or_default());
    push_text(out, 4, geo.region_iso_code.unwrap_or_default());
    push_text(out, 5, geo.region_name.unwrap_or_default());
    push_text(out, 6, geo.city_name.unwrap_or_default());
    push_text(out, 7, geo.postal_code.unwrap_or_default());
    push_text(out, 8, geo.time_zone.unwrap_or_default());
    if let Some((latitude, longitude)) = geo.finite_location() {
        push_nested(out, 9, |out| {
            push_double(out, 1, latitude);
            push_double(out, 2, longitude);
        });
    }
    if let Some(radius) = geo.accuracy_radius_km {
        push_uint(out, 10, radius.into());
    }
}

/// The names of what ran, packed: as their numbers, one byte each.
fn push_enrichments(out: &mut Vec<u8>, facts: &Facts<'_>) {
    if facts.success.is_empty() && facts.failure.is_empty() {
        return;
    }
    push_nested(out, field::ENRICHMENTS, |out| {
        for (number, set) in [(1, facts.success), (2, facts.failure)] {
            if !set.is_empty() {
                push_varint(out, bytes_tag(number).into());
                push_varint(out, set.len().into());
                out.extend(set.iter().map(|enrichment| enrichment as u8));
            }
        }
    });
}

/// The record as it came. A protobuf record's own bytes are those of `Origin`, whose fields have
/// the contract's numbers, so they are taken over untouched.
fn push_origin(out: &mut Vec<u8>, event: &Event<'_>, encoding: Encoding) {
    match encoding {
        Encoding::Protobuf => push_bytes(out, field::ORIGIN, event.raw),
        Encoding::Json => push_nested(out, field::ORIGIN, |out| push_row(out, &event.record.row)),
    }
}

fn push_row(out: &mut Vec<u8>, row: &Row<'_>) {
    push_text(out, 1, row.local_address);
    push_text(out, 2, row.remote_address);
    push_text(out, 3, row.protocol);
    push_text(out, 4, row.state);
    push_nonzero(out, 5, row.process_id.number().unwrap_or_default().into());
    push_text(out, 6, row.process_name);
    push_text(out, 7, row.service);
}

fn push_time(out: &mut Vec<u8>, number: u32, time: Time) {
    push_nested(out, number, |out| {
        push_nonzero(out, 1, time.seconds.cast_unsigned());
        push_nonzero(out, 2, time.nanos.into());
    });
}
