//! The formats of others, ECS and OCSF: every event is valid by their schemas, nothing of it is
//! lost, and docs/formats.md and the Elasticsearch templates say what the encoders do.
//!
//! The goldens of the other tests are judged where they stand, by `common::formats`.

#![expect(clippy::print_stderr, reason = "a skipped test says so")]

mod common;

use std::collections::BTreeSet;
use std::path::Path;

use bumpalo::Bump;
use common::formats::mapping::{ECS_BESIDES, OCSF_BESIDES, ROWS};
use common::formats::{self, Triple, ecs, general_names, leaves, ocsf};
use common::{borrowed, input, settings};
use netsieve::generate::{Generator, Options};
use netsieve::pipeline::encode::{Event, MessageFacts};
use netsieve::pipeline::enrich::lookup::{AutonomousSystem, Geo, NetworkLabel};
use netsieve::pipeline::enrich::{self, EndFacts, Enrich, Facts, Tables};
use netsieve::pipeline::identity::Identity;
use netsieve::pipeline::message::Input;
use netsieve::pipeline::settings::Format;
use netsieve::pipeline::{decode, normalize, validate};
use serde_json::{Value, json};

/// Judges that many events of a generated load, and hands on each.
fn generated(events: usize, mut look: impl FnMut(&Triple)) {
    let options = Options {
        messages: None,
        ..Options::default()
    };
    let settings = settings(Format::Json);
    let mut judged = 0;
    for message in Generator::new(options) {
        let headers = borrowed(&message.headers);
        let input = Input {
            key: Some(message.key.as_bytes()),
            timestamp_ms: Some(message.timestamp_ms),
            ..input(&message.value, &headers)
        };
        for triple in formats::judge(&input, &settings) {
            look(&triple);
            judged += 1;
        }
        if judged >= events {
            return;
        }
    }
}

#[test]
fn ten_thousand_generated_events_are_valid_and_whole() {
    let mut kinds = BTreeSet::new();
    generated(10_000, |triple| {
        kinds.insert(format!(
            "{} {}",
            triple.ecs["event"]["type"], triple.ocsf["type_name"]
        ));
    });
    assert!(kinds.len() >= 6, "the load has variety: {kinds:?}");
}

#[test]
#[ignore = "minutes in a debug build: cargo test --release --test formats -- --ignored"]
fn a_hundred_thousand_generated_events_are_valid_and_whole() {
    let mut judged = 0;
    generated(100_000, |_| judged += 1);
    assert!(judged >= 100_000);
}

/// A message of one row.
fn message(row: &Value) -> Vec<u8> {
    let message = json!({
        "metadata": {
            "agent_id": "a-1", "agent_type": "beacon", "automated": true,
            "data_type": "network_connection", "source": "DC", "project": "P",
            "message_id": "m-17",
            "timestamp": "2023-11-14T22:00:00.000001Z", "expiration": "2033-11-14T22:00:00Z",
        },
        "data": [row],
    });
    serde_json::to_vec(&message).expect("plain JSON")
}

/// The events of a message of these rows.
fn events(rows: &[Value]) -> Vec<Triple> {
    let mut message: Value = serde_json::from_slice(&message(&Value::Null)).expect("JSON");
    message["data"] = rows.into();
    let message = serde_json::to_vec(&message).expect("plain JSON");
    formats::judge(&input(&message, &[]), &settings(Format::Json))
}

fn event(row: &Value) -> Triple {
    let mut events = events(std::slice::from_ref(row));
    assert_eq!(events.len(), 1, "{row} is valid");
    events.remove(0)
}

fn connection() -> Value {
    json!({
        "local_address": "10.0.0.5:50000", "remote_address": "8.8.8.8:443",
        "protocol": "tcp,ipv4", "state": "ESTABLISHED", "process_id": 7,
        "process_name": r"C:\Tools\Agent.exe --run", "service": "AgentSvc",
    })
}

/// A row with the changes.
fn changed(mut row: Value, changes: Value) -> Value {
    if let (Some(row), Value::Object(changes)) = (row.as_object_mut(), changes) {
        row.extend(changes);
    }
    row
}

/// Both documents as a golden shows them; the version of this program is left out.
fn shown(triple: &Triple) -> String {
    let mut ocsf = triple.ocsf.clone();
    let version = ocsf.pointer_mut("/metadata/product/version");
    assert_eq!(
        std::mem::replace(version.expect("it is there"), "(the version)".into()),
        env!("CARGO_PKG_VERSION")
    );
    let pretty = |document: &Value| serde_json::to_string_pretty(document).expect("plain JSON");
    format!("{}\n\n{}", pretty(&triple.ecs), pretty(&ocsf))
}

#[test]
fn an_outbound_connection() {
    insta::assert_snapshot!(shown(&event(&connection())));
}

#[test]
fn an_inbound_connection_and_its_listener() {
    let rows = [
        json!({ "local_address": "*:443", "protocol": "tcp", "state": "LISTEN", "process_id": 9,
            "process_name": "nginx: master process" }),
        json!({ "local_address": "[fe80::1%eth0]:443", "remote_address": "[fe80::2%eth0]:50000",
            "protocol": "tcp", "state": "SYN-RECV" }),
    ];
    let shown: Vec<_> = events(&rows).iter().map(shown).collect();
    insta::assert_snapshot!(shown.join("\n\n"));
}

#[test]
fn ends_by_role() {
    let ends = |triple: &Triple| {
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        let is_known = &triple.ocsf["is_src_dst_assignment_known"];
        format!(
            "{} -> {}, {} {} {} {is_known} {}",
            text(&triple.ecs["source"]["ip"]),
            text(&triple.ecs["destination"]["ip"]),
            text(&triple.ecs["network"]["direction"]),
            text(&triple.ocsf["connection_info"]["direction"]),
            text(&triple.ocsf["connection_info"]["boundary"]),
            text(&triple.ocsf["observation_point"]),
        )
    };
    for (local, remote, state, expected) in [
        (
            "10.0.0.5:1",
            "8.8.8.8:2",
            "SYN_SENT",
            "10.0.0.5 -> 8.8.8.8, egress Outbound External true Source",
        ),
        (
            "10.0.0.5:1",
            "8.8.8.8:2",
            "SYN_RECV",
            "8.8.8.8 -> 10.0.0.5, ingress Inbound External true Destination",
        ),
        (
            "10.0.0.5:1",
            "10.0.0.9:2",
            "SYN_RECV",
            "10.0.0.9 -> 10.0.0.5, ingress Lateral Internal true Destination",
        ),
        (
            "8.8.8.8:1",
            "9.9.9.9:2",
            "SYN_SENT",
            "8.8.8.8 -> 9.9.9.9, egress external External true Source",
        ),
        (
            "10.0.0.5:1",
            "8.8.8.8:2",
            "ESTAB",
            "10.0.0.5 -> 8.8.8.8, unknown Unknown Unknown false Source",
        ),
        (
            "10.0.0.5:1",
            "10.0.0.9:2",
            "ESTAB",
            "10.0.0.5 -> 10.0.0.9, unknown Lateral Internal false Source",
        ),
        (
            "127.0.0.1:1",
            "127.0.0.2:2",
            "SYN_RECV",
            "127.0.0.2 -> 127.0.0.1, internal Local Localhost true Both",
        ),
        (
            "127.0.0.1:1",
            "127.0.0.2:2",
            "ESTAB",
            "127.0.0.1 -> 127.0.0.2, internal Local Localhost false Both",
        ),
        (
            "10.0.0.5:1",
            "8.8.8.8:2",
            "LISTEN",
            "10.0.0.5 -> 8.8.8.8, - Unknown Unknown false Source",
        ),
        (
            "10.0.0.5:1",
            "",
            "CLOSED",
            "10.0.0.5 -> -, - Unknown Unknown false Source",
        ),
    ] {
        let row = json!({ "local_address": local, "remote_address": remote, "state": state,
            "protocol": "tcp" });
        assert_eq!(ends(&event(&row)), expected, "{local} {remote} {state}");
    }
}

#[test]
fn life_of_a_connection() {
    for (state, types, activity) in [
        ("SYN_SENT", json!(["connection", "start"]), "Open"),
        ("SYN_RECV", json!(["connection", "start"]), "Open"),
        ("ESTABLISHED", json!(["connection"]), "Traffic"),
        ("FIN_WAIT1", json!(["connection", "end"]), "Close"),
        ("FIN_WAIT2", json!(["connection", "end"]), "Close"),
        ("TIME_WAIT", json!(["connection", "end"]), "Close"),
        ("CLOSED", json!(["connection", "end"]), "Close"),
        ("CLOSE_WAIT", json!(["connection", "end"]), "Close"),
        ("LAST_ACK", json!(["connection", "end"]), "Close"),
        ("CLOSING", json!(["connection", "end"]), "Close"),
        ("LISTEN", json!(["info"]), "Listen"),
        ("???", json!(["connection"]), "Unknown"),
        ("", json!(["connection"]), "Unknown"),
    ] {
        let triple = event(&changed(connection(), json!({ "state": state })));
        assert_eq!(triple.ecs["event"]["type"], types, "{state}");
        assert_eq!(triple.ocsf["activity_name"], activity, "{state}");
        let name = format!("Network Activity: {activity}");
        assert_eq!(triple.ocsf["type_name"], name.as_str());
    }
    let idle = event(&changed(
        connection(),
        json!({ "remote_address": "", "state": "" }),
    ));
    assert_eq!(idle.ecs["event"]["type"], json!(["info"]));
    assert_eq!(idle.ocsf["activity_id"], 0);
}

#[test]
fn odd_rows_are_valid_too() {
    let unix = event(&json!({ "protocol": "unix", "local_address": "/run/a \"b\".sock" }));
    assert_eq!(
        unix.ecs["source"],
        json!({ "address": "/run/a \"b\".sock" })
    );
    assert_eq!(
        unix.ocsf["src_endpoint"],
        json!({ "name": "/run/a \"b\".sock" })
    );
    assert!(unix.ecs["network"].is_null() && unix.ecs["related"]["ip"].is_null());

    let mac = event(&json!({ "protocol": "ethernet", "local_address": "000d.3a13.e369" }));
    assert_eq!(mac.ecs["source"]["mac"], "00-0D-3A-13-E3-69");
    assert_eq!(mac.ocsf["src_endpoint"]["name"], "000d.3a13.e369");

    let named = event(&changed(
        connection(),
        json!({ "remote_address": "dc01.corp.example:ldap" }),
    ));
    assert_eq!(named.ecs["destination"]["domain"], "dc01.corp.example");
    assert_eq!(named.ocsf["dst_endpoint"]["name"], "dc01.corp.example");

    let stack = json!({ "protocol": "TLS,tcp,ipv4,ethernet",
        "local_address": "x,443,10.0.0.5,00-0D-3A-13-E3-69" });
    let stack = event(&stack);
    assert_eq!(stack.ecs["network"]["protocol"], "tls");
    assert_eq!(stack.ecs["labels"]["protocols"], "TLS,tcp,ipv4,ethernet");
    // `x` is what stands at the layer that is not known, kept in the place of a name.
    assert_eq!(stack.ecs["source"]["domain"], "x");

    let before_1970 = br#"{"metadata":{"agent_id":"a","project":"p",
        "timestamp":"1969-12-31T23:59:58.5Z"},"data":{"local_address":"h:1","protocol":"tcp"}}"#;
    let triples = formats::judge(&input(before_1970, &[]), &settings(Format::Json));
    assert_eq!(triples[0].ocsf["time"], -1_500);
    assert!(triples[0].ecs["host"].is_null());
}

#[test]
fn protocols_have_the_names_that_sensors_give_them() {
    let of = |protocol: &str, local: &str, remote: &str, state: &str| {
        let row = json!({ "protocol": protocol, "local_address": local, "remote_address": remote,
            "state": state });
        let ecs = event(&row).ecs;
        let label = |name: &str| ecs["labels"][name].as_str().unwrap_or("-").to_owned();
        let protocol = ecs["network"]["protocol"].as_str().unwrap_or("-");
        format!(
            "{protocol} {} {} {}",
            label("network_protocol_basis"),
            label("local_service"),
            label("remote_service")
        )
    };
    let here = "10.0.0.5:50000";
    for (protocol, local, remote, state, expected) in [
        ("udp", here, "8.8.8.8:53", "", "dns port - domain"),
        ("tcp", here, "10.0.0.9:445", "", "smb port - microsoft-ds"),
        ("tcp", here, "8.8.8.8:443", "", "tls port - https"),
        ("udp", here, "8.8.8.8:443", "", "quic port - https"),
        ("tcp", "10.0.0.5:22", "", "LISTEN", "ssh port ssh -"),
        (
            "dccp",
            "10.0.0.5:6514",
            "",
            "LISTEN",
            "syslog-tls port syslog-tls -",
        ),
        (
            "tcp",
            "10.0.0.5:3389",
            "8.8.8.8:50000",
            "SYN_RECV",
            "rdp port ms-wbt-server -",
        ),
        (
            "tcp",
            "10.0.0.5:445",
            "8.8.8.8:139",
            "",
            "- - microsoft-ds netbios-ssn",
        ),
        ("tcp", here, "8.8.8.8:50001", "SYN_SENT", "- - - -"),
        (
            "HTTP,tcp,ipv4",
            "x,8443,10.0.0.5",
            "",
            "LISTEN",
            "http stack pcsync-https -",
        ),
    ] {
        assert_eq!(
            of(protocol, local, remote, state),
            expected,
            "{local} {remote}"
        );
    }
}

#[test]
fn hosts_and_addresses_to_search_by() {
    let related = |changes: Value| event(&changed(connection(), changes)).ecs["related"].clone();
    let addresses = json!(["10.0.0.5", "8.8.8.8"]);
    assert_eq!(
        related(json!({})),
        json!({ "ip": addresses, "hosts": ["DC"] })
    );
    let named = json!({ "local_address": "DC:50000", "remote_address": "dc01.corp.example:389" });
    assert_eq!(
        related(named),
        json!({ "hosts": ["DC", "dc01.corp.example"] })
    );
    let listener =
        json!({ "local_address": "0.0.0.0:80", "remote_address": "", "state": "LISTEN" });
    assert_eq!(related(listener), json!({ "hosts": ["DC"] }));
    let translated = json!({ "remote_address": "[64:ff9b::808:808]:443", "protocol": "tcp" });
    assert_eq!(
        related(translated)["ip"],
        json!(["10.0.0.5", "64:ff9b::808:808", "8.8.8.8"])
    );
}

#[test]
fn processes() {
    let of = |name: &str, pid: u32| {
        let row = changed(
            connection(),
            json!({ "process_name": name, "process_id": pid }),
        );
        let triple = event(&row);
        (
            triple.ecs["process"].clone(),
            triple.ecs["labels"]["origin_process_name"].clone(),
            triple.ocsf["actor"].clone(),
        )
    };
    let command = r"C:\Tools\Agent.exe --run";
    let path = r"C:\Tools\Agent.exe";
    assert_eq!(
        of(command, 7),
        (
            json!({ "pid": 7, "name": "agent.exe", "executable": path, "command_line": command }),
            Value::Null,
            json!({ "process": { "pid": 7, "name": "agent.exe", "path": path, "cmd_line": command } }),
        )
    );
    assert_eq!(
        of("Agent.exe", 0),
        (
            json!({ "name": "agent.exe" }),
            "Agent.exe".into(),
            json!({ "app_name": "agent.exe" }),
        )
    );
    let title = "nginx: worker process";
    assert_eq!(
        of(title, 7),
        (
            json!({ "pid": 7, "name": "nginx", "title": title }),
            Value::Null,
            json!({ "process": { "pid": 7, "name": "nginx" } }),
        )
    );
    let thread = "[kworker/0:1]";
    assert_eq!(
        of(thread, 7),
        (
            json!({ "pid": 7 }),
            thread.into(),
            json!({ "process": { "pid": 7, "name": thread } }),
        )
    );
    assert_eq!(of(" ", 0), (Value::Null, " ".into(), Value::Null));
}

/// The event of a connection whose ends have these facts as well.
fn looked_up(local: EndFacts<'_>, remote: EndFacts<'_>) -> Triple {
    let value = message(&connection());
    let (arena, input) = (Bump::new(), input(&value, &[]));
    let settings = settings(Format::Json);
    let envelope = decode::envelope(&input, &settings, &arena).expect("it is JSON");
    let metadata = validate::metadata(&envelope, &input).expect("it is valid");
    let raw = envelope.records[0];
    let row = decode::row(envelope.encoding, raw, &arena).expect("it is a row");
    let record = normalize::record(0, row, &settings.limits, &arena).expect("it is valid");
    let records = [record];
    let mut tables = Tables::default();
    let settings = Enrich::default();
    let facts = enrich::message(&records, &settings, &mut tables, &arena);
    let found = facts[0];
    let facts = Facts {
        local: EndFacts {
            scope: found.local.scope,
            service: found.local.service,
            ..local
        },
        remote: EndFacts {
            scope: found.remote.scope,
            service: found.remote.service,
            ..remote
        },
        // None of those that are built in can fail.
        failure: found.success,
        ..found
    };
    let identity = Identity {
        event_id: [1; 16],
        connection_key: [2; 16],
        ordinal: 0,
    };
    let message = MessageFacts::new(&input, &envelope, &metadata);
    let triple = formats::encode(
        &Event::new(&records[0], &facts, identity, &message),
        &message,
    );
    triple.assert_valid();
    triple
}

const LABEL: NetworkLabel<'_> = NetworkLabel {
    prefix: "10.0.0.0/8",
    name: "office \"west\"",
    role: Some("clients"),
    site: Some("Berlin"),
    tenant: Some("acme"),
};

const GEO: Geo<'_> = Geo {
    continent_code: Some("NA"),
    country_iso_code: Some("US"),
    country_name: Some("United States"),
    region_iso_code: Some("US-CA"),
    region_name: Some("California"),
    city_name: Some("Mountain View"),
    postal_code: Some("94043"),
    time_zone: Some("America/Los_Angeles"),
    location: Some((37.4, -122.075)),
    accuracy_radius_km: Some(1000),
};

#[test]
fn what_is_looked_up_has_its_place() {
    let of = AutonomousSystem {
        number: Some(15_169),
        organization: Some("GOOGLE"),
    };
    let local = EndFacts {
        network: Some(&LABEL),
        mac_vendor: Some("Maker"),
        ..EndFacts::default()
    };
    let remote = EndFacts {
        geo: Some(&GEO),
        autonomous_system: Some(&of),
        embedded_ipv4: Some([192, 0, 2, 33].into()),
        ..EndFacts::default()
    };
    let triple = looked_up(local, remote);
    insta::assert_snapshot!(shown(&triple));
    assert_eq!(triple.ecs["client"], triple.ecs["source"]);
    assert_eq!(triple.ecs["server"], triple.ecs["destination"]);
}

/// A database may know little; the schemas still want what they want.
#[test]
fn little_that_is_looked_up_is_valid_too() {
    let nowhere = Geo::default();
    let continent = Geo {
        continent_code: Some("EU"),
        location: Some((50.0, 10.0)),
        ..nowhere
    };
    let no_number = Geo {
        location: Some((f64::NAN, 10.0)),
        ..nowhere
    };
    let of_nobody = AutonomousSystem::default();
    let with = |geo| EndFacts {
        geo: Some(geo),
        autonomous_system: Some(&of_nobody),
        ..EndFacts::default()
    };
    for geo in [&nowhere, &no_number] {
        let triple = looked_up(EndFacts::default(), with(geo));
        for (document, end) in [(&triple.ecs, "destination"), (&triple.ocsf, "dst_endpoint")] {
            for absent in ["geo", "as", "location", "autonomous_system"] {
                assert!(document[end][absent].is_null(), "{}", document[end]);
            }
        }
    }
    let triple = looked_up(EndFacts::default(), with(&continent));
    assert!(triple.ocsf["dst_endpoint"]["location"].is_null());
    let kept =
        json!({ "continent_code": "EU", "location": { "latitude": 50.0, "longitude": 10.0 } });
    assert_eq!(triple.ocsf["unmapped"]["remote"]["geo"], kept);
    let kept = json!({ "continent_code": "EU", "location": { "lat": 50.0, "lon": 10.0 } });
    assert_eq!(triple.ecs["destination"]["geo"], kept);
}

/// A judge that finds nothing is no judge: each of these is wrong, and said to be.
#[test]
fn the_judges_find_faults() {
    let good = || event(&connection());
    let ecs = |change: fn(&mut Value)| {
        let mut document = good().ecs;
        change(&mut document);
        ecs::faults(&document).len()
    };
    assert_eq!(ecs(|_| {}), 0);
    assert_eq!(ecs(|ecs| ecs["source"]["zone"] = "eth0".into()), 1);
    assert_eq!(ecs(|ecs| ecs["source"]["port"] = "443".into()), 1);
    assert_eq!(ecs(|ecs| ecs["source"]["ip"] = "10.0.0.256".into()), 1);
    assert_eq!(ecs(|ecs| ecs["event"]["type"] = "connection".into()), 1);
    assert_eq!(ecs(|ecs| ecs["event"]["code"] = json!(["connection"])), 1);
    assert_eq!(ecs(|ecs| ecs["labels"]["a.b"] = "c".into()), 1);
    assert_eq!(ecs(|ecs| ecs["labels"]["a"] = 1.into()), 1);
    assert_eq!(ecs(|ecs| ecs["labels"]["a"] = json!({ "b": "c" })), 1);
    assert_eq!(ecs(|ecs| ecs["@timestamp"] = Value::Null), 1);
    let ocsf = |change: fn(&mut Value)| {
        let mut document = good().ocsf;
        change(&mut document);
        ocsf::faults(&document).len()
    };
    assert_eq!(ocsf(|_| {}), 0);
    assert_eq!(ocsf(|ocsf| ocsf["state"] = "x".into()), 1);
    assert_eq!(ocsf(|ocsf| ocsf["class_uid"] = 4002.into()), 1);
    assert_eq!(ocsf(|ocsf| ocsf["activity_id"] = 8.into()), 2);
    assert_eq!(ocsf(|ocsf| ocsf["src_endpoint"]["port"] = 65_536.into()), 1);
    assert_eq!(ocsf(|ocsf| ocsf["src_endpoint"]["ip"] = "h".into()), 1);
    assert_eq!(ocsf(|ocsf| ocsf["src_endpoint"] = json!({ "port": 1 })), 1);
    let lost = |change: fn(&mut Triple)| {
        let mut triple = good();
        change(&mut triple);
        std::panic::catch_unwind(|| triple.assert_valid()).is_err()
    };
    assert!(!lost(|_| {}));
    assert!(lost(
        |triple| triple.ecs["labels"]["state"] = "LISTEN".into()
    ));
    assert!(lost(
        |triple| triple.ocsf["unmapped"]["state"] = "LISTEN".into()
    ));
    assert!(lost(|triple| triple.ecs["event"]["action"] = "x".into()));
    assert!(lost(|triple| triple.native["new"] = "x".into()));
}

/// The whole schemas, where the checkout has them beside it: they are other projects' and no part
/// of this one.
const WHOLE_SCHEMAS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data");

fn whole_schema(name: &str) -> Option<String> {
    let text = std::fs::read_to_string(Path::new(WHOLE_SCHEMAS).join(name)).ok();
    if text.is_none() {
        eprintln!("skipped: no {name} in {WHOLE_SCHEMAS}");
    }
    text
}

#[test]
fn valid_by_the_whole_schemas_too() {
    let ecs_fields = whole_schema("ecs-fields.csv");
    let ocsf_schema = whole_schema("ocsf-1.8.0-network_activity.schema.json");
    let (Some(ecs_fields), Some(ocsf_schema)) = (ecs_fields, ocsf_schema) else {
        return;
    };
    let fields = ecs::read(&ecs_fields);
    let schema = ocsf::validator(&ocsf_schema);
    for (name, field) in ecs::FIELDS.iter() {
        let of_whole = fields.get(name).expect(name);
        assert_eq!(format!("{field:?}"), format!("{of_whole:?}"), "{name}");
    }
    generated(2_000, |triple| {
        assert_eq!(ecs::faults_by(&triple.ecs, &fields), [""; 0]);
        assert_eq!(ocsf::faults_by(&triple.ocsf, &schema), [""; 0]);
    });
}

#[test]
fn headers_name_the_format() {
    let input = input(b"{}", &[]);
    let headers = |format| {
        let headers = netsieve::pipeline::emit::event_headers(format, &input);
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        let values: Vec<_> = headers.map(|(_, value)| value.map(text)).collect();
        values.into_iter().flatten().collect::<Vec<_>>().join(" ")
    };
    let expected = [
        "application/x-protobuf netsieve.v1.Event",
        "application/json netsieve.v1.Event",
        "application/json ecs/9.4.0",
        "application/json ocsf/1.8.0/network_activity",
    ];
    let found: Vec<_> = Format::ALL.iter().map(|format| headers(*format)).collect();
    assert_eq!(found, expected);
    let triple = event(&connection());
    assert_eq!(triple.ecs["ecs"]["version"], "9.4.0");
    assert_eq!(triple.ocsf["metadata"]["version"], "1.8.0");
}

/// The type that the templates give a field: theirs, or that of a template for its kind.
fn mapped<'t>(mappings: &'t Value, field: &str) -> Option<&'t str> {
    let inner = |at: &'t Value, key: &str| at["properties"].get(key);
    let found = field.split('.').try_fold(mappings, inner)?;
    found["type"].as_str()
}

#[test]
fn the_elasticsearch_templates_take_every_event() {
    let read = |name: &str| -> Value {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/elasticsearch");
        let text = std::fs::read_to_string(path.join(name)).expect("it is there");
        serde_json::from_str(&text).expect("it is JSON")
    };
    let component = read("component-template.json");
    let mappings = &component["template"]["mappings"];
    let index = read("index-template.json");
    assert_eq!(index["composed_of"], json!(["netsieve-ecs"]));
    assert_eq!(index["data_stream"], json!({}));
    assert_eq!(
        index["template"]["settings"]["index"]["mapping"]["coerce"],
        false
    );
    // Elastic's views and rules choose by these; no event says them again.
    for (field, value) in [
        ("data_stream.dataset", "netsieve.network"),
        ("event.dataset", "netsieve.network"),
        ("event.module", "netsieve"),
    ] {
        let properties = field
            .split('.')
            .fold(&index["template"]["mappings"], |at, name| {
                &at["properties"][name]
            });
        let expected = json!({"type": "constant_keyword", "value": value});
        assert_eq!(*properties, expected, "{field}");
    }
    let judge = |triple: &Triple| {
        for (path, value) in leaves(&triple.ecs) {
            let point = path.strip_suffix(".lat").or(path.strip_suffix(".lon"));
            let field = point.unwrap_or(&path);
            let expected = match ecs::FIELDS.get(field) {
                Some(field) => field.kind,
                None => "keyword",
            };
            assert_eq!(mapped(mappings, field), Some(expected), "{path} = {value}");
        }
    };
    generated(2_000, judge);
    events(&every_sort_of_row()).iter().for_each(judge);
    let all = EndFacts {
        network: Some(&LABEL),
        geo: Some(&GEO),
        ..EndFacts::default()
    };
    judge(&looked_up(all, all));
}

/// No place in the tables is idle: each is filled in some event here.
#[test]
fn every_place_of_the_tables_is_filled() {
    let mut filled = BTreeSet::new();
    let mut fill = |triple: &Triple| {
        for (document, roles) in [(&triple.ecs, ecs::ROLES), (&triple.ocsf, ocsf::ROLES)] {
            for (path, _) in leaves(document) {
                filled.extend(general_names(&path, roles));
            }
        }
    };
    let of = AutonomousSystem {
        number: Some(15_169),
        organization: Some("GOOGLE"),
    };
    let nowhere = Geo {
        continent_code: Some("EU"),
        location: GEO.location,
        ..Geo::default()
    };
    let all = |geo| EndFacts {
        network: Some(&LABEL),
        geo: Some(geo),
        autonomous_system: Some(&of),
        mac_vendor: Some("Maker"),
        embedded_ipv4: Some([192, 0, 2, 33].into()),
        ..EndFacts::default()
    };
    fill(&looked_up(all(&GEO), all(&nowhere)));
    events(&every_sort_of_row()).iter().for_each(&mut fill);
    let places = ROWS.iter().flat_map(|row| row.ecs.iter().chain(row.ocsf));
    let besides = ECS_BESIDES.iter().chain(OCSF_BESIDES);
    let besides = besides.flat_map(|(names, _)| names.split(", "));
    // These two repeat an end, which is judged.
    let besides = besides.filter(|name| !["client", "server"].contains(name));
    let besides = besides.map(|name| name.replacen("src_endpoint", "ROLE", 1));
    let besides = besides.map(|name| name.replacen("dst_endpoint", "ROLE", 1));
    let places = places.map(|place| (*place).to_owned()).chain(besides);
    let idle: Vec<_> = places.filter(|place| !filled.contains(place)).collect();
    assert_eq!(idle, [""; 0]);
}

/// A message of which some row has each field that no table has to be looked up for.
fn every_sort_of_row() -> Vec<Value> {
    let server = r"C:\Server\nginx.exe";
    vec![
        connection(),
        json!({ "protocol": "tcp,ipv4", "local_address": "127.0.0.1:80", "state": "LISTEN",
            "process_id": 9, "process_name": server }),
        json!({ "protocol": "tcp,ipv4", "local_address": "127.0.0.1:80", "state": "TIME_WAIT",
            "remote_address": "127.0.0.1:50000" }),
        json!({ "protocol": "tcp,ipv4", "local_address": "127.0.0.1:50000", "state": "TIME_WAIT",
            "remote_address": "127.0.0.1:80", "process_name": "curl" }),
        json!({ "protocol": "tcp,ipv4", "local_address": "127.0.0.1:81", "state": "ESTAB",
            "remote_address": "127.0.0.1:50000", "process_id": 9, "process_name": server }),
        json!({ "protocol": "tcp,ipv4", "local_address": "127.0.0.1:50000", "state": "ESTAB",
            "remote_address": "127.0.0.1:81", "process_id": 8, "process_name": "curl" }),
        json!({ "protocol": "tcp,ipv4", "local_address": "10.0.0.1:1", "service": " ",
            "remote_address": "0.0.0.0:0", "process_name": "nginx: worker process" }),
        json!({ "protocol": "x,tcp,ipv4,ethernet", "local_address": "y,80,10.0.0.1,000d.3a13.e369",
            "process_name": "Curl" }),
        json!({ "protocol": "tcp", "local_address": "[fe80::1%eth0]:1" }),
        json!({ "protocol": "unix", "local_address": "/run/a.sock" }),
        json!({ "protocol": "tcp", "local_address": "host:1", "data": "unknown" }),
    ]
}
