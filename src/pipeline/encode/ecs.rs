//! An event in the Elastic Common Schema, version 9.4: one object, no blanks.
//!
//! What ECS has no field for goes to `labels`, whose keys are flat and whose values are strings
//! (the schema's own rule for custom keys). docs/formats.md has the whole mapping.

use std::net::IpAddr;

use super::application::{self, Basis};
use super::json::push_place;
use super::members::{
    close, push_decimal_text, push_escaped, push_float, push_key, push_list, push_lower_case,
    push_member, push_number, push_object, push_object_if_any, push_plain, push_string, sent,
};
use super::text::{push_decimal, push_ip, push_mac, push_time, push_uuid};
use super::{Event, MessageFacts, Prepared};
use crate::pipeline::code::Warning;
use crate::pipeline::enrich::direction::{Confidence, Host, Initiator};
use crate::pipeline::enrich::listener::Exposure;
use crate::pipeline::enrich::lookup::Geo;
use crate::pipeline::enrich::process::{Category, spelling};
use crate::pipeline::enrich::{EndFacts, Enrichment, Process};
use crate::pipeline::record::{Endpoint, Kind, Network, Record, State};

/// The version in `ecs.version`; `Format::schema` names it too.
const VERSION: &str = "9.4.0";

/// Which end of a socket it is, and how its labels begin.
#[derive(Clone, Copy)]
enum Side {
    Local,
    Remote,
}

impl Side {
    const fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Remote => "remote",
        }
    }
}

/// Writes what all events of a message have in common; every piece ends with a comma.
pub(super) fn prepare(facts: &MessageFacts<'_>, prepared: &mut Prepared) {
    let metadata = facts.metadata;
    let out = &mut prepared.metadata;
    push_plain(out, "@timestamp", |out| {
        push_time(out, metadata.observed_at);
    });
    push_object(out, "ecs", |out| {
        push_member(out, "version", Some(VERSION));
    });
    push_object(out, "agent", |out| {
        push_member(out, "id", Some(metadata.agent_id));
        push_member(out, "type", metadata.agent_type);
    });
    push_object_if_any(out, "host", |out| push_member(out, "name", metadata.source));

    let out = &mut prepared.ingest;
    push_member(out, "project", Some(metadata.project));
    push_truth(out, "automated", metadata.automated);
    push_member(out, "message_id", metadata.message_id);
    push_member(out, "data_type", metadata.data_type);
    if let Some(expires_at) = metadata.expires_at {
        push_plain(out, "expires_at", |out| push_time(out, expires_at));
    }
    push_member(out, "ingest_topic", Some(facts.topic));
    push_decimal_text(out, "ingest_partition", i64::from(facts.partition));
    push_decimal_text(out, "ingest_offset", facts.offset);
    let count = i64::try_from(facts.records.len()).unwrap_or(i64::MAX);
    push_decimal_text(out, "ingest_record_count", count);
}

/// Appends one event.
pub(super) fn push_event(
    out: &mut Vec<u8>,
    event: &Event<'_>,
    message: &MessageFacts<'_>,
    prepared: &Prepared,
) {
    let protocol = application::protocol(event);
    out.push(b'{');
    out.extend_from_slice(&prepared.metadata);
    push_categories(out, event);
    push_ends(out, event);
    push_network(out, event, protocol.map(|(name, _)| name));
    push_object_if_any(out, "process", |out| {
        push_process(out, event);
    });
    push_object_if_any(out, "service", |out| {
        push_member(out, "name", event.record.service());
    });
    push_related(out, event, message.metadata.source);
    if !event.warnings.is_empty() {
        push_list(out, "tags", event.warnings.iter().map(Warning::name));
    }
    push_object(out, "labels", |out| {
        out.extend_from_slice(&prepared.ingest);
        push_labels(out, event, protocol.map(|(_, basis)| basis));
    });
    close(out);
}

fn push_categories(out: &mut Vec<u8>, event: &Event<'_>) {
    let kind = event.facts.kind;
    push_object(out, "event", |out| {
        push_plain(out, "id", |out| push_uuid(out, event.identity.event_id));
        out.extend_from_slice(br#""kind":"state","category":["network"],"#);
        push_list(out, "type", types(kind, event.record.state).iter().copied());
        push_member(out, "code", Some(kind.name()));
    });
}

/// `event.type`: of a connection also where in its life it is.
const fn types(kind: Kind, state: Option<State>) -> &'static [&'static str] {
    match kind {
        Kind::Listener | Kind::Idle => &["info"],
        Kind::Connection => match state {
            Some(State::SynSent | State::SynRecv) => &["connection", "start"],
            Some(state) if state.is_closing() => &["connection", "end"],
            _ => &["connection"],
        },
    }
}

/// `source` is the end that called, or the local one where that is not known. `client` and
/// `server` repeat both where it is.
fn push_ends(out: &mut Vec<u8>, event: &Event<'_>) {
    let (record, facts) = (event.record, event.facts);
    let initiator = facts.direction.map(|direction| direction.initiator);
    let calls = |side: &Side| match side {
        Side::Local => initiator != Some(Initiator::Remote),
        Side::Remote => initiator == Some(Initiator::Remote),
    };
    let roles_known = matches!(initiator, Some(Initiator::Local | Initiator::Remote));
    for side in [Side::Local, Side::Remote] {
        let (end, facts, raw) = match side {
            Side::Local => (Some(&record.local), &facts.local, record.row.local_address),
            Side::Remote => (
                record.remote.as_ref(),
                &facts.remote,
                record.row.remote_address,
            ),
        };
        let Some(end) = end else { continue };
        let (name, role) = if calls(&side) {
            ("source", "client")
        } else {
            ("destination", "server")
        };
        push_key(out, name);
        let start = out.len();
        out.push(b'{');
        push_end(out, end, facts, raw, record);
        close(out);
        out.push(b',');
        let written = start..out.len();
        if roles_known {
            push_key(out, role);
            out.extend_from_within(written);
        }
    }
}

fn push_end(
    out: &mut Vec<u8>,
    end: &Endpoint<'_>,
    facts: &EndFacts<'_>,
    raw: &str,
    record: &Record<'_>,
) {
    push_member(out, "address", sent(raw));
    if let Some(ip) = end.ip {
        push_plain(out, "ip", |out| push_ip(out, ip));
    }
    push_number(out, "port", end.port.map(u64::from));
    if let Some(mac) = end.mac {
        push_plain(out, "mac", |out| push_mac(out, mac));
    }
    push_member(out, "domain", domain(end, record));
    let site = facts.network.and_then(|network| network.site);
    push_object_if_any(out, "geo", |out| {
        push_member(out, "name", site);
        if let Some(geo) = facts.geo {
            push_geo(out, geo);
        }
    });
    if let Some(of) = facts.autonomous_system {
        push_object_if_any(out, "as", |out| {
            push_number(out, "number", of.number.map(u64::from));
            push_object_if_any(out, "organization", |out| {
                push_member(out, "name", of.organization);
            });
        });
    }
}

/// The name of an end where it is that of a host: the addresses of stacks that are not known are
/// kept as text, and may be anything.
fn domain<'a>(end: &Endpoint<'a>, record: &Record<'_>) -> Option<&'a str> {
    let is_known = record.transport.is_some() || record.network.is_some();
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    end.name.filter(|name| is_known && name.bytes().all(fits))
}

fn push_geo(out: &mut Vec<u8>, geo: &Geo<'_>) {
    push_place(out, geo);
    push_member(out, "timezone", geo.time_zone);
    if let Some((latitude, longitude)) = geo.finite_location() {
        push_object(out, "location", |out| {
            push_float(out, "lat", latitude);
            push_float(out, "lon", longitude);
        });
    }
}

fn push_network(out: &mut Vec<u8>, event: &Event<'_>, protocol: Option<&str>) {
    let (record, facts) = (event.record, event.facts);
    push_object_if_any(out, "network", |out| {
        push_member(out, "type", record.network.map(Network::name));
        if let Some(transport) = record.transport {
            push_key(out, "transport");
            push_lower_case(out, transport.name);
            out.push(b',');
            if let Some(number) = transport.number {
                push_decimal_text(out, "iana_number", number.into());
            }
        }
        if let Some(protocol) = protocol {
            push_key(out, "protocol");
            push_lower_case(out, protocol);
            out.push(b',');
        }
        if let Some(id) = facts.community_id {
            push_plain(out, "community_id", |out| {
                out.extend_from_slice(id.as_bytes());
            });
        }
        if let Some(direction) = facts.direction {
            let host = match direction.host {
                Host::Local => "internal",
                host => host.name(),
            };
            push_member(out, "direction", Some(host));
        }
        let network = facts.local.network;
        push_member(out, "name", network.map(|network| network.name));
    });
}

/// The process; what was sent of it stands where it is what that field says.
fn push_process(out: &mut Vec<u8>, event: &Event<'_>) {
    let process = &event.facts.process;
    push_number(out, "pid", process.pid.map(u64::from));
    push_member(out, "name", process.executable);
    if let Some(name) = process.name {
        let spelling = spelling(name);
        push_member(out, "executable", spelling.path);
        if spelling.has_arguments {
            push_member(out, "command_line", Some(name));
        } else if spelling.is_title {
            push_member(out, "title", Some(name));
        }
    }
}

/// Whether a field of the process holds its name just as it was sent.
fn holds_name(process: &Process<'_>) -> bool {
    let Some(name) = process.name else {
        return false;
    };
    let spelling = spelling(name);
    spelling.has_arguments
        || spelling.is_title
        || process.executable == Some(name)
        || spelling.path == Some(name)
}

/// Every address of the event, but the unspecified ones, which are nobody's, and every name of a
/// host.
fn push_related(out: &mut Vec<u8>, event: &Event<'_>, host: Option<&str>) {
    let (record, facts) = (event.record, event.facts);
    let remote = record.remote.as_ref();
    let embedded = |facts: &EndFacts<'_>| facts.embedded_ipv4.map(IpAddr::from);
    let addresses = [
        record.local.ip,
        remote.and_then(|remote| remote.ip),
        embedded(&facts.local),
        embedded(&facts.remote),
    ];
    let addresses = addresses.map(|ip| ip.filter(|ip| !ip.is_unspecified()));
    let names = [
        host,
        domain(&record.local, record),
        remote.and_then(|remote| domain(remote, record)),
    ];
    push_object_if_any(out, "related", |out| {
        push_each_once(out, "ip", &addresses, |out, ip| {
            out.push(b'"');
            push_ip(out, ip);
            out.push(b'"');
        });
        push_each_once(out, "hosts", &names, push_string);
    });
}

/// A list of what there is, each item once; none where there is nothing.
fn push_each_once<T: Copy + PartialEq>(
    out: &mut Vec<u8>,
    key: &str,
    items: &[Option<T>],
    write: impl Fn(&mut Vec<u8>, T),
) {
    if items.iter().all(Option::is_none) {
        return;
    }
    push_key(out, key);
    out.push(b'[');
    for (at, item) in items.iter().enumerate() {
        let is_first = !items.iter().take(at).any(|before| before == item);
        if let Some(item) = item.filter(|_| is_first) {
            write(out, item);
            out.push(b',');
        }
    }
    out.pop_if(|last| *last == b',');
    out.extend_from_slice(b"],");
}

/// What ECS has no field for.
fn push_labels(out: &mut Vec<u8>, event: &Event<'_>, protocol: Option<Basis>) {
    let (record, facts) = (event.record, event.facts);
    push_plain(out, "connection_key", |out| {
        push_uuid(out, event.identity.connection_key);
    });
    push_decimal_text(out, "ingest_record_index", record.index.into());
    push_stack(out, record);
    push_member(out, "network_protocol_basis", protocol.map(Basis::name));
    push_member(out, "state", record.state.map(State::name));
    push_end_labels(out, Side::Local, &record.local, &facts.local, record);
    if let Some(remote) = &record.remote {
        push_end_labels(out, Side::Remote, remote, &facts.remote, record);
    }
    if let Some(direction) = facts.direction {
        push_member(out, "direction_perimeter", Some(direction.perimeter.name()));
        push_member(out, "direction_initiator", Some(direction.initiator.name()));
        push_member(out, "direction_basis", Some(direction.basis.name()));
        let confidence = direction.confidence.map(Confidence::name);
        push_member(out, "direction_confidence", confidence);
    }
    push_owner_labels(out, event);
    for (key, set) in [
        ("enrichments_success", facts.success),
        ("enrichments_failure", facts.failure),
    ] {
        if !set.is_empty() {
            push_joined(out, key, set.iter().map(Enrichment::name));
        }
    }
    push_origin_labels(out, event);
}

/// The stack, where it has more than the layers that have fields.
fn push_stack(out: &mut Vec<u8>, record: &Record<'_>) {
    let transport = record.transport.map(|transport| transport.name);
    let layers = [transport, record.network.map(Network::name)];
    let layers = layers.into_iter().flatten();
    if !layers.eq(record.protocols.iter().copied()) {
        push_joined(out, "protocols", record.protocols.iter().copied());
    }
}

fn push_end_labels(
    out: &mut Vec<u8>,
    side: Side,
    end: &Endpoint<'_>,
    facts: &EndFacts<'_>,
    record: &Record<'_>,
) {
    push_label(out, side, "zone", end.zone);
    if domain(end, record).is_none() {
        push_label(out, side, "name", end.name);
    }
    if let Some(scope) = facts.scope {
        push_label(out, side, "scope", Some(scope.name()));
        let global = scope.global().map(truth);
        push_label(out, side, "global", global);
    }
    if let Some(ip) = facts.embedded_ipv4 {
        push_label_key(out, side, "embedded_ipv4");
        out.push(b'"');
        push_ip(out, ip.into());
        out.extend_from_slice(br#"","#);
    }
    push_label(out, side, "service", facts.service);
    push_label(out, side, "mac_vendor", facts.mac_vendor);
    if let Some(network) = facts.network {
        push_label(out, side, "network_prefix", Some(network.prefix));
        push_label(out, side, "network_name", Some(network.name));
        push_label(out, side, "network_role", network.role);
        push_label(out, side, "network_tenant", network.tenant);
    }
    if let Some(radius) = facts.geo.and_then(|geo| geo.accuracy_radius_km) {
        push_label_key(out, side, "geo_accuracy_radius_km");
        out.push(b'"');
        push_decimal(out, radius.into());
        out.extend_from_slice(br#"","#);
    }
}

fn push_owner_labels(out: &mut Vec<u8>, event: &Event<'_>) {
    let facts = event.facts;
    let category = facts.process.category.map(Category::name);
    push_member(out, "process_category", category);
    if facts.process.pid_inferred {
        push_truth(out, "process_pid_inferred", true);
    }
    if let Some(listener) = facts.listener {
        push_member(
            out,
            "listener_exposure",
            listener.exposure.map(Exposure::name),
        );
        push_truth(out, "listener_dual_stack", listener.dual_stack);
        push_truth(out, "listener_ephemeral", listener.ephemeral);
        let peers = listener.established_peers;
        push_decimal_text(out, "listener_established_peers", peers.into());
    }
    if let Some(peer) = facts.peer_process {
        if let Some(pid) = peer.pid {
            push_decimal_text(out, "peer_process_pid", pid.into());
        }
        push_member(out, "peer_process_name", peer.name);
        push_member(out, "peer_process_executable", peer.executable);
        let category = peer.category.map(Category::name);
        push_member(out, "peer_process_category", category);
        if peer.pid_inferred {
            push_truth(out, "peer_process_pid_inferred", true);
        }
    }
}

/// What was sent, where no field holds it as it was.
fn push_origin_labels(out: &mut Vec<u8>, event: &Event<'_>) {
    let record = event.record;
    let row = &record.row;
    if record.remote.is_none() {
        push_member(out, "origin_remote_address", sent(row.remote_address));
    }
    push_member(out, "origin_protocol", sent(row.protocol));
    push_member(out, "origin_state", sent(row.state));
    if let Some(id) = row.process_id.number() {
        push_decimal_text(out, "origin_process_id", id.into());
    }
    if !holds_name(&event.facts.process) {
        push_member(out, "origin_process_name", sent(row.process_name));
    }
    if record.service().is_none() {
        push_member(out, "origin_service", sent(row.service));
    }
}

fn push_label(out: &mut Vec<u8>, side: Side, key: &str, value: Option<&str>) {
    if let Some(value) = value {
        push_label_key(out, side, key);
        push_string(out, value);
        out.push(b',');
    }
}

fn push_label_key(out: &mut Vec<u8>, side: Side, key: &str) {
    out.push(b'"');
    out.extend_from_slice(side.name().as_bytes());
    out.push(b'_');
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(br#"":"#);
}

/// A list as one label. Names that may hold a comma themselves are not among what is joined.
fn push_joined<'t>(out: &mut Vec<u8>, key: &str, items: impl Iterator<Item = &'t str>) {
    push_key(out, key);
    out.push(b'"');
    let start = out.len();
    for item in items {
        if out.len() > start {
            out.push(b',');
        }
        push_escaped(out, item);
    }
    out.extend_from_slice(br#"","#);
}

const fn truth(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

fn push_truth(out: &mut Vec<u8>, key: &str, value: bool) {
    push_member(out, key, Some(truth(value)));
}
