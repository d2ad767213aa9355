//! The formats of others, ECS and OCSF: every event is valid by their schemas, nothing of it is
//! lost, and docs/formats.md and the Elasticsearch templates say what the encoders do.
//!
//! The goldens of the other tests are judged where they stand, by `common::formats`.

#![expect(clippy::print_stderr, reason = "a skipped test says so")]

#[path = "../common/mod.rs"]
mod common;
mod described;
mod looked_up;
mod rows;

use std::collections::BTreeSet;

use common::formats::{self, Triple, ecs, ocsf};
use common::{borrowed, input, settings};
use netsieve::generate::{Generator, Options};
use netsieve::pipeline::message::Input;
use netsieve::pipeline::settings::Format;
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
