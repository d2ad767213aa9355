//! What the tools of this machine print, where it has them, and its own /proc.

#![expect(clippy::print_stderr, reason = "a skipped test says so")]

use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::Command;

use netsieve::intake::{self, Kind, Reading};

use super::{json, messages, outcomes, read};

/// Sockets of this process that every tool must show.
struct Sockets {
    listener: TcpListener,
    caller: TcpStream,
    _accepted: TcpStream,
    datagrams: UdpSocket,
}

impl Sockets {
    fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let caller = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        Self {
            listener,
            caller,
            _accepted: accepted,
            datagrams: UdpSocket::bind("[::1]:0").unwrap(),
        }
    }

    /// Looks for the sockets among the events; `process` tells whether they are this process's.
    fn are_in(&self, reading: &Reading, process: bool) {
        let messages = messages(reading);
        assert_eq!(messages.len(), 1, "a snapshot stays together");
        let outcome = outcomes(&messages).remove(0);
        assert_eq!(outcome.letters, [], "every row is an event");
        let events: Vec<_> = outcome.events.iter().map(|event| json(event)).collect();
        let address = |of: std::io::Result<std::net::SocketAddr>| {
            let of = of.unwrap();
            (of.ip().to_string(), of.port())
        };
        let listener = address(self.listener.local_addr());
        let caller = address(self.caller.local_addr());
        let datagrams = address(self.datagrams.local_addr());
        // A busy machine may have an old connection on one of the ports: both ends tell.
        let established = Some("ESTABLISHED");
        for (transport, kind, state, (ip, port), remote) in [
            ("tcp", "listener", Some("LISTEN"), &listener, None),
            ("tcp", "connection", established, &listener, Some(caller.1)),
            ("tcp", "connection", established, &caller, Some(listener.1)),
            ("udp", "listener", None, &datagrams, None),
        ] {
            let found = events.iter().find(|event| {
                event["transport"] == transport
                    && event["kind"] == kind
                    && event["local"]["ip"] == **ip
                    && event["local"]["port"] == *port
                    && remote.is_none_or(|remote| event["remote"]["port"] == remote)
            });
            let what = format!("{transport} {kind} {ip} {port}");
            let found = found.unwrap_or_else(|| panic!("no {what}"));
            assert_eq!(found["state"].as_str(), state, "{what}");
            if process {
                assert_eq!(found["process"]["pid"], std::process::id(), "{what}");
                let name = found["process"]["name"].as_str().unwrap_or_default();
                assert!(name.contains("intake"), "{what}: {name}");
            }
        }
    }
}

/// What a tool prints, or nothing where it is not there.
fn printed(tool: &str, options: &str) -> Option<Vec<u8>> {
    let Ok(output) = Command::new(tool).arg(options).output() else {
        eprintln!("skipped: no {tool} on this machine");
        return None;
    };
    assert!(output.status.success(), "{tool} {options}");
    Some(output.stdout)
}

fn is_linux() -> bool {
    let is_linux = cfg!(target_os = "linux");
    if !is_linux {
        eprintln!("skipped: this machine has other tools of these names");
    }
    is_linux
}

#[test]
fn ss_of_this_machine() {
    let sockets = Sockets::open();
    for options in ["-tunap", "-tuap", "-tunapieom", "-tunapH", "-tunapO"] {
        if !is_linux() {
            return;
        }
        let Some(bytes) = printed("ss", options) else {
            return;
        };
        let (kind, reading) = read(&bytes);
        assert_eq!(kind, Kind::Ss);
        assert_eq!(reading.unread, [], "{options}");
        if options.contains('n') {
            sockets.are_in(&reading, true);
        }
    }
}

#[test]
fn netstat_of_this_machine() {
    let sockets = Sockets::open();
    for options in ["-tunap", "-tunapW", "-tunapeo", "-anp"] {
        if !is_linux() {
            return;
        }
        let Some(bytes) = printed("netstat", options) else {
            return;
        };
        let (kind, reading) = read(&bytes);
        assert_eq!(kind, Kind::LinuxNetstat);
        assert_eq!(reading.unread, [], "{options}");
        sockets.are_in(&reading, true);
    }
}

#[test]
fn proc_net_of_this_machine() {
    if !is_linux() {
        return;
    }
    let sockets = Sockets::open();
    let tables = ["tcp", "tcp6", "udp", "udp6"];
    let texts = tables.map(|table| std::fs::read(format!("/proc/net/{table}")).unwrap_or_default());
    let (kind, reading) = read(&texts.concat());
    assert_eq!(kind, Kind::ProcNet);
    assert_eq!(reading.unread, []);
    sockets.are_in(&reading, false);
}

#[test]
fn this_host_live() {
    if !is_linux() {
        assert!(
            intake::live()
                .unwrap_err()
                .to_string()
                .contains("netstat -an")
        );
        return;
    }
    let sockets = Sockets::open();
    let reading = intake::live().unwrap();
    assert_eq!(reading.unread, []);
    sockets.are_in(&reading, true);
}
