//! OCSF's class Network Activity: its JSON Schema.

use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::Value;

use super::mapping::{OCSF_BESIDES, Roles, Row};
use super::{Triple, is_at, is_told, leaves, text};

/// The part of the schema that is used.
static SCHEMA: LazyLock<Validator> = LazyLock::new(|| {
    validator(include_str!(
        "../../formats/ocsf-network_activity.schema.json"
    ))
});

/// The roles of the ends, first that of the one that called.
pub(crate) const ROLES: [&str; 2] = ["src_endpoint", "dst_endpoint"];

/// A schema's validator.
pub(crate) fn validator(schema: &str) -> Validator {
    let schema = serde_json::from_str(schema).expect("the schema is JSON");
    jsonschema::validator_for(&schema).expect("it is a JSON Schema")
}

/// What is not as the schema has it.
pub(crate) fn faults(document: &Value) -> Vec<String> {
    let mut faults = faults_by(document, &SCHEMA);
    // What the schema does not say: a type is its class and activity.
    let activity = document["activity_id"].as_u64().unwrap_or_default();
    if document["type_uid"] != 400_100 + activity {
        faults.push("OCSF type_uid is not of its activity".to_owned());
    }
    faults
}

/// Likewise, by another schema.
pub(crate) fn faults_by(document: &Value, schema: &Validator) -> Vec<String> {
    // To look for errors is slow, and there are none.
    if schema.is_valid(document) {
        return Vec::new();
    }
    let errors = schema.iter_errors(document);
    let fault =
        |error: jsonschema::ValidationError<'_>| format!("OCSF {}: {error}", error.instance_path());
    errors.map(fault).collect()
}

/// Whether the document has a native value where the table says.
pub(super) fn holds(row: &Row, end: &str, value: &Value, triple: &Triple) -> bool {
    let roles = Roles::of(&triple.native, ROLES);
    let mut sought = vec![text(value)];
    match row.native {
        "network" => sought[0] = sought[0].replace("ipv", ""),
        "END.geo.continent_code" => {
            let names = [("EU", "Europe"), ("NA", "North America"), ("AS", "Asia")];
            let name = names.iter().find(|(code, _)| *code == sought[0]);
            sought.extend(name.map(|(_, name)| (*name).to_owned()));
        }
        _ => {}
    }
    let mut sought = sought.iter();
    sought.any(|sought| is_at(&triple.ocsf, row.ocsf, roles, end, sought))
}

/// The attributes of a document that the tables do not tell of.
pub(super) fn untold(document: &Value) -> Vec<String> {
    let told = |path: &str| is_told(path, |row| row.ocsf, ROLES, OCSF_BESIDES);
    let paths = leaves(document).into_iter().map(|(path, _)| path);
    let untold = paths.filter(|path| !told(path));
    untold
        .map(|path| format!("OCSF {path} is in no table"))
        .collect()
}
