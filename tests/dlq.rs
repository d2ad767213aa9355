//! `dlq ls`, `show` and `replay --dry-run` against the embedded broker, on dead letters as the
//! core makes them.

mod common;

use std::fmt::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{NOW_MS, run, settings};
use netsieve::kafka::mock::EmbeddedCluster;
use netsieve::pipeline::message::Input;
use netsieve::pipeline::settings::Format;
use netsieve::proto::server;
use prost::Message as _;
use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

const SOURCE: &str = "network_connection";
const DEAD_LETTERS: &str = "network_connection.dead_letters";
const METADATA: &str = r#""metadata":{"agent_id":"339429212","agent_type":"beacon","automated":true,"data_type":"network_connection","project":"ASSESS-X","source":"DC","timestamp":"2023-11-14T22:13:00Z","expiration":"2030-01-01T00:00:00Z"}"#;

/// One dead letter as it is produced.
struct Letter {
    key: Option<Vec<u8>>,
    value: Vec<u8>,
    headers: Vec<(String, Option<Vec<u8>>)>,
    timestamp_ms: i64,
}

fn letters() -> Vec<Letter> {
    let rows = r#"{"local_address":"10.0.0.1:52279","remote_address":"10.0.0.2:80","state":"ESTABLISHED"},{"local_address":"10.0.0.1:445","protocol":"tcp,ipv4","state":"LISTEN"},{"local_address":"10.0.0.1","remote_address":"evil\u001b[2J","protocol":"tcp,ipv4"}"#;
    let json = format!("{{{METADATA},\"data\":[{rows}]}}").into_bytes();
    let protobuf = server::NetworkConnectionIngestionMessage {
        metadata: Some(server::Metadata {
            agent_id: "7".to_owned(),
            project: "ASSESS-X".to_owned(),
            timestamp: Some(prost_types::Timestamp {
                seconds: NOW_MS / 1_000,
                nanos: 0,
            }),
            ..Default::default()
        }),
        data: vec![server::NetworkConnectionIngestion {
            local_address: "[::1]:53".to_owned(),
            process_id: 4,
            ..Default::default()
        }],
    };
    let no_project =
        br#"{"metadata":{"agent_id":"8","timestamp":"2023-11-14T22:13:00Z"},"data":[]}"#;
    let values = [
        (json, 0),
        (protobuf.encode_to_vec(), 3_600_000),
        (no_project.to_vec(), 86_400_000),
        (b"GET / HTTP/1.1".to_vec(), 86_400_000),
    ];
    let mut all = Vec::new();
    for (offset, (value, later_ms)) in (70..).zip(values) {
        let headers = [("x-sender", Some(&b"agent"[..]))];
        let input = Input {
            value: &value,
            key: Some(b"339429212"),
            headers: &headers,
            topic: SOURCE,
            partition: 2,
            offset,
            timestamp_ms: Some(NOW_MS + later_ms),
        };
        let letters = run(&input, &settings(Format::Json)).letters;
        all.extend(letters.into_iter().map(|letter| Letter {
            key: Some(b"339429212".to_vec()),
            value: letter.value,
            headers: letter.headers,
            timestamp_ms: NOW_MS + later_ms,
        }));
    }
    let with = |name: &str, value: &str| {
        let mut headers = all[0].headers.clone();
        headers.retain(|(of, _)| of != name);
        headers.push((name.to_owned(), Some(value.as_bytes().to_vec())));
        Letter {
            key: None,
            value: all[0].value.clone(),
            headers,
            timestamp_ms: NOW_MS,
        }
    };
    let odd = [
        with("netsieve.attempt", "5"),
        with("netsieve.truncated", "2000000"),
        with("__connect.errors.topic", "payments"),
    ];
    all.extend(odd);
    all
}

fn cluster(letters: &[Letter]) -> EmbeddedCluster {
    let topics = [
        (SOURCE, 4),
        ("network_connection.connections", 1),
        ("network_connection.listeners", 1),
        (DEAD_LETTERS, 1),
    ];
    let cluster = EmbeddedCluster::start(&topics).unwrap();
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", cluster.bootstrap_servers())
        .set("enable.idempotence", "true")
        .create()
        .unwrap();
    for letter in letters {
        let headers = letter.headers.iter();
        let headers = headers.fold(OwnedHeaders::new(), |all, (key, value)| {
            let value = value.as_ref();
            all.insert(Header { key, value })
        });
        let mut record = BaseRecord::to(DEAD_LETTERS)
            .timestamp(letter.timestamp_ms)
            .payload(&letter.value)
            .headers(headers);
        if let Some(key) = &letter.key {
            record = record.key(key);
        }
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(Duration::from_secs(20)).unwrap();
    cluster
}

/// What the command says: the exit code, stdout and stderr.
fn dlq(cluster: &EmbeddedCluster, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netsieve"));
    command.env_clear().stdin(Stdio::null()).arg("dlq");
    command.args(arguments);
    command.args(["--bootstrap", &cluster.bootstrap_servers()]);
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| {
        let text = String::from_utf8(bytes).unwrap();
        let bootstrap = cluster.bootstrap_servers();
        text.replace(&bootstrap, "BOOTSTRAP")
            .replace(env!("CARGO_PKG_VERSION"), "VERSION")
    };
    let code = output.status.code();
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    format!(
        "$ netsieve dlq {}\n{stderr}{stdout}exit {code:?}\n",
        arguments.join(" ")
    )
}

#[test]
fn counts() {
    let cluster = cluster(&letters());
    let outputs = [
        dlq(&cluster, &["ls"]),
        dlq(&cluster, &["ls", "--json", "--per", "hour"]),
        dlq(&cluster, &["ls", "--json", "--agent", "7"]),
        dlq(
            &cluster,
            &[
                "ls",
                "--top",
                "1",
                "--level",
                "record",
                "--until",
                "2023-11-15",
            ],
        ),
        dlq(&cluster, &["ls", "--offsets", "0:3-4", "--json"]),
        dlq(&cluster, &["ls", "--reason", "expired"]),
    ];
    insta::assert_snapshot!(outputs.join("\n"));
}

#[test]
fn shown_whole() {
    let cluster = cluster(&letters());
    let outputs = [
        dlq(&cluster, &["show", "--limit", "4"]),
        dlq(&cluster, &["show", "--offset", "0:2", "--raw", "hex"]),
        dlq(&cluster, &["show", "--offset", "0:4", "--raw", "none"]),
        dlq(&cluster, &["show", "--offset", "0:2,0:4", "--json"]),
        dlq(&cluster, &["show", "--reason", "expired"]),
    ];
    insta::assert_snapshot!(outputs.join("\n"));
}

#[test]
fn tried_out() {
    let cluster = cluster(&letters());
    let missing = ["replay", "--dry-run", "--reason", "missing_protocol"];
    let outputs = [
        dlq(&cluster, &missing),
        dlq(
            &cluster,
            &[
                &missing[..],
                &["--mend", "data.protocol=tcp,ipv4", "--offset", "0:0"],
            ]
            .concat(),
        ),
        dlq(
            &cluster,
            &[
                &missing[..],
                &[
                    "--mend",
                    "protocol=tcp,ipv6",
                    "--topic",
                    "network_connection",
                    "--max-attempts",
                    "9",
                    "--samples",
                    "0",
                ],
            ]
            .concat(),
        ),
        dlq(
            &cluster,
            &[
                "replay",
                "--dry-run",
                "--level",
                "message",
                "--mend",
                "metadata.project=ASSESS-X",
            ],
        ),
    ];
    insta::assert_snapshot!(outputs.join("\n"));
}

#[test]
fn errors_are_one_line() {
    let cluster = cluster(&[]);
    let outputs = [
        dlq(&cluster, &["ls"]),
        dlq(&cluster, &["ls", "--reason", "nonsense"]),
        dlq(&cluster, &["ls", "--since", "yesterday"]),
        dlq(&cluster, &["show", "--offset", "0:x"]),
        dlq(&cluster, &["replay", "--mend", "data.protocl=tcp"]),
        dlq(&cluster, &["replay", "--mend", "data.process_id=many"]),
        dlq(&cluster, &["replay", "--topic", DEAD_LETTERS]),
        dlq(&cluster, &["replay", "--name", "a b"]),
        dlq(&cluster, &["ls", "--set", "dead_letters.topic=nowhere"]),
        dlq(&cluster, &["ls", "--set", "workers=0"]),
    ];
    insta::assert_snapshot!(outputs.join("\n"));
}

#[test]
fn the_page_shows_true_output() {
    const BEGIN: &str = "<!-- command: begin -->\n";
    const END: &str = "<!-- command: end -->\n";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/dead-letters.md");
    let found = std::fs::read_to_string(path).unwrap();
    let cluster = cluster(&letters());
    let mend = ["--mend", "data.protocol=tcp,ipv4"];
    let commands = [
        vec!["ls"],
        vec!["ls", "--reason", "missing_protocol", "--json"],
        vec!["show", "--offset", "0:0"],
        [
            &["replay", "--reason", "missing_protocol"][..],
            &mend,
            &["--dry-run", "--samples", "1"],
        ]
        .concat(),
    ];
    let mut parts = found.split(BEGIN);
    let mut page = parts.next().unwrap().to_owned();
    for (part, command) in parts.zip(&commands) {
        let (_, after) = part.split_once(END).expect("what begins ends");
        let said = dlq(&cluster, command);
        let said = said.strip_suffix("exit Some(0)\n").expect("it goes well");
        let said = said.trim_end();
        write!(page, "{BEGIN}\n```console\n{said}\n```\n\n{END}{after}").unwrap();
    }
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    let found = std::fs::read_to_string(path).unwrap();
    assert_eq!(found.matches(BEGIN).count(), commands.len());
    assert!(
        found == page,
        "docs/dead-letters.md is not what the commands say; UPDATE_DOCS=1 cargo test --test dlq rewrites it"
    );
}
