//! What is said of the formats elsewhere: the whole schemas, the headers, the Elasticsearch
//! templates, and the tables of docs/formats.md.

use std::collections::BTreeSet;
use std::path::Path;

use netsieve::pipeline::enrich::EndFacts;
use netsieve::pipeline::enrich::lookup::{AutonomousSystem, Geo};
use netsieve::pipeline::settings::Format;
use serde_json::{Value, json};

use crate::common::formats::mapping::{ECS_BESIDES, OCSF_BESIDES, ROWS};
use crate::common::formats::{Triple, ecs, general_names, leaves, ocsf};
use crate::common::input;
use crate::looked_up::{GEO, LABEL, looked_up};
use crate::{connection, event, events, generated};

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
