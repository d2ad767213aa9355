//! Every adaptor on files of its tool's form, on what the tools of this machine print, and on
//! text of any kind; and the command around them.

mod command;
mod fixtures;
mod hostile;
mod tools;

#[path = "../common/mod.rs"]
mod common;

use common::{Outcome, input, settings};
use netsieve::intake::{self, Expiration, Kind, Metadata, Reading};
use netsieve::pipeline::settings::{Format, Limits};
use serde_json::Value;

/// Metadata that are the same each time.
fn metadata() -> Metadata {
    Metadata {
        project: "ASSESS-X".to_owned(),
        agent_id: None,
        agent_type: None,
        source: None,
        timestamp: None,
        expiration: Some(Expiration::Days(30)),
        host: "here".to_owned(),
        now: "2023-11-14T22:00:00Z".parse().unwrap(),
    }
}

/// The messages of a reading.
fn messages(reading: &Reading) -> Vec<String> {
    let of = |snapshot| intake::messages(snapshot, &metadata(), &Limits::default());
    let messages = reading.snapshots.iter().flat_map(of);
    messages.map(|message| message.value).collect()
}

/// What the core makes of the messages.
fn outcomes(messages: &[String]) -> Vec<Outcome> {
    let run =
        |message: &String| common::run(&input(message.as_bytes(), &[]), &settings(Format::Json));
    messages.iter().map(run).collect()
}

fn read(bytes: &[u8]) -> (Kind, Reading) {
    intake::read(bytes, None).expect("the kind is recognised")
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).expect("JSON")
}
