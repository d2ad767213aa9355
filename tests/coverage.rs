//! A generated load brings about every answer that the core has, and so shows and tests all of
//! it.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{borrowed, input, run, settings};
use netsieve::generate::{Generator, Options};
use netsieve::pipeline::code::Warning;
use netsieve::pipeline::enrich::direction::{Basis, Confidence, Host, Initiator, Perimeter};
use netsieve::pipeline::enrich::listener::Exposure;
use netsieve::pipeline::enrich::process::Category;
use netsieve::pipeline::enrich::{Enrichment, scope::Scope};
use netsieve::pipeline::message::Input;
use netsieve::pipeline::record::{Kind, State};
use netsieve::pipeline::settings::Format;
use serde_json::Value;

/// Fewest events that each answer must come up in.
const ENOUGH: u32 = 3;

/// How many events of the default load say what: `direction.basis ports`, `state LISTEN`, …
fn counts() -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    let settings = settings(Format::Json);
    let options = Options {
        messages: Some(2_000),
        ..Options::default()
    };
    for message in Generator::new(options) {
        let headers = borrowed(&message.headers);
        let input = Input {
            timestamp_ms: Some(message.timestamp_ms),
            ..input(&message.value, &headers)
        };
        for event in run(&input, &settings).events {
            let event: Value = serde_json::from_slice(&event).expect("events are JSON");
            count(&event, &mut counts);
        }
    }
    counts
}

fn count(event: &Value, counts: &mut BTreeMap<String, u32>) {
    let mut count = |what: String| *counts.entry(what).or_default() += 1;
    for place in [
        "kind",
        "state",
        "transport",
        "direction.host",
        "direction.perimeter",
        "direction.initiator",
        "direction.basis",
        "direction.confidence",
        "listener.exposure",
        "listener.dual_stack",
        "listener.ephemeral",
        "process.category",
        "process.pid_inferred",
    ] {
        let pointer = format!("/{}", place.replace('.', "/"));
        match event.pointer(&pointer) {
            Some(Value::String(text)) => count(format!("{place} {text}")),
            Some(Value::Bool(flag)) => count(format!("{place} {flag}")),
            _ => {}
        }
    }
    let direction = &event["direction"];
    if let (Some(basis), Some(initiator)) =
        (direction["basis"].as_str(), direction["initiator"].as_str())
    {
        count(format!("{basis} {initiator}"));
    }
    for end in ["local", "remote"] {
        let scope = event[end]["scope"].as_str();
        if let Some(scope) = scope {
            count(format!("scope {scope}"));
        }
        if event[end]["embedded_ipv4"].is_string() {
            count(format!("embedded {}", scope.unwrap_or_default()));
        }
    }
    for list in ["/warnings", "/enrichments/success"] {
        let items = event.pointer(list).and_then(Value::as_array);
        for item in items.into_iter().flatten() {
            count(format!("{list} {}", item.as_str().expect("a name")));
        }
    }
    if event["peer_process"].is_object() {
        count("peer_process".to_owned());
    }
    if event["listener"]["established_peers"].as_u64() > Some(0) {
        count("established_peers".to_owned());
    }
    if event["community_id"].is_string() {
        count("community_id".to_owned());
    }
}

/// Every answer that there is, but for those that a load cannot have.
fn all() -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    macro_rules! each {
        ($place:literal, $kind:ident) => {
            all.extend(
                $kind::ALL
                    .iter()
                    .map(|of| format!("{} {}", $place, of.name())),
            );
        };
    }
    each!("kind", Kind);
    each!("state", State);
    each!("direction.host", Host);
    each!("direction.perimeter", Perimeter);
    each!("direction.initiator", Initiator);
    each!("direction.basis", Basis);
    each!("direction.confidence", Confidence);
    each!("listener.exposure", Exposure);
    each!("process.category", Category);
    each!("/warnings", Warning);
    // Those of the operator's tables have nothing to say without them.
    let of_tables = [
        Enrichment::NetworkLabel,
        Enrichment::Geo,
        Enrichment::As,
        Enrichment::MacVendor,
    ];
    let enrichments = Enrichment::ALL.iter().filter(|of| !of_tables.contains(of));
    all.extend(enrichments.map(|of| format!("/enrichments/success {}", of.name())));
    for (basis, initiator) in [
        (Basis::SynSent, Initiator::Local),
        (Basis::SynRecv, Initiator::Remote),
        (Basis::ListenerExact, Initiator::Remote),
        (Basis::ListenerWildcard, Initiator::Remote),
        (Basis::ListenerDualStack, Initiator::Remote),
        (Basis::PeerListener, Initiator::Local),
        (Basis::NoListener, Initiator::Local),
        (Basis::Ports, Initiator::Local),
        (Basis::Ports, Initiator::Remote),
        (Basis::None, Initiator::Unknown),
    ] {
        all.insert(format!("{} {}", basis.name(), initiator.name()));
    }
    let embedding = [Scope::Nat64, Scope::SixToFour, Scope::Teredo];
    all.extend(embedding.map(|scope| format!("embedded {}", scope.name())));
    // ISATAP is told by the end of the address, whatever its beginning.
    all.insert("embedded unique_local".to_owned());
    for scope in [
        Scope::Unspecified,
        Scope::Private,
        Scope::Shared,
        Scope::Loopback,
        Scope::LinkLocal,
        Scope::Documentation,
        Scope::As112,
        Scope::UniqueLocal,
    ] {
        all.insert(format!("scope {}", scope.name()));
    }
    let others = [
        "listener.dual_stack true",
        "listener.dual_stack false",
        "listener.ephemeral true",
        "listener.ephemeral false",
        "process.pid_inferred true",
        "peer_process",
        "established_peers",
        "community_id",
        "transport tcp",
        "transport udp",
        "transport icmp",
    ];
    all.extend(others.map(str::to_owned));
    all
}

#[test]
fn every_answer_comes_up() {
    let counts = counts();
    let missing: Vec<_> = all()
        .into_iter()
        .filter(|answer| counts.get(answer).is_none_or(|count| *count < ENOUGH))
        .collect();
    assert!(missing.is_empty(), "{missing:#?} of {counts:#?}");
}
