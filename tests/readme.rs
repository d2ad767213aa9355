//! The README's example is what the core makes of it.

mod common;

use common::{input, run, settings};
use netsieve::pipeline::settings::Format;
use serde_json::Value;

const README: &str = include_str!("../README.md");

/// The fenced text of one of the README's examples.
fn example(name: &str) -> &'static str {
    let begin = format!("<!-- example {name}: begin -->");
    let end = format!("<!-- example {name}: end -->");
    let (_, rest) = README
        .split_once(&begin)
        .expect("the README has the example");
    let (fenced, _) = rest.split_once(&end).expect("the example ends");
    let (_, text) = fenced.trim().split_once('\n').expect("a fence opens it");
    text.strip_suffix("```").expect("a fence closes it")
}

#[test]
fn the_example_comes_out_as_it_stands_there() {
    let message = example("in").as_bytes();
    let mut input = input(message, &[]);
    // 2026-11-24T08:52:00Z, shortly after the example was sent.
    input.timestamp_ms = Some(1_795_510_320_000);
    let outcome = run(&input, &settings(Format::Json));
    assert_eq!((outcome.events.len(), outcome.letters.len()), (2, 1));

    let event: Value = serde_json::from_slice(&outcome.events[0]).expect("events are JSON");
    let shown: Value = serde_json::from_str(example("event")).expect("it is JSON");
    assert_eq!(event, shown);

    let headers = outcome.letters[0].headers.iter().map(|(name, value)| {
        let value = value.as_deref().unwrap_or_default();
        format!("{name}: {}\n", String::from_utf8_lossy(value))
    });
    assert_eq!(headers.collect::<String>(), example("dead letter"));
}
