//! Real captures of `netstat` and `ss`, where the checkout has them beside it or
//! `NETSIEVE_CAPTURES` names their directory, through the adaptors and the core: every row comes
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
use netsieve::intake::{self, Kind, Metadata};
use netsieve::pipeline::settings::{Format, Limits};
use serde_json::Value;

const CAPTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data");

/// The capture's text, or nothing where it is not there.
fn capture(name: &str) -> Option<String> {
    let directory = std::env::var("NETSIEVE_CAPTURES").unwrap_or_else(|_| CAPTURES.to_owned());
    let text = fs::read_to_string(Path::new(&directory).join(name)).ok();
    if text.is_none() {
        eprintln!("skipped: no {name} in {directory}");
    }
    text
}

/// Reads the capture, sends its rows as one message, and counts what the events are.
fn counts(bytes: &[u8], kind: Kind) -> BTreeMap<String, usize> {
    let (found, reading) = intake::read(bytes, None).expect("a known form");
    assert_eq!(found, kind);
    assert_eq!(reading.unread, []);
    let metadata = Metadata {
        project: "ASSESS-X".to_owned(),
        agent_id: Some("339429212".to_owned()),
        agent_type: Some("beacon".to_owned()),
        source: Some("DC".to_owned()),
        timestamp: None,
        expiration: None,
        host: "DC".to_owned(),
        now: "2023-11-14T22:00:00Z".parse().expect("a time"),
    };
    let messages: Vec<_> = reading
        .snapshots
        .iter()
        .flat_map(|snapshot| intake::messages(snapshot, &metadata, &Limits::default()))
        .collect();
    assert_eq!(messages.len(), 1, "a snapshot stays together");
    let message = messages[0].value.as_bytes();
    let outcome = run(&input(message, &[]), &settings(Format::Json));
    let rejected: Vec<_> = outcome
        .letters
        .iter()
        .map(|letter| (letter.index, letter.reason))
        .collect();
    assert_eq!(rejected, [], "every row of a real tool is an event");
    assert_eq!(outcome.events.len(), reading.records());
    let judged = formats::judge(&input(message, &[]), &settings(Format::Json));
    assert_eq!(judged.len(), reading.records());
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
        if event["process"]["pid"].is_number() {
            count("pid".to_owned());
        }
        if event["process"]["name"].is_string() {
            count("process name".to_owned());
        }
        if event["peer_process"].is_object() {
            count("peer process".to_owned());
        }
    }
    counts
}

fn assert_counts(name: &str, kind: Kind, expected: &[(&str, usize)]) {
    let Some(text) = capture(name) else {
        return;
    };
    let counts = counts(text.as_bytes(), kind);
    let counts: Vec<_> = counts
        .iter()
        .map(|(what, count)| (what.as_str(), *count))
        .collect();
    assert_eq!(counts, expected);
}

#[test]
fn windows_netstat_aon() {
    assert_counts(
        "windows-netstat-aon.txt",
        Kind::WindowsNetstat,
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
            ("pid", 208),
            ("state ESTABLISHED", 32),
            ("state LISTEN", 39),
            ("state none", 137),
        ],
    );
}

#[test]
fn linux_ss_tunap() {
    assert_counts(
        "linux-ss-wide.txt",
        Kind::Ss,
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
            ("pid", 155),
            ("process name", 155),
            ("state LISTEN", 29),
            ("state none", 126),
        ],
    );
}

#[test]
fn macos_netstat_an() {
    assert_counts(
        "macos-netstat-An.txt",
        Kind::BsdNetstat,
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
    let (kind, reading) = intake::read(text.as_bytes(), None).expect("a known form");
    assert_eq!((kind, reading.records()), (Kind::Nemesis, 3));
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
