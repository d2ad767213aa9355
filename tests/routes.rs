//! Which outputs an event goes to, under which key, and what is counted of it.

mod common;

use common::input;
use netsieve::pipeline::emit::{Emitted, Event};
use netsieve::pipeline::filter::{Condition, Field, Filter, Test};
use netsieve::pipeline::settings::{Format, Key, Output, Settings};
use netsieve::pipeline::{Workspace, process};

const MESSAGE: &str = r#"{
    "metadata": {"agent_id": "a", "project": "p", "source": "h", "timestamp": "2026-01-02T03:04:05Z"},
    "data": [
        {"local_address": "10.0.0.1:50000", "remote_address": "1.2.3.4:443", "protocol": "tcp", "state": "ESTABLISHED"},
        {"local_address": "0.0.0.0:22", "protocol": "tcp", "state": "LISTEN"},
        {"local_address": "127.0.0.1:631", "protocol": "tcp", "state": "LISTEN"},
        {"local_address": "10.0.0.1:0", "protocol": "tcp", "state": "CLOSED"}
    ]
}"#;

fn is(field: Field, word: &str) -> Condition {
    let words = field.words();
    let (_, words) = words.into_iter().find(|(name, _)| *name == word).unwrap();
    Condition::Is(Test::Word { field, words })
}

fn settings(outputs: Vec<Output>) -> Settings {
    Settings {
        outputs,
        ..common::settings(Format::Json)
    }
}

fn output(condition: &Condition) -> Output {
    Output {
        filter: Filter::new(condition),
        ..Output::new(Format::Json, Key::Connection)
    }
}

/// What comes of the message.
fn emitted(settings: &Settings) -> Emitted {
    let mut out = Emitted::default();
    let input = input(MESSAGE.as_bytes(), &[]);
    process(&input, settings, &mut Workspace::default(), &mut out);
    out
}

/// Output and local port of each event.
fn routes<'e>(events: impl Iterator<Item = Event<'e>>) -> Vec<(usize, u64)> {
    let routes = events.map(|event| {
        let value: serde_json::Value = serde_json::from_slice(event.value).unwrap();
        (event.output, value["local"]["port"].as_u64().unwrap())
    });
    routes.collect()
}

#[test]
fn an_event_goes_to_every_output_that_takes_it_and_is_counted_for_each() {
    let exposed = Condition::All(vec![
        is(Field::Kind, "listener"),
        Condition::Not(Box::new(is(Field::Exposure, "loopback"))),
    ]);
    let settings = settings(vec![
        output(&is(Field::Kind, "listener")),
        output(&exposed),
        output(&is(Field::RemoteScope, "global")),
        output(&is(Field::Warning, "expired")),
    ]);
    let (mut workspace, mut out) = (Workspace::default(), Emitted::default());
    for turn in 1..=2 {
        let input = input(MESSAGE.as_bytes(), &[]);
        process(&input, &settings, &mut workspace, &mut out);
        let expected = [(2, 50_000), (0, 22), (1, 22), (0, 631)];
        assert_eq!(routes(out.events()), expected);
        let routed = [0, 1, 2, 3, 4].map(|output| out.tally.routed(output));
        assert_eq!(routed, [2, 1, 1, 0, 0].map(|count| count * turn));
        assert_eq!(out.tally.unrouted, turn, "the idle socket");
    }
}

#[test]
fn what_goes_before_values_is_each_outputs_own() {
    let prefixes: [&[u8]; 6] = [b"", b"12345", b"12345", b"", b"abc", b"12345"];
    for order in [[0, 1, 2, 3, 4, 5], [4, 1, 0, 5, 2, 3], [1, 2, 0, 4, 5, 3]] {
        let outputs = order.map(|index| Output {
            prefix: prefixes[index].to_vec(),
            ..Output::new(Format::Json, Key::None)
        });
        let settings = settings(outputs.to_vec());
        let out = emitted(&settings);
        let events: Vec<_> = out.events().collect();
        assert_eq!(events.len(), 4 * 6);
        for of_one in events.chunks(6) {
            let bare = |event: &Event<'_>| {
                let prefix = &settings.outputs[event.output].prefix;
                event
                    .value
                    .strip_prefix(&prefix[..])
                    .expect("the prefix")
                    .to_vec()
            };
            let first = bare(&of_one[0]);
            assert!(serde_json::from_slice::<serde_json::Value>(&first).is_ok());
            assert!(of_one.iter().all(|event| bare(event) == first));
        }
    }
}

#[test]
fn an_event_too_large_for_one_output_counts_for_none() {
    let mut outputs = vec![output(&Condition::All(Vec::new())); 2];
    outputs[1].max_bytes = 1;
    let out = emitted(&settings(outputs));
    assert_eq!(out.events().len(), 0);
    assert_eq!([out.tally.routed(0), out.tally.routed(1)], [0, 0]);
    assert_eq!(out.tally.rejected_records, 4);
}

#[test]
fn the_community_id_as_key_is_the_events_own_and_absent_where_it_has_none() {
    let outputs = vec![Output::new(Format::Json, Key::CommunityId)];
    let out = emitted(&settings(outputs));
    let mut keys = 0;
    for event in out.events() {
        let value: serde_json::Value = serde_json::from_slice(event.value).unwrap();
        let id = value["community_id"].as_str().map(str::as_bytes);
        assert_eq!(event.key, id);
        keys += usize::from(id.is_some());
    }
    assert_eq!((out.events().len(), keys), (4, 1));
}
