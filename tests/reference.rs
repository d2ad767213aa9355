//! The operator's tables as files: what they add to events, what `check` says of them, and what
//! is said of broken ones.

#![expect(clippy::print_stderr, reason = "a skipped test says so")]

mod common;
#[path = "support/mmdb.rs"]
mod mmdb;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use netsieve::pipeline::enrich::Enrichment;
use netsieve::pipeline::settings::Format;
use netsieve::reference::{self, Files};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A directory of tables.
struct Tables(TempDir);

impl Tables {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }
}

struct Run {
    code: i32,
    stdout: String,
    stderr: String,
}

/// Runs a subcommand with each key set to a file, or to a list of files.
fn netsieve(arguments: &[&str], files: &[(&str, &[&Path])]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netsieve"));
    command.env_clear().args(arguments).stdin(Stdio::null());
    for (key, paths) in files {
        let paths: Vec<_> = paths.iter().map(|path| path.to_str().unwrap()).collect();
        let value = match paths.as_slice() {
            [path] => (*path).to_owned(),
            paths => serde_json::to_string(paths).unwrap(),
        };
        command.args(["--set", &format!("{key}={value}")]);
    }
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    Run {
        code: status.code().unwrap(),
        stdout: String::from_utf8(stdout).unwrap(),
        stderr: String::from_utf8(stderr).unwrap(),
    }
}

/// A message of rows, each a pair of addresses and a protocol stack.
fn message(rows: &[(&str, &str, &str)]) -> String {
    let rows: Vec<_> = rows
        .iter()
        .map(|(local, remote, protocol)| {
            json!({
                "local_address": local, "remote_address": remote, "protocol": protocol,
                "state": "ESTABLISHED", "process_name": "Agent.EXE",
            })
        })
        .collect();
    json!({
        "metadata": {
            "agent_id": "1", "agent_type": "beacon", "project": "TEST", "source": "HOST",
            "data_type": "network_connection", "timestamp": "2023-11-14T22:13:20Z",
            "expiration": "2030-01-01T00:00:00Z",
        },
        "data": rows,
    })
    .to_string()
}

/// The events of rows through `pipe`.
fn events(rows: &[(&str, &str, &str)], files: &[(&str, &[&Path])], more: &[&str]) -> Vec<Value> {
    let directory = Tables::new();
    let input = directory.write("in.jsonl", message(rows));
    let arguments = [&["pipe", input.to_str().unwrap()], more].concat();
    let run = netsieve(&arguments, files);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let lines = run.stdout.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

const LABELS: &str = "\
prefix,name,role,site,tenant
10.0.0.0/8,corp,,,
10.1.0.0/16,corp-ber,clients,Berlin,sales
2001:db8::/32,corp6,,,
";

#[test]
fn networks_have_the_operators_names() {
    let tables = Tables::new();
    let labels = tables.write("labels.csv", LABELS);
    let labels = [labels.as_path()];
    let files = [("networks.labels", labels.as_slice())];
    let rows = [
        ("10.1.2.3:50000", "192.0.2.1:443", "tcp,ipv4"),
        ("[2001:db8::1]:50000", "[::ffff:10.9.9.9]:443", "tcp,ipv6"),
    ];
    let [first, second] = events(&rows, &files, &[]).try_into().unwrap();
    let berlin = json!({
        "prefix": "10.1.0.0/16", "name": "corp-ber", "role": "clients", "site": "Berlin",
        "tenant": "sales",
    });
    assert_eq!(first["local"]["network"], berlin);
    assert_eq!(first["remote"].get("network"), None);
    let success = first["enrichments"]["success"].as_array().unwrap();
    assert!(success.contains(&"network_label".into()));
    let name = |prefix, name| json!({ "prefix": prefix, "name": name });
    assert_eq!(second["local"]["network"], name("2001:db8::/32", "corp6"));
    assert_eq!(second["remote"]["network"], name("10.0.0.0/8", "corp"));

    let off = ["--set", "enrich.disable=network_label"];
    for event in events(&rows, &files, &off) {
        assert_eq!(event["local"].get("network"), None);
        let success = event["enrichments"]["success"].as_array().unwrap();
        assert!(!success.contains(&"network_label".into()));
    }
}

#[test]
fn check_says_what_each_table_is_or_what_is_wrong_with_it() {
    let tables = Tables::new();
    let labels = tables.write("labels.csv", LABELS);
    let run = netsieve(&["check"], &[("networks.labels", &[&labels])]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let line = format!("# networks.labels {}: 3 prefixes\n", labels.display());
    assert!(run.stdout.ends_with(&line), "{}", run.stdout);

    let broken = tables.write("broken.csv", "prefix,name\n10.0.0.0/8,a\n10/8,b\n");
    let missing = tables.0.path().join("missing.csv");
    for (path, place, what) in [
        (&broken, ":3", "\"10/8\" is no prefix"),
        (
            &missing,
            "",
            "cannot read a table (No such file or directory (os error 2))",
        ),
        (&tables.0.path().to_owned(), "", "a table that is no file"),
    ] {
        for subcommand in ["check", "pipe", "run"] {
            let run = netsieve(&[subcommand], &[("networks.labels", &[path])]);
            assert_eq!(run.code, 78, "{subcommand}");
            let line = format!("netsieve: {what}, {}{place}: ", path.display());
            assert!(run.stderr.starts_with(&line), "{}", run.stderr);
            assert_eq!(run.stderr.lines().count(), 1);
        }
    }
}

const VENDORS: &str = "\
Registry,Assignment,Organization Name,Organization Address
MA-L,000D3A,Maker Corp.,\"One Way, Town  US 1 \"
";

/// A file of each table; that of places has a damaged row.
fn every_table(tables: &Tables) -> Files {
    let mut cities = mmdb::Writer::new("GeoLite2-City");
    let berlin = mmdb::city(
        ["DE", "Germany"],
        ["BE", "State of Berlin"],
        "Berlin",
        (52.5, -0.0),
    );
    cities.add("81.2.69.0/24", &berlin);
    cities.add("81.2.70.0/24", &mmdb::Value::Map(vec![("city", 5.into())]));
    let mut systems = mmdb::Writer::new("GeoLite2-ASN");
    systems.add("81.2.0.0/16", &mmdb::asn(64_496, "Example Networks"));
    Files {
        network_labels: Some(tables.write("labels.csv", LABELS)),
        geo: vec![tables.write("city.mmdb", cities.finish())],
        asn: vec![tables.write("asn.mmdb", systems.finish())],
        vendors: vec![tables.write("oui.csv", VENDORS)],
        process_categories: Some(
            tables.write("c.csv", "executable,category\nagent.exe,security\n"),
        ),
    }
}

const ROWS: [(&str, &str, &str); 4] = [
    ("10.1.2.3:50000", "81.2.69.1:443", "tcp,ipv4"),
    ("10.1.2.3:50001", "81.2.70.1:443", "tcp,ipv4"),
    (
        "10.1.2.3:50002,00-0D-3A-13-E3-69",
        "81.2.71.1:443,02-0D-3A-13-E3-69",
        "tcp,ipv4,ethernet",
    ),
    ("[2001:db8::1]:50003", "[fe80::1]:443", "tcp,ipv6"),
];

#[test]
fn every_table_adds_what_it_knows() {
    let tables = Tables::new();
    let files = every_table(&tables);
    let of = |table: &'static str, files: &[PathBuf]| (table, files.to_vec());
    let named: Vec<_> = reference::Table::ALL
        .iter()
        .map(|table| of(table.key(), files.of(*table)))
        .collect();
    let named: Vec<(&str, Vec<&Path>)> = named
        .iter()
        .map(|(key, files)| (*key, files.iter().map(PathBuf::as_path).collect()))
        .collect();
    let named: Vec<_> = named
        .iter()
        .map(|(key, files)| (*key, files.as_slice()))
        .collect();

    let [found, damaged, macs, neither] = events(&ROWS, &named, &[]).try_into().unwrap();
    let berlin = json!({
        "continent_code": "EU", "country_iso_code": "DE", "country_name": "Germany",
        "region_iso_code": "DE-BE", "region_name": "State of Berlin", "city_name": "Berlin",
        "postal_code": "10115", "time_zone": "Europe/Berlin",
        "location": { "latitude": 52.5, "longitude": 0.0 }, "accuracy_radius_km": 20,
    });
    let system = json!({ "number": 64_496, "organization": "Example Networks" });
    assert_eq!(found["remote"]["geo"], berlin);
    assert_eq!(found["remote"]["as"], system);
    assert_eq!(found["local"]["network"]["site"], "Berlin");
    assert_eq!(found["process"]["category"], "security");
    assert_eq!(found["enrichments"].get("failure"), None);

    assert_eq!(damaged["remote"].get("geo"), None);
    assert_eq!(damaged["remote"]["as"], system);
    assert_eq!(damaged["enrichments"]["failure"], json!(["geo"]));

    assert_eq!(macs["local"]["mac_vendor"], "Maker Corp.");
    assert_eq!(
        macs["remote"].get("mac_vendor"),
        None,
        "it is locally administered"
    );
    let success = macs["enrichments"]["success"].as_array().unwrap();
    assert!(success.ends_with(&["network_label", "geo", "as", "mac_vendor"].map(Value::from)));

    assert_eq!(neither["remote"].get("as"), None);
    let run = netsieve(&["check"], &named);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    for line in [
        "3 prefixes\n",
        "GeoLite2-City of 2023-11-14, IPv4 and IPv6, ",
        "GeoLite2-ASN of 2023-11-14, IPv4 and IPv6, ",
        "1 blocks\n",
        "1 executables\n",
    ] {
        assert!(run.stdout.contains(line), "{line}{}", run.stdout);
    }
}

#[test]
fn tables_of_another_kind_are_refused() {
    let tables = Tables::new();
    let files = every_table(&tables);
    let (city, asn) = (files.geo[0].as_path(), files.asn[0].as_path());
    let whole = fs::read(city).unwrap();
    let half = tables.write("half.mmdb", &whole[..whole.len() - 9]);
    for (key, path, what) in [
        (
            "reference.geo",
            asn,
            "a database \"GeoLite2-ASN\" without places",
        ),
        (
            "reference.asn",
            city,
            "a database \"GeoLite2-City\" without autonomous systems",
        ),
        ("reference.geo", &half, "not a MaxMind database ("),
        (
            "reference.vendors",
            &files.process_categories.unwrap(),
            "no column \"registry\"",
        ),
    ] {
        let run = netsieve(&["check"], &[(key, &[path])]);
        assert_eq!(run.code, 78, "{key}");
        assert!(
            run.stderr.starts_with(&format!("netsieve: {what}")),
            "{}",
            run.stderr
        );
        assert!(run.stderr.contains(path.to_str().unwrap()) && run.stderr.lines().count() == 1);
    }
    // All that are broken are named.
    let run = netsieve(
        &["check"],
        &[("reference.geo", &[asn]), ("reference.asn", &[city])],
    );
    assert_eq!(
        (run.code, run.stderr.lines().count()),
        (78, 2),
        "{}",
        run.stderr
    );
}

/// The settings of the core with every table.
fn core_settings(format: Format, files: &Files) -> netsieve::pipeline::settings::Settings {
    let mut settings = common::settings(format);
    let loaded = reference::load(files).unwrap();
    settings.enrich.reference = Arc::new(loaded.reference);
    settings
}

#[test]
fn both_formats_say_the_same_and_twice_the_same() {
    let tables = Tables::new();
    let files = every_table(&tables);
    let message = message(&ROWS);
    let input = common::input(message.as_bytes(), &[]);
    let events = |format| common::run(&input, &core_settings(format, &files)).events;
    let (json, protobuf) = (events(Format::Json), events(Format::Protobuf));
    assert_eq!((json.len(), protobuf.len()), (4, 4));
    for (json, protobuf) in json.iter().zip(&protobuf) {
        let json: Value = serde_json::from_slice(json).unwrap();
        assert_eq!(json, common::schema::native_json(protobuf));
        // As generated code writes it.
        let event = <netsieve::proto::v1::Event as prost::Message>::decode(&protobuf[..]);
        assert_eq!(prost::Message::encode_to_vec(&event.unwrap()), *protobuf);
    }
    // Tables that were loaded anew from the same files.
    assert_eq!(events(Format::Json), json);
    assert_eq!(events(Format::Protobuf), protobuf);
}

#[test]
fn a_failed_enrichment_is_counted() {
    use netsieve::pipeline::{Workspace, emit::Emitted, process};
    let tables = Tables::new();
    let settings = core_settings(Format::Json, &every_table(&tables));
    let message = message(&ROWS);
    let mut out = Emitted::default();
    let input = common::input(message.as_bytes(), &[]);
    process(&input, &settings, &mut Workspace::default(), &mut out);
    let failed: Vec<_> = Enrichment::ALL
        .iter()
        .map(|enrichment| (enrichment.name(), out.tally.failed(*enrichment)))
        .filter(|(_, count)| *count > 0)
        .collect();
    assert_eq!(failed, [("geo", 1)]);
}

/// MaxMind's own test databases, where the checkout has them beside it; they are other people's
/// and not part of this project.
#[test]
fn maxminds_own_test_databases_answer() {
    let data = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data"));
    let [city, asn] =
        ["GeoLite2-City-Test.mmdb", "GeoLite2-ASN-Test.mmdb"].map(|name| data.join(name));
    if !city.exists() || !asn.exists() {
        eprintln!("skipped: no databases in {}", data.display());
        return;
    }
    let [city, asn] = [[city.as_path()], [asn.as_path()]];
    let files = [
        ("reference.geo", city.as_slice()),
        ("reference.asn", asn.as_slice()),
    ];
    let rows = [
        ("10.0.0.1:50000", "81.2.69.142:443", "tcp,ipv4"),
        ("10.0.0.1:50000", "216.160.83.56:443", "tcp,ipv4"),
        ("10.0.0.1:50000", "1.128.0.1:443", "tcp,ipv4"),
        ("[fd00::1]:50000", "[2001:218::1]:443", "tcp,ipv6"),
        ("[fd00::1]:50000", "[2600:6000::1]:443", "tcp,ipv6"),
    ];
    let events = events(&rows, &files, &[]);
    let remotes: Vec<_> = events.iter().map(|event| &event["remote"]).collect();
    assert_eq!(remotes[0]["geo"]["city_name"], "London");
    assert_eq!(remotes[0]["geo"]["region_iso_code"], "GB-ENG");
    assert_eq!(remotes[1]["geo"]["city_name"], "Milton");
    assert_eq!(remotes[1]["geo"]["postal_code"], "98354");
    assert_eq!(remotes[1]["as"]["number"], 209);
    assert_eq!(
        remotes[2]["as"],
        json!({ "number": 1221, "organization": "Telstra Pty Ltd" })
    );
    assert_eq!(remotes[3]["geo"]["country_iso_code"], "JP");
    assert_eq!(remotes[4]["as"]["organization"], "Merit Network Inc.");
    for event in &events {
        assert_eq!(event["enrichments"].get("failure"), None);
    }
}
