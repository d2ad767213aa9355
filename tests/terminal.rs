//! What a person at a terminal is told, which nobody else is.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::process::{Command, Stdio};

use rustix::pty::{self, OpenptFlags};

/// A terminal: the end of whoever sits at it, and that of the command.
fn terminal() -> (File, File) {
    let person = pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    pty::grantpt(&person).unwrap();
    pty::unlockpt(&person).unwrap();
    let name = pty::ptsname(&person, Vec::new()).unwrap();
    let name = std::ffi::OsStr::from_bytes(name.as_bytes());
    let command = OpenOptions::new().read(true).write(true).open(name);
    (person.into(), command.unwrap())
}

/// What `pipe` says on standard error when messages are typed.
fn typed(arguments: &[&str], text: &str) -> String {
    let (mut person, command) = terminal();
    let child = Command::new(env!("CARGO_BIN_EXE_netsieve"))
        .env_clear()
        .arg("pipe")
        .args(arguments)
        .stdin(command)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The end of the text is Ctrl-D, which a terminal takes at the start of a line.
    person.write_all(format!("{text}\u{4}").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    String::from_utf8(output.stderr).unwrap()
}

/// The lines that `pipe` says on a terminal about an input.
fn seen(input: &str) -> Vec<String> {
    let (mut person, command) = terminal();
    let mut child = Command::new(env!("CARGO_BIN_EXE_netsieve"))
        .env_clear()
        .args(["pipe", "--dead-letters", "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(command)
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    assert!(child.wait().unwrap().success());
    let (mut bytes, mut portion) = (Vec::new(), [0; 4096]);
    // A terminal that nobody holds any more ends with an error.
    while let Ok(read @ 1..) = person.read(&mut portion) {
        bytes.extend_from_slice(&portion[..read]);
    }
    let text = String::from_utf8(bytes).unwrap();
    text.lines().map(str::to_owned).collect()
}

const MESSAGE: &str = r#"{"metadata":{"project":"P","agent_id":"a","timestamp":"2026-01-05T08:00:00Z"},"data":[{"local_address":"0.0.0.0:22","protocol":"tcp,ipv4","state":"LISTEN"}]}"#;

#[test]
fn who_types_messages_is_told_so_and_how_to_end() {
    for (arguments, line) in [
        (&[][..], "reading JSON messages, one a line, this terminal"),
        (&["-"], "reading JSON messages, one a line, this terminal"),
        (&["--raw"], "reading one message, this terminal"),
    ] {
        let text = format!("{MESSAGE}\n");
        let apart = [&["--dead-letters", "/dev/null"], arguments].concat();
        let expected = format!("netsieve: {line}: end with Ctrl-D at the start of a line\n");
        assert_eq!(typed(&apart, &text), expected, "{arguments:?}");
        // Rejects go to standard error, and to nobody's eyes.
        assert_eq!(typed(arguments, &text), "", "{arguments:?}");
    }
}

#[test]
fn the_summary_of_one_is_in_the_singular() {
    assert_eq!(seen(MESSAGE), ["1 message, 1 record: 1 event, 0 rejected"]);
    assert_eq!(
        seen(&format!("{MESSAGE}\n{MESSAGE}\n")),
        ["2 messages, 2 records: 2 events, 0 rejected"]
    );
}
