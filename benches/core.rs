//! The core against its codec floor, in one run.
//!
//! The floor decodes the same input with generated types (prost, or serde_json into derived
//! structs) and encodes ready-made events of the same content with prost, with nothing in
//! between: what a program that does no work would cost if it used the usual libraries. Both
//! sides take turns, and each pair of turns gives a ratio, so that a noisy machine troubles both
//! alike.
//!
//! `cargo bench --bench core [-- ROUNDS [RECORDS]]`; `-- ROUNDS tables` for the operator's tables
//! alone.

#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

#[path = "../tests/support/mmdb.rs"]
mod mmdb;

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use netsieve::pipeline::emit::Emitted;
use netsieve::pipeline::enrich::labels::{self, Label, Labels};
use netsieve::pipeline::enrich::maxmind::Database;
use netsieve::pipeline::enrich::prefix::Prefix;
use netsieve::pipeline::enrich::reference::Reference;
use netsieve::pipeline::enrich::{Enrichment, Enrichments};
use netsieve::pipeline::filter::{Condition, Field, Filter, LabelPart, Test};
use netsieve::pipeline::message::Input;
use netsieve::pipeline::record::Kind;
use netsieve::pipeline::settings::{Format, Key, Output, Settings};
use netsieve::pipeline::{Workspace, process};
use netsieve::proto::{server, v1};
use prost::Message;

const TURN: Duration = Duration::from_millis(40);
const DEFAULT_ROUNDS: usize = 25;

fn main() {
    let mut numbers = std::env::args().filter_map(|argument| argument.parse::<usize>().ok());
    let rounds = numbers.next().unwrap_or(DEFAULT_ROUNDS);
    let only = numbers.next();
    if std::env::args().any(|argument| argument == "tables") {
        return measure_tables(rounds);
    }
    println!("core against its codec floor: ns and allocations a record, {rounds} rounds");
    println!(
        "{:<9}{:<9}{:>8}{:>6}{:>6}{:>7}{:>6}{:>18}{:>10}",
        "input",
        "enriched",
        "records",
        "in B",
        "out B",
        "floor",
        "core",
        "ratio min/med/max",
        "allocs"
    );
    for (enrichments, enabled) in [("none", Enrichments::NONE), ("all", Enrichments::ALL)] {
        for records in only.map_or(vec![1, 20, 1_000, 10_000], |records| vec![records]) {
            for json in [false, true] {
                Case::new(records, json, enabled).measure(enrichments, rounds);
            }
        }
    }
    println!("each enrichment: ns a record that the core with all of them costs more than without");
    let case = Case::new(1_000, false, Enrichments::ALL);
    for enrichment in Enrichment::ALL {
        let mut without = Enrichments::ALL;
        without.remove(*enrichment);
        case.measure_without(enrichment.name(), without, rounds);
    }
    case.measure_without("all of them", Enrichments::NONE, rounds);
    let case = Case::new(1, false, Enrichments::ALL);
    case.measure_without("all, one record", Enrichments::NONE, rounds);
    measure_tables(rounds);
    measure_filters(rounds);
}

/// What filters add to a record.
fn measure_filters(rounds: usize) {
    println!("filters: ns a record that two outputs cost more with them than by kind alone");
    let case = Case::new(1_000, false, Enrichments::ALL);
    let (mut plain, mut filtered) = (case.settings.clone(), case.settings.clone());
    case.compare("no filter", &case.settings, &plain, rounds);
    for output in &mut plain.outputs {
        output.filter = Filter::default();
    }
    for output in &mut filtered.outputs {
        output.filter = Filter::new(&typical_filter());
    }
    case.compare("seven tests", &filtered, &plain, rounds);
}

/// Prefixes of the table of labels, and networks of each of the two databases.
const PREFIXES: u32 = 500_000;
const NETWORKS: u32 = 1_000_000;
/// Records of each of the messages that take turns.
const RECORDS: u32 = 1_000;

/// What the operator's tables add to a record: every remote address is globally reachable and in
/// both databases, both ends have a label.
fn measure_tables(rounds: usize) {
    println!(
        "tables: ns a record that the core costs more with {PREFIXES} labels, and a city and an ASN database of {NETWORKS} networks each"
    );
    let mut made = Reference::default();
    let labels = allocation_counter::measure(|| made.labels = Some(Arc::new(label_table())));
    (made.geo, made.asn) = databases();
    let tables = Arc::new(made);
    println!("the labels take {:.1} MiB", mebibytes(labels.bytes_current));
    // The last are more than a worker keeps answers of: each is asked of the tables themselves.
    for (what, addresses, number) in [
        ("200 addresses", 200, 64),
        ("2,000 addresses", 2_000, 64),
        ("64,000 addresses", 64_000, 64),
        ("all of them new", 512_000, 512),
    ] {
        let messages: Vec<_> = (0..number)
            .map(|message| calls(message, addresses).encode_to_vec())
            .collect();
        let all = [Enrichment::NetworkLabel, Enrichment::Geo, Enrichment::As];
        let settings = [
            &[][..],
            &[Enrichment::NetworkLabel],
            &[Enrichment::Geo],
            &[Enrichment::As],
            &all,
        ]
        .map(|on| {
            let mut settings = settings();
            settings.enrich.reference = Arc::clone(&tables);
            for off in all.iter().filter(|of| !on.contains(of)) {
                settings.enrich.enabled.remove(*off);
            }
            settings
        });
        // The least time of each message by itself: too short to be interrupted every time.
        let mut least = [(); 5].map(|()| vec![f64::MAX; messages.len()]);
        // A worker has one of the settings, and keeps what it has read.
        let mut workspaces = [(); 5].map(|()| Workspace::default());
        let mut out = Emitted::default();
        let [without, .., with] = &mut workspaces;
        let [kept_without, kept] =
            [(&settings[0], without), (&settings[4], with)].map(|(settings, workspace)| {
                let pass = || {
                    let mut out = Emitted::default();
                    for value in &messages {
                        process(&input(value), settings, workspace, &mut out);
                    }
                };
                allocation_counter::measure(pass).bytes_current
            });
        for _ in 0..(rounds * 128 / messages.len()).clamp(2, rounds.max(2)) {
            let each = settings.iter().zip(&mut workspaces).zip(&mut least);
            for ((settings, workspace), least) in each {
                for (value, least) in messages.iter().zip(least) {
                    let since = Instant::now();
                    process(&input(black_box(value)), settings, workspace, &mut out);
                    black_box(out.events().len());
                    *least = least.min(since.elapsed().as_nanos() as f64);
                }
            }
        }
        let per_record = |all: Vec<f64>| all.iter().sum::<f64>() / f64::from(number * RECORDS);
        let least = least.map(per_record);
        let [without, with @ ..] = least;
        let [labels, geo, asn, all] = with.map(|with| with - without);
        println!(
            "{what:<18}labels {labels:>4.0}  city {geo:>4.0}  ASN {asn:>4.0}  all {all:>4.0}  of {without:.0} without; a worker keeps {:.1} MiB",
            mebibytes(kept - kept_without)
        );
    }
}

/// A number that looks random, a different one for each.
fn scattered(number: u32) -> u32 {
    let mixed = (number ^ number >> 15).wrapping_mul(0x2c1b_3c6d);
    (mixed ^ mixed >> 12).wrapping_mul(0x297a_2d39)
}

/// A globally reachable address: between 16.0.0.0 and 79.255.255.255.
fn remote(number: u32) -> std::net::Ipv4Addr {
    std::net::Ipv4Addr::from_bits((16 << 24) + (scattered(number) >> 2))
}

/// A message of connections of one host to some of so many addresses.
fn calls(message: u32, addresses: u32) -> server::NetworkConnectionIngestionMessage {
    let mut all = self::message(RECORDS as usize);
    for (index, row) in (0..).zip(&mut all.data) {
        let number = scattered(message * RECORDS + index) % addresses;
        row.local_address = format!(
            "10.20.{}.{}:{}",
            message >> 8,
            message & 0xff,
            49_152 + index
        );
        row.remote_address = format!("{}:443", remote(number));
        "tcp,ipv4".clone_into(&mut row.protocol);
        "ESTABLISHED".clone_into(&mut row.state);
    }
    all
}

fn mebibytes(bytes: i64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn label_table() -> Labels {
    let mut labels = labels::Builder::default();
    let mut taken = std::collections::BTreeSet::from([Prefix::parse("10.20.0.0/16").unwrap()]);
    for number in 0.. {
        // Of 12 to 28 bits, most of them of 24, as networks are.
        let bits = scattered(number);
        let length = if bits.is_multiple_of(3) {
            12 + bits % 17
        } else {
            24
        };
        let first = remote(number).to_bits() & u32::MAX << (32 - length);
        let text = format!("{}/{length}", std::net::Ipv4Addr::from_bits(first));
        taken.insert(Prefix::parse(&text).expect("a prefix"));
        if taken.len() == PREFIXES as usize {
            break;
        }
    }
    for (number, prefix) in taken.iter().enumerate() {
        let (name, site) = (format!("net-{number}"), format!("site-{}", number % 500));
        let label = Label {
            name: &name,
            role: ["clients", "servers", "transit"][number % 3],
            site: &site,
            tenant: "",
        };
        labels.add(*prefix, label).expect("a label");
    }
    labels.finish().expect("no prefix is there twice")
}

/// Databases of places, and of autonomous systems.
fn databases() -> (Vec<Arc<Database>>, Vec<Arc<Database>>) {
    let (mut city, mut asn) = (
        mmdb::Writer::new("GeoLite2-City"),
        mmdb::Writer::new("GeoLite2-ASN"),
    );
    let places: Vec<_> = (0..50_000)
        .map(|number| {
            let (name, degrees) = (format!("City {number}"), f64::from(number % 90));
            city.value(&mmdb::city(
                ["DE", "Germany"],
                ["BE", "State"],
                &name,
                (degrees, degrees),
            ))
        })
        .collect();
    let systems: Vec<_> = (0..50_000)
        .map(|number| asn.value(&mmdb::asn(number, &format!("Organization {number}"))))
        .collect();
    for number in 0..NETWORKS {
        // The range of the remote addresses in equal parts: a thousand addresses each.
        let first = (16 << 24) + number * 1_024;
        let network = format!("{}/22", std::net::Ipv4Addr::from_bits(first));
        city.network(&network, places[scattered(number) as usize % places.len()]);
        asn.network(
            &network,
            systems[scattered(number) as usize % systems.len()],
        );
    }
    let database = |writer: &mmdb::Writer| {
        vec![Arc::new(
            Database::new(writer.finish()).expect("a database"),
        )]
    };
    (database(&city), database(&asn))
}

/// A filter of seven tests that takes every event of the bench, and looks at most of them before
/// it does.
fn typical_filter() -> Condition {
    let is = |field: Field, words: &[&str]| {
        let known = field.words().into_iter();
        let bits = known.filter(|(word, _)| words.contains(word));
        let words = bits.fold(0, |all, (_, bit)| all | bit);
        Condition::Is(Test::Word { field, words })
    };
    let not = |condition| Condition::Not(Box::new(condition));
    let tenant = Condition::Is(Test::Label {
        part: LabelPart::Tenant,
        texts: vec!["nobody".to_owned()],
    });
    Condition::All(vec![
        not(is(Field::Warning, &["expired", "zero_local_port"])),
        not(is(Field::RemoteScope, &["documentation"])),
        not(tenant),
        not(is(Field::Initiator, &["unknown"])),
        Condition::Any(vec![
            is(Field::State, &["CLOSING"]),
            is(Field::Category, &["remote_access"]),
            Condition::kinds(Kind::ALL),
        ]),
    ])
}

struct Case {
    json: bool,
    records: usize,
    value: Vec<u8>,
    events: Vec<v1::Event>,
    settings: Settings,
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

impl Case {
    fn new(records: usize, json: bool, enabled: Enrichments) -> Self {
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

    fn measure(&self, enrichments: &str, rounds: usize) {
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
    fn measure_without(&self, what: &str, enabled: Enrichments, rounds: usize) {
        let mut without = self.settings.clone();
        without.enrich.enabled = enabled;
        self.compare(what, &self.settings, &without, rounds);
    }

    /// What the core costs more with some settings than with others.
    fn compare(&self, what: &str, with: &Settings, without: &Settings, rounds: usize) {
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

fn settings() -> Settings {
    let output = |kinds: &[Kind]| Output {
        filter: Filter::new(&Condition::kinds(kinds)),
        ..Output::new(Format::Protobuf, Key::Connection)
    };
    Settings {
        outputs: vec![
            output(&[Kind::Connection, Kind::Idle]),
            output(&[Kind::Listener]),
        ],
        dead_letter_max_bytes: 1 << 20,
        ..Settings::default()
    }
}

fn input(value: &[u8]) -> Input<'_> {
    Input {
        value,
        key: None,
        headers: &[],
        topic: "network_connection",
        partition: 3,
        offset: 1_234_567,
        timestamp_ms: Some(1_700_000_000_000),
    }
}

/// A message of ordinary rows, as a Windows agent sends them.
fn message(records: usize) -> server::NetworkConnectionIngestionMessage {
    let programs = [
        "svchost.exe",
        "chrome.exe",
        "lsass.exe",
        "Teams.exe",
        "sqlservr.exe",
    ];
    let row = |index: usize| {
        let low = index % 250;
        let listener = index % 7 == 3;
        let ipv6 = index % 5 == 4;
        server::NetworkConnectionIngestion {
            local_address: match (listener, ipv6) {
                (true, true) => format!("[::]:{}", 135 + low),
                (true, false) => format!("0.0.0.0:{}", 135 + low),
                (false, true) => format!("[2001:db8::{low:x}:7]:{}", 49_152 + index % 16_000),
                (false, false) => {
                    format!(
                        "172.16.{}.{}:{}",
                        index % 200,
                        low + 1,
                        49_152 + index % 16_000
                    )
                }
            },
            remote_address: match (listener, ipv6) {
                (true, true) => "[::]:0".to_owned(),
                (true, false) => "0.0.0.0:0".to_owned(),
                (false, true) => format!("[2001:db8:42::{low:x}]:443"),
                (false, false) => format!("10.20.{}.{low}:443", index % 100),
            },
            protocol: if ipv6 { "tcp,ipv6" } else { "tcp,ipv4" }.to_owned(),
            state: if listener { "LISTENING" } else { "ESTABLISHED" }.to_owned(),
            process_id: u32::try_from(600 + index % 9_000).expect("a few thousand"),
            process_name: programs[index % programs.len()].to_owned(),
            service: String::new(),
        }
    };
    let time = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
    server::NetworkConnectionIngestionMessage {
        metadata: Some(server::Metadata {
            agent_id: "339429212".to_owned(),
            agent_type: "beacon".to_owned(),
            automated: true,
            data_type: "network_connection".to_owned(),
            source: "DC01.corp.example".to_owned(),
            project: "ASSESS-X".to_owned(),
            timestamp: time(1_700_000_000),
            expiration: time(1_800_000_000),
            message_id: "3f0c9a52-7d1e-4c55-9a55-1d9f6f2b7c11".to_owned(),
        }),
        data: (0..records).map(row).collect(),
    }
}

fn json_text(message: &server::NetworkConnectionIngestionMessage) -> Vec<u8> {
    let rows = message.data.iter().map(|row| {
        serde_json::json!({
            "local_address": row.local_address,
            "remote_address": row.remote_address,
            "protocol": row.protocol,
            "state": row.state,
            "process_id": row.process_id,
            "process_name": row.process_name,
        })
    });
    let metadata = message
        .metadata
        .as_ref()
        .expect("the bench's message has metadata");
    let text = serde_json::json!({
        "metadata": {
            "agent_id": metadata.agent_id,
            "agent_type": metadata.agent_type,
            "automated": metadata.automated,
            "data_type": metadata.data_type,
            "source": metadata.source,
            "project": metadata.project,
            "timestamp": "2023-11-14T22:13:20Z",
            "expiration": "2027-01-15T08:00:00Z",
            "message_id": metadata.message_id,
        },
        "data": rows.collect::<Vec<_>>(),
    });
    serde_json::to_vec(&text).expect("the message is plain JSON")
}
