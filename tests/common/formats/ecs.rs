//! The Elastic Common Schema: which fields it has, of which types.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::LazyLock;

use serde_json::Value;

use super::mapping::{ECS_BESIDES, Roles, Row};
use super::{Triple, at, is_at, is_told, leaves, text};

/// A field of the schema.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field<'a> {
    /// Its type in Elasticsearch.
    pub(crate) kind: &'a str,
    /// Whether its values are a list.
    pub(crate) is_list: bool,
}

/// The fields by name.
pub(crate) static FIELDS: LazyLock<HashMap<&str, Field<'_>>> =
    LazyLock::new(|| read(include_str!("../../formats/ecs-fields.csv")));

/// The roles of the ends, first that of the one that called.
pub(crate) const ROLES: [&str; 2] = ["source", "destination"];

/// Reads a table of fields: name, type, normalization.
pub(crate) fn read(table: &str) -> HashMap<&str, Field<'_>> {
    let lines = table.lines().filter(|line| !line.starts_with('#'));
    let fields = lines.filter_map(|line| {
        let mut cells = line.split(',');
        let (name, kind) = (cells.next()?, cells.next()?);
        let is_list = cells.next() == Some("array");
        Some((name, Field { kind, is_list }))
    });
    fields.collect()
}

/// What is not as the schema has it.
pub(crate) fn faults(document: &Value) -> Vec<String> {
    faults_by(document, &FIELDS)
}

/// Likewise, by another table of fields.
pub(crate) fn faults_by(document: &Value, fields: &HashMap<&str, Field<'_>>) -> Vec<String> {
    let mut faults = Vec::new();
    for required in ["@timestamp", "ecs.version"] {
        if at(document, required).is_none() {
            faults.push(format!("ECS wants {required}"));
        }
    }
    for (path, value) in leaves(document) {
        if let Err(why) = check(&path, value, fields) {
            faults.push(format!("ECS {path} = {value}: {why}"));
        }
    }
    faults
}

fn check(path: &str, value: &Value, fields: &HashMap<&str, Field<'_>>) -> Result<(), String> {
    // Custom keys: flat, and every value a string (the schema's rule for `labels`).
    if let Some(key) = path.strip_prefix("labels.") {
        let is_flat = !key.contains('.') && !key.is_empty();
        return if is_flat && value.is_string() {
            Ok(())
        } else {
            Err("a label is flat and a string".to_owned())
        };
    }
    let (name, kind) = match path.strip_suffix(".lat").or(path.strip_suffix(".lon")) {
        Some(point) => (point, Some("geo_point")),
        None => (path, None),
    };
    let field = fields.get(name).ok_or("no such field")?;
    if kind.is_some_and(|kind| kind != field.kind) {
        return Err(format!("it is a {}", field.kind));
    }
    match (field.is_list, value) {
        (true, Value::Array(items)) if !items.is_empty() => {
            items.iter().try_for_each(|item| fits(item, field.kind))
        }
        (false, value) if !value.is_array() => fits(value, field.kind),
        _ => Err(format!("it is a list: {}", field.is_list)),
    }
}

fn fits(value: &Value, kind: &str) -> Result<(), String> {
    let text = value.as_str();
    let fits = match kind {
        "keyword" | "wildcard" | "match_only_text" => text.is_some(),
        "long" => value.is_i64() || value.is_u64(),
        "geo_point" | "float" => value.is_number(),
        "boolean" => value.is_boolean(),
        "ip" => text.is_some_and(|text| text.parse::<IpAddr>().is_ok()),
        "date" => text.is_some_and(|text| text.parse::<jiff::Timestamp>().is_ok()),
        _ => false,
    };
    if fits {
        Ok(())
    } else {
        Err(format!("no {kind}"))
    }
}

/// Whether the document has a native value where the table says.
pub(super) fn holds(row: &Row, end: &str, value: &Value, triple: &Triple) -> bool {
    let document = &triple.ecs;
    let roles = Roles::of(&triple.native, ROLES);
    let sought = match (row.native, value.as_str()) {
        ("direction.host", Some("local")) => "internal".to_owned(),
        ("protocols", _) if document["labels"]["protocols"].is_null() => {
            let layers = [
                &document["network"]["transport"],
                &document["network"]["type"],
            ];
            let layers = layers.into_iter().filter(|layer| !layer.is_null());
            let stack: Vec<_> = layers.map(text).collect();
            return stack.join(",") == text(value);
        }
        _ => text(value),
    };
    is_at(document, row.ecs, roles, end, &sought)
}

/// The fields of a document that the tables do not tell of.
pub(super) fn untold(document: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    for (of, role) in [("client", "source"), ("server", "destination")] {
        if !document[of].is_null() && document[of] != document[role] {
            faults.push(format!("ECS {of} is not {role} again"));
        }
    }
    for (path, _) in leaves(document) {
        let is_copy = path.starts_with("client.") || path.starts_with("server.");
        if !is_copy && !is_told(&path, |row| row.ecs, ROLES, ECS_BESIDES) {
            faults.push(format!("ECS {path} is in no table"));
        }
    }
    faults
}
