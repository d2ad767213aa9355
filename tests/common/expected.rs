//! An event in the native JSON, as the manifest has it.

use netsieve::generate::{ExpectedEnd, ExpectedEvent};
use serde_json::Value;

/// What the event says of what the manifest foretells.
pub(crate) fn event(event: &Value) -> ExpectedEvent {
    // The row's own: an inferred one is not foretold.
    let is_own = event["process"]["pid_inferred"].is_null();
    let pid = event["process"]["pid"].as_u64().filter(|_| is_own);
    ExpectedEvent {
        kind: text(&event["kind"]).unwrap(),
        protocols: texts(&event["protocols"]),
        transport: text(&event["transport"]),
        network: text(&event["network"]),
        state: text(&event["state"]),
        local: end(&event["local"]),
        remote: (!event["remote"].is_null()).then(|| end(&event["remote"])),
        pid: pid.map(|pid| pid.try_into().unwrap()),
        process: text(&event["process"]["name"]),
        warnings: texts(&event["warnings"]),
    }
}

fn end(end: &Value) -> ExpectedEnd {
    let port = end["port"].as_u64();
    ExpectedEnd {
        ip: text(&end["ip"]),
        port: port.map(|port| port.try_into().unwrap()),
        zone: text(&end["zone"]),
        mac: text(&end["mac"]),
        name: text(&end["name"]),
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn texts(value: &Value) -> Vec<String> {
    let items = value.as_array().into_iter().flatten();
    items.map(|item| text(item).unwrap()).collect()
}
