//! An event in the Open Cybersecurity Schema Framework 1.8.0: class Network Activity (4001) with
//! the host profile, one object, no blanks.
//!
//! What the class has no attribute for goes to `unmapped`, in the shape and under the names of
//! the native JSON format. docs/formats.md has the whole mapping.

use super::json::{
    self, push_direction, push_enrichments, push_label, push_listener, push_origin, push_process,
    push_scope, push_warnings,
};
use super::members::{
    close, push_flag, push_float, push_integer, push_list, push_member, push_number, push_object,
    push_object_if_any, push_plain, sent,
};
use super::text::{push_ip, push_mac, push_time, push_uuid};
use super::{Event, MessageFacts, Prepared};
use crate::pipeline::enrich::direction::{Host, Initiator, Perimeter};
use crate::pipeline::enrich::lookup::Geo;
use crate::pipeline::enrich::process::{Category, spelling};
use crate::pipeline::enrich::{EndFacts, Process};
use crate::pipeline::record::{Endpoint, Kind, Network, State};

/// The version in `metadata.version`; `Format::schema` names it too.
const VERSION: &str = "1.8.0";

/// A value of an enum of the schema: its number, and the caption that its sibling says.
type Choice = (u64, &'static str);

const UNKNOWN: Choice = (0, "Unknown");
/// The number that says that the sibling has the source's own word.
const OTHER: u64 = 99;
/// `class_uid` times 100, to which the activity is added (`type_uid`).
const FIRST_TYPE: u64 = 400_100;

/// Writes what all events of a message have in common.
pub(super) fn prepare(facts: &MessageFacts<'_>, prepared: &mut Prepared) {
    let metadata = facts.metadata;
    let out = &mut prepared.metadata;
    out.extend_from_slice(
        br#""category_uid":4,"category_name":"Network Activity","class_uid":4001,"#,
    );
    out.extend_from_slice(br#""class_name":"Network Activity","severity_id":1,"#);
    out.extend_from_slice(br#""severity":"Informational","#);
    let time = metadata.observed_at;
    let millis = time.seconds * 1_000 + i64::from(time.nanos / 1_000_000);
    push_integer(out, "time", millis);
    push_object(out, "device", |out| {
        push_choice(out, "type_id", "type", UNKNOWN);
        push_member(out, "hostname", metadata.source);
        push_member(out, "uid", Some(metadata.agent_id));
        if let Some(agent_type) = metadata.agent_type {
            out.extend_from_slice(br#""agent_list":[{"#);
            push_number(out, "type_id", Some(OTHER));
            push_member(out, "type", Some(agent_type));
            push_member(out, "uid", Some(metadata.agent_id));
            close(out);
            out.extend_from_slice(b"],");
        }
    });
    // The object stays open: each event adds its own id.
    out.extend_from_slice(br#""metadata":{"#);
    push_member(out, "version", Some(VERSION));
    push_list(out, "profiles", ["host"].into_iter());
    push_object(out, "product", |out| {
        push_member(out, "name", Some("netsieve"));
        push_member(out, "vendor_name", Some("netsieve"));
        push_member(out, "version", Some(env!("CARGO_PKG_VERSION")));
    });
    push_plain(out, "original_time", |out| push_time(out, time));

    let out = &mut prepared.ingest;
    push_member(out, "project", Some(metadata.project));
    push_flag(out, "automated", metadata.automated);
    push_member(out, "message_id", metadata.message_id);
    push_member(out, "data_type", metadata.data_type);
    if let Some(expires_at) = metadata.expires_at {
        push_plain(out, "expires_at", |out| push_time(out, expires_at));
    }
    // This one as well.
    out.extend_from_slice(br#""ingest":{"#);
    push_member(out, "topic", Some(facts.topic));
    push_integer(out, "partition", facts.partition.into());
    push_integer(out, "offset", facts.offset);
}

/// Appends one event.
pub(super) fn push_event(
    out: &mut Vec<u8>,
    event: &Event<'_>,
    facts: &MessageFacts<'_>,
    prepared: &Prepared,
) {
    out.push(b'{');
    push_activity(out, activity(event.facts.kind, event.record.state));
    out.extend_from_slice(&prepared.metadata);
    push_plain(out, "uid", |out| push_uuid(out, event.identity.event_id));
    close(out);
    out.push(b',');
    push_ends(out, event);
    push_object(out, "connection_info", |out| push_connection(out, event));
    push_object_if_any(out, "actor", |out| {
        push_actor(out, &event.facts.process);
    });
    push_member(out, "app_name", event.record.service());
    push_object(out, "unmapped", |out| {
        out.extend_from_slice(&prepared.ingest);
        push_number(out, "record_index", Some(event.record.index.into()));
        push_number(out, "record_count", Some(facts.records.len() as u64));
        close(out);
        out.push(b',');
        push_unmapped(out, event);
    });
    close(out);
}

/// What happens, by the state; the rest of what is not waiting for peers is not known.
const fn activity(kind: Kind, state: Option<State>) -> Choice {
    match (kind, state) {
        (Kind::Listener, _) => (7, "Listen"),
        (_, Some(State::SynSent | State::SynRecv)) => (1, "Open"),
        (_, Some(State::Established)) => (6, "Traffic"),
        (_, Some(state)) if state.is_closing() => (2, "Close"),
        _ => UNKNOWN,
    }
}

fn push_activity(out: &mut Vec<u8>, activity: Choice) {
    push_choice(out, "activity_id", "activity_name", activity);
    push_number(out, "type_uid", Some(FIRST_TYPE + activity.0));
    out.extend_from_slice(br#""type_name":"Network Activity: "#);
    out.extend_from_slice(activity.1.as_bytes());
    out.extend_from_slice(br#"","#);
}

/// `src_endpoint` is the end that called, or the local one where that is not known.
fn push_ends(out: &mut Vec<u8>, event: &Event<'_>) {
    let (record, facts) = (event.record, event.facts);
    let initiator = facts.direction.map(|direction| direction.initiator);
    let is_known = matches!(initiator, Some(Initiator::Local | Initiator::Remote));
    push_flag(out, "is_src_dst_assignment_known", is_known);
    let within_host = facts
        .direction
        .is_some_and(|direction| direction.host == Host::Local);
    let remote_calls = initiator == Some(Initiator::Remote);
    let observed_at = match (within_host, remote_calls) {
        (true, _) => (4, "Both"),
        (false, true) => (2, "Destination"),
        (false, false) => (1, "Source"),
    };
    push_choice(
        out,
        "observation_point_id",
        "observation_point",
        observed_at,
    );
    let (local, remote) = if remote_calls {
        ("dst_endpoint", "src_endpoint")
    } else {
        ("src_endpoint", "dst_endpoint")
    };
    push_object(out, local, |out| {
        push_end(out, &record.local, &facts.local, record.row.local_address);
    });
    if let Some(end) = &record.remote {
        push_object(out, remote, |out| {
            push_end(out, end, &facts.remote, record.row.remote_address);
        });
    }
}

fn push_end(out: &mut Vec<u8>, end: &Endpoint<'_>, facts: &EndFacts<'_>, raw: &str) {
    if let Some(ip) = end.ip {
        push_plain(out, "ip", |out| push_ip(out, ip));
    }
    push_number(out, "port", end.port.map(u64::from));
    if let Some(mac) = end.mac {
        push_plain(out, "mac", |out| push_mac(out, mac));
    }
    push_member(out, "mac_vendor", facts.mac_vendor);
    push_member(out, "interface_name", end.zone);
    // The schema wants each end to be called something.
    let raw = sent(raw).filter(|_| end.ip.is_none());
    push_member(out, "name", end.name.or(raw));
    push_member(out, "svc_name", facts.service);
    push_member(out, "zone", facts.network.map(|network| network.name));
    if let Some(geo) = facts.geo.filter(|geo| is_location(geo)) {
        push_object(out, "location", |out| push_location(out, geo));
    }
    if let Some(of) = facts.autonomous_system {
        push_object_if_any(out, "autonomous_system", |out| {
            push_number(out, "number", of.number.map(u64::from));
            push_member(out, "name", of.organization);
        });
    }
}

/// Whether it says one of what the schema wants a location to say.
fn is_location(geo: &Geo<'_>) -> bool {
    let wanted = [
        geo.city_name,
        geo.country_iso_code,
        geo.postal_code,
        geo.region_iso_code,
    ];
    wanted.iter().any(Option::is_some)
}

fn push_location(out: &mut Vec<u8>, geo: &Geo<'_>) {
    push_member(out, "city", geo.city_name);
    push_member(out, "continent", geo.continent_code.map(continent));
    push_member(out, "country", geo.country_iso_code);
    push_member(out, "postal_code", geo.postal_code);
    push_member(out, "region", geo.region_iso_code);
    if let Some((latitude, longitude)) = geo.finite_location() {
        push_float(out, "lat", latitude);
        push_float(out, "long", longitude);
    }
}

/// The continent's name by its code of two letters (GeoNames).
fn continent(code: &str) -> &str {
    match code {
        "AF" => "Africa",
        "AN" => "Antarctica",
        "AS" => "Asia",
        "EU" => "Europe",
        "NA" => "North America",
        "OC" => "Oceania",
        "SA" => "South America",
        other => other,
    }
}

fn push_connection(out: &mut Vec<u8>, event: &Event<'_>) {
    let (record, facts) = (event.record, event.facts);
    let (direction, boundary) = match facts.direction {
        None => (UNKNOWN, UNKNOWN),
        Some(direction) if direction.host == Host::Local => ((4, "Local"), (1, "Localhost")),
        Some(direction) => match direction.perimeter {
            Perimeter::Inbound => ((1, "Inbound"), (3, "External")),
            Perimeter::Outbound => ((2, "Outbound"), (3, "External")),
            Perimeter::Internal => ((3, "Lateral"), (2, "Internal")),
            Perimeter::External => ((OTHER, "external"), (3, "External")),
            Perimeter::Unknown => (UNKNOWN, UNKNOWN),
        },
    };
    push_choice(out, "direction_id", "direction", direction);
    push_choice(out, "boundary_id", "boundary", boundary);
    if let Some(transport) = record.transport {
        push_member(out, "protocol_name", Some(transport.name));
        push_number(out, "protocol_num", transport.number.map(u64::from));
    }
    if let Some(network) = record.network {
        let version = match network {
            Network::Ipv4 => (4, "Internet Protocol version 4 (IPv4)"),
            Network::Ipv6 => (6, "Internet Protocol version 6 (IPv6)"),
        };
        push_choice(out, "protocol_ver_id", "protocol_ver", version);
    }
    if let Some(id) = facts.community_id {
        push_plain(out, "community_uid", |out| {
            out.extend_from_slice(id.as_bytes());
        });
    }
    push_plain(out, "uid", |out| {
        push_uuid(out, event.identity.connection_key);
    });
}

/// Who owns the socket. The schema wants a process to have an id: without one it is an
/// application.
fn push_actor(out: &mut Vec<u8>, process: &Process<'_>) {
    let name = process.executable.or(process.name);
    let Some(pid) = process.pid else {
        push_member(out, "app_name", name);
        return;
    };
    push_object(out, "process", |out| {
        push_number(out, "pid", Some(pid.into()));
        push_member(out, "name", name);
        if let Some(name) = process.name {
            let spelling = spelling(name);
            push_member(out, "path", spelling.path);
            push_member(out, "cmd_line", spelling.has_arguments.then_some(name));
        }
    });
}

/// What the class has no attribute for.
fn push_unmapped(out: &mut Vec<u8>, event: &Event<'_>) {
    let (record, facts) = (event.record, event.facts);
    push_member(out, "kind", Some(facts.kind.name()));
    push_list(out, "protocols", record.protocols.iter().copied());
    push_member(out, "state", record.state.map(State::name));
    push_object_if_any(out, "local", |out| push_unmapped_end(out, &facts.local));
    push_object_if_any(out, "remote", |out| push_unmapped_end(out, &facts.remote));
    if let Some(direction) = facts.direction {
        push_direction(out, direction);
    }
    push_object_if_any(out, "process", |out| {
        push_member(out, "category", facts.process.category.map(Category::name));
        if facts.process.pid_inferred {
            push_flag(out, "pid_inferred", true);
        }
    });
    if let Some(listener) = facts.listener {
        push_listener(out, listener);
    }
    if let Some(process) = facts.peer_process {
        push_process(out, "peer_process", process);
    }
    push_warnings(out, event.warnings);
    push_enrichments(out, facts);
    push_origin(out, &record.row);
}

fn push_unmapped_end(out: &mut Vec<u8>, facts: &EndFacts<'_>) {
    push_scope(out, facts);
    // The whole label: the schema has a place for its name alone.
    if let Some(network) = facts.network {
        push_object(out, "network", |out| push_label(out, network));
    }
    if let Some(geo) = facts.geo {
        push_object_if_any(out, "geo", |out| push_unmapped_geo(out, geo));
    }
}

fn push_unmapped_geo(out: &mut Vec<u8>, geo: &Geo<'_>) {
    push_member(out, "country_name", geo.country_name);
    push_member(out, "region_name", geo.region_name);
    push_member(out, "time_zone", geo.time_zone);
    let radius = geo.accuracy_radius_km.map(u64::from);
    push_number(out, "accuracy_radius_km", radius);
    if !is_location(geo) {
        push_member(out, "continent_code", geo.continent_code);
        json::push_location(out, geo);
    }
}

/// An enum and its sibling.
fn push_choice(out: &mut Vec<u8>, id: &str, name: &str, (number, caption): Choice) {
    push_number(out, id, Some(number));
    push_member(out, name, Some(caption));
}
