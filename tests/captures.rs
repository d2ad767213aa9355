//! Real captures of `netstat` and `ss`, where the checkout has them beside it: every row comes
//! out, and the counts by kind, state and warning are those that were read by eye.
//!
//! The captures are other projects' fixtures and are not part of this one; without them the
//! test says so and passes.

#![expect(clippy::print_stderr, reason = "a skipped test says so")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use common::{formats, input, run, settings};
use netsieve::pipeline::settings::Format;
use serde_json::{Value, json};

const CAPTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data");

/// The capture's text, or nothing where it is not there.
fn capture(name: &str) -> Option<String> {
    let text = fs::read_to_string(Path::new(CAPTURES).join(name)).ok();
    if text.is_none() {
        eprintln!("skipped: no {name} in {CAPTURES}");
    }
    text
}

/// Sends the rows as one message and counts what the events are.
fn counts(rows: &[Value]) -> BTreeMap<String, usize> {
    let message = json!({
        "metadata": {
            "agent_id": "339429212", "agent_type": "beacon", "project": "ASSESS-X",
            "data_type": "network_connection", "source": "DC",
            "timestamp": "2023-11-14T22:00:00Z", "expiration": "2033-11-14T22:00:00Z",
        },
        "data": rows,
    });
    let message = serde_json::to_vec(&message).expect("plain JSON");
    let outcome = run(&input(&message, &[]), &settings(Format::Json));
    let rejected: Vec<_> = outcome
        .letters
        .iter()
        .map(|letter| (letter.index, letter.reason))
        .collect();
    assert_eq!(rejected, [], "every row of a real tool is an event");
    assert_eq!(outcome.events.len(), rows.len());
    let judged = formats::judge(&input(&message, &[]), &settings(Format::Json));
    assert_eq!(judged.len(), rows.len());
    let mut counts = BTreeMap::new();
    let mut count = |what: String| *counts.entry(what).or_default() += 1;
    for event in &outcome.events {
        let event: Value = serde_json::from_slice(event).expect("events are JSON");
        let text = |key: &str| event[key].as_str().unwrap_or("none").to_owned();
        count(format!(
            "{} {} {}",
            text("kind"),
            text("transport"),
            text("network")
        ));
        count(format!("state {}", text("state")));
        for warning in event["warnings"].as_array().into_iter().flatten() {
            count(format!("warning {}", warning.as_str().expect("a code")));
        }
        if event["listener"]["dual_stack"] == true {
            count("dual stack".to_owned());
        }
        if event["listener"]["ephemeral"] == true {
            count("ephemeral".to_owned());
        }
        if let Some(exposure) = event["listener"]["exposure"].as_str() {
            count(format!("exposure {exposure}"));
        }
        if let Some(direction) = event["direction"].as_object() {
            let text = |key: &str| direction[key].as_str().expect("a name");
            count(format!(
                "direction {} {} {}",
                text("host"),
                text("perimeter"),
                text("basis")
            ));
        }
        if event["peer_process"].is_object() {
            count("peer process".to_owned());
        }
    }
    counts
}

fn assert_counts(rows: &[Value], expected: &[(&str, usize)]) {
    let counts = counts(rows);
    let counts: Vec<_> = counts
        .iter()
        .map(|(what, count)| (what.as_str(), *count))
        .collect();
    assert_eq!(counts, expected);
}

#[test]
fn windows_netstat_aon() {
    let Some(text) = capture("windows-netstat-aon.txt") else {
        return;
    };
    let row = |line: &str| {
        let cells: Vec<_> = line.split_whitespace().collect();
        match cells[..] {
            [protocol @ "TCP", local, remote, state, pid] => Some(json!({
                "protocol": protocol, "local_address": local, "remote_address": remote,
                "state": state, "process_id": pid,
            })),
            [protocol @ "UDP", local, remote, pid] => Some(json!({
                "protocol": protocol, "local_address": local, "remote_address": remote,
                "process_id": pid,
            })),
            _ => None,
        }
    };
    let rows: Vec<_> = text.lines().filter_map(row).collect();
    assert_counts(
        &rows,
        &[
            ("connection tcp ipv4", 32),
            ("direction local internal none", 32),
            ("dual stack", 12),
            ("ephemeral", 37),
            ("exposure any", 107),
            ("exposure link_local", 2),
            ("exposure loopback", 19),
            ("exposure private", 48),
            ("listener tcp ipv4", 24),
            ("listener tcp ipv6", 15),
            ("listener udp ipv4", 124),
            ("listener udp ipv6", 13),
            ("peer process", 32),
            ("state ESTABLISHED", 32),
            ("state LISTEN", 39),
            ("state none", 137),
        ],
    );
}

#[test]
fn linux_ss_tunap() {
    let Some(text) = capture("linux-ss-wide.txt") else {
        return;
    };
    let row = |line: &str| {
        let cells: Vec<_> = line.split_whitespace().collect();
        let [protocol, state, _, _, local, remote, ..] = cells[..] else {
            return None;
        };
        (protocol != "Netid").then(|| {
            json!({
                "protocol": protocol, "state": state, "local_address": local,
                "remote_address": remote,
            })
        })
    };
    let rows: Vec<_> = text.lines().filter_map(row).collect();
    assert_counts(
        &rows,
        &[
            ("dual stack", 2),
            ("ephemeral", 112),
            ("exposure any", 139),
            ("exposure global", 10),
            ("exposure link_local", 1),
            ("exposure loopback", 5),
            ("listener tcp ipv4", 21),
            ("listener tcp ipv6", 8),
            ("listener udp ipv4", 120),
            ("listener udp ipv6", 6),
            ("state LISTEN", 29),
            ("state none", 126),
        ],
    );
}

#[test]
fn macos_netstat_an() {
    let Some(text) = capture("macos-netstat-An.txt") else {
        return;
    };
    let row = |line: &str| {
        let cells: Vec<_> = line.split_whitespace().collect();
        let [_, _, protocol, _, _, local, remote, ref state @ ..] = cells[..] else {
            return None;
        };
        Some(json!({
            "protocol": protocol, "local_address": local, "remote_address": remote,
            "state": state.first(),
        }))
    };
    let internet = text
        .lines()
        .skip(2)
        .take_while(|line| !line.starts_with("Active"));
    let rows: Vec<_> = internet.filter_map(row).collect();
    assert_counts(
        &rows,
        &[
            ("connection tcp ipv4", 22),
            ("connection tcp ipv6", 27),
            ("direction local internal none", 2),
            ("direction local internal ports", 1),
            ("direction unknown internal none", 6),
            ("direction unknown unknown none", 40),
            ("dual stack", 7),
            ("ephemeral", 29),
            ("exposure any", 86),
            ("exposure loopback", 2),
            ("exposure private", 1),
            ("listener icmp ipv6", 1),
            ("listener udp ipv4", 75),
            ("listener udp ipv6", 13),
            ("state CLOSE_WAIT", 6),
            ("state ESTABLISHED", 43),
            ("state none", 89),
            ("warning address_truncated", 47),
        ],
    );
}

#[test]
fn nemesis_own_message() {
    let Some(text) = capture("nemesis-network_connections.json") else {
        return;
    };
    let outcome = run(&input(text.as_bytes(), &[]), &settings(Format::Json));
    assert_eq!(outcome.letters, []);
    let events = outcome
        .events
        .iter()
        .map(|event| serde_json::from_slice::<Value>(event));
    let events: Vec<_> = events.collect::<Result<_, _>>().expect("events are JSON");
    let of = |key: &str| {
        events
            .iter()
            .map(|event| event[key].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(of("kind"), ["connection", "listener", "listener"]);
    assert_eq!(
        of("service"),
        [Value::Null, "RpcSs".into(), "TermService".into()]
    );
}
