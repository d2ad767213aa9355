//! The core and its codec floor on one message, turn by turn.

use std::hint::black_box;
use std::time::{Duration, Instant};

use netsieve::pipeline::emit::Emitted;
use netsieve::pipeline::enrich::Enrichments;
use netsieve::pipeline::settings::Settings;
use netsieve::pipeline::{Workspace, process};
use netsieve::proto::{server, v1};
use prost::Message;

use crate::load::{input, json_text, message, settings};

const TURN: Duration = Duration::from_millis(40);

/// A message of so many records, and the events that come of it.
pub(crate) struct Case {
    json: bool,
    records: usize,
    value: Vec<u8>,
    events: Vec<v1::Event>,
    pub(crate) settings: Settings,
}

impl Case {
    pub(crate) fn new(records: usize, json: bool, enabled: Enrichments) -> Self {
        let message = message(records);
        let value = if json {
            json_text(&message)
        } else {
            message.encode_to_vec()
        };
        let mut settings = settings();
        settings.enrich.enabled = enabled;
        let mut out = Emitted::default();
        process(
            &input(&value),
            &settings,
            &mut Workspace::default(),
            &mut out,
        );
        let events = out.events().map(|event| v1::Event::decode(event.value));
        let events: Vec<_> = events
            .collect::<Result<_, _>>()
            .expect("events are valid protobuf");
        assert_eq!(events.len(), records, "every record of the bench is valid");
        Self {
            json,
            records,
            value,
            events,
            settings,
        }
    }

    pub(crate) fn measure(&self, enrichments: &str, rounds: usize) {
        let mut workspace = Workspace::default();
        let mut out = Emitted::default();
        let mut core = || {
            process(
                &input(black_box(&self.value)),
                &self.settings,
                &mut workspace,
                &mut out,
            );
            black_box(out.events().len());
        };
        let mut encoded = Vec::new();
        let mut floor = || self.floor(&mut encoded);
        let mut turns = Vec::new();
        for _ in 0..=rounds {
            turns.push((turn(&mut floor), turn(&mut core)));
        }
        // The first round warms caches and buffers.
        turns.remove(0);
        let per_record = |nanos: f64| nanos / self.records as f64;
        let [_, floor_ns, _] = spread(turns.iter().map(|(floor, _)| per_record(*floor)));
        let [_, core_ns, _] = spread(turns.iter().map(|(_, core)| per_record(*core)));
        let [min, median, max] = spread(turns.iter().map(|(floor, core)| core / floor));
        let allocations = allocation_counter::measure(&mut core).count_total;
        println!(
            "{:<9}{:<9}{:>8}{:>6}{:>6}{:>7.0}{:>6.0}{:>18}{:>10.3}",
            if self.json { "json" } else { "protobuf" },
            enrichments,
            self.records,
            self.value.len() / self.records,
            self.events.iter().map(Message::encoded_len).sum::<usize>() / self.records,
            floor_ns,
            core_ns,
            format!("{min:.2} {median:.2} {max:.2}"),
            allocations as f64 / self.records as f64,
        );
    }

    /// What the core costs more than with those enrichments alone, their part of the output
    /// included.
    pub(crate) fn measure_without(&self, what: &str, enabled: Enrichments, rounds: usize) {
        let mut without = self.settings.clone();
        without.enrich.enabled = enabled;
        self.compare(what, &self.settings, &without, rounds);
    }

    /// What the core costs more with some settings than with others.
    pub(crate) fn compare(&self, what: &str, with: &Settings, without: &Settings, rounds: usize) {
        let (mut workspace, mut out) = (Workspace::default(), Emitted::default());
        let mut run = |settings: &Settings| {
            turn(&mut || {
                process(
                    &input(black_box(&self.value)),
                    settings,
                    &mut workspace,
                    &mut out,
                );
                black_box(out.events().len());
            })
        };
        // The fastest turn of each side: what a neighbour on the machine takes is in the others.
        let turns = (0..rounds).map(|_| (run(with), run(without)));
        let (with, without) = turns.fold((f64::MAX, f64::MAX), |(with, without), turn| {
            (with.min(turn.0), without.min(turn.1))
        });
        println!("{what:<16}{:>9.0}", (with - without) / self.records as f64);
    }

    fn floor(&self, encoded: &mut Vec<u8>) {
        if self.json {
            let message: derived::Message =
                serde_json::from_slice(black_box(&self.value)).expect("the text is valid");
            black_box(message);
        } else {
            let message =
                server::NetworkConnectionIngestionMessage::decode(black_box(&self.value[..]));
            black_box(message.expect("the bytes are valid"));
        }
        encoded.clear();
        for event in &self.events {
            event.encode(encoded).expect("a vector grows");
        }
        black_box(encoded);
    }
}

/// What serde_json reads the JSON encoding into.
mod derived {
    #[derive(serde::Deserialize)]
    #[allow(dead_code, reason = "the floor only reads")]
    pub(super) struct Message {
        metadata: Metadata,
        data: Vec<Row>,
    }

    #[derive(serde::Deserialize)]
    #[allow(dead_code, reason = "the floor only reads")]
    struct Metadata {
        agent_id: String,
        agent_type: String,
        automated: bool,
        data_type: String,
        source: String,
        project: String,
        timestamp: String,
        expiration: String,
        message_id: Option<String>,
    }

    #[derive(serde::Deserialize)]
    #[allow(dead_code, reason = "the floor only reads")]
    struct Row {
        local_address: String,
        remote_address: Option<String>,
        protocol: String,
        state: Option<String>,
        process_id: Option<u32>,
        process_name: Option<String>,
        service: Option<String>,
    }
}

/// Nanoseconds of one call, over a turn of many.
fn turn(call: &mut impl FnMut()) -> f64 {
    let start = Instant::now();
    let mut calls = 0_u32;
    while start.elapsed() < TURN {
        for _ in 0..8 {
            call();
        }
        calls += 8;
    }
    start.elapsed().as_nanos() as f64 / f64::from(calls)
}

fn spread(values: impl Iterator<Item = f64>) -> [f64; 3] {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    [
        values[0],
        values[values.len() / 2],
        values[values.len() - 1],
    ]
}
