//! Golden messages of short files in the exact form of each tool, and what the core says to them.

use std::fmt::Write as _;
use std::path::Path;

use netsieve::intake::{self, Kind};

use super::{json, messages, outcomes, read};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/intake/fixtures");

fn fixture(name: &str) -> String {
    std::fs::read_to_string(Path::new(FIXTURES).join(name)).unwrap()
}

/// Everything that comes of a file.
fn told(name: &str) -> String {
    let (kind, reading) = read(fixture(name).as_bytes());
    let mut told = format!("{kind}\n");
    let messages = messages(&reading);
    for (message, outcome) in messages.iter().zip(outcomes(&messages)) {
        let message = json(message.as_bytes());
        writeln!(told, "\n{}", message["metadata"]).unwrap();
        for record in message["data"].as_array().unwrap() {
            writeln!(told, "  {record}").unwrap();
        }
        for event in &outcome.events {
            let event = json(event);
            let warnings = &event["warnings"];
            if warnings.is_array() {
                let index = &event["ingest"]["record_index"];
                writeln!(told, "  {index} warns of {warnings}").unwrap();
            }
        }
        for letter in &outcome.letters {
            let index = letter.index.unwrap_or_default();
            writeln!(told, "  {index} is rejected: {}", letter.reason).unwrap();
        }
    }
    told.push('\n');
    for unread in &reading.unread {
        writeln!(told, "line {} {}", unread.line, unread.why).unwrap();
    }
    for (what, count) in &reading.left_out {
        writeln!(told, "left out: {count} {what}").unwrap();
    }
    told
}

macro_rules! golden {
    ($($test:ident $file:literal $kind:ident;)*) => {
        $(#[test]
        fn $test() {
            insta::assert_snapshot!(told($file));
        })*

        const FILES: &[(&str, Kind)] = &[$(($file, Kind::$kind)),*];
    };
}

golden! {
    windows_netstat_anob "windows-netstat-anob.txt" WindowsNetstat;
    windows_netstat_in_german "windows-netstat-an-german.txt" WindowsNetstat;
    windows_netstat_in_french "windows-netstat-ano-french.txt" WindowsNetstat;
    windows_netstat_in_spanish "windows-netstat-ano-spanish.txt" WindowsNetstat;
    linux_netstat_tunap "linux-netstat-tunap.txt" LinuxNetstat;
    linux_netstat_in_spanish "linux-netstat-tulpe-spanish.txt" LinuxNetstat;
    ss_tunap "ss-tunap.txt" Ss;
    ss_wrapped "ss-wrapped.txt" Ss;
    ss_without_the_protocol "ss-tap.txt" Ss;
    macos_netstat_an "macos-netstat-an.txt" BsdNetstat;
    freebsd_netstat_an "freebsd-netstat-an.txt" BsdNetstat;
    proc_net "proc-net.txt" ProcNet;
    osquery_process_open_sockets "osquery-process_open_sockets.json" Osquery;
    osquery_listening_ports "osquery-listening_ports.json" Osquery;
    powershell_csv "powershell.csv" Powershell;
    powershell_csv_of_another_culture "powershell-semicolons.csv" Powershell;
    powershell_json "powershell.json" Powershell;
    velociraptor "velociraptor.jsonl" Velociraptor;
    sysmon_of_winlogbeat "sysmon-winlogbeat.json" Sysmon;
    sysmon_of_others "sysmon-evtx.json" Sysmon;
    zeek_table "zeek-conn.log" Zeek;
    zeek_json "zeek-conn.jsonl" Zeek;
    nemesis "nemesis.json" Nemesis;
}

/// The bytes of a text as a tool or its shell may write it.
fn encodings(text: &str) -> Vec<(&'static str, Vec<u8>)> {
    let windows_ends = text.replace('\n', "\r\n");
    let units = || windows_ends.encode_utf16();
    let little = [0xff, 0xfe].into_iter();
    let big = [0xfe, 0xff].into_iter();
    vec![
        ("CRLF", windows_ends.clone().into_bytes()),
        (
            "UTF-8 with a mark",
            [b"\xef\xbb\xbf", text.as_bytes()].concat(),
        ),
        (
            "UTF-16 LE",
            little.chain(units().flat_map(u16::to_le_bytes)).collect(),
        ),
        (
            "UTF-16 BE",
            big.chain(units().flat_map(u16::to_be_bytes)).collect(),
        ),
        (
            "UTF-16 LE without a mark",
            units().flat_map(u16::to_le_bytes).collect(),
        ),
        (
            "UTF-16 BE without a mark",
            units().flat_map(u16::to_be_bytes).collect(),
        ),
    ]
}

#[test]
fn every_file_is_recognised_and_reads_alike_in_every_encoding() {
    for (name, kind) in FILES {
        let text = fixture(name);
        let (found, plain) = read(text.as_bytes());
        assert_eq!(found, *kind, "{name}");
        for (encoding, bytes) in encodings(&text) {
            let (found, reading) = read(&bytes);
            assert_eq!(found, *kind, "{name} as {encoding}");
            assert_eq!(messages(&reading), messages(&plain), "{name} as {encoding}");
            assert_eq!(reading.unread, plain.unread, "{name} as {encoding}");
        }
    }
}

#[test]
fn every_kind_has_a_file_and_can_be_named() {
    for kind in Kind::ALL {
        let (name, _) = FILES.iter().find(|(_, of)| of == kind).expect("a file");
        let text = fixture(name);
        let (found, named) = intake::read(text.as_bytes(), Some(*kind)).unwrap();
        assert_eq!(found, *kind);
        assert_eq!(named, read(text.as_bytes()).1);
    }
}

#[test]
fn the_page_has_every_kind() {
    let page = include_str!("../../docs/intake.md");
    for kind in Kind::ALL {
        assert!(
            page.contains(&format!("| `{kind}` |")),
            "{kind} in the table"
        );
        assert!(
            page.contains(&format!("### `{kind}`\n")),
            "{kind} has a section"
        );
    }
}

#[test]
fn a_consoles_code_page_costs_no_row() {
    // Code page 850, that of a German console: Ö is 0x99.
    let bytes: Vec<u8> = fixture("windows-netstat-an-german.txt")
        .chars()
        .map(|c| u8::try_from(c).unwrap())
        .map(|byte| if byte == 0xd6 { 0x99 } else { byte })
        .collect();
    let (_, reading) = read(&bytes);
    let (_, expected) = read(fixture("windows-netstat-an-german.txt").as_bytes());
    assert_eq!(messages(&reading), messages(&expected));
    assert_eq!(reading.unread, []);
    assert!(reading.has_left_out(), "the replaced bytes are told");
}

#[test]
fn a_row_that_was_cut_is_reported_with_its_line() {
    for (name, cut) in [
        ("windows-netstat-anob.txt", "  TCP    0.0.0.0:22"),
        (
            "linux-netstat-tunap.txt",
            "tcp        0      0 127.0.0.53:53",
        ),
        ("ss-tunap.txt", "tcp   ESTAB      0      36"),
        (
            "macos-netstat-an.txt",
            "tcp4       0      0  192.0.2.20.52110",
        ),
        ("proc-net.txt", "   0: 3500007F:0035 00000000:0000 0A"),
        ("zeek-conn.log", "1767600000.112233\tC1aaaa1\t192.0.2.10"),
    ] {
        let text = fixture(name);
        let (_, whole) = read(text.as_bytes());
        let (_, reading) = read(format!("{text}{cut}\n").as_bytes());
        assert_eq!(reading.records(), whole.records(), "{name}");
        let line = text.lines().count() as u64 + 1;
        let last = reading.unread.last().expect(name);
        assert_eq!(last.line, line, "{name}");
        assert_eq!(reading.unread.len(), whole.unread.len() + 1, "{name}");
    }
}
