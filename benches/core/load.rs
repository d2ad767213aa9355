//! What goes in, and the settings of the core.

use netsieve::pipeline::filter::{Condition, Filter};
use netsieve::pipeline::message::Input;
use netsieve::pipeline::record::Kind;
use netsieve::pipeline::settings::{Format, Key, Output, Settings};
use netsieve::proto::server;

pub(crate) fn settings() -> Settings {
    let output = |kinds: &[Kind]| Output {
        filter: Filter::new(&Condition::kinds(kinds)),
        ..Output::new(Format::Protobuf, Key::Connection)
    };
    Settings {
        outputs: vec![
            output(&[Kind::Connection, Kind::Idle]),
            output(&[Kind::Listener]),
        ],
        dead_letter_max_bytes: 1 << 20,
        ..Settings::default()
    }
}

pub(crate) fn input(value: &[u8]) -> Input<'_> {
    Input {
        value,
        key: None,
        headers: &[],
        topic: "network_connection",
        partition: 3,
        offset: 1_234_567,
        timestamp_ms: Some(1_700_000_000_000),
    }
}

/// A message of ordinary rows, as a Windows agent sends them.
pub(crate) fn message(records: usize) -> server::NetworkConnectionIngestionMessage {
    let programs = [
        "svchost.exe",
        "chrome.exe",
        "lsass.exe",
        "Teams.exe",
        "sqlservr.exe",
    ];
    let row = |index: usize| {
        let low = index % 250;
        let listener = index % 7 == 3;
        let ipv6 = index % 5 == 4;
        server::NetworkConnectionIngestion {
            local_address: match (listener, ipv6) {
                (true, true) => format!("[::]:{}", 135 + low),
                (true, false) => format!("0.0.0.0:{}", 135 + low),
                (false, true) => format!("[2001:db8::{low:x}:7]:{}", 49_152 + index % 16_000),
                (false, false) => {
                    format!(
                        "172.16.{}.{}:{}",
                        index % 200,
                        low + 1,
                        49_152 + index % 16_000
                    )
                }
            },
            remote_address: match (listener, ipv6) {
                (true, true) => "[::]:0".to_owned(),
                (true, false) => "0.0.0.0:0".to_owned(),
                (false, true) => format!("[2001:db8:42::{low:x}]:443"),
                (false, false) => format!("10.20.{}.{low}:443", index % 100),
            },
            protocol: if ipv6 { "tcp,ipv6" } else { "tcp,ipv4" }.to_owned(),
            state: if listener { "LISTENING" } else { "ESTABLISHED" }.to_owned(),
            process_id: u32::try_from(600 + index % 9_000).expect("a few thousand"),
            process_name: programs[index % programs.len()].to_owned(),
            service: String::new(),
        }
    };
    let time = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
    server::NetworkConnectionIngestionMessage {
        metadata: Some(server::Metadata {
            agent_id: "339429212".to_owned(),
            agent_type: "beacon".to_owned(),
            automated: true,
            data_type: "network_connection".to_owned(),
            source: "DC01.corp.example".to_owned(),
            project: "ASSESS-X".to_owned(),
            timestamp: time(1_700_000_000),
            expiration: time(1_800_000_000),
            message_id: "3f0c9a52-7d1e-4c55-9a55-1d9f6f2b7c11".to_owned(),
        }),
        data: (0..records).map(row).collect(),
    }
}

pub(crate) fn json_text(message: &server::NetworkConnectionIngestionMessage) -> Vec<u8> {
    let rows = message.data.iter().map(|row| {
        serde_json::json!({
            "local_address": row.local_address,
            "remote_address": row.remote_address,
            "protocol": row.protocol,
            "state": row.state,
            "process_id": row.process_id,
            "process_name": row.process_name,
        })
    });
    let metadata = message
        .metadata
        .as_ref()
        .expect("the bench's message has metadata");
    let text = serde_json::json!({
        "metadata": {
            "agent_id": metadata.agent_id,
            "agent_type": metadata.agent_type,
            "automated": metadata.automated,
            "data_type": metadata.data_type,
            "source": metadata.source,
            "project": metadata.project,
            "timestamp": "2023-11-14T22:13:20Z",
            "expiration": "2027-01-15T08:00:00Z",
            "message_id": metadata.message_id,
        },
        "data": rows.collect::<Vec<_>>(),
    });
    serde_json::to_vec(&text).expect("the message is plain JSON")
}
