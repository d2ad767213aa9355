//! `netsieve submit` as a user meets it.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use netsieve::kafka::mock::EmbeddedCluster;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::json;

const WINDOWS: &str = "  TCP    0.0.0.0:135    0.0.0.0:0    LISTENING    920\r\n";

struct Ended {
    code: Option<i32>,
    stdout: Vec<u8>,
    stderr: String,
}

/// Runs the command with that on its standard input.
fn netsieve(arguments: &[&str], input: &[u8]) -> Ended {
    let mut child = Command::new(env!("CARGO_BIN_EXE_netsieve"))
        .env_clear()
        .env("COLUMNS", "80")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // A command that does not want it all is no matter here.
    let feeder = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    Ended {
        code: output.status.code(),
        stdout: output.stdout,
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn submit(arguments: &[&str], input: &[u8]) -> Ended {
    netsieve(&[&["submit"], arguments].concat(), input)
}

#[test]
fn what_a_tool_prints_is_a_message_that_pipe_takes() {
    let submitted = submit(
        &["--project", "P", "--agent-id", "web01"],
        WINDOWS.as_bytes(),
    );
    assert_eq!((submitted.code, &*submitted.stderr), (Some(0), ""));
    let message = json(&submitted.stdout);
    assert_eq!(message["metadata"]["project"], "P");
    assert_eq!(message["metadata"]["agent_id"], "web01");
    let piped = netsieve(&["pipe"], &submitted.stdout);
    assert_eq!((piped.code, &*piped.stderr), (Some(0), ""));
    assert_eq!(json(&piped.stdout)["listener"]["exposure"], "any");
    let table = netsieve(&["pipe", "--output", "table"], &submitted.stdout);
    assert_eq!((table.code, &*table.stderr), (Some(0), ""));
    let table = String::from_utf8(table.stdout).unwrap();
    let row = table.lines().find(|line| line.starts_with("any"));
    let cells: Vec<_> = row.expect("a row").split_whitespace().collect();
    assert_eq!(cells, ["any", "tcp", "0.0.0.0:135", "epmap", "[920]"]);
}

#[test]
fn all_metadata_can_be_given() {
    let given = [
        ("--project", "project", "P"),
        ("--agent-id", "agent_id", "7"),
        ("--agent-type", "agent_type", "beacon"),
        ("--source", "source", "DC"),
        ("--timestamp", "timestamp", "2026-01-05T08:00:00Z"),
        ("--expiration", "expiration", "2027-01-05T08:00:00Z"),
    ];
    let arguments: Vec<_> = given
        .iter()
        .flat_map(|(flag, _, text)| [*flag, *text])
        .collect();
    let submitted = submit(&arguments, WINDOWS.as_bytes());
    let metadata = &json(&submitted.stdout)["metadata"];
    for (_, field, text) in given {
        assert_eq!(metadata[field], text, "{field}");
    }
    let days = ["--expiration", "+2d"];
    let submitted = submit(&[&arguments[..10], &days].concat(), WINDOWS.as_bytes());
    let expiration = &json(&submitted.stdout)["metadata"]["expiration"];
    assert_eq!(expiration, "2026-01-07T08:00:00Z");
}

#[test]
fn what_cannot_be_read_is_told_with_file_and_line() {
    let text = format!("{WINDOWS}  TCP    0.0.0.0:5\r\n{WINDOWS}");
    let submitted = submit(&["--project", "P"], text.as_bytes());
    assert_eq!(submitted.code, Some(0), "something was read");
    let lines: Vec<_> = submitted.stderr.lines().collect();
    assert_eq!(
        lines,
        [
            "netsieve: stdin:2: has too few columns, or no address",
            "netsieve: stdin: windows-netstat, records: 2; not read: 1",
        ]
    );
    assert_eq!(json(&submitted.stdout)["data"].as_array().unwrap().len(), 2);
}

/// A wrong kind is wrong for every line; one other thing must not drown in that.
#[test]
fn what_is_wrong_with_every_line_is_told_of_the_first() {
    let text = WINDOWS.repeat(50) + "tcp LISTEN 0 128\n";
    let submitted = submit(&["--project", "P", "--kind", "ss"], text.as_bytes());
    let lines: Vec<_> = submitted.stderr.lines().collect();
    assert_eq!(
        lines,
        [
            "netsieve: stdin:1: is not a row of this kind",
            "netsieve: stdin:2: is not a row of this kind",
            "netsieve: stdin:3: is not a row of this kind",
            "netsieve: stdin:51: has too few columns",
            "netsieve: stdin: 47 more lines cannot be read",
            "netsieve: stdin: ss, records: 0; not read: 51",
            "netsieve: no row could be read, the input: leave --kind out, or name another",
        ]
    );
}

#[test]
fn nothing_read_is_code_1() {
    for (arguments, input, lines) in [
        (&[][..], &b"hello\n"[..], &["cannot tell what it is"][..]),
        (&[], b"", &["nothing to read (it is empty), stdin"]),
        (
            &["/nonexistent/netstat.txt"],
            b"",
            &["cannot read (No such"],
        ),
        (
            &["--kind", "ss"],
            WINDOWS.as_bytes(),
            &[
                "stdin:1: is not a row of this kind",
                "stdin: ss, records: 0; not read: 1",
                "no row could be read, the input: leave --kind out",
            ],
        ),
        (
            &["--kind", "ss"],
            b"Netid State Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n",
            &[
                "stdin: ss, records: 0; left out: 1 titles",
                "there is no row, the input: see that its tool found any",
            ],
        ),
    ] {
        let submitted = submit(&[&["--project", "P"], arguments].concat(), input);
        assert_eq!(submitted.code, Some(1), "{arguments:?}");
        assert_eq!(submitted.stdout, b"", "{arguments:?}");
        let told: Vec<_> = submitted.stderr.lines().collect();
        assert_eq!(told.len(), lines.len(), "{told:?}");
        for (told, line) in told.iter().zip(lines) {
            assert!(told.contains(line), "{told}");
        }
    }
    for kind in [&[][..], &["--kind", "zeek"]] {
        let empty = submit(&[&["--project", "P"], kind].concat(), b"\r\n").stderr;
        assert!(empty.contains("(it is empty), stdin"), "{empty}");
    }
    let unknown = submit(&["--project", "P"], b"hello\n").stderr;
    assert!(
        unknown.contains("stdin: name it with --kind, one of windows-netstat,"),
        "{unknown}"
    );
}

#[test]
fn one_file_that_cannot_be_read_does_not_cost_the_others() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("netstat.txt");
    std::fs::write(&file, WINDOWS).unwrap();
    let file = file.to_str().unwrap();
    for (other, why) in [
        ("/nonexistent", "cannot read (No such file"),
        ("-", "cannot tell what it is"),
    ] {
        let submitted = submit(&["--project", "P", other, file], b"hello\n");
        assert_eq!(submitted.code, Some(1), "{other}");
        assert!(submitted.stderr.contains(why), "{}", submitted.stderr);
        assert_eq!(json(&submitted.stdout)["data"][0]["state"], "LISTENING");
    }
}

#[test]
fn wrong_usage_is_code_2() {
    for arguments in [
        &[][..],
        &["--project", ""],
        &["--project", "P", "--kind", "netsat"],
        &["--project", "P", "--live", "file"],
        &["--project", "P", "--expiration", "soon"],
        &["--project", "P", "--topic", "t"],
    ] {
        let submitted = submit(arguments, WINDOWS.as_bytes());
        assert_eq!(
            submitted.code,
            Some(2),
            "{arguments:?}: {}",
            submitted.stderr
        );
        assert_eq!(submitted.stderr.lines().count(), 1, "{}", submitted.stderr);
    }
}

#[test]
fn a_snapshot_past_the_limit_is_split_and_said_so() {
    let rows = WINDOWS.repeat(20);
    let limit = ["--project", "P", "--max-message-bytes", "1000"];
    let submitted = submit(&limit, rows.as_bytes());
    assert_eq!(submitted.code, Some(0));
    assert!(
        submitted.stderr.contains("stdin: 20 records are more than"),
        "{}",
        submitted.stderr
    );
    let lines: Vec<_> = submitted.stdout.split(|byte| *byte == b'\n').collect();
    assert!(lines.len() > 2 && lines.iter().all(|line| line.len() <= 1000));
}

#[test]
fn messages_go_to_kafka_and_are_acknowledged() {
    let cluster = EmbeddedCluster::start(&[("raw", 1)]).unwrap();
    let brokers = cluster.bootstrap_servers();
    let to_kafka = [
        "--project",
        "P",
        "--agent-id",
        "web01",
        "--bootstrap",
        &brokers,
    ];
    let to_kafka = [&to_kafka[..], &["--topic", "raw"]].concat();
    let submitted = submit(&to_kafka, WINDOWS.as_bytes());
    assert_eq!((submitted.code, &*submitted.stderr), (Some(0), ""));
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &brokers)
        .set("group.id", "test")
        .create()
        .unwrap();
    let mut assignment = TopicPartitionList::new();
    assignment
        .add_partition_offset("raw", 0, Offset::Beginning)
        .unwrap();
    consumer.assign(&assignment).unwrap();
    let message = consumer.poll(Duration::from_secs(10)).unwrap().unwrap();
    assert_eq!(message.key(), Some(&b"web01"[..]));
    let header = message.headers().unwrap().get(0);
    assert_eq!(
        (header.key, header.value),
        ("content-type", Some(&b"application/json"[..]))
    );
    assert_eq!(
        json(message.payload().unwrap())["data"][0]["process_id"],
        920
    );

    let too_small = ["--property", "message.max.bytes=1000"];
    let rows = WINDOWS.repeat(20);
    let failed = submit(&[&to_kafka[..], &too_small].concat(), rows.as_bytes());
    assert_eq!(failed.code, Some(1));
    assert!(
        failed.stderr.contains("cannot deliver"),
        "{}",
        failed.stderr
    );
}
