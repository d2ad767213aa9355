//! Every kind of table is replaced while the stream runs: no event is lost, none is enriched from
//! two generations of a table, and a broken file leaves the table as it was.

#[path = "support/mmdb.rs"]
mod mmdb;
#[path = "support/kafka.rs"]
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use netsieve::observe::metrics;
use netsieve::reference::{self, Files, Live, Table, Watcher};
use serde_json::Value;
use support::{Fed, Processor, Record, cluster, feed_values, settings, wait_until};

/// The last good generation.
const LAST: u64 = 4;
/// After this generation every file is broken for a while.
const BROKEN_AFTER: u64 = 2;

/// A directory with a file of each table; every text in them names their generation.
struct Directory(tempfile::TempDir);

impl Directory {
    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn files(&self) -> Files {
        Files {
            network_labels: Some(self.path("labels.csv")),
            geo: vec![self.path("city.mmdb")],
            asn: vec![self.path("asn.mmdb")],
            vendors: vec![self.path("oui.csv")],
            process_categories: Some(self.path("categories.csv")),
        }
    }

    /// Writes every table, in each of the ways in which files are replaced.
    fn write(&self, generation: u64, content: impl Fn(Table) -> Vec<u8>) {
        self.rename("labels.csv", &content(Table::NetworkLabels));
        fs::write(self.path("city.mmdb"), content(Table::Geo)).unwrap();
        self.swap(generation, "asn.mmdb", &content(Table::Asn));
        self.rename("oui.csv", &content(Table::Vendors));
        fs::write(
            self.path("categories.csv"),
            content(Table::ProcessCategories),
        )
        .unwrap();
    }

    fn rename(&self, name: &str, content: &[u8]) {
        let new = self.path("new");
        fs::write(&new, content).unwrap();
        fs::rename(new, self.path(name)).unwrap();
    }

    /// As Kubernetes does: `NAME` -> `..data/NAME`, and `..data` leads to the version.
    fn swap(&self, version: u64, name: &str, content: &[u8]) {
        let version = format!("..{version}");
        fs::create_dir_all(self.path(&version)).unwrap();
        self.rename(&format!("{version}/{name}"), content);
        let link = |target: &str, path: &Path| {
            let new = self.path("..new");
            symlink(target, &new).unwrap();
            fs::rename(new, path).unwrap();
        };
        link(&version, &self.path("..data"));
        link(&format!("..data/{name}"), &self.path(name));
    }
}

/// Categories that tell four generations apart.
const CATEGORIES: [&str; 5] = [
    "none",
    "browser",
    "security",
    "development",
    "administration",
];

fn good(table: Table, generation: u64) -> Vec<u8> {
    let text = format!("generation {generation}");
    match table {
        Table::NetworkLabels => {
            format!("prefix,name\n81.2.69.0/24,{text}\n81.2.70.0/24,{text}\n").into_bytes()
        }
        Table::Geo => database(
            "GeoLite2-City",
            &mmdb::Value::Map(vec![("city", mmdb::names(&text))]),
        ),
        Table::Asn => database("GeoLite2-ASN", &mmdb::asn(64_496, &text)),
        Table::Vendors => format!(
            "Registry,Assignment,Organization Name,Organization Address\n\
             MA-L,000D3A,{text},\nMA-L,000D3B,{text},\n"
        )
        .into_bytes(),
        Table::ProcessCategories => {
            let category = CATEGORIES[usize::try_from(generation).unwrap()];
            format!("executable,category\nagent.exe,{category}\n").into_bytes()
        }
    }
}

fn database(kind: &'static str, value: &mmdb::Value) -> Vec<u8> {
    let mut writer = mmdb::Writer::new(kind);
    for network in ["81.2.69.0/24", "81.2.70.0/24"] {
        writer.add(network, value);
    }
    writer.finish()
}

/// What is no table: databases that are cut, and text that is none.
fn broken(table: Table) -> Vec<u8> {
    let mut content = good(table, 1);
    content.truncate(content.len() - 20);
    content.extend(b"\n\"");
    content.extend([0xFF]);
    content
}

/// A message whose events ask every table at both ends.
fn message() -> Vec<u8> {
    let row = r#"{"local_address":"81.2.69.1:50000,00-0D-3A-00-00-01","remote_address":"81.2.70.1:443,00-0D-3B-00-00-01","protocol":"tcp,ipv4,ethernet","state":"ESTABLISHED","process_name":"agent.exe"}"#;
    format!(
        r#"{{"metadata":{{"agent_id":"1","agent_type":"beacon","project":"TEST","source":"HOST","timestamp":"2023-11-14T22:13:20Z","expiration":"2030-01-01T00:00:00Z"}},"data":[{row},{row},{row}]}}"#
    )
    .into_bytes()
}

/// The generation that each table answered from; it must be the same at both ends.
fn generations(event: &Record) -> BTreeMap<&'static str, u64> {
    let event: Value = serde_json::from_slice(&event.value).unwrap();
    assert_eq!(event["enrichments"].get("failure"), None);
    let number = |text: &Value| -> u64 {
        let text = text
            .as_str()
            .unwrap_or_else(|| panic!("an answer is missing: {event}"));
        text.strip_prefix("generation ").unwrap().parse().unwrap()
    };
    let mut found = BTreeMap::new();
    for (table, place) in [
        (Table::NetworkLabels, "/network/name"),
        (Table::Geo, "/geo/city_name"),
        (Table::Asn, "/as/organization"),
        (Table::Vendors, "/mac_vendor"),
    ] {
        let at = |end: &str| number(event[end].pointer(place).unwrap_or(&Value::Null));
        assert_eq!(
            at("local"),
            at("remote"),
            "{} is mixed: {event}",
            table.name()
        );
        found.insert(table.name(), at("local"));
    }
    let category = event["process"]["category"].as_str().unwrap();
    let generation = CATEGORIES.iter().position(|of| *of == category).unwrap();
    found.insert(Table::ProcessCategories.name(), generation as u64);
    found
}

/// Replaces every table, again and again, and breaks them all once. Each time `has_passed` waits
/// until a message has come through that was sent after that.
fn replace_tables(directory: &Directory, live: &Live, has_passed: impl Fn()) {
    let all_are = |generation: u64, is_broken: bool| {
        let status = live.status();
        assert_eq!(status.len(), Table::ALL.len());
        status
            .iter()
            .all(|of| of.generation == generation && of.error.is_some() == is_broken)
    };
    for generation in 2..=LAST {
        directory.write(generation, |table| good(table, generation));
        wait_until("every table is replaced", || all_are(generation, false));
        has_passed();
        if generation == BROKEN_AFTER {
            directory.write(100, broken);
            wait_until("every broken file was refused", || {
                all_are(generation, true)
            });
            has_passed();
        }
    }
}

#[test]
fn tables_are_replaced_while_the_stream_runs() {
    let recorder = metrics::install().unwrap();
    let directory = Directory(tempfile::tempdir().unwrap());
    directory.write(1, |table| good(table, 1));
    let mut loaded = reference::load(&directory.files()).unwrap();
    let files = std::mem::take(&mut loaded.watched);
    let live = Live::new(loaded);
    let watcher = Watcher::start(live.clone(), files, Duration::from_millis(50)).unwrap();

    let cluster = cluster();
    let bootstrap = cluster.bootstrap_servers();
    let processor = Processor::start_with_tables(settings(&bootstrap), live.clone());
    let mut fed = Fed::default();
    feed_values(&bootstrap, &mut fed, &[message()]);
    support::wait_until_committed(&bootstrap, &fed);
    let (is_over, sent) = (AtomicBool::new(false), AtomicI64::new(1));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let messages: Vec<_> = (0..8).map(|_| message()).collect();
                feed_values(&bootstrap, &mut fed, &messages);
                sent.store(fed.ends().iter().sum(), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(30));
            }
        });
        let has_passed = || {
            let before = sent.load(Ordering::Relaxed) + 8;
            let done = || support::committed(&bootstrap).iter().sum::<i64>();
            wait_until("a later message has passed", || done() > before);
        };
        let replaced = catch_unwind(AssertUnwindSafe(|| {
            replace_tables(&directory, &live, has_passed);
        }));
        is_over.store(true, Ordering::Relaxed);
        replaced.unwrap();
    });
    support::wait_until_committed(&bootstrap, &fed);
    processor.stop().unwrap();
    drop(watcher);

    let events = support::events(&bootstrap);
    let origins: BTreeSet<_> = events.iter().map(Record::origin).collect();
    assert_eq!(origins, fed.good, "an event is lost");
    assert_eq!(events.len(), origins.len(), "an event came twice");
    let mut of_messages: BTreeMap<_, BTreeMap<&str, u64>> = BTreeMap::new();
    let mut seen: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
    for event in &events {
        let (partition, offset, _) = event.origin();
        let found = generations(event);
        let first = of_messages
            .entry((partition, offset))
            .or_insert(found.clone());
        assert_eq!(*first, found, "a message is mixed");
        for (table, generation) in found {
            seen.entry(table).or_default().insert(generation);
        }
    }
    let rendered = recorder.render();
    for table in Table::ALL {
        let name = table.name();
        assert_eq!(
            seen[name],
            (1..=LAST).collect(),
            "{name}: the generations that answered"
        );
        for (outcome, count) in [("loaded", LAST - 1), ("failed", 1)] {
            let labels = format!("table=\"{name}\",outcome=\"{outcome}\"");
            let series = format!("netsieve_reference_reloads_total{{{labels}}} {count}\n");
            assert!(rendered.contains(&series), "{series}{rendered}");
        }
        assert!(rendered.contains(&format!("netsieve_reference_rows{{table=\"{name}\"}} ")));
    }
    // Of one partition, a later message is never of an earlier generation.
    let mut last: BTreeMap<i32, &BTreeMap<&str, u64>> = BTreeMap::new();
    for ((partition, offset), found) in &of_messages {
        if let Some(before) = last.insert(*partition, found) {
            for (table, generation) in before {
                assert!(found[table] >= *generation, "{table} went back at {offset}");
            }
        }
    }
}
