//! The JSON Schemas of what netsieve writes as JSON, made from the protobuf schema and the
//! core's own lists, and the check that holds what is written against them.

use std::sync::LazyLock;

use jsonschema::Validator;
use netsieve::pipeline::code::{Level, Reason, Warning};
use netsieve::pipeline::enrich::scope::Scope;
use netsieve::proto::{EVENT_JSON_SCHEMA, REJECT_JSON_SCHEMA};
use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};

use super::schema::{self, enum_name, is_always_written};

const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Texts, lists and objects that every event has; of numbers and flags the schema tells.
const REQUIRED: [&str; 17] = [
    "Event.event_id",
    "Event.connection_key",
    "Event.kind",
    "Event.observed_at",
    "Event.project",
    "Event.agent_id",
    "Event.protocols",
    "Event.local",
    "Event.origin",
    "Event.ingest",
    "Direction.host",
    "Direction.perimeter",
    "Direction.initiator",
    "Direction.basis",
    "Origin.local_address",
    "Origin.protocol",
    "Ingest.topic",
];

/// What the values of a field are, beyond its type.
fn forms() -> Vec<(&'static str, Value)> {
    let names = |names: Vec<&str>| json!({ "enum": names });
    let number = |max: u64| json!({ "minimum": 0, "maximum": max });
    let scopes = Scope::ALL.iter().map(|scope| scope.name()).collect();
    let warnings = Warning::ALL.iter().map(|code| code.name()).collect();
    vec![
        ("Event.event_id", json!({ "format": "uuid" })),
        ("Event.connection_key", json!({ "format": "uuid" })),
        ("Event.network", names(vec!["ipv4", "ipv6"])),
        ("Event.iana_number", number(u8::MAX.into())),
        (
            "Event.community_id",
            json!({ "pattern": "^1:[A-Za-z0-9+/]{27}=$" }),
        ),
        ("Event.warnings", names(warnings)),
        (
            "Endpoint.ip",
            json!({ "anyOf": [{ "format": "ipv4" }, { "format": "ipv6" }] }),
        ),
        ("Endpoint.port", number(u16::MAX.into())),
        (
            "Endpoint.mac",
            json!({ "pattern": "^[0-9A-F]{2}(-[0-9A-F]{2}){5}$" }),
        ),
        ("Endpoint.scope", names(scopes)),
        ("Endpoint.embedded_ipv4", json!({ "format": "ipv4" })),
        ("Process.pid_inferred", json!({ "const": true })),
        ("Ingest.partition", json!({ "minimum": 0 })),
        ("Ingest.offset", json!({ "minimum": 0 })),
    ]
}

/// The schema of an event in the native JSON format.
pub(crate) fn event() -> Value {
    let pool = schema::event().parent_pool().clone();
    let forms = forms();
    let named = |name: &str| {
        let (message, field) = name.split_once('.').expect("message and field");
        let message = pool.get_message_by_name(&format!("netsieve.v1.{message}"));
        let message = message.expect("the schema has the message");
        message.get_field_by_name(field).is_some()
    };
    for name in forms.iter().map(|(name, _)| *name).chain(REQUIRED) {
        assert!(named(name), "{name} is no field");
    }
    let mut messages = Map::new();
    let root = object(&schema::event(), &forms, &mut messages);
    let mut whole = json!({
        "$schema": DRAFT,
        "$id": "urn:netsieve:v1:event",
        "title": "netsieve.v1.Event",
        "$defs": messages,
    });
    merge(&mut whole, root);
    whole
}

/// The schema of a line that `pipe` writes of what was rejected.
pub(crate) fn reject() -> Value {
    let reasons: Vec<_> = Reason::all().map(Reason::name).collect();
    let mut stages: Vec<_> = Reason::all().map(|reason| reason.stage().name()).collect();
    stages.sort_unstable();
    stages.dedup();
    let levels: Vec<_> = Level::ALL.iter().map(|level| level.name()).collect();
    json!({
        "$schema": DRAFT,
        "$id": "urn:netsieve:v1:reject",
        "title": "netsieve reject",
        "description": "A message or a record that netsieve pipe could not make an event of.",
        "type": "object",
        "additionalProperties": false,
        "required": ["level", "reason", "stage", "message"],
        "properties": {
            "level": { "description": "What was rejected.", "enum": levels },
            "reason": { "description": "The code.", "enum": reasons },
            "stage": { "description": "Where it was found.", "enum": stages },
            "field": {
                "description": "The field at fault.", "type": "string", "minLength": 1,
            },
            "message": {
                "description": "One sentence that names the field and the value.",
                "type": "string", "minLength": 1, "maxLength": 200,
            },
            "record_index": {
                "description": "Position of the record in its message, from 0.",
                "type": "integer", "minimum": 0, "maximum": u32::MAX,
            },
            "raw": {
                "description": "What was rejected, as a message that can be sent again.",
                "type": "string",
            },
            "raw_base64": {
                "description": "The same where it is not UTF-8.",
                "type": "string", "contentEncoding": "base64",
                "pattern": "^[A-Za-z0-9+/]*={0,2}$",
            },
            "truncated": {
                "description": "Size of the message in bytes where raw is only its beginning.",
                "type": "integer", "minimum": 1,
            },
        },
        "oneOf": [{ "required": ["raw"] }, { "required": ["raw_base64"] }],
        "if": { "properties": { "level": { "const": "record" } } },
        "then": { "required": ["record_index"] },
        "else": { "not": { "required": ["record_index"] } },
    })
}

/// A message as an object; those in it are put among `messages`.
fn object(
    message: &MessageDescriptor,
    forms: &[(&str, Value)],
    messages: &mut Map<String, Value>,
) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for field in message.fields() {
        let short = field
            .full_name()
            .trim_start_matches("netsieve.v1.")
            .to_owned();
        if is_always_written(&field) || REQUIRED.contains(&short.as_str()) {
            required.push(field.name().to_owned());
        }
        let mut value = value(&field, forms, messages);
        if let Some((_, form)) = forms.iter().find(|(name, _)| *name == short) {
            merge(&mut value, form.clone());
        }
        if field.is_list() {
            value = json!({ "type": "array", "minItems": 1, "items": value });
            if matches!(field.kind(), Kind::Enum(_)) || short == "Event.warnings" {
                merge(&mut value, json!({ "uniqueItems": true }));
            }
        }
        describe(&mut value, &comment(&field.parent_file(), field.path()));
        properties.insert(field.name().to_owned(), value);
    }
    let mut object = json!({
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    });
    if !required.is_empty() {
        merge(&mut object, json!({ "required": required }));
    }
    describe(
        &mut object,
        &comment(&message.parent_file(), message.path()),
    );
    object
}

/// One value of a field.
fn value(
    field: &FieldDescriptor,
    forms: &[(&str, Value)],
    messages: &mut Map<String, Value>,
) -> Value {
    let integer = |min: i64, max: u64| json!({ "type": "integer", "minimum": min, "maximum": max });
    match field.kind() {
        Kind::String => json!({ "type": "string", "minLength": 1 }),
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::Uint32 => integer(0, u32::MAX.into()),
        Kind::Int32 => integer(i32::MIN.into(), i32::MAX.unsigned_abs().into()),
        Kind::Int64 => integer(i64::MIN, i64::MAX.unsigned_abs()),
        Kind::Uint64 => integer(0, u64::MAX),
        Kind::Double | Kind::Float => json!({ "type": "number" }),
        Kind::Enum(kind) => json!({ "type": "string", "enum": names(&kind) }),
        Kind::Message(message) if message.full_name() == "google.protobuf.Timestamp" => {
            json!({ "type": "string", "format": "date-time" })
        }
        Kind::Message(message) => {
            let name = message.full_name().trim_start_matches("netsieve.v1.");
            if !messages.contains_key(name) {
                let object = object(&message, forms, messages);
                messages.insert(name.to_owned(), object);
            }
            json!({ "$ref": format!("#/$defs/{name}") })
        }
        kind => panic!("{}: {kind:?} has no JSON form here", field.full_name()),
    }
}

fn names(kind: &EnumDescriptor) -> Vec<String> {
    let known = kind.values().filter(|value| value.number() != 0);
    known.map(|value| enum_name(kind, value.number())).collect()
}

/// The comment that stands before a descriptor, in one line.
fn comment(file: &prost_reflect::FileDescriptor, path: &[i32]) -> String {
    let info = file.file_descriptor_proto().source_code_info.as_ref();
    let mut locations = info.expect("the sources are at hand").location.iter();
    let comment = locations
        .find(|location| location.path == path)
        .and_then(|location| location.leading_comments.as_deref());
    let words: Vec<_> = comment.unwrap_or_default().split_whitespace().collect();
    words.join(" ")
}

fn describe(value: &mut Value, comment: &str) {
    if !comment.is_empty() {
        merge(value, json!({ "description": comment }));
    }
}

fn merge(value: &mut Value, more: Value) {
    let (Value::Object(value), Value::Object(more)) = (value, more) else {
        panic!("schemas are objects")
    };
    value.extend(more);
}

static EVENT: LazyLock<Validator> = LazyLock::new(|| validator(EVENT_JSON_SCHEMA));
static REJECT: LazyLock<Validator> = LazyLock::new(|| validator(REJECT_JSON_SCHEMA));

fn validator(schema: &str) -> Validator {
    let schema = serde_json::from_str(schema).expect("the schema is JSON");
    jsonschema::draft202012::options()
        .should_validate_formats(true)
        .build(&schema)
        .expect("the schema is valid")
}

/// Holds an event of the native JSON format against its schema.
pub(crate) fn assert_is_event(event: &Value) {
    assert_is(&EVENT, event);
}

/// Holds a line of `pipe` about a reject against its schema.
pub(crate) fn assert_is_reject(line: &Value) {
    assert_is(&REJECT, line);
}

/// Whether a value is an event by the schema.
pub(crate) fn is_event(value: &Value) -> bool {
    EVENT.is_valid(value)
}

fn assert_is(validator: &Validator, value: &Value) {
    let errors: Vec<_> = validator
        .iter_errors(value)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?} in {value}");
}
