//! How answers are explained: a golden for each rule, and over a generated load that what is
//! told is what the events say.

mod common;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use common::{NOW_MS, borrowed, input, run, settings};
use netsieve::generate::{Encodings, Generator, Options};
use netsieve::pipeline::Workspace;
use netsieve::pipeline::code::Warning;
use netsieve::pipeline::emit::Emitted;
use netsieve::pipeline::enrich::internal::Internal;
use netsieve::pipeline::enrich::{Enrichment, Enrichments};
use netsieve::pipeline::explain::{self, Explanation};
use netsieve::pipeline::message::Input;
use netsieve::pipeline::settings::{Format, Settings};
use serde_json::{Value, json};

fn explain(input: &Input<'_>, settings: &Settings) -> Vec<Explanation> {
    let mut all = Vec::new();
    let mut keep = |explanation: &Explanation| {
        all.push(explanation.clone());
        true
    };
    let (mut workspace, mut out) = (Workspace::default(), Emitted::default());
    explain::message(input, settings, &mut workspace, &mut out, &mut keep);
    all
}

fn value(rows: &[Value]) -> Vec<u8> {
    let message = json!({
        "metadata": {
            "agent_id": "a-1", "agent_type": "beacon", "project": "P", "source": "DC",
            "timestamp": "2023-11-14T22:00:00Z", "expiration": "2033-11-14T22:00:00Z",
        },
        "data": rows,
    });
    serde_json::to_vec(&message).expect("plain JSON")
}

/// A row: protocol, local, remote, state, process id, process name.
fn row(protocol: &str, local: &str, remote: &str, state: &str, pid: u32, process: &str) -> Value {
    json!({
        "protocol": protocol, "local_address": local, "remote_address": remote,
        "state": state, "process_id": pid, "process_name": process,
    })
}

fn tcp(local: &str, remote: &str) -> Value {
    row("tcp", local, remote, "ESTABLISHED", 0, "")
}

fn udp(local: &str, remote: &str) -> Value {
    row("udp", local, remote, "", 0, "")
}

fn listens(local: &str) -> Value {
    row("tcp", local, "", "LISTEN", 7, "/usr/sbin/nginx")
}

/// The first record's title and those of its answers that are `about` something.
fn told(rows: &[Value], about: &[&str], settings: &Settings) -> String {
    let value = value(rows);
    let all = explain(&input(&value, &[]), settings);
    let first = all.iter().find(|it| it.record == Some(0));
    lines(first.expect("the first record is explained"), about)
}

fn lines(explanation: &Explanation, about: &[&str]) -> String {
    let mut text = format!("{}\n", explanation.title);
    for (what, answer) in &explanation.answers {
        if about.is_empty() || about.contains(what) {
            writeln!(text, "  {what}: {answer}").expect("strings take it");
        }
    }
    text
}

fn golden(cases: &[Vec<Value>], about: &[&str]) -> String {
    let settings = settings(Format::Json);
    let texts = cases.iter().map(|rows| told(rows, about, &settings));
    texts.collect::<Vec<_>>().join("\n")
}

#[test]
fn every_rule_of_direction() {
    let syn = |state| row("tcp", "10.0.0.5:50000", "8.8.8.8:443", state, 0, "");
    let cases = [
        vec![syn("SYN_SENT")],
        vec![syn("SYN_RECV")],
        vec![
            tcp("10.0.0.5:445", "8.8.8.8:50000"),
            listens("10.0.0.5:445"),
        ],
        vec![tcp("10.0.0.5:445", "8.8.8.8:50000"), listens("0.0.0.0:445")],
        vec![tcp("10.0.0.5:445", "8.8.8.8:50000"), listens("[::]:445")],
        vec![tcp("10.0.0.5:445", "8.8.8.8:50000"), listens("*:445")],
        // Several listeners, some of another protocol or port between them.
        vec![
            tcp("10.0.0.5:445", "8.8.8.8:50000"),
            udp("0.0.0.0:445", ""),
            listens("0.0.0.0:445"),
            listens("0.0.0.0:446"),
            listens("0.0.0.0%eth0:445"),
            listens("0.0.0.0%eth1:445"),
            listens("0.0.0.0:445"),
        ],
        vec![
            tcp("[fe80::1%eth0]:22", "[fe80::2%eth0]:50000"),
            listens("[fe80::1%eth1]:22"),
            listens("[fe80::1%eth0]:22"),
            listens("[fe80::1]:22"),
        ],
        vec![udp("10.0.0.5:53", "10.0.0.9:50000"), udp("0.0.0.0:53", "")],
        vec![
            tcp("127.0.0.1:50000", "127.0.0.2:631"),
            listens("127.0.0.2:631"),
        ],
        vec![
            tcp("10.0.0.5:50000", "10.0.0.5:631"),
            listens("10.0.0.5:631"),
        ],
        vec![tcp("10.0.0.5:50000", "8.8.8.8:443"), listens("0.0.0.0:22")],
        vec![tcp("10.0.0.5:443", "8.8.8.8:50000")],
        vec![tcp("10.0.0.5:50000", "8.8.8.8:443")],
        vec![tcp("10.0.0.5:8080", "8.8.8.8:50000")],
        vec![tcp("10.0.0.5:50000", "8.8.8.8:31999")],
        vec![tcp("10.0.0.5:50000", "8.8.8.8:50001")],
        vec![tcp("10.0.0.5:50000", "8.8.8.8")],
    ];
    insta::assert_snapshot!(golden(&cases, &["direction"]));
}

#[test]
fn every_answer_of_the_perimeter() {
    let mut settings = settings(Format::Json);
    settings.enrich.internal =
        Internal::parse(["private", "203.0.113.0/25", "203.0.113.128/25"]).expect("networks");
    let texts = [
        tcp("10.0.0.5:50000", "8.8.8.8:443"),
        tcp("10.0.0.5:443", "8.8.8.8:50000"),
        tcp("203.0.113.9:50000", "10.0.0.5:443"),
        tcp("10.0.0.5:50000", "10.0.0.5:443"),
        tcp("198.51.100.9:50000", "8.8.8.8:443"),
        tcp("203.0.113.9:50000", "8.8.8.8:50001"),
        row("tcp", "10.0.0.5:50000", "dc01.corp.example:445", "", 0, ""),
    ]
    .map(|row| told(&[row], &["perimeter"], &settings));
    insta::assert_snapshot!(texts.join("\n"));
}

#[test]
fn what_a_listener_is() {
    let cases = [
        vec![listens("0.0.0.0:80"), tcp("10.0.0.5:80", "8.8.8.8:50000")],
        vec![
            listens("[::]:80"),
            tcp("10.0.0.5:80", "8.8.8.8:50000"),
            tcp("10.0.0.5:80", "8.8.8.8:50001"),
        ],
        vec![listens("[::]:80"), listens("0.0.0.0:80")],
        vec![listens("*:80")],
        vec![listens("127.0.0.53%lo:53")],
        vec![listens("[fe80::1%9]:445")],
        vec![listens("10.0.0.5:139")],
        vec![listens("8.8.8.8:53")],
        vec![row("tcp", "localhost:80", "", "LISTEN", 0, "")],
        vec![udp("0.0.0.0:50000", "")],
    ];
    let about = ["kind", "exposure", "families", "ephemeral", "peers"];
    insta::assert_snapshot!(golden(&cases, &about));
}

#[test]
fn whose_a_socket_is() {
    let closing = || row("tcp", "10.0.0.5:80", "8.8.8.8:50000", "TIME_WAIT", 0, "");
    let other = || row("tcp", "0.0.0.0:80", "", "LISTEN", 8, "apache2");
    let owned = |pid, name| vec![row("tcp", "10.0.0.5:80", "8.8.8.8:50000", "", pid, name)];
    let peer = |pid, name| row("tcp", "127.0.0.1:80", "127.0.0.1:50000", "", pid, name);
    let caller = || row("tcp", "127.0.0.1:50000", "127.0.0.1:80", "", 9, "curl");
    let cases = [
        owned(4, r#""C:\Program Files\Vendor\agent.exe" -k run"#),
        owned(4, "sshd"),
        owned(4, "[kworker/0:1]"),
        owned(0, "chrome.exe"),
        owned(0, ""),
        vec![closing(), listens("0.0.0.0:80")],
        vec![closing(), listens("0.0.0.0:80"), other()],
        vec![caller(), peer(7, "nginx: worker process")],
        vec![caller(), peer(7, "nginx"), peer(8, "nginx")],
        vec![caller()],
        vec![json!({
            "protocol": "tcp", "local_address": "0.0.0.0:135", "state": "LISTEN",
            "service": "RpcSs",
        })],
    ];
    insta::assert_snapshot!(golden(&cases, &["process", "peer", "service"]));
}

#[test]
fn how_ends_and_states_were_read_and_flows_named() {
    let over = |protocol, local, remote| vec![row(protocol, local, remote, "", 0, "")];
    let cases = [
        vec![row(
            "tcp,ipv6",
            "[::ffff:10.0.0.5]:443",
            "[64:ff9b::c000:221]:50000",
            "ESTAB",
            0,
            "",
        )],
        vec![row(
            "tcp4",
            "localhost.ssh",
            "8.8.8.8.50000",
            "CONNECTED",
            0,
            "",
        )],
        vec![row(
            "tcp,ipv4",
            "0.0.0.0:80",
            "None:None",
            "LISTENING",
            0,
            "",
        )],
        vec![row("udp", "0.0.0.0:53", "", "UNCONN", 0, "")],
        over("icmp,ipv4", "10.0.0.5", "8.8.8.8"),
        over("gre,ipv4", "10.0.0.5", "8.8.8.8"),
        over("tcp", "0.0.0.0:80", "8.8.8.8:50000"),
        over("tcp", "10.0.0.5:80", "8.8.8.8"),
        over("tcp,ipv4", "10.0.0.5:80", "[2001:db8::1]:50000"),
        over("unix", "/run/a", "/run/b\u{1b}[31m"),
        over("ethernet", "00:0d:3a:13:e3:69", "00:0d:3a:13:e3:70"),
        over("tcp", "2a00:1450:4001:82a::443", "[2002:c000:204::1]:50000"),
    ];
    let about = ["kind", "local", "remote", "state", "flow", "warning"];
    insta::assert_snapshot!(golden(&cases, &about));
}

#[test]
fn why_a_record_or_a_message_was_rejected() {
    let mut settings = settings(Format::Json);
    settings.reject = [Warning::UnrecognizedState].into_iter().collect();
    let rows = [
        tcp("10.0.0.5:80", "8.8.8.8:50000"),
        tcp("10.0.0.5:99999", "8.8.8.8:50000"),
        json!(["no", "row"]),
        row("tcp", "10.0.0.5:80", "8.8.8.8:50000", "HALF", 0, ""),
    ];
    let value = value(&rows);
    let explained = explain(&input(&value, &[]), &settings);
    let mut text: Vec<_> = explained.iter().map(|it| lines(it, &[])).collect();
    for message in [
        &b"no message"[..],
        br#"{"metadata":{"project":"P"},"data":[]}"#,
    ] {
        let explained = explain(&input(message, &[]), &settings);
        text.extend(explained.iter().map(|it| lines(it, &[])));
    }
    insta::assert_snapshot!(text.join("\n"));
}

#[test]
fn what_is_switched_off_is_named_and_not_explained() {
    let mut settings = settings(Format::Json);
    settings.enrich.enabled = Enrichments::NONE;
    settings.enrich.enabled.add(Enrichment::Direction);
    let value = value(&[
        row("tcp", "10.0.0.5:80", "8.8.8.8:50000", "", 0, "sshd"),
        listens("0.0.0.0:80"),
    ]);
    let explained = explain(&input(&value, &[]), &settings);
    let text: Vec<_> = explained.iter().map(|it| lines(it, &[])).collect();
    insta::assert_snapshot!(text.join("\n"));
}

/// The answer about something.
fn answer<'e>(explanation: &'e Explanation, about: &str) -> Option<&'e str> {
    let mut answers = explanation.answers.iter();
    let (_, text) = answers.find(|(what, _)| *what == about)?;
    Some(text)
}

#[test]
fn what_is_told_is_what_the_events_say() {
    let load = Generator::new(Options {
        messages: Some(600),
        bad: 0.05,
        encodings: Encodings::Mixed,
        start_ms: NOW_MS,
        ..Options::default()
    });
    let settings = settings(Format::Json);
    let mut directions = 0;
    for message in load {
        let headers = borrowed(&message.headers);
        let input = Input {
            timestamp_ms: Some(message.timestamp_ms),
            ..input(&message.value, &headers)
        };
        let outcome = run(&input, &settings);
        let explained = explain(&input, &settings);
        let of_records: BTreeMap<_, _> = explained
            .iter()
            .filter_map(|it| Some((u64::from(it.record?), it)))
            .collect();
        assert_eq!(of_records.len() as u64, outcome.records, "each record once");
        for letter in &outcome.letters {
            let told = match letter.index {
                Some(index) => of_records[&index.into()],
                None => &explained[0],
            };
            assert!(
                told.rejected && told.title.contains(letter.reason),
                "{told:?}"
            );
        }
        for event in &outcome.events {
            let event: Value = serde_json::from_slice(event).expect("events are JSON");
            let told = of_records[&event["ingest"]["record_index"].as_u64().expect("an index")];
            assert!(!told.rejected);
            let text = |value: &Value| value.as_str().map(str::to_owned);
            if let Some(basis) = text(&event["direction"]["basis"]) {
                let direction = answer(told, "direction").expect("it is explained");
                let name = |key: &str| text(&event["direction"][key]);
                let host = name("host").expect("it is always there");
                let end = match name("confidence") {
                    Some(confidence) => format!(", rule {basis}, {confidence}"),
                    None => format!(", rule {basis}"),
                };
                assert!(
                    direction.starts_with(&host) && direction.ends_with(&end),
                    "{direction}"
                );
                let rests_on_rows = basis.contains("listener") && basis != "no_listener";
                assert_eq!(direction.contains("(record"), rests_on_rows, "{direction}");
                let perimeter = answer(told, "perimeter").expect("it is explained");
                assert!(perimeter.starts_with(&name("perimeter").expect("it is there")));
                directions += 1;
            }
            if let Some(exposure) = text(&event["listener"]["exposure"]) {
                let told = answer(told, "exposure").expect("it is explained");
                assert!(told.starts_with(&exposure), "{told}");
            }
            let inferred = event["process"]["pid_inferred"] == true;
            let process = answer(told, "process").unwrap_or_default();
            assert_eq!(process.contains("inferred:"), inferred, "{process}");
            let peer = answer(told, "peer").is_some_and(|peer| !peer.starts_with("not known"));
            assert_eq!(peer, event["peer_process"].is_object());
            if let Some(id) = text(&event["community_id"]) {
                let flow = answer(told, "flow").expect("it is explained");
                assert!(flow.starts_with(&id), "{flow}");
            }
            let lines = told.answers.iter().map(|(_, text)| text);
            assert!(
                !lines
                    .chain([&told.title])
                    .any(|line| line.contains('\u{1b}'))
            );
        }
    }
    assert!(directions > 1_000, "{directions}");
}
