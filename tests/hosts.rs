//! Three hosts as their own tools print them, and all that is found out about each row: read by
//! eye, row by row.

mod common;

use std::fmt::Write;

use common::{formats, input, run, settings};
use netsieve::pipeline::settings::Format;
use serde_json::{Value, json};

/// protocol | local | remote | state | pid | process, a row a line.
const WINDOWS_SERVER: &str = r#"
tcp,ipv4 | 0.0.0.0:135 | 0.0.0.0:0 | LISTENING | 920 | C:\Windows\System32\svchost.exe -k RPCSS -p
tcp,ipv4 | 0.0.0.0:445 | 0.0.0.0:0 | LISTENING | 4 | System
tcp,ipv4 | [::]:445 | [::]:0 | LISTENING | 4 | System
tcp,ipv4 | 0.0.0.0:3389 | 0.0.0.0:0 | LISTENING | 1184 | svchost.exe -k termsvcs
tcp,ipv4 | 127.0.0.1:8005 | 0.0.0.0:0 | LISTENING | 3120 | "C:\Program Files\Apache Tomcat\bin\tomcat9.exe" //RS//Tomcat9
tcp,ipv4 | 10.20.0.5:445 | 10.20.7.31:50211 | ESTABLISHED | 4 | System
tcp,ipv4 | 10.20.0.5:3389 | 198.51.100.77:61544 | ESTABLISHED | 1184 | svchost.exe -k termsvcs
tcp,ipv4 | 10.20.0.5:3389 | 203.0.113.9:61901 | TIME_WAIT | 0 |
tcp,ipv4 | 10.20.0.5:50110 | 8.8.4.4:443 | ESTABLISHED | 6012 | C:\Program Files\Google\Chrome\Application\chrome.exe
tcp,ipv4 | 10.20.0.5:50111 | 10.20.0.9:1433 | SYN_SENT | 3120 | tomcat9.exe
tcp,ipv4 | 127.0.0.1:50200 | 127.0.0.1:8005 | ESTABLISHED | 5500 | powershell.exe -File stop.ps1
tcp,ipv4 | 127.0.0.1:8005 | 127.0.0.1:50200 | ESTABLISHED | 3120 | tomcat9.exe
udp,ipv4 | 0.0.0.0:123 | *:* | | 1050 | svchost.exe
udp,ipv4 | [fe80::1c2d:3e4f%9]:1900 | *:* | | 2044 | svchost.exe
udp,ipv4 | 10.20.0.5:58123 | *:* | | 6012 | chrome.exe
"#;

const LINUX_ROUTER: &str = "
tcp | *:22 | *:* | LISTEN | 812 | /usr/sbin/sshd -D
tcp | 127.0.0.53%lo:53 | 0.0.0.0:* | LISTEN | 640 | systemd-resolve
tcp | 8.8.8.8:80 | 0.0.0.0:* | LISTEN | 900 | nginx: master process
tcp | 8.8.8.8:80 | 0.0.0.0:* | LISTEN | 901 | nginx: worker process
tcp | 8.8.8.8:80 | 9.9.9.9:41000 | ESTAB | 901 | nginx: worker process
tcp | 8.8.8.8:80 | 9.9.9.9:41001 | SYN-RECV | |
tcp | 8.8.8.8:80 | 9.9.9.9:41002 | TIME-WAIT | |
tcp | [::ffff:10.0.0.1]:22 | [::ffff:10.0.0.7]:55000 | ESTAB | |
tcp | [fd00::1]:22 | [fd00::7]:55001 | ESTAB | 5120 | sshd: alice [priv]
tcp | 10.0.0.1:48000 | 10.0.0.8:48001 | ESTAB | 77 | /usr/bin/python3 /srv/sync.py
udp | 0.0.0.0%eth0:68 | 0.0.0.0:* | UNCONN | 500 | dhclient
udp | 10.0.0.1%eth0:68 | 10.0.0.254:67 | ESTAB | 500 | dhclient
udp | [fe80::1]%eth0:546 | *:* | UNCONN | 501 | dhclient
udp | 10.0.0.1:45000 | 8.8.4.4:53 | ESTAB | 640 | systemd-resolve
raw6 | [::]:ipv6-icmp | *:* | UNCONN | 502 | radvd
icmp,ipv4 | 10.0.0.1 | 10.0.0.9 | | 0 | [kworker/0:1]
";

const MAC_LAPTOP: &str = "
tcp46 | *.5900 | *.* | LISTEN | 210 | /System/Library/CoreServices/RemoteManagement/screensharingd
tcp4 | 192.168.1.20.5900 | 192.168.1.30.53111 | ESTABLISHED | 210 | screensharingd
tcp6 | fd12::20.5900 | fd12::30.53112 | ESTABLISHED | 210 | screensharingd
tcp4 | 192.168.1.20.60123 | 17.57.144.20.5223 | ESTABLISHED | 300 | /System/Library/PrivateFrameworks/ApplePushService.framework/apsd
tcp4 | 192.168.1.20.60124 | 93.184.215.14.443 | ESTABLISHED | 411 | /Applications/Google Chrome.app/Contents/MacOS/Google Chrome --type=utility
tcp6 | 2001:0:4136:e378:8000:63bf:3fff:fdd2.60125 | 64:ff9b::5db8:d70e.443 | ESTABLISHED | 411 | Google
tcp4 | localhost.60126 | localhost.ipp | ESTABLISHED | 411 | Google
udp46 | *.5353 | *.* | | 190 | mDNSResponder
";

fn rows(text: &str) -> Vec<Value> {
    let lines = text.lines().filter(|line| !line.is_empty());
    let row = |line: &str| {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let [protocol, local, remote, state, pid, name] = cells[..] else {
            panic!("{line}");
        };
        json!({
            "protocol": protocol, "local_address": local, "remote_address": remote,
            "state": state, "process_id": pid, "process_name": name,
        })
    };
    lines.map(row).collect()
}

/// What was found out, a line an event; what the row says itself is left out.
fn found(text: &str) -> String {
    let message = json!({
        "metadata": {
            "agent_id": "339429212", "agent_type": "beacon", "project": "ASSESS-X",
            "data_type": "network_connection", "source": "DC",
            "timestamp": "2023-11-14T22:00:00Z", "expiration": "2033-11-14T22:00:00Z",
        },
        "data": rows(text),
    });
    let message = serde_json::to_vec(&message).expect("plain JSON");
    let outcome = run(&input(&message, &[]), &settings(Format::Json));
    assert_eq!(outcome.letters, []);
    let judged = formats::judge(&input(&message, &[]), &settings(Format::Json));
    assert_eq!(judged.len(), outcome.events.len());
    let events = outcome.events.iter().map(|event| line(event));
    events.collect::<Vec<_>>().join("\n")
}

fn line(event: &[u8]) -> String {
    let event: Value = serde_json::from_slice(event).expect("events are JSON");
    let origin = &event["origin"];
    let sent = |key: &str| origin[key].as_str().unwrap_or("-").to_owned();
    let mut line = format!("{} -> {}", sent("local_address"), sent("remote_address"));
    for part in [
        "local",
        "remote",
        "direction",
        "process",
        "peer_process",
        "listener",
    ] {
        let Some(members) = event[part].as_object() else {
            continue;
        };
        let known = ["ip", "port", "zone", "name"];
        let of_row = |key: &str| known.contains(&key) || (part == "process" && key == "pid");
        let found: Vec<_> = members
            .iter()
            .filter(|(key, _)| !of_row(key) || event[part]["pid_inferred"] == true)
            .map(|(key, value)| format!("{key}={}", value.to_string().trim_matches('"')))
            .collect();
        write!(line, "\n    {part}: {}", found.join(" ")).expect("a string grows");
    }
    if let Some(id) = event["community_id"].as_str() {
        write!(line, "\n    {id}").expect("a string grows");
    }
    line
}

#[test]
fn a_windows_server() {
    insta::assert_snapshot!(found(WINDOWS_SERVER));
}

#[test]
fn a_linux_router() {
    insta::assert_snapshot!(found(LINUX_ROUTER));
}

#[test]
fn a_mac() {
    insta::assert_snapshot!(found(MAC_LAPTOP));
}
