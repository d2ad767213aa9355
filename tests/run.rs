//! `run` and `check --connect` against the embedded broker.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use netsieve::kafka::mock::EmbeddedCluster;

const TOPICS: &[(&str, i32)] = &[
    ("network_connection", 4),
    ("network_connection.connections", 2),
    ("network_connection.listeners", 1),
    ("network_connection.dead_letters", 1),
];

/// Everything here ends long before, or something is wrong.
const PATIENCE: Duration = Duration::from_secs(40);

fn netsieve(cluster: &EmbeddedCluster, subcommand: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netsieve"));
    command.env_clear().stdin(Stdio::null()).args([
        subcommand,
        "--bootstrap",
        &cluster.bootstrap_servers(),
    ]);
    command
}

/// A process that is killed, by its id, when the test fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    fn start(cluster: &EmbeddedCluster, http: SocketAddr) -> Self {
        let mut command = netsieve(cluster, "run");
        command.args(["--set", &format!("http.listen={http}")]);
        // The embedded broker shows what a transaction has aborted.
        command.args(["--set", "delivery=at_least_once"]);
        Self(command.stderr(Stdio::piped()).spawn().unwrap())
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([format!("-{name}"), self.0.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
    }

    /// The exit code and what it wrote to stderr.
    fn ended(mut self) -> (Option<i32>, String) {
        let code = wait_for("the process to end", || self.0.try_wait().unwrap());
        let mut stderr = String::new();
        if let Some(mut pipe) = self.0.stderr.take() {
            pipe.read_to_string(&mut stderr).unwrap();
        }
        (code.code(), stderr)
    }
}

fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

/// Head and body of a page, where somebody serves it.
fn page(address: SocketAddr, path: &str) -> Option<(String, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.to_owned(), body.to_owned()))
}

fn wait_until_ready(address: SocketAddr) {
    wait_for("the process to be ready", || {
        let (head, _) = page(address, "/readyz")?;
        head.starts_with("HTTP/1.1 200").then_some(())
    });
}

#[test]
fn run_serves_its_pages_and_ends_in_order_when_told() {
    let cluster = EmbeddedCluster::start(TOPICS).unwrap();
    let address = free_address();
    let running = Running::start(&cluster, address);
    wait_until_ready(address);

    let status: serde_json::Value =
        serde_json::from_str(&page(address, "/status").unwrap().1).unwrap();
    let instance = status["instance"].as_str().unwrap();
    assert!(
        instance.ends_with(&format!("-{}", address.port())),
        "{status}"
    );
    assert_eq!(status["ready"], true);
    assert_eq!(status["workers"][0]["state"], "consuming");
    let metrics = page(address, "/metrics").unwrap().1;
    assert!(
        metrics.contains("netsieve_worker_up{worker=\"0\"} 1"),
        "{metrics}"
    );
    assert!(
        metrics.contains("netsieve_build_info{version="),
        "{metrics}"
    );

    let second = Running::start(&cluster, address);
    let (code, stderr) = second.ended();
    assert_eq!(code, Some(1));
    assert!(
        stderr.starts_with("netsieve: cannot serve HTTP (Address"),
        "{stderr}"
    );
    assert_eq!(stderr.lines().count(), 1, "{stderr}");

    running.signal("TERM");
    let (code, stderr) = running.ended();
    assert_eq!(code, Some(0), "{stderr}");
    for line in stderr.lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("the log is JSON");
        assert!(line["level"] != "ERROR", "{line}");
    }
    assert!(
        stderr.contains("\"draining") && stderr.contains("\"message\":\"ended\""),
        "{stderr}"
    );
}

#[test]
fn a_second_signal_ends_the_process_at_once() {
    // It waits for brokers that never answer, and so is busy when the first signal comes.
    let mut child = Command::new(env!("CARGO_BIN_EXE_netsieve"))
        .env_clear()
        .args(["run", "--bootstrap", &free_address().to_string()])
        .args(["--set", "http.listen=off"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stderr = BufReader::new(child.stderr.take().unwrap());
    let running = Running(child);
    let mut lines = stderr.lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("\"starting\"")));
    running.signal("TERM");
    assert!(lines.any(|line| line.contains("draining")));
    running.signal("INT");
    let rest: Vec<_> = lines.collect();
    let (code, _) = running.ended();
    assert_eq!(code, Some(130), "{rest:?}");
}

#[test]
fn a_topic_that_is_not_there_ends_run_with_one_line() {
    let cluster = EmbeddedCluster::start(&TOPICS[..2]).unwrap();
    let running = Running::start(&cluster, free_address());
    let (code, stderr) = running.ended();
    assert_eq!(code, Some(1), "{stderr}");
    let said: Vec<_> = stderr
        .lines()
        .filter(|line| line.starts_with("netsieve: "))
        .collect();
    assert_eq!(said.len(), 1, "{stderr}");
    assert!(said[0].contains("network_connection.listeners"), "{stderr}");
}

#[test]
fn check_looks_at_topics_and_joins_nothing() {
    let cluster = EmbeddedCluster::start(TOPICS).unwrap();
    let checked = netsieve(&cluster, "check")
        .arg("--connect")
        .output()
        .unwrap();
    let stdout = String::from_utf8(checked.stdout).unwrap();
    let stderr = String::from_utf8(checked.stderr).unwrap();
    assert_eq!(checked.status.code(), Some(0), "{stdout}{stderr}");
    for line in [
        "# connected, 1 broker",
        "# topic network_connection has 4 partitions",
        "# the group has offsets of 0 of 4 partitions",
        "# topic network_connection.connections has 2 partitions",
        "# topic network_connection.dead_letters has 1 partition",
    ] {
        assert!(
            stdout.lines().any(|found| found == line),
            "{line}: {stdout}{stderr}"
        );
    }
}

/// What `check --connect` says with a registry that gives that answer to the first request.
fn checked_with_a_registry(answer: &'static str, outputs: &[(&str, i32)]) -> (i32, String, String) {
    let cluster = EmbeddedCluster::start(outputs).unwrap();
    let registry = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", registry.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut stream, _) = registry.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut request = BufReader::new(stream.try_clone().unwrap());
        let (mut line, mut length) = (String::new(), 0);
        while request.read_line(&mut line).unwrap() > 2 {
            if let Some(given) = line.to_lowercase().strip_prefix("content-length: ") {
                length = given.trim().parse().unwrap();
            }
            line.clear();
        }
        request.read_exact(&mut vec![0; length]).unwrap();
        stream.write_all(answer.as_bytes()).unwrap();
    });
    let mut command = netsieve(&cluster, "check");
    command.args(["--connect", "--set", &format!("schema_registry.url={url}")]);
    let framed = "outputs.connections.framing=confluent";
    let checked = command.args(["--set", framed]).output().unwrap();
    server.join().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap().replace(&url, "URL");
    let code = checked.status.code().unwrap();
    (code, text(checked.stdout), text(checked.stderr))
}

#[test]
fn check_asks_the_schema_registry() {
    let known = "HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n{\"id\":7}";
    let (code, stdout, stderr) = checked_with_a_registry(known, TOPICS);
    assert_eq!(code, 0, "{stdout}{stderr}");
    let line =
        "# schema registry: subject network_connection.connections-value has the schema, id 7";
    assert!(stdout.lines().any(|found| found == line), "{stdout}");

    // What is wrong there does not keep from view what is wrong at the brokers.
    let refused = "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n";
    let (code, stdout, stderr) = checked_with_a_registry(refused, &TOPICS[..3]);
    assert_eq!(code, 1, "{stdout}{stderr}");
    let lines: Vec<_> = stderr.lines().collect();
    assert_eq!(
        lines[0],
        "netsieve: no id for the schema of subject network_connection.connections-value (401 \
         Unauthorized), URL: check schema_registry.username, its password and its rights"
    );
    assert_eq!(lines.len(), 2, "{stderr}");
    assert!(
        lines[1].contains("network_connection.dead_letters"),
        "{stderr}"
    );
}

#[test]
fn check_names_every_topic_that_is_not_there() {
    let cluster = EmbeddedCluster::start(&TOPICS[..2]).unwrap();
    let mut command = netsieve(&cluster, "check");
    command.args([
        "--connect",
        "--set",
        "source.topic=[\"network_connection\", \"^no.such\"]",
    ]);
    let checked = command.output().unwrap();
    assert_eq!(checked.status.code(), Some(1));
    let stderr = String::from_utf8(checked.stderr).unwrap();
    for missing in [
        "^no.such",
        "network_connection.listeners",
        "network_connection.dead_letters",
    ] {
        let named = stderr.lines().filter(|line| line.contains(missing));
        assert_eq!(named.count(), 1, "{missing}: {stderr}");
    }
    assert!(
        stderr.lines().all(|line| line.starts_with("netsieve: ")),
        "{stderr}"
    );
}
