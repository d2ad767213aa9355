//! Judges the formats of others: an event must be valid by their schema, and nothing of it may be
//! lost in them.

pub(crate) mod ecs;
pub(crate) mod mapping;
pub(crate) mod ocsf;
pub(crate) mod pages;

use netsieve::pipeline::encode::{Encoders, Event, MessageFacts};
use netsieve::pipeline::message::Input;
use netsieve::pipeline::settings::{Format, Output, Settings};
use serde_json::Value;

use mapping::{ROWS, Roles, Row};

/// One event in three formats.
pub(crate) struct Triple {
    /// Native JSON.
    pub(crate) native: Value,
    /// Elastic Common Schema.
    pub(crate) ecs: Value,
    /// OCSF.
    pub(crate) ocsf: Value,
}

/// Runs one input through the core for each format and judges what comes out; gives the events.
pub(crate) fn judge(input: &Input<'_>, settings: &Settings) -> Vec<Triple> {
    let formats = [Format::Json, Format::Ecs, Format::Ocsf];
    let output = settings.outputs.first().expect("one output");
    let output = |format| Output {
        format,
        max_bytes: usize::MAX,
        ..output.clone()
    };
    let settings = Settings {
        outputs: formats.map(output).to_vec(),
        ..settings.clone()
    };
    let outcome = super::run(input, &settings);
    let (of_three, rest) = outcome.events.as_chunks::<3>();
    assert_eq!(rest.len(), 0, "every event is in all formats");
    let triples = of_three.iter().map(|[native, ecs, ocsf]| {
        let triple = Triple {
            native: read(native),
            ecs: read(ecs),
            ocsf: read(ocsf),
        };
        triple.assert_valid();
        triple
    });
    triples.collect()
}

/// Encodes an event that was made by hand.
pub(crate) fn encode(event: &Event<'_>, message: &MessageFacts<'_>) -> Triple {
    let mut encoders = Encoders::default();
    let mut text = |format| {
        let mut out = Vec::new();
        encoders.push_event(format, event, message, &mut out);
        read(&out)
    };
    Triple {
        native: text(Format::Json),
        ecs: text(Format::Ecs),
        ocsf: text(Format::Ocsf),
    }
}

fn read(bytes: &[u8]) -> Value {
    let text = String::from_utf8_lossy(bytes);
    serde_json::from_slice(bytes).unwrap_or_else(|error| panic!("{error}: {text}"))
}

impl Triple {
    /// Both are valid by their schemas, hold all of the native event, and nothing that the tables
    /// do not tell.
    pub(crate) fn assert_valid(&self) {
        let mut faults = ecs::faults(&self.ecs);
        faults.extend(ocsf::faults(&self.ocsf));
        faults.extend(self.lost());
        faults.extend(ecs::untold(&self.ecs));
        faults.extend(ocsf::untold(&self.ocsf));
        assert!(
            faults.is_empty(),
            "{}\nnative {}\necs {}\nocsf {}",
            faults.join("\n"),
            self.native,
            self.ecs,
            self.ocsf
        );
    }

    /// The native fields whose values are not where the table says.
    fn lost(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for (path, value) in leaves(&self.native) {
            let (end, name) = end_of(&path);
            let Some(row) = ROWS.iter().find(|row| row.native == name) else {
                faults.push(format!("{path} has no row"));
                continue;
            };
            if !ecs::holds(row, end, value, self) {
                faults.push(format!("{path} = {value} is not in ECS's {:?}", row.ecs));
            }
            if !ocsf::holds(row, end, value, self) {
                faults.push(format!("{path} = {value} is not in OCSF's {:?}", row.ocsf));
            }
        }
        faults
    }
}

/// Whether one of the targets has that text.
fn is_at(document: &Value, targets: &[&str], roles: Roles, end: &str, text: &str) -> bool {
    let mut found = targets
        .iter()
        .filter_map(|target| at(document, &roles.fill(target, end)));
    found.any(|found| self::text(found) == text)
}

/// The end that a native field is of, and its name as the table has it.
fn end_of(path: &str) -> (&str, String) {
    for end in ["local", "remote"] {
        if let Some(rest) = path.strip_prefix(end).filter(|rest| rest.starts_with('.')) {
            return (end, format!("END{rest}"));
        }
    }
    // Their targets are the ends' fields.
    let end = if path == "origin.remote_address" {
        "remote"
    } else {
        "local"
    };
    (end, path.to_owned())
}

/// What is neither an object nor a list of objects, by dotted name.
pub(crate) fn leaves(document: &Value) -> Vec<(String, &Value)> {
    fn descend<'v>(value: &'v Value, path: &str, found: &mut Vec<(String, &'v Value)>) {
        match value {
            Value::Object(members) => {
                for (key, value) in members {
                    let dot = if path.is_empty() { "" } else { "." };
                    descend(value, &format!("{path}{dot}{key}"), found);
                }
            }
            Value::Array(items) if items.iter().any(Value::is_object) => {
                for item in items {
                    descend(item, path, found);
                }
            }
            leaf => found.push((path.to_owned(), leaf)),
        }
    }
    let mut found = Vec::new();
    descend(document, "", &mut found);
    found
}

/// What stands at a dotted name; of a list of objects, in its first.
fn at<'v>(document: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('.').try_fold(document, |value, key| {
        let value = value.get(0).unwrap_or(value);
        value.get(key)
    })
}

/// A leaf as text, a list's items with commas between.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

/// The names that the tables may have for a field of a document: with `ROLE` for the role of its
/// end, and with `END` for its end.
pub(crate) fn general_names(path: &str, roles: [&str; 2]) -> [String; 3] {
    let of_role = roles.into_iter().find_map(|role| {
        let rest = path.strip_prefix(role)?;
        rest.starts_with('.').then(|| format!("ROLE{rest}"))
    });
    let of_role = of_role.unwrap_or_else(|| path.to_owned());
    let [local, remote] = ["local", "remote"].map(|end| {
        let (label, unmapped) = (format!("labels.{end}_"), format!("unmapped.{end}."));
        path.replacen(&label, "labels.END_", 1)
            .replacen(&unmapped, "unmapped.END.", 1)
    });
    [of_role, local, remote]
}

/// Whether a table or the list of what there is besides tells of a field.
fn is_told(
    path: &str,
    targets: impl Fn(&Row) -> &'static [&'static str],
    roles: [&str; 2],
    besides: &[(&str, &str)],
) -> bool {
    let names = general_names(path, roles);
    let is = |target: &str| names.iter().any(|name| name == target);
    ROWS.iter()
        .any(|row| targets(row).iter().any(|target| is(target)))
        || besides.iter().any(|(name, _)| is(name))
}
