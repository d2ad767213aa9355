//! The JSON Schema of the events refuses what is none. That it takes every event is seen to by
//! all tests that make events: their common part holds each against it.

mod common;

use common::{input, json_schema, run, settings};
use netsieve::pipeline::settings::Format;
use serde_json::{Value, json};

fn event() -> Value {
    let message = json!({
        "metadata": { "agent_id": "a", "project": "p", "timestamp": "2023-11-14T22:00:00Z" },
        "data": [
            {
                "protocol": "tcp,ipv4,ethernet", "state": "ESTABLISHED", "process_name": "nginx",
                "local_address": "10.0.0.5:443,00-0D-3A-13-E3-69",
                "remote_address": "8.8.8.8:50000,00-0D-3A-13-E3-70",
            },
        ],
    });
    let message = serde_json::to_vec(&message).expect("plain JSON");
    let outcome = run(&input(&message, &[]), &settings(Format::Json));
    serde_json::from_slice(&outcome.events[0]).expect("events are JSON")
}

#[test]
fn what_is_no_event_is_refused() {
    let event = event();
    assert!(json_schema::is_event(&event));
    for (place, wrong) in [
        ("/event_id", json!("17")),
        ("/kind", json!("connections")),
        ("/kind", json!("KIND_CONNECTION")),
        ("/observed_at", json!("2023-11-14 22:00:00")),
        ("/observed_at", json!(1_700_000_000)),
        ("/project", json!("")),
        ("/automated", json!(1)),
        ("/protocols", json!([])),
        ("/network", json!("ip")),
        ("/iana_number", json!(256)),
        ("/iana_number", json!("6")),
        ("/state", json!("established")),
        ("/local/ip", json!("10.0.0")),
        ("/local/ip", json!("::ffff:10.0.0.5%1")),
        ("/local/port", json!(65_536)),
        ("/local/port", json!(-1)),
        ("/local/mac", json!("00:0d:3a:13:e3:69")),
        ("/local/scope", json!("intranet")),
        ("/remote", Value::Null),
        ("/direction/basis", json!("guess")),
        ("/community_id", json!("1:x")),
        ("/process/category", json!("malware")),
        ("/warnings", json!([])),
        ("/warnings", json!(["odd"])),
        ("/warnings", json!(["expired", "expired"])),
        ("/enrichments/success", json!(["luck"])),
        ("/origin/process_id", json!(-1)),
        ("/ingest/offset", json!(-1)),
        ("/ingest/offset", json!(1.5)),
    ] {
        let mut changed = event.clone();
        *match changed.pointer_mut(place) {
            Some(value) => value,
            None => &mut changed[&place[1..]],
        } = wrong;
        assert!(!json_schema::is_event(&changed), "{place}: {changed}");
    }
}

#[test]
fn no_object_takes_what_it_does_not_know_and_what_is_always_there_is_required() {
    let event = event();
    let required: [(&str, &[&str]); 4] = [
        (
            "",
            &[
                "event_id",
                "connection_key",
                "kind",
                "observed_at",
                "project",
                "agent_id",
            ],
        ),
        ("", &["automated", "protocols", "local", "origin", "ingest"]),
        ("/direction", &["host", "perimeter", "initiator", "basis"]),
        (
            "/ingest",
            &[
                "topic",
                "partition",
                "offset",
                "record_index",
                "record_count",
            ],
        ),
    ];
    for (place, keys) in required {
        for key in keys {
            let mut without = event.clone();
            let object = without.pointer_mut(place).and_then(Value::as_object_mut);
            let taken = object.expect("it is there").remove(*key);
            assert!(
                taken.is_some() && !json_schema::is_event(&without),
                "{place} {key}"
            );
        }
    }
    for place in [
        "",
        "/local",
        "/remote",
        "/direction",
        "/process",
        "/origin",
        "/ingest",
    ] {
        let mut with = event.clone();
        with.pointer_mut(place).expect("it is there")["more"] = json!("x");
        assert!(!json_schema::is_event(&with), "{place}");
    }
}
