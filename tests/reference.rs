//! The operator's tables as files: what they add to events, what `check` says of them, and what
//! is said of broken ones.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

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

/// The events of rows, each a pair of addresses and a protocol stack, through `pipe`.
fn events(rows: &[(&str, &str, &str)], files: &[(&str, &[&Path])], more: &[&str]) -> Vec<Value> {
    let rows: Vec<_> = rows
        .iter()
        .map(|(local, remote, protocol)| {
            json!({
                "local_address": local, "remote_address": remote, "protocol": protocol,
                "state": "ESTABLISHED", "process_name": "Agent.EXE",
            })
        })
        .collect();
    let message = json!({
        "metadata": {
            "agent_id": "1", "agent_type": "beacon", "project": "TEST", "source": "HOST",
            "data_type": "network_connection", "timestamp": "2023-11-14T22:13:20Z",
            "expiration": "2030-01-01T00:00:00Z",
        },
        "data": rows,
    });
    let input = Tables::new();
    let input = (input.write("in.jsonl", message.to_string()), input);
    let arguments = [&["pipe", input.0.to_str().unwrap()], more].concat();
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
