//! The command as a user meets it: exit codes, and errors of one line.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// The command with an environment of its own.
fn netsieve(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netsieve"));
    command.env_clear().stdin(Stdio::null()).args(arguments);
    command
}

struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn ended(output: Output) -> Ended {
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn run(arguments: &[&str]) -> Ended {
    ended(netsieve(arguments).output().unwrap())
}

/// Its only line on stderr.
fn error_line(arguments: &[&str], code: i32) -> String {
    let ended = run(arguments);
    assert_eq!(ended.code, Some(code), "{arguments:?}: {}", ended.stderr);
    let line = ended.stderr.strip_suffix('\n').unwrap();
    assert!(!line.contains('\n'), "{arguments:?}: {line}");
    assert!(line.starts_with("netsieve: "), "{line}");
    line.to_owned()
}

fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("netsieve.toml");
    std::fs::write(&path, text).unwrap();
    (directory, path)
}

#[test]
fn wrong_usage_is_one_line_and_code_2() {
    let cases: &[&[&str]] = &[
        &["chek"],
        &["check", "--colour"],
        &["check", "--timeout", "0"],
        &["check", "--timeout", "ten"],
        &["demo", "--seconds", "-1"],
        &["demo", "--rate", "fast"],
        &["generate", "--messages", "1e6"],
        &["generate", "--rate", "5000000000"],
        &["generate", "--bad", "-0.1"],
        &["generate", "--bootstrap", ""],
        &["submit", "--project", "p", "--bootstrap", "a:port"],
        &["submit", "--project", "p", "--max-message-bytes", "0"],
        &["dlq", "ls", "--top", "all"],
        &["dlq", "show", "--limit", "-1"],
        &["dlq", "replay", "--max-attempts", "0"],
        &["dlq", "replay", "--samples", "some"],
        &["check", "--set"],
        &["completions"],
        &["completions", "tcl"],
        &["dlq", "ls", "--reason", "nope"],
        &["pipe", "--now", "yesterday"],
        &["submit", "--project", "p", "--timestamp", "noon"],
    ];
    let lines = cases.iter().map(|arguments| error_line(arguments, 2));
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @r#"
        netsieve: unrecognized subcommand 'chek', some similar subcommands exist: 'schema', 'check': see netsieve --help
        netsieve: unexpected argument '--colour' found: see netsieve check --help
        netsieve: invalid value '0' for '--timeout <SECONDS>': give a whole number, 1 to 600: see netsieve check --help
        netsieve: invalid value 'ten' for '--timeout <SECONDS>': give a whole number, 1 to 600: see netsieve check --help
        netsieve: invalid value '-1' for '--seconds <N>': give a whole number, 1 to 8: see netsieve demo --help
        netsieve: invalid value 'fast' for '--rate <N>': give a whole number, 0 to 4294967295: see netsieve demo --help
        netsieve: invalid value '1e6' for '--messages <N>': give a whole number, 0 to 18446744073709551615: see netsieve generate --help
        netsieve: invalid value '5000000000' for '--rate <N>': give a whole number, 0 to 4294967295: see netsieve generate --help
        netsieve: invalid value '-0.1' for '--bad <SHARE>': give a share between 0 and 1, for example 0.02: see netsieve generate --help
        netsieve: invalid value '' for '--bootstrap <HOST:PORT>': give HOST:PORT of a broker, or of several with commas between: see netsieve generate --help
        netsieve: invalid value 'a:port' for '--bootstrap <HOST:PORT>': give HOST:PORT of a broker, or of several with commas between: see netsieve submit --help
        netsieve: invalid value '0' for '--max-message-bytes <N>': give a whole number, 1 to 18446744073709551615: see netsieve submit --help
        netsieve: invalid value 'all' for '--top <LINES>': give a whole number, 0 to 18446744073709551615: see netsieve dlq ls --help
        netsieve: invalid value '-1' for '--limit <NUMBER>': give a whole number, 0 to 18446744073709551615: see netsieve dlq show --help
        netsieve: invalid value '0' for '--max-attempts <NUMBER>': give a whole number, 1 to 4294967295: see netsieve dlq replay --help
        netsieve: invalid value 'some' for '--samples <NUMBER>': give a whole number, 0 to 18446744073709551615: see netsieve dlq replay --help
        netsieve: a value is required for '--set <KEY=VALUE>' but none was supplied: see netsieve check --help
        netsieve: the following required arguments were not provided: <SHELL>: see netsieve completions --help
        netsieve: invalid value 'tcl' for '<SHELL>' [possible values: bash, elvish, fish, powershell, zsh]: see netsieve completions --help
        netsieve: invalid value 'nope' for '--reason <CODE>': there is no reason "nope", see docs/codes.md: see netsieve dlq ls --help
        netsieve: invalid value 'yesterday' for '--now <TIME>': give a time such as 2026-01-05T08:00:00Z: see netsieve pipe --help
        netsieve: invalid value 'noon' for '--timestamp <TIME>': give a time such as 2026-01-05T08:00:00Z: see netsieve submit --help
        "#);
    let bare = run(&[]);
    assert_eq!(bare.code, Some(2));
    assert!(bare.stderr.contains("Usage: netsieve"), "{}", bare.stderr);
}

#[test]
fn help_has_examples_and_fits_80_columns() {
    for subcommand in [
        &[][..],
        &["run"],
        &["pipe"],
        &["submit"],
        &["generate"],
        &["check"],
        &["dlq"],
        &["dlq", "ls"],
        &["dlq", "show"],
        &["dlq", "replay"],
        &["schema"],
        &["completions"],
    ] {
        let arguments: Vec<_> = subcommand.iter().copied().chain(["--help"]).collect();
        let help = run(&arguments);
        assert_eq!(help.code, Some(0));
        assert!(
            help.stdout.contains("Examples:\n  netsieve "),
            "{}",
            help.stdout
        );
        for line in help.stdout.lines() {
            assert!(line.chars().count() <= 80, "{arguments:?}: {line}");
        }
        assert!(
            !help.stdout.contains('\u{1b}'),
            "no colour where there is no terminal"
        );
    }
}

#[test]
fn a_bad_configuration_is_one_line_and_code_78() {
    let (_directory, path) = file("[source]\ntopc = \"a\"\n");
    let path = path.to_str().unwrap();
    let line = error_line(&["check", "--config", path], 78);
    assert_eq!(
        line,
        format!("netsieve: unknown key source.topc, {path}:2: did you mean source.topic?")
    );
    let line = error_line(&["run", "--config", path], 78);
    assert!(line.contains("source.topic?"), "{line}");
    for (set, expected) in [
        ("commit.interval=2h", "give a duration, 1ms to 1m"),
        (
            "workers=0",
            "workers cannot be 0, --set: give a whole number",
        ),
        ("kafka.security.protocol=sasl", "is refused by librdkafka"),
        (
            "kafka.bootstrap=",
            "kafka.bootstrap is empty, --set: give HOST:PORT of a broker",
        ),
        (
            "kafka.bootstrap=[\"a:1\", \"b:1\"]",
            "kafka.bootstrap cannot be a list, --set: give HOST:PORT",
        ),
    ] {
        let line = error_line(&["run", "--set", set], 78);
        assert!(line.contains(expected), "{line}");
    }
    let variable = netsieve(&["check"])
        .env("NETSIEVE__LOG__LEVEL", "loud")
        .output();
    let ended = ended(variable.unwrap());
    assert_eq!(ended.code, Some(78));
    assert!(
        ended.stderr.contains("NETSIEVE__LOG__LEVEL"),
        "{}",
        ended.stderr
    );
}

#[test]
fn check_prints_what_holds_and_hides_secrets() {
    let (_directory, path) = file("workers = 2\n[kafka]\nsasl.password = \"${env:SECRET}\"\n");
    let checked = netsieve(&["--set", "workers=3", "check", "--set", "source.group=g"])
        .args(["--bootstrap", "b:1", "--log-level", "warn"])
        .env("NETSIEVE_CONFIG", path)
        .env("SECRET", "hunter2")
        .output();
    let checked = ended(checked.unwrap());
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    assert_eq!(checked.stderr, "");
    let line = |start: &str| {
        let found = checked.stdout.lines().find(|line| line.starts_with(start));
        let words = found.unwrap_or_default().split_whitespace();
        words.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line("workers"), "workers = 3 # --set");
    assert_eq!(line("group ="), "group = \"g\" # --set");
    assert_eq!(line("bootstrap"), "bootstrap = \"b:1\" # --bootstrap");
    assert_eq!(line("level"), "level = \"warn\" # --log-level");
    assert!(line("\"sasl.password\"").starts_with("\"sasl.password\" = \"<hidden>\""));
    assert!(!checked.stdout.contains("hunter2"));
}

#[test]
fn check_of_a_broker_that_is_not_there_is_one_line_and_code_1() {
    let closed = closed_port();
    let line = error_line(
        &[
            "check",
            "--connect",
            "--timeout",
            "2",
            "--bootstrap",
            &closed,
        ],
        1,
    );
    assert!(
        line.contains("no broker answered within 2 s (") && line.contains("Connection refused"),
        "{line}"
    );
    assert!(line.contains(&closed), "{line}");
}

#[test]
fn check_of_a_broker_that_speaks_no_tls_says_so_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    // It answers every connection in plain text, for as long as the test process lives.
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 64]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let tls = ["--set", "kafka.security.protocol=ssl"];
    let line = error_line(
        &[&["check", "--connect", "--bootstrap", &address][..], &tls].concat(),
        1,
    );
    assert!(line.contains("SSL handshake failed"), "{line}");
}

#[test]
fn a_file_that_a_property_names_and_that_is_not_there_is_code_78() {
    let arguments = [
        "check",
        "--set",
        "kafka.security.protocol=ssl",
        "--set",
        "kafka.ssl.ca.location=/nonexistent/ca.pem",
    ];
    let line = error_line(&arguments, 78);
    assert!(line.contains("ssl.ca.location"), "{line}");
}

#[test]
fn run_on_an_address_that_is_taken_is_one_line_and_code_1() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let line = error_line(&["run", "--set", &format!("http.listen={address}")], 1);
    assert!(
        line.contains("cannot serve HTTP (Address already in use"),
        "{line}"
    );
    assert!(line.contains(&address), "{line}");
}

#[test]
fn schemas_and_completions_are_printed() {
    let schema = run(&["schema"]).stdout;
    assert!(schema.contains("package netsieve.v1;"), "{schema}");
    for (arguments, title) in [
        (&["--format", "json-schema"][..], "netsieve.v1.Event"),
        (&["--rejects"], "netsieve reject"),
    ] {
        let schema = run(&[&["schema"], arguments].concat()).stdout;
        let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
        assert_eq!(schema["title"], title);
    }
    let contract = run(&["schema", "--contract"]).stdout;
    assert!(contract.contains("package server;"), "{contract}");
    for shell in ["bash", "zsh", "fish"] {
        let script = run(&["completions", shell]).stdout;
        assert!(
            script.contains("netsieve") && script.contains("check"),
            "{shell}"
        );
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut child = netsieve(&["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let ended = ended(child.wait_with_output().unwrap());
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
}

/// An address of the loopback on which nothing listens.
fn closed_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}
