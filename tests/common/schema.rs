//! The event schema by its descriptors: what an event's JSON must be, field by field.

use std::sync::LazyLock;

use netsieve::pipeline::encode::push_time;
use netsieve::pipeline::message::Time;
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, ReflectMessage,
    Value as Field,
};
use serde_json::{Map, Value};

/// Numbers and flags that are written only where they are not 0 or false; the others always are.
const ONLY_WHERE_SET: [&str; 2] = [
    "netsieve.v1.Origin.process_id",
    "netsieve.v1.Process.pid_inferred",
];

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    let proto = concat!(env!("CARGO_MANIFEST_DIR"), "/proto");
    let files = protox::compile(["netsieve/v1/event.proto"], [proto]).expect("it builds");
    DescriptorPool::from_file_descriptor_set(files).expect("protox gives whole sets")
});

/// The descriptor of the event.
pub(crate) fn event() -> MessageDescriptor {
    POOL.get_message_by_name("netsieve.v1.Event")
        .expect("the schema has it")
}

/// The native JSON of an event, made from its protobuf by the schema alone.
pub(crate) fn native_json(bytes: &[u8]) -> Value {
    object(&DynamicMessage::decode(event(), bytes).expect("events are valid protobuf"))
}

fn object(message: &DynamicMessage) -> Value {
    let mut members = Map::new();
    for field in message.descriptor().fields() {
        let always = !field.supports_presence()
            && !field.is_list()
            && !matches!(field.kind(), Kind::String | Kind::Enum(_))
            && !ONLY_WHERE_SET.contains(&field.full_name());
        if always || message.has_field(&field) {
            let value = member(&field, &message.get_field(&field));
            members.insert(field.name().to_owned(), value);
        }
    }
    Value::Object(members)
}

fn member(field: &FieldDescriptor, value: &Field) -> Value {
    match (value, field.kind()) {
        (Field::List(items), _) => items.iter().map(|item| member(field, item)).collect(),
        (Field::String(text), _) => text.as_str().into(),
        (Field::Bool(flag), _) => (*flag).into(),
        (Field::U32(number), _) => (*number).into(),
        (Field::I32(number), _) => (*number).into(),
        (Field::I64(number), _) => (*number).into(),
        (Field::F64(number), _) => (*number).into(),
        (Field::EnumNumber(number), Kind::Enum(kind)) => {
            let value = kind.get_value(*number).expect("a number of the schema");
            let prefix = kind.default_value().name().replace("UNSPECIFIED", "");
            let name = value
                .name()
                .strip_prefix(&prefix)
                .expect("the enum's prefix");
            // TCP states are written as RFC 9293 does.
            let is_state = kind.full_name() == "netsieve.v1.State";
            if is_state {
                name.to_owned()
            } else {
                name.to_lowercase()
            }
            .into()
        }
        (Field::Message(message), Kind::Message(kind)) => {
            if kind.full_name() == "google.protobuf.Timestamp" {
                time(message)
            } else {
                object(message)
            }
        }
        (value, kind) => panic!("{}: {value:?} as {kind:?}", field.full_name()),
    }
}

fn time(message: &DynamicMessage) -> Value {
    let number = |name| {
        message
            .get_field_by_name(name)
            .expect("a timestamp's field")
    };
    let time = Time {
        seconds: number("seconds").as_i64().expect("an int64"),
        nanos: number("nanos").as_i32().expect("an int32").unsigned_abs(),
    };
    let mut text = Vec::new();
    push_time(&mut text, time);
    String::from_utf8(text).expect("times are ASCII").into()
}
