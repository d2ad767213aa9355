//! `netsieve pipe` and `netsieve generate` as commands: what goes in, what comes out, exit codes.

mod common;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use common::json_schema;
use netsieve::generate::{Carrier, Encodings, Expected, Generator, Options};
use netsieve::proto::v1;
use prost::Message as _;
use serde_json::{Value, json};

/// The contract's own example: a wrong data type, a number for a truth value, times without an
/// offset, an expiration long past.
const EXAMPLE: &str = r#"{"data":[{"local_address":"172.16.111.218:52279","remote_address":"172.16.111.171:80","protocol":"tcp,ipv4","state":"ESTABLISHED","process_id":1260,"process_name":"program.exe"}],"metadata":{"agent_id":"339429212","agent_type":"beacon","automated":1,"data_type":"file_data","expiration":"2023-08-01T22:51:35","source":"DC","project":"ASSESS-X","timestamp":"2022-08-01T22:51:35"}}"#;

struct Run {
    code: i32,
    stdout: Vec<u8>,
    stderr: String,
}

impl Run {
    fn lines(&self) -> Vec<Value> {
        let events = json_lines(std::str::from_utf8(&self.stdout).unwrap());
        events.iter().for_each(json_schema::assert_is_event);
        events
    }

    fn rejects(&self) -> Vec<Value> {
        let rejects = json_lines(&self.stderr);
        rejects.iter().for_each(json_schema::assert_is_reject);
        rejects
    }

    fn reasons(&self) -> Vec<String> {
        let rejects = self.rejects();
        let reasons = rejects.iter().map(|reject| &reject["reason"]);
        reasons
            .map(|reason| reason.as_str().unwrap().to_owned())
            .collect()
    }
}

fn json_lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn netsieve(arguments: &[&str], stdin: &[u8]) -> Run {
    let mut child = command(arguments).spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let stdin = stdin.to_vec();
    // A command that does not read its input closes it.
    let writer = std::thread::spawn(move || drop(pipe.write_all(&stdin)));
    let Output {
        status,
        stdout,
        stderr,
    } = child.wait_with_output().unwrap();
    writer.join().unwrap();
    Run {
        code: status.code().unwrap(),
        stdout,
        stderr: String::from_utf8(stderr).unwrap(),
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netsieve"));
    command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn the_contracts_own_example_comes_out_as_an_event() {
    let run = netsieve(&["pipe"], EXAMPLE.as_bytes());
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let [event] = run.lines().try_into().unwrap();
    assert_eq!(event["kind"], "connection");
    let end = |ip: &str, port: u16| json!({ "ip": ip, "port": port, "scope": "private", "global": false });
    assert_eq!(event["local"], end("172.16.111.218", 52_279));
    let mut web = end("172.16.111.171", 80);
    web["service"] = "http".into();
    assert_eq!(event["remote"], web);
    assert_eq!(event["process"]["pid"], 1260);
    assert_eq!(event["observed_at"], "2022-08-01T22:51:35Z");
    assert_eq!(event["automated"], true);
    // Now is the message's own timestamp, and so it is not expired.
    assert_eq!(event["warnings"], json!(["data_type_mismatch"]));
    let ingest = json!({
        "topic": "stdin", "partition": 0, "offset": 0, "record_index": 0, "record_count": 1,
    });
    assert_eq!(event["ingest"], ingest);
}

#[test]
fn the_formats_of_others_come_one_event_a_line() {
    for (format, version, expected) in [
        ("ecs", "/ecs/version", "9.4.0"),
        ("ocsf", "/metadata/version", "1.8.0"),
    ] {
        let two = format!("{EXAMPLE}\n{EXAMPLE}\n");
        let run = netsieve(&["pipe", "--output", format], two.as_bytes());
        assert_eq!((run.code, run.stderr.as_str()), (0, ""));
        let events = json_lines(std::str::from_utf8(&run.stdout).unwrap());
        assert_eq!(events.len(), 2);
        for event in events {
            assert_eq!(event.pointer(version), Some(&json!(expected)));
        }
    }
}

#[test]
fn now_can_be_set() {
    let run = netsieve(
        &["pipe", "--now", "2023-08-02T00:00:00Z"],
        EXAMPLE.as_bytes(),
    );
    let [event] = run.lines().try_into().unwrap();
    assert_eq!(event["warnings"], json!(["data_type_mismatch", "expired"]));
}

#[test]
fn every_line_is_a_message_and_rejects_do_not_fail_the_run() {
    let input = format!("{EXAMPLE}\nno json\n\n{}\n{EXAMPLE}", r#"{"data":[]}"#);
    let run = netsieve(&["pipe"], input.as_bytes());
    assert_eq!(run.code, 0);
    let offsets: Vec<_> = run
        .lines()
        .iter()
        .map(|e| e["ingest"]["offset"].clone())
        .collect();
    assert_eq!(offsets, [0, 4]);
    let reasons: Vec<_> = run.rejects().iter().map(|r| r["reason"].clone()).collect();
    assert_eq!(
        reasons,
        ["malformed_json", "empty_message", "missing_metadata"]
    );
    let first = &run.rejects()[0];
    assert_eq!(first["level"], "message");
    assert_eq!(first["stage"], "decode");
    assert_eq!(first["raw"], "no json");
    assert!(first["message"].is_string());
    assert_eq!(first.get("record_index"), None);
}

#[test]
fn a_rejected_record_comes_as_a_message_that_can_be_sent_again() {
    let input = EXAMPLE.replace("[{", r#"[{"local_address":"10.0.0.1:80"},{"#);
    let run = netsieve(&["pipe"], input.as_bytes());
    assert_eq!(run.lines().len(), 1);
    let [reject] = run.rejects().try_into().unwrap();
    assert_eq!(reject["level"], "record");
    assert_eq!(reject["reason"], "missing_protocol");
    assert_eq!(reject["field"], "protocol");
    assert_eq!(reject["record_index"], 0);
    let raw = reject["raw"].as_str().unwrap();
    let again = netsieve(&["pipe"], raw.as_bytes());
    assert_eq!(again.rejects()[0]["reason"], "missing_protocol");
    let mended = raw.replace(r#""10.0.0.1:80""#, r#""10.0.0.1:80","protocol":"tcp,ipv4""#);
    assert_eq!(netsieve(&["pipe"], mended.as_bytes()).lines().len(), 1);
}

#[test]
fn what_is_no_text_is_shown_in_base64() {
    let run = netsieve(&["pipe"], b"\xFF\xFE{}");
    let [reject] = run.rejects().try_into().unwrap();
    assert_eq!(reject["raw_base64"], "//57fQ==");
    assert_eq!(reject.get("raw"), None);
}

#[test]
fn a_long_line_is_a_reject_and_the_next_line_is_read() {
    let long = "x".repeat(5_000);
    let input = format!("{long}\n{EXAMPLE}\n");
    let limit = ["pipe", "--set", "validate.max_message_bytes=1024"];
    let run = netsieve(&limit, input.as_bytes());
    assert_eq!(run.lines().len(), 1);
    let [reject] = run.rejects().try_into().unwrap();
    assert_eq!(reject["reason"], "message_too_large");
    assert_eq!(reject["truncated"], 5_000);
    assert!(long.starts_with(reject["raw"].as_str().unwrap()));
}

#[test]
fn files_are_read_in_order_and_each_counts_from_0() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &str| {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        path
    };
    let first = write("a.jsonl", &format!("{EXAMPLE}\n{EXAMPLE}\n"));
    let second = write("b.jsonl", EXAMPLE);
    let run = netsieve(
        &["pipe", text(&first), "-", text(&second)],
        EXAMPLE.as_bytes(),
    );
    let places: Vec<_> = run
        .lines()
        .iter()
        .map(|event| {
            (
                event["ingest"]["topic"].clone(),
                event["ingest"]["offset"].clone(),
            )
        })
        .collect();
    let expected = [("a.jsonl", 0), ("a.jsonl", 1), ("stdin", 0), ("b.jsonl", 0)];
    assert_eq!(
        places,
        expected.map(|(topic, offset)| (topic.into(), offset.into()))
    );
}

/// The example and its like, as values of Kafka records: the formats are told apart.
#[test]
fn whole_files_are_messages_of_any_format() {
    let folder = tempfile::tempdir().unwrap();
    let pretty: Value = serde_json::from_str(EXAMPLE).unwrap();
    let pretty = serde_json::to_string_pretty(&pretty).unwrap();
    let mut load = Generator::new(Options {
        encodings: Encodings::Protobuf,
        carrier: Carrier::File,
        bad: 0.0,
        min_records: 4,
        max_records: 4,
        ..Options::default()
    });
    let protobuf = load
        .find(|message| message.expected.events() == 4)
        .unwrap()
        .value;
    let framed = [&[0, 0, 0, 0, 9, 0], &protobuf[..]].concat();
    for (content, events) in [
        (format!("\n{pretty}\n").into_bytes(), 1),
        (protobuf, 4),
        (framed, 4),
    ] {
        let path = folder.path().join("value");
        fs::write(&path, content).unwrap();
        let run = netsieve(&["pipe", "--raw", text(&path)], b"");
        assert_eq!((run.code, run.lines().len()), (0, events), "{}", run.stderr);
    }
    let run = netsieve(&["pipe", "--raw"], b"Proto  Local Address\n");
    assert_eq!(run.rejects()[0]["reason"], "unknown_format");
}

#[test]
fn rejects_go_to_a_file_where_one_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rejects.jsonl");
    let run = netsieve(&["pipe", "--dead-letters", text(&path)], b"{}\n");
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let rejects = json_lines(&fs::read_to_string(&path).unwrap());
    assert_eq!(rejects[0]["reason"], "missing_metadata");
}

/// Rejects are not on standard error, and what is wrong is said there.
#[test]
fn an_input_without_a_message_is_told_what_to_do() {
    let whole: Value = serde_json::from_str(EXAMPLE).unwrap();
    let pretty = serde_json::to_string_pretty(&whole).unwrap();
    let list = format!("\n[{EXAMPLE},\n{EXAMPLE}]\n");
    let windows = "  TCP    0.0.0.0:135    0.0.0.0:0    LISTENING    920\n";
    for (input, remedy) in [
        (pretty.as_str(), Some("is read with --raw")),
        (&list, Some("jq -c '.[]'")),
        (windows, Some("netsieve submit")),
        (&format!("{EXAMPLE}\n{pretty}"), None),
        ("", None),
    ] {
        let run = netsieve(&["pipe", "--dead-letters", "/dev/null"], input.as_bytes());
        assert_eq!(run.code, 0);
        assert_eq!(run.stderr.lines().count(), usize::from(remedy.is_some()));
        assert!(
            run.stderr.contains(remedy.unwrap_or_default()),
            "{input}: {}",
            run.stderr
        );
        // Where rejects are on standard error, they alone are.
        netsieve(&["pipe"], input.as_bytes()).rejects();
    }
}

#[test]
fn a_warning_can_be_promoted() {
    let promote = ["pipe", "--set", r#"validate.reject=["data_type_mismatch"]"#];
    let run = netsieve(&promote, EXAMPLE.as_bytes());
    assert!(run.lines().is_empty());
    assert_eq!(run.rejects()[0]["reason"], "data_type_mismatch");
}

#[test]
fn failures_are_one_line_and_a_code() {
    let protobuf = ["pipe", "--input", "protobuf"];
    for (arguments, stdin, code, says) in [
        (&["pipe", "/no/such/file"][..], &b""[..], 1, "/no/such/file"),
        (
            &["pipe", "/"],
            b"",
            1,
            "(Is a directory (os error 21)), /: check",
        ),
        (
            &protobuf,
            b"\x05ab",
            1,
            "(the input ends after 2 of the 5 bytes of a message), -: check --input",
        ),
        (&["pipe", "--now", "noon"], b"", 2, "--now"),
        (&["pipe", "--raw", "--input", "json"], b"", 2, "--raw"),
        (
            &["pipe", "--set", "validate.rejct=1"],
            b"",
            78,
            "validate.reject",
        ),
        (&["generate", "--encoding", "mixed"], b"", 2, "--bootstrap"),
        (&["generate", "--bad", "2"], b"", 2, "between 0 and 1"),
    ] {
        let run = netsieve(arguments, stdin);
        assert_eq!(run.code, code, "{arguments:?}: {}", run.stderr);
        assert_eq!(
            run.stderr.lines().count(),
            1,
            "{arguments:?}: {}",
            run.stderr
        );
        assert!(run.stderr.contains(says), "{arguments:?}: {}", run.stderr);
    }
}

#[test]
fn a_reader_that_has_had_enough_is_no_failure() {
    let input = format!("{EXAMPLE}\n").repeat(2_000);
    let mut child = command(&["pipe"]).spawn().unwrap();
    drop(child.stdout.take());
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty());
}

#[test]
fn an_event_comes_out_before_the_input_ends() {
    use std::io::BufRead as _;
    let mut child = command(&["pipe"]).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(format!("{EXAMPLE}\n").as_bytes()).unwrap();
    let mut line = String::new();
    let mut stdout = std::io::BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    assert!(line.contains("event_id"));
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

/// Generates a load to a file, pipes it, and gives what came out and what had to.
fn generated(encoding: &str, folder: &Path) -> (PathBuf, Vec<Expected>) {
    let (load, manifest) = (folder.join("load"), folder.join("manifest"));
    let run = netsieve(
        &[
            "generate",
            "--encoding",
            encoding,
            "--messages",
            "300",
            "--seed",
            "9",
            "--bad",
            "0.1",
            "--output",
            text(&load),
            "--manifest",
            text(&manifest),
        ],
        b"",
    );
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let manifest = fs::read_to_string(manifest).unwrap();
    let expected = manifest
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    (load, expected.collect())
}

fn expected_events(expected: &[Expected]) -> usize {
    expected.iter().map(Expected::events).sum()
}

fn expected_reasons(expected: &[Expected]) -> Vec<&str> {
    expected.iter().flat_map(Expected::rejects).collect()
}

#[test]
fn a_generated_load_gives_what_its_manifest_says_as_json() {
    let folder = tempfile::tempdir().unwrap();
    let (load, expected) = generated("json", folder.path());
    let run = netsieve(&["pipe", text(&load)], b"");
    assert_eq!(run.code, 0);
    assert_eq!(run.lines().len(), expected_events(&expected));
    assert_eq!(run.reasons(), expected_reasons(&expected));
}

#[test]
fn a_generated_load_gives_what_its_manifest_says_as_protobuf() {
    let folder = tempfile::tempdir().unwrap();
    let (load, expected) = generated("protobuf", folder.path());
    let formats = [
        "pipe",
        "--input",
        "protobuf",
        "--output",
        "protobuf",
        text(&load),
    ];
    let run = netsieve(&formats, b"");
    assert_eq!(run.code, 0);
    let mut rest = &run.stdout[..];
    let mut ids = Vec::new();
    while !rest.is_empty() {
        ids.push(
            v1::Event::decode_length_delimited(&mut rest)
                .unwrap()
                .message_id,
        );
    }
    let expected_ids = expected
        .iter()
        .flat_map(|message| vec![message.message_id.clone(); message.events()]);
    assert_eq!(ids, expected_ids.collect::<Vec<_>>());
    assert_eq!(run.reasons(), expected_reasons(&expected));
}

#[test]
fn the_same_load_comes_from_the_command_each_time() {
    let arguments = ["generate", "--messages", "50", "--encoding", "protobuf"];
    let first = netsieve(&arguments, b"");
    assert!(!first.stdout.is_empty());
    assert_eq!(first.stdout, netsieve(&arguments, b"").stdout);
}

#[test]
fn answers_are_explained_on_standard_output() {
    let input = format!("{EXAMPLE}\nno json\n");
    let run = netsieve(&["pipe", "--explain"], input.as_bytes());
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let text = String::from_utf8(run.stdout).unwrap();
    for line in [
        "stdin [0] at offset 0: 1 record",
        "record 0: connection tcp 172.16.111.218:52279 ──▶ 172.16.111.171:80 ESTABLISHED",
        "  direction   egress, the local end called: port 80 is below 1024 and port 52279 is not, rule ports, low",
        "stdin [0] at offset 1: rejected, malformed_json",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "no colour without a terminal");
    let both = netsieve(&["pipe", "--explain", "--output", "json"], b"");
    assert_eq!(both.code, 2);
}
