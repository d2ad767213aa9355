//! What docs/ and deploy/ say of the formats, made from the tables.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use netsieve::pipeline::encode::{OVER_TLS, PROTOCOLS};
use serde_json::{Map, Value, json};

use super::ecs::{FIELDS, Field};
use super::mapping::{ECS_BESIDES, OCSF_BESIDES, ROWS, Roles};

/// The tables of docs/formats.md. Ends are shown where the local end is the one that called.
pub(crate) fn tables() -> String {
    let ecs = Roles {
        local: "source",
        remote: "destination",
    };
    let ocsf = Roles {
        local: "src_endpoint",
        remote: "dst_endpoint",
    };
    let mut text = String::from("## Where each field is\n\n");
    text.push_str("| event | ECS | OCSF | |\n|---|---|---|---|\n");
    let mut line = |row: String| writeln!(text, "{row}").expect("a string grows");
    for row in ROWS {
        let end = if row.native == "origin.remote_address" {
            "remote"
        } else {
            "local"
        };
        let cell = |roles: Roles, targets: &[&str]| {
            let names = targets
                .iter()
                .map(|name| format!("`{}`", roles.fill(name, end)));
            names.collect::<Vec<_>>().join(", ")
        };
        line(format!(
            "| `{}` | {} | {} | {} |",
            ecs.fill(row.native, end),
            cell(ecs, row.ecs),
            cell(ocsf, row.ocsf),
            row.note
        ));
    }
    for (name, besides, roles) in [("ECS", ECS_BESIDES, ecs), ("OCSF", OCSF_BESIDES, ocsf)] {
        line(format!("\n## What {name} has besides\n"));
        line(format!("| {name} | says |\n|---|---|"));
        for (names, says) in besides {
            let names = names.split(", ");
            let names = names.map(|name| format!("`{}`", roles.fill(name, "local")));
            let says = roles.fill(says, "local");
            line(format!(
                "| {} | {says} |",
                names.collect::<Vec<_>>().join(", ")
            ));
        }
    }
    text.push_str(&protocols());
    text
}

/// The names of protocols that are not IANA's.
fn protocols() -> String {
    let mut protocols: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let over_tls = OVER_TLS.iter().map(|service| (*service, "tls"));
    for (service, protocol) in PROTOCOLS.iter().copied().chain(over_tls) {
        let services = protocols.entry(protocol).or_default();
        services.push(format!("`{service}`"));
    }
    let mut text = String::from("\n## Names of protocols in ECS\n\n");
    text.push_str("| `network.protocol` | IANA's services |\n|---|---|\n");
    for (protocol, services) in protocols {
        let services = services.join(", ");
        writeln!(text, "| `{protocol}` | {services} |").expect("a string grows");
    }
    text
}

/// The component template of Elasticsearch: every field of an ECS event, with its type.
pub(crate) fn component_template() -> String {
    let mut properties = Map::new();
    for name in ecs_fields() {
        let mapping = if name.starts_with("labels.") {
            json!({ "type": "keyword", "ignore_above": IGNORE_ABOVE })
        } else {
            mapping(&name)
        };
        insert(&mut properties, &name, mapping);
    }
    let labels = properties.get_mut("labels").expect("there are labels");
    labels["dynamic"] = true.into();
    let template = json!({
        "template": {
            "mappings": {
                "dynamic": false,
                "dynamic_templates": [{
                    "labels": {
                        "path_match": "labels.*",
                        "mapping": { "type": "keyword", "ignore_above": IGNORE_ABOVE },
                    },
                }],
                "properties": properties,
            },
        },
        "_meta": {
            "description": "Fields of netsieve's events in the Elastic Common Schema",
            "ecs_version": "9.4.0",
        },
    });
    let mut text = serde_json::to_string_pretty(&template).expect("plain JSON");
    text.push('\n');
    text
}

/// Longest keyword that is indexed, as in ECS's own templates.
const IGNORE_ABOVE: u32 = 1024;

/// Every field that an ECS event may have, in the tables' order.
pub(crate) fn ecs_fields() -> Vec<String> {
    let rows = ROWS.iter().flat_map(|row| row.ecs.iter().copied());
    let besides = ECS_BESIDES.iter().map(|(name, _)| *name);
    let mut fields = Vec::new();
    for name in rows.chain(besides) {
        if ["client", "server"].contains(&name) {
            continue;
        }
        for role in ["source", "destination", "client", "server"] {
            for end in ["local", "remote"] {
                let name = name.replace("ROLE", role).replace("END", end);
                // A point is one field to Elasticsearch.
                let name = name.replace(".location.lat", ".location");
                let name = name.replace(".location.lon", ".location");
                if !fields.contains(&name) {
                    fields.push(name);
                }
            }
        }
    }
    fields
}

fn mapping(name: &str) -> Value {
    let Field { kind, .. } = FIELDS
        .get(name)
        .unwrap_or_else(|| panic!("no field {name}"));
    let mut mapping = json!({ "type": kind });
    if *kind == "keyword" {
        mapping["ignore_above"] = IGNORE_ABOVE.into();
    }
    if let Some(text) = FIELDS.get(&*format!("{name}.text")) {
        mapping["fields"] = json!({ "text": { "type": text.kind } });
    }
    mapping
}

fn insert(properties: &mut Map<String, Value>, name: &str, mapping: Value) {
    match name.split_once('.') {
        None => {
            properties.insert(name.to_owned(), mapping);
        }
        Some((first, rest)) => {
            let object = properties
                .entry(first)
                .or_insert_with(|| json!({ "properties": {} }));
            let inner = object["properties"].as_object_mut().expect("an object");
            insert(inner, rest, mapping);
        }
    }
}
