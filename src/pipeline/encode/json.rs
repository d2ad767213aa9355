//! An event in the native JSON format: one object, keys in the order of the schema, no blanks.

use std::io::Write;

use super::members::{
    close, push_flag, push_float, push_list, push_member, push_number, push_object, push_plain,
    sent,
};
use super::text::{push_ip, push_mac, push_time, push_uuid};
use super::{Event, MessageFacts, Prepared};
use crate::pipeline::code::{Warning, Warnings};
use crate::pipeline::enrich::direction::{Confidence, Direction};
use crate::pipeline::enrich::listener::{Exposure, Listener};
use crate::pipeline::enrich::lookup::{Geo, NetworkLabel};
use crate::pipeline::enrich::process::Category;
use crate::pipeline::enrich::{EndFacts, Enrichment, Facts, Process};
use crate::pipeline::record::{Endpoint, Network, Row, State};

/// Writes what all events of a message have in common; every piece ends with a comma.
pub(super) fn prepare(facts: &MessageFacts<'_>, prepared: &mut Prepared) {
    let metadata = facts.metadata;
    let out = &mut prepared.metadata;
    push_plain(out, "observed_at", |out| {
        push_time(out, metadata.observed_at);
    });
    if let Some(expires_at) = metadata.expires_at {
        push_plain(out, "expires_at", |out| push_time(out, expires_at));
    }
    push_member(out, "project", Some(metadata.project));
    push_member(out, "agent_id", Some(metadata.agent_id));
    push_member(out, "agent_type", metadata.agent_type);
    push_flag(out, "automated", metadata.automated);
    push_member(out, "source", metadata.source);
    push_member(out, "message_id", metadata.message_id);
    push_member(out, "data_type", metadata.data_type);

    let out = &mut prepared.ingest;
    push_member(out, "topic", Some(facts.topic));
    // Writing to a vector cannot fail.
    let _ = write!(
        out,
        r#""partition":{},"offset":{},"#,
        facts.partition, facts.offset
    );
}

/// Appends one event.
pub(super) fn push_event(
    out: &mut Vec<u8>,
    event: &Event<'_>,
    facts: &MessageFacts<'_>,
    prepared: &Prepared,
) {
    let record = event.record;
    let identity = event.identity;
    out.push(b'{');
    push_plain(out, "event_id", |out| push_uuid(out, identity.event_id));
    push_plain(out, "connection_key", |out| {
        push_uuid(out, identity.connection_key);
    });
    push_member(out, "kind", Some(event.facts.kind.name()));
    out.extend_from_slice(&prepared.metadata);
    push_list(out, "protocols", record.protocols.iter().copied());
    if let Some(transport) = record.transport {
        push_member(out, "transport", Some(transport.name));
    }
    push_member(out, "network", record.network.map(Network::name));
    let number = record.transport.and_then(|transport| transport.number);
    push_number(out, "iana_number", number.map(u64::from));
    push_member(out, "state", record.state.map(State::name));
    push_ends(out, event);
    push_owner(out, event);
    push_warnings(out, event.warnings);
    push_enrichments(out, event.facts);
    push_origin(out, &record.row);
    push_object(out, "ingest", |out| {
        out.extend_from_slice(&prepared.ingest);
        push_number(out, "record_index", Some(record.index.into()));
        push_number(out, "record_count", Some(facts.records.len() as u64));
    });
    close(out);
}

/// Both ends, and what there is between them.
fn push_ends(out: &mut Vec<u8>, event: &Event<'_>) {
    let (record, facts) = (event.record, event.facts);
    push_object(out, "local", |out| {
        push_endpoint(out, &record.local, &facts.local);
    });
    if let Some(remote) = &record.remote {
        push_object(out, "remote", |out| {
            push_endpoint(out, remote, &facts.remote);
        });
    }
    if let Some(direction) = facts.direction {
        push_direction(out, direction);
    }
    if let Some(id) = facts.community_id {
        push_plain(out, "community_id", |out| {
            out.extend_from_slice(id.as_bytes());
        });
    }
}

pub(super) fn push_direction(out: &mut Vec<u8>, direction: Direction) {
    push_object(out, "direction", |out| {
        push_member(out, "host", Some(direction.host.name()));
        push_member(out, "perimeter", Some(direction.perimeter.name()));
        push_member(out, "initiator", Some(direction.initiator.name()));
        push_member(out, "basis", Some(direction.basis.name()));
        push_member(
            out,
            "confidence",
            direction.confidence.map(Confidence::name),
        );
    });
}

fn push_owner(out: &mut Vec<u8>, event: &Event<'_>) {
    push_process(out, "process", &event.facts.process);
    push_member(out, "service", event.record.service());
    if let Some(listener) = event.facts.listener {
        push_listener(out, listener);
    }
    if let Some(process) = event.facts.peer_process {
        push_process(out, "peer_process", process);
    }
}

pub(super) fn push_listener(out: &mut Vec<u8>, listener: Listener) {
    push_object(out, "listener", |out| {
        push_member(out, "exposure", listener.exposure.map(Exposure::name));
        push_flag(out, "dual_stack", listener.dual_stack);
        push_flag(out, "ephemeral", listener.ephemeral);
        push_number(
            out,
            "established_peers",
            Some(listener.established_peers.into()),
        );
    });
}

pub(super) fn push_process(out: &mut Vec<u8>, key: &str, process: &Process<'_>) {
    if process.is_unknown() {
        return;
    }
    push_object(out, key, |out| {
        push_number(out, "pid", process.pid.map(u64::from));
        push_member(out, "name", process.name);
        push_member(out, "executable", process.executable);
        push_member(out, "category", process.category.map(Category::name));
        if process.pid_inferred {
            push_flag(out, "pid_inferred", true);
        }
    });
}

fn push_endpoint(out: &mut Vec<u8>, endpoint: &Endpoint<'_>, facts: &EndFacts<'_>) {
    if let Some(ip) = endpoint.ip {
        push_plain(out, "ip", |out| push_ip(out, ip));
    }
    push_number(out, "port", endpoint.port.map(u64::from));
    push_member(out, "zone", endpoint.zone);
    if let Some(mac) = endpoint.mac {
        push_plain(out, "mac", |out| push_mac(out, mac));
    }
    push_member(out, "name", endpoint.name);
    push_scope(out, facts);
    push_member(out, "service", facts.service);
    push_member(out, "mac_vendor", facts.mac_vendor);
    if let Some(label) = facts.network {
        push_object(out, "network", |out| push_label(out, label));
    }
    if let Some(geo) = facts.geo {
        push_object(out, "geo", |out| push_geo(out, geo));
    }
    if let Some(system) = facts.autonomous_system {
        push_object(out, "as", |out| {
            push_number(out, "number", system.number.map(u64::from));
            push_member(out, "organization", system.organization);
        });
    }
}

pub(super) fn push_label(out: &mut Vec<u8>, label: &NetworkLabel<'_>) {
    push_member(out, "prefix", Some(label.prefix));
    push_member(out, "name", Some(label.name));
    push_member(out, "role", label.role);
    push_member(out, "site", label.site);
    push_member(out, "tenant", label.tenant);
}

fn push_geo(out: &mut Vec<u8>, geo: &Geo<'_>) {
    push_place(out, geo);
    push_member(out, "time_zone", geo.time_zone);
    push_location(out, geo);
    let radius = geo.accuracy_radius_km;
    push_number(out, "accuracy_radius_km", radius.map(u64::from));
}

/// The codes and names of a place, which are called as in ECS.
pub(super) fn push_place(out: &mut Vec<u8>, geo: &Geo<'_>) {
    push_member(out, "continent_code", geo.continent_code);
    push_member(out, "country_iso_code", geo.country_iso_code);
    push_member(out, "country_name", geo.country_name);
    push_member(out, "region_iso_code", geo.region_iso_code);
    push_member(out, "region_name", geo.region_name);
    push_member(out, "city_name", geo.city_name);
    push_member(out, "postal_code", geo.postal_code);
}

pub(super) fn push_location(out: &mut Vec<u8>, geo: &Geo<'_>) {
    if let Some((latitude, longitude)) = geo.finite_location() {
        push_object(out, "location", |out| {
            push_float(out, "latitude", latitude);
            push_float(out, "longitude", longitude);
        });
    }
}

/// What the address itself tells.
pub(super) fn push_scope(out: &mut Vec<u8>, facts: &EndFacts<'_>) {
    if let Some(scope) = facts.scope {
        push_member(out, "scope", Some(scope.name()));
        if let Some(global) = scope.global() {
            push_flag(out, "global", global);
        }
    }
    if let Some(ip) = facts.embedded_ipv4 {
        push_plain(out, "embedded_ipv4", |out| push_ip(out, ip.into()));
    }
}

pub(super) fn push_warnings(out: &mut Vec<u8>, warnings: Warnings) {
    if !warnings.is_empty() {
        push_list(out, "warnings", warnings.iter().map(Warning::name));
    }
}

pub(super) fn push_enrichments(out: &mut Vec<u8>, facts: &Facts<'_>) {
    if facts.success.is_empty() && facts.failure.is_empty() {
        return;
    }
    push_object(out, "enrichments", |out| {
        for (key, set) in [("success", facts.success), ("failure", facts.failure)] {
            if !set.is_empty() {
                push_list(out, key, set.iter().map(Enrichment::name));
            }
        }
    });
}

/// The record as it came.
pub(super) fn push_origin(out: &mut Vec<u8>, row: &Row<'_>) {
    push_object(out, "origin", |out| {
        push_member(out, "local_address", sent(row.local_address));
        push_member(out, "remote_address", sent(row.remote_address));
        push_member(out, "protocol", sent(row.protocol));
        push_member(out, "state", sent(row.state));
        push_number(out, "process_id", row.process_id.number().map(u64::from));
        push_member(out, "process_name", sent(row.process_name));
        push_member(out, "service", sent(row.service));
    });
}
