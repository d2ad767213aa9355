//! No text makes an adaptor panic, and none takes it more than a multiple of its length.

use netsieve::intake::{self, Kind};
use proptest::prelude::*;

use super::messages;

/// Pieces that the adaptors look for, which random text would seldom have.
const PIECES: &[&str] = &[
    "\n",
    "\r\n",
    " ",
    "\t",
    "TCP",
    "UDP",
    "tcp",
    "udp6",
    "tcp4",
    "raw",
    "ESTAB",
    "LISTEN",
    "0.0.0.0:22",
    "*:*",
    "*.*",
    "[::]:1",
    "::1.5",
    "0",
    "36",
    "users:((",
    "\"sshd\",",
    "pid=1",
    "),(",
    "))",
    "1/sshd",
    "-",
    "(0.00/0/0)",
    " off",
    "[x.exe]",
    "RpcSs",
    "ABHÖREN",
    "\u{fffd}",
    "0100007F:0016",
    "0A",
    "1:",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "\"LocalAddress\"",
    "\"LocalPort\"",
    "\"id.orig_h\"",
    "\"Laddr.IP\"",
    "\"SourceIp\"",
    "\"DestinationIp\"",
    "\"metadata\"",
    "\"data\"",
    "\"columns\"",
    "\"local_address\"",
    "\"local_port\"",
    "1e999",
    "LocalAddress,LocalPort,State",
    "#fields\tid.orig_h\tproto",
    "#separator \\x09",
    "#TYPE",
    "#separator \\xff",
    "#separator ",
    "Active Internet",
    "unix ",
    "\u{feff}",
];

fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        12 => prop::sample::select(PIECES).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

fn read_as_everything(bytes: &[u8]) {
    let kinds = Kind::ALL.iter().map(|kind| Some(*kind));
    for kind in kinds.chain([None]) {
        let Ok((_, reading)) = intake::read(bytes, kind) else {
            continue;
        };
        for message in messages(&reading) {
            assert!(!message.contains('\n'), "a message is one line");
            assert!(serde_json::from_str::<serde_json::Value>(&message).is_ok());
        }
        let lines = bytes.split(|byte| *byte == b'\n').count() as u64;
        for unread in &reading.unread {
            assert!((1..=lines).contains(&unread.line), "{unread:?} of {lines}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn any_text_is_read_or_refused(text in text()) {
        read_as_everything(text.as_bytes());
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        // A text of UTF-16 has line ends of two bytes, which the lines of bytes do not count.
        prop_assume!(!bytes.starts_with(b"\xff\xfe") && !bytes.starts_with(b"\xfe\xff"));
        read_as_everything(&bytes);
    }
}

/// Long enough for a text to keep a parser busy for very long that goes over what it has read.
const LENGTH: usize = 1 << 17;

/// Texts for such a parser, on which it would not come back within the patience of anybody.
#[test]
fn repetition_is_read_in_one_go() {
    let row = "tcp LISTEN 0 0 a:1 b:2\n";
    for (start, piece) in [
        ("", "{"),
        ("", "["),
        ("", "[\n"),
        ("", "{\"a\":[\n"),
        ("", "[1,\n"),
        ("", "{\"a\n"),
        ("", "{}\n{\n"),
        ("", "\"\n"),
        ("", "TCP "),
        ("", "TCP 1:1 2:0 X\n"),
        ("TCP 1:1 2:0 X\n", "x "),
        ("TCP 1:1 2:0 X\n", "word\n"),
        (row, " x\n"),
        (row, " users:((\"\n"),
        ("tcp LISTEN 0 0 a:1 b:2 users:((", "\"x\",pid=1,fd=1),("),
        ("tcp 0 0 a:1 b:2 X ", "1/ "),
        ("tcp 0 0 a:1 b:2 X ", "( "),
        ("tcp4 0 0 *.1 *.2 X ", "a: "),
        ("LocalAddress,LocalPort,State\n", "\"\n"),
        ("LocalAddress,LocalPort,State\n", ","),
        ("", "#fields\tid.orig_h\n"),
        ("#fields\tid.orig_h\n", "\t"),
        ("", "1: 00000000:0000 "),
        ("", "\r"),
        ("", "\u{fffd}"),
    ] {
        let repeated = piece.repeat(LENGTH / piece.len());
        let text = format!("{start}{repeated}");
        for kind in Kind::ALL.iter().map(|kind| Some(*kind)).chain([None]) {
            // Whatever comes of it, it comes.
            let _ = intake::read(text.as_bytes(), kind);
        }
    }
}
