//! An event in the native JSON format: one object, keys in the order of the schema, no blanks.

use std::io::Write;
use std::net::IpAddr;

use super::text::{push_decimal, push_ip, push_mac, push_time, push_uuid};
use super::{Event, MessageFacts, Prepared};
use crate::pipeline::code::Warning;
use crate::pipeline::enrich::direction::Confidence;
use crate::pipeline::enrich::listener::Exposure;
use crate::pipeline::enrich::lookup::{Geo, NetworkLabel};
use crate::pipeline::enrich::process::Category;
use crate::pipeline::enrich::{EndFacts, Enrichment, Facts, Process};
use crate::pipeline::record::{Endpoint, Network, Row, State};

/// Writes what all events of a message have in common; every piece ends with a comma.
pub(super) fn prepare(facts: &MessageFacts<'_>, prepared: &mut Prepared) {
    let metadata = facts.metadata;
    let out = &mut prepared.metadata;
    out.extend_from_slice(br#""observed_at":""#);
    push_time(out, metadata.observed_at);
    out.extend_from_slice(br#"","#);
    if let Some(expires_at) = metadata.expires_at {
        out.extend_from_slice(br#""expires_at":""#);
        push_time(out, expires_at);
        out.extend_from_slice(br#"","#);
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
    out.extend_from_slice(br#"{"event_id":""#);
    push_uuid(out, event.identity.event_id);
    out.extend_from_slice(br#"","connection_key":""#);
    push_uuid(out, event.identity.connection_key);
    out.extend_from_slice(br#"","#);
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
    if !event.warnings.is_empty() {
        push_list(out, "warnings", event.warnings.iter().map(Warning::name));
    }
    push_enrichments(out, event.facts);
    push_object(out, "origin", |out| push_row(out, &record.row));
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
    if let Some(id) = facts.community_id {
        push_key(out, "community_id");
        out.push(b'"');
        out.extend_from_slice(id.as_bytes());
        out.extend_from_slice(br#"","#);
    }
}

fn push_owner(out: &mut Vec<u8>, event: &Event<'_>) {
    push_process(out, "process", &event.facts.process);
    push_member(out, "service", event.record.service());
    if let Some(listener) = event.facts.listener {
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
    if let Some(process) = event.facts.peer_process {
        push_process(out, "peer_process", process);
    }
}

fn push_process(out: &mut Vec<u8>, key: &str, process: &Process<'_>) {
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
        push_address(out, "ip", ip);
    }
    push_number(out, "port", endpoint.port.map(u64::from));
    push_member(out, "zone", endpoint.zone);
    if let Some(mac) = endpoint.mac {
        out.extend_from_slice(br#""mac":""#);
        push_mac(out, mac);
        out.extend_from_slice(br#"","#);
    }
    push_member(out, "name", endpoint.name);
    if let Some(scope) = facts.scope {
        push_member(out, "scope", Some(scope.name()));
        if let Some(global) = scope.global() {
            push_flag(out, "global", global);
        }
    }
    if let Some(ip) = facts.embedded_ipv4 {
        push_address(out, "embedded_ipv4", ip.into());
    }
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

fn push_label(out: &mut Vec<u8>, label: &NetworkLabel<'_>) {
    push_member(out, "prefix", Some(label.prefix));
    push_member(out, "name", Some(label.name));
    push_member(out, "role", label.role);
    push_member(out, "site", label.site);
    push_member(out, "tenant", label.tenant);
}

fn push_geo(out: &mut Vec<u8>, geo: &Geo<'_>) {
    push_member(out, "continent_code", geo.continent_code);
    push_member(out, "country_iso_code", geo.country_iso_code);
    push_member(out, "country_name", geo.country_name);
    push_member(out, "region_iso_code", geo.region_iso_code);
    push_member(out, "region_name", geo.region_name);
    push_member(out, "city_name", geo.city_name);
    push_member(out, "postal_code", geo.postal_code);
    push_member(out, "time_zone", geo.time_zone);
    if let Some((latitude, longitude)) = geo.location {
        push_object(out, "location", |out| {
            push_float(out, "latitude", latitude);
            push_float(out, "longitude", longitude);
        });
    }
    let radius = geo.accuracy_radius_km;
    push_number(out, "accuracy_radius_km", radius.map(u64::from));
}

fn push_address(out: &mut Vec<u8>, key: &str, ip: IpAddr) {
    push_key(out, key);
    out.push(b'"');
    push_ip(out, ip);
    out.extend_from_slice(br#"","#);
}

fn push_enrichments(out: &mut Vec<u8>, facts: &Facts<'_>) {
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

fn push_row(out: &mut Vec<u8>, row: &Row<'_>) {
    push_member(out, "local_address", sent(row.local_address));
    push_member(out, "remote_address", sent(row.remote_address));
    push_member(out, "protocol", sent(row.protocol));
    push_member(out, "state", sent(row.state));
    push_number(out, "process_id", row.process_id.number().map(u64::from));
    push_member(out, "process_name", sent(row.process_name));
    push_member(out, "service", sent(row.service));
}

fn sent(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn push_object(out: &mut Vec<u8>, key: &str, write: impl FnOnce(&mut Vec<u8>)) {
    push_key(out, key);
    out.push(b'{');
    write(out);
    close(out);
    out.push(b',');
}

/// Ends an object: its last member's comma gives way to the brace.
fn close(out: &mut Vec<u8>) {
    out.pop_if(|last| *last == b',');
    out.push(b'}');
}

fn push_list<'t>(out: &mut Vec<u8>, key: &str, items: impl Iterator<Item = &'t str>) {
    push_key(out, key);
    out.push(b'[');
    for item in items {
        push_string(out, item);
        out.push(b',');
    }
    out.pop_if(|last| *last == b',');
    out.extend_from_slice(b"],");
}

fn push_member(out: &mut Vec<u8>, key: &str, value: Option<&str>) {
    if let Some(value) = value {
        push_key(out, key);
        push_string(out, value);
        out.push(b',');
    }
}

fn push_number(out: &mut Vec<u8>, key: &str, value: Option<u64>) {
    if let Some(value) = value {
        push_key(out, key);
        push_decimal(out, value);
        out.push(b',');
    }
}

/// A finite number, in the shortest digits that are read back as the same.
fn push_float(out: &mut Vec<u8>, key: &str, value: f64) {
    push_key(out, key);
    // Writing to a vector cannot fail.
    let _ = serde_json::to_writer(&mut *out, &value);
    out.push(b',');
}

fn push_flag(out: &mut Vec<u8>, key: &str, value: bool) {
    push_key(out, key);
    out.extend_from_slice(if value { b"true," } else { b"false," });
}

fn push_key(out: &mut Vec<u8>, key: &str) {
    out.push(b'"');
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(br#"":"#);
}

/// A JSON string (RFC 8259, section 7): only what must be escaped is.
fn push_string(out: &mut Vec<u8>, text: &str) {
    let must_escape = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(must_escape) {
        let (clean, escaped) = rest.split_at(at);
        out.extend_from_slice(clean);
        if let Some((byte, after)) = escaped.split_first() {
            push_escape(out, *byte);
            rest = after;
        }
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

fn push_escape(out: &mut Vec<u8>, byte: u8) {
    let short = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        _ => {
            // Writing to a vector cannot fail.
            let _ = write!(out, "\\u{byte:04x}");
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn strings_are_read_back_as_they_were(text: String) {
            let mut out = Vec::new();
            push_string(&mut out, &text);
            let read: String = serde_json::from_slice(&out).unwrap();
            prop_assert_eq!(read, text);
        }
    }
}
