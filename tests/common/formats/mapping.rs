//! Where each field of the native JSON format stands in the formats of others. docs/formats.md is
//! made from these tables, and every event that is judged is held against them, both ways.

use serde_json::Value;

/// A field of the native format, and where its value is found.
pub(crate) struct Row {
    /// Its dotted name; `END` stands for `local` and `remote`.
    pub(crate) native: &'static str,
    /// Fields of ECS, of which one has the value as it is; `ROLE` stands for `source` and
    /// `destination`.
    pub(crate) ecs: &'static [&'static str],
    /// Attributes of OCSF, likewise; `ROLE` stands for `src_endpoint` and `dst_endpoint`.
    pub(crate) ocsf: &'static [&'static str],
    /// What else is to be said.
    pub(crate) note: &'static str,
}

macro_rules! rows {
    ($($native:literal: $($ecs:literal)+; $($ocsf:literal)+; $note:literal)*) => {
        &[$(Row {
            native: $native,
            ecs: &[$($ecs),+],
            ocsf: &[$($ocsf),+],
            note: $note,
        }),*]
    };
}

/// Every field of an event.
pub(crate) const ROWS: &[Row] = rows! {
    "event_id": "event.id"; "metadata.uid"; ""
    "connection_key": "labels.connection_key"; "connection_info.uid"; ""
    "kind": "event.code"; "unmapped.kind"; ""
    "observed_at": "@timestamp"; "metadata.original_time"; "OCSF's `time` has it in milliseconds"
    "expires_at": "labels.expires_at"; "unmapped.expires_at"; ""
    "project": "labels.project"; "unmapped.project"; ""
    "agent_id": "agent.id"; "device.uid"; ""
    "agent_type": "agent.type"; "device.agent_list.type"; ""
    "automated": "labels.automated"; "unmapped.automated"; ""
    "source": "host.name"; "device.hostname"; ""
    "message_id": "labels.message_id"; "unmapped.message_id"; ""
    "data_type": "labels.data_type"; "unmapped.data_type"; ""
    "protocols": "labels.protocols"; "unmapped.protocols"; "the label only where it has more than `network.transport` and `network.type` say"
    "transport": "network.transport"; "connection_info.protocol_name"; ""
    "network": "network.type"; "connection_info.protocol_ver_id"; "OCSF: 4 or 6"
    "iana_number": "network.iana_number"; "connection_info.protocol_num"; "a string in ECS"
    "state": "labels.state"; "unmapped.state"; ""
    "END.ip": "ROLE.ip"; "ROLE.ip"; ""
    "END.port": "ROLE.port"; "ROLE.port"; ""
    "END.zone": "labels.END_zone"; "ROLE.interface_name"; ""
    "END.mac": "ROLE.mac"; "ROLE.mac"; ""
    "END.name": "ROLE.domain" "labels.END_name"; "ROLE.name"; "the label where it is no host's name"
    "END.scope": "labels.END_scope"; "unmapped.END.scope"; ""
    "END.global": "labels.END_global"; "unmapped.END.global"; ""
    "END.embedded_ipv4": "labels.END_embedded_ipv4"; "unmapped.END.embedded_ipv4"; ""
    "END.service": "labels.END_service"; "ROLE.svc_name"; ""
    "END.mac_vendor": "labels.END_mac_vendor"; "ROLE.mac_vendor"; ""
    "END.network.prefix": "labels.END_network_prefix"; "unmapped.END.network.prefix"; ""
    "END.network.name": "labels.END_network_name"; "ROLE.zone"; "also in ECS's `network.name` that of the local end, and in OCSF's `unmapped`"
    "END.network.role": "labels.END_network_role"; "unmapped.END.network.role"; ""
    "END.network.site": "ROLE.geo.name"; "unmapped.END.network.site"; ""
    "END.network.tenant": "labels.END_network_tenant"; "unmapped.END.network.tenant"; ""
    "END.geo.continent_code": "ROLE.geo.continent_code"; "ROLE.location.continent" "unmapped.END.geo.continent_code"; "OCSF: the continent's name"
    "END.geo.country_iso_code": "ROLE.geo.country_iso_code"; "ROLE.location.country"; ""
    "END.geo.country_name": "ROLE.geo.country_name"; "unmapped.END.geo.country_name"; ""
    "END.geo.region_iso_code": "ROLE.geo.region_iso_code"; "ROLE.location.region"; ""
    "END.geo.region_name": "ROLE.geo.region_name"; "unmapped.END.geo.region_name"; ""
    "END.geo.city_name": "ROLE.geo.city_name"; "ROLE.location.city"; ""
    "END.geo.postal_code": "ROLE.geo.postal_code"; "ROLE.location.postal_code"; ""
    "END.geo.time_zone": "ROLE.geo.timezone"; "unmapped.END.geo.time_zone"; ""
    "END.geo.location.latitude": "ROLE.geo.location.lat"; "ROLE.location.lat" "unmapped.END.geo.location.latitude"; "`unmapped` where OCSF's location would have no city, country, postal code or region"
    "END.geo.location.longitude": "ROLE.geo.location.lon"; "ROLE.location.long" "unmapped.END.geo.location.longitude"; "likewise"
    "END.geo.accuracy_radius_km": "labels.END_geo_accuracy_radius_km"; "unmapped.END.geo.accuracy_radius_km"; ""
    "END.as.number": "ROLE.as.number"; "ROLE.autonomous_system.number"; ""
    "END.as.organization": "ROLE.as.organization.name"; "ROLE.autonomous_system.name"; ""
    "direction.host": "network.direction"; "unmapped.direction.host"; "ECS: `internal` for `local`"
    "direction.perimeter": "labels.direction_perimeter"; "unmapped.direction.perimeter"; ""
    "direction.initiator": "labels.direction_initiator"; "unmapped.direction.initiator"; ""
    "direction.basis": "labels.direction_basis"; "unmapped.direction.basis"; ""
    "direction.confidence": "labels.direction_confidence"; "unmapped.direction.confidence"; ""
    "community_id": "network.community_id"; "connection_info.community_uid"; ""
    "process.pid": "process.pid"; "actor.process.pid"; ""
    "process.name": "process.name" "process.executable" "process.command_line" "process.title" "labels.origin_process_name"; "actor.process.name" "actor.process.path" "actor.process.cmd_line" "actor.app_name" "unmapped.origin.process_name"; "a full path is the executable, a name with arguments the command line"
    "process.executable": "process.name"; "actor.process.name" "actor.app_name"; "OCSF: an application where the pid is not known"
    "process.category": "labels.process_category"; "unmapped.process.category"; ""
    "process.pid_inferred": "labels.process_pid_inferred"; "unmapped.process.pid_inferred"; ""
    "service": "service.name"; "app_name"; ""
    "listener.exposure": "labels.listener_exposure"; "unmapped.listener.exposure"; ""
    "listener.dual_stack": "labels.listener_dual_stack"; "unmapped.listener.dual_stack"; ""
    "listener.ephemeral": "labels.listener_ephemeral"; "unmapped.listener.ephemeral"; ""
    "listener.established_peers": "labels.listener_established_peers"; "unmapped.listener.established_peers"; ""
    "peer_process.pid": "labels.peer_process_pid"; "unmapped.peer_process.pid"; ""
    "peer_process.name": "labels.peer_process_name"; "unmapped.peer_process.name"; ""
    "peer_process.executable": "labels.peer_process_executable"; "unmapped.peer_process.executable"; ""
    "peer_process.category": "labels.peer_process_category"; "unmapped.peer_process.category"; ""
    "peer_process.pid_inferred": "labels.peer_process_pid_inferred"; "unmapped.peer_process.pid_inferred"; ""
    "warnings": "tags"; "unmapped.warnings"; ""
    "enrichments.success": "labels.enrichments_success"; "unmapped.enrichments.success"; ""
    "enrichments.failure": "labels.enrichments_failure"; "unmapped.enrichments.failure"; ""
    "origin.local_address": "ROLE.address"; "unmapped.origin.local_address"; "of the local end"
    "origin.remote_address": "ROLE.address" "labels.origin_remote_address"; "unmapped.origin.remote_address"; "of the remote end; the label where there is none"
    "origin.protocol": "labels.origin_protocol"; "unmapped.origin.protocol"; ""
    "origin.state": "labels.origin_state"; "unmapped.origin.state"; ""
    "origin.process_id": "labels.origin_process_id"; "unmapped.origin.process_id"; ""
    "origin.process_name": "process.name" "process.executable" "process.command_line" "process.title" "labels.origin_process_name"; "unmapped.origin.process_name"; "the label where none of the fields has it just as it was sent"
    "origin.service": "service.name" "labels.origin_service"; "unmapped.origin.service"; "the label where it is blank"
    "ingest.topic": "labels.ingest_topic"; "unmapped.ingest.topic"; ""
    "ingest.partition": "labels.ingest_partition"; "unmapped.ingest.partition"; ""
    "ingest.offset": "labels.ingest_offset"; "unmapped.ingest.offset"; ""
    "ingest.record_index": "labels.ingest_record_index"; "unmapped.ingest.record_index"; ""
    "ingest.record_count": "labels.ingest_record_count"; "unmapped.ingest.record_count"; ""
};

/// What an ECS event has besides: the field, what it says, and where that comes from.
pub(crate) const ECS_BESIDES: &[(&str, &str)] = &[
    ("ecs.version", "`9.4.0`"),
    (
        "event.kind",
        "`state`: a row of a snapshot says what is, not what happened",
    ),
    ("event.category", "`network`"),
    (
        "event.type",
        "connections `connection`, with `start` in the SYN states and `end` in the closing ones; listeners and idle sockets `info`",
    ),
    (
        "network.protocol",
        "what the stack has above the transport, else the protocol that the port of the end that serves is registered for, in lower case and by the names below",
    ),
    (
        "labels.network_protocol_basis",
        "how `network.protocol` is known: `stack` or `port`",
    ),
    ("network.name", "`local.network.name`"),
    ("client", "`source` again, where the initiator is known"),
    (
        "server",
        "`destination` again, where the initiator is known",
    ),
    (
        "related.ip",
        "every address of the event once, embedded IPv4 addresses too; no unspecified ones",
    ),
    (
        "related.hosts",
        "`host.name` and the names of both ends, where they are those of hosts, once",
    ),
];

/// What an OCSF event has besides.
pub(crate) const OCSF_BESIDES: &[(&str, &str)] = &[
    (
        "activity_id",
        "1 in the SYN states, 6 for ESTABLISHED, 2 in the closing states, 7 for listeners, else 0",
    ),
    (
        "activity_name",
        "`Open`, `Traffic`, `Close`, `Listen`, `Unknown`",
    ),
    ("category_uid", "4"),
    ("category_name", "`Network Activity`"),
    ("class_uid", "4001"),
    ("class_name", "`Network Activity`"),
    ("type_uid", "400100 and the activity"),
    ("type_name", "`Network Activity: ` and the activity's name"),
    ("severity_id", "1"),
    ("severity", "`Informational`"),
    ("time", "`observed_at` in milliseconds since 1970"),
    (
        "is_src_dst_assignment_known",
        "whether the initiator is known; where it is not, `src_endpoint` is the local end",
    ),
    (
        "observation_point_id",
        "4 within the host; else 1 where the local end is `src_endpoint`, 2 where it is `dst_endpoint`",
    ),
    ("observation_point", "`Both`, `Source`, `Destination`"),
    (
        "connection_info.direction_id",
        "4 within the host; else by `direction.perimeter`: 1 inbound, 2 outbound, 3 internal, 99 external, 0 unknown",
    ),
    (
        "connection_info.direction",
        "`Local`, `Inbound`, `Outbound`, `Lateral`, `external`, `Unknown`",
    ),
    (
        "connection_info.boundary_id",
        "1 within the host; 2 where both ends are internal; 3 where one or both are not; 0 unknown",
    ),
    (
        "connection_info.boundary",
        "`Localhost`, `Internal`, `External`, `Unknown`",
    ),
    (
        "connection_info.protocol_ver",
        "`Internet Protocol version 4 (IPv4)`, `Internet Protocol version 6 (IPv6)`",
    ),
    (
        "src_endpoint.name, dst_endpoint.name",
        "the address as sent, where an end has neither address nor name",
    ),
    ("device.type_id", "0"),
    ("device.type", "`Unknown`"),
    ("device.agent_list.uid", "`agent_id`"),
    (
        "device.agent_list.type_id",
        "99: the type is the sender's own word",
    ),
    ("metadata.version", "`1.8.0`"),
    ("metadata.profiles", "`host`"),
    ("metadata.product.name", "`netsieve`"),
    ("metadata.product.vendor_name", "`netsieve`"),
    ("metadata.product.version", "that of netsieve"),
    ("unmapped.END.network.name", "`END.network.name`"),
];

/// Which end has which role.
#[derive(Clone, Copy)]
pub(crate) struct Roles {
    /// The local end's.
    pub(crate) local: &'static str,
    /// The remote end's.
    pub(crate) remote: &'static str,
}

impl Roles {
    /// The roles of a native event, first that of the end that called.
    pub(crate) fn of(native: &Value, [first, second]: [&'static str; 2]) -> Self {
        let (local, remote) = if native["direction"]["initiator"] == "remote" {
            (second, first)
        } else {
            (first, second)
        };
        Self { local, remote }
    }

    /// A name with `END` and `ROLE` filled in.
    pub(crate) fn fill(self, name: &str, end: &str) -> String {
        let role = if end == "remote" {
            self.remote
        } else {
            self.local
        };
        name.replace("END", end).replace("ROLE", role)
    }
}
