//! A handful of rows as tools print them, each with what the demo promises to make of it.

use serde_json::json;

use crate::cli::feed::Message;
use crate::generate::SEQUENCE_HEADER;

/// A row of the built-in message.
pub(super) struct Row {
    /// The tool that prints rows like it.
    pub(super) tool: &'static str,
    pub(super) local: &'static str,
    pub(super) remote: &'static str,
    pub(super) protocol: &'static str,
    pub(super) state: &'static str,
    pub(super) process: &'static str,
    /// The code that it is rejected with, unless it becomes an event.
    pub(super) rejected: Option<&'static str>,
}

macro_rules! rows {
    ($($tool:literal $local:literal $remote:literal $protocol:literal $state:literal
       $process:literal $rejected:expr;)*) => {
        &[$(Row {
            tool: $tool, local: $local, remote: $remote, protocol: $protocol, state: $state,
            process: $process, rejected: $rejected,
        }),*]
    };
}

/// The built-in rows.
pub(super) const ROWS: &[Row] = rows! {
    "netstat, Windows" "172.16.111.218:52279" "203.0.113.80:443" "tcp,ipv4" "ESTABLISHED"
        "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe" None;
    "netstat, Windows" "[fe80::244e:2f1e:2096:62b2%9]:1900" "*:*" "udp,ipv6" "" "svchost.exe" None;
    "ss, Linux" "127.0.0.53%lo:53" "0.0.0.0:*" "udp" "UNCONN" "systemd-resolve" None;
    "netstat, Linux" "2a00:1450:4001:82a::443" ":::*" "tcp6" "LISTEN" "" None;
    "netstat, macOS" "192.168.1.221.5486" "198.51.100.26.443" "tcp4" "FIN_WAIT_2" "apsd" None;
    "/proc/net/tcp" "3500007F:0035" "00000000:0000" "tcp,ipv4" "listen" "systemd-resolve" None;
    "Seatbelt" "[::ffff:10.0.0.5]:445" "[::ffff:10.0.0.77]:51234" "tcp,ipv6" "ESTAB" "System" None;
    "netstat, Windows" "0.0.0.0:445" "0.0.0.0:0" "tcp,ipv4" "LISTENING" "System" None;
    "a link sensor" "172.16.111.218:52279,00-0D-3A-13-E3-69" "203.0.113.80:443,001b.210a.c47e"
        "tcp,ipv4,ethernet" "ESTABLISHED" "" None;
    "a broken parser" "10.0.0.1:99999" "10.0.0.2:80" "tcp,ipv4" "ESTABLISHED" "curl"
        Some("invalid_local_address");
    "a broken parser" "10.0.0.1:50000" "10.0.0.2:80" "" "ESTABLISHED" "curl"
        Some("missing_protocol");
};

/// Sequence number of the built-in message: no generated one comes so far.
pub(super) const SEQUENCE: u64 = u64::MAX;

/// The built-in rows as one message, sent at that time. What its events must say is not
/// foretold, only which rows become events.
pub(super) fn message(now: jiff::Timestamp) -> Message {
    let rows: Vec<_> = ROWS
        .iter()
        .map(|row| {
            json!({
                "local_address": row.local, "remote_address": row.remote,
                "protocol": row.protocol, "state": row.state, "process_name": row.process,
            })
        })
        .collect();
    let sent = now.to_string();
    let expiration = (now + jiff::Span::new().hours(24 * 30)).to_string();
    let value = json!({
        "metadata": {
            "agent_id": "demo", "agent_type": "beacon", "automated": true,
            "data_type": "network_connection", "source": "DEMO", "project": "DEMO",
            "timestamp": sent, "expiration": expiration,
            "message_id": "demo",
        },
        "data": rows,
    });
    Message {
        key: "demo".to_owned(),
        headers: vec![(
            SEQUENCE_HEADER.to_owned(),
            Some(SEQUENCE.to_string().into_bytes()),
        )],
        timestamp_ms: now.as_millisecond(),
        value: value.to_string().into_bytes(),
    }
}
