//! What the operator's tables add to a record.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use netsieve::pipeline::emit::Emitted;
use netsieve::pipeline::enrich::Enrichment;
use netsieve::pipeline::enrich::labels::{self, Label, Labels};
use netsieve::pipeline::enrich::maxmind::Database;
use netsieve::pipeline::enrich::prefix::Prefix;
use netsieve::pipeline::enrich::reference::Reference;
use netsieve::pipeline::{Workspace, process};
use netsieve::proto::server;
use prost::Message;

use crate::load::{self, input, settings};
use crate::mmdb;

/// Prefixes of the table of labels, and networks of each of the two databases.
const PREFIXES: u32 = 500_000;
const NETWORKS: u32 = 1_000_000;
/// Records of each of the messages that take turns.
const RECORDS: u32 = 1_000;

/// What the operator's tables add to a record: every remote address is globally reachable and in
/// both databases, both ends have a label.
pub(crate) fn measure(rounds: usize) {
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
    let mut all = load::message(RECORDS as usize);
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
