//! `netsieve demo` as a newcomer runs it, but shorter.

use std::process::{Command, Stdio};

#[test]
fn the_demo_ends_by_itself_and_its_books_balance() {
    let output = Command::new(env!("CARGO_BIN_EXE_netsieve"))
        .args(["demo", "--seconds", "1", "--rate", "200"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{stdout}\n{stderr}");
    assert_eq!(stderr, "");
    for shown in [
        "network_connection.dead_letters",
        "/metrics",
        // Built-in rows: one that is read, one that is rejected and why.
        "127.0.0.53%lo:53",
        "10.0.0.5:445 microsoft-ds",
        "◀── 10.0.0.77:51234",
        "by listener_wildcard, high",
        "exposure any",
        "What the events say",
        "rejected  missing_protocol",
        "Summary",
        "p99",
        "each as its sender foretold",
    ] {
        assert!(stdout.contains(shown), "{shown} in\n{stdout}");
    }
    for line in stdout.lines() {
        assert!(line.chars().count() <= 80, "{line}");
        assert!(!line.contains('\x1b'), "{line}");
    }
}

#[test]
fn this_hosts_own_sockets_come_out_as_a_table() {
    if !cfg!(target_os = "linux") {
        return;
    }
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let output = Command::new(env!("CARGO_BIN_EXE_netsieve"))
        .args(["demo", "--live"])
        .env("COLUMNS", "80")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{stdout}\n{stderr}");
    assert_eq!(stderr, "");
    let row = stdout
        .lines()
        .find(|line| line.starts_with("loopback") && line.contains(&format!("127.0.0.1:{port} ")));
    let row = row.unwrap_or_else(|| panic!("no {port} in\n{stdout}"));
    assert!(row.contains(&format!("[{}]", std::process::id())), "{row}");
    assert!(stdout.contains("(messages: 1), events out: "), "{stdout}");
    for line in stdout.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
}
