//! What `check --connect` says to each fault, on a cluster with access control: one line each.

use std::process::Command;

use crate::guarded::Guarded;
use crate::proof::checker::Promise;
use crate::proof::process::Process;
use crate::proof::stage::SOURCE_PARTITIONS;
use crate::stage::Stage;

/// What a check has said.
pub(crate) struct Checked {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// Runs a check with that configuration.
pub(crate) fn check(guarded: &Guarded, config: &str, settings: &[&str]) -> Checked {
    let path = guarded.file("check.toml", config);
    let mut command = Command::new(env!("CARGO_BIN_EXE_netsieve"));
    command.env_clear().envs(guarded.environment());
    command.arg("check").arg("--config").arg(path);
    command.args(["--connect", "--timeout", "3", "--set", "instance=a"]);
    for setting in settings {
        command.args(["--set", setting]);
    }
    let output = command.output().unwrap();
    let checked = Checked {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    };
    let said = checked.stdout.clone() + &checked.stderr;
    assert!(!said.contains(guarded.password()), "it shows the password");
    checked
}

impl Checked {
    /// It found nothing wrong.
    pub(crate) fn is_well(&self) {
        assert_eq!((self.code, self.stderr.as_str()), (Some(0), ""));
    }

    /// It found exactly this wrong.
    fn says(&self, line: &str) {
        let line = format!("netsieve: {line}\n");
        assert_eq!((self.code, self.stderr.as_str()), (Some(1), line.as_str()));
    }

    /// It found one thing wrong, in which these words occur.
    pub(crate) fn says_among_others(&self, parts: &[&str]) {
        assert_eq!(self.code, Some(1), "{}", self.stderr);
        assert_eq!(self.stderr.lines().count(), 1, "{}", self.stderr);
        for part in parts {
            assert!(self.stderr.contains(part), "no `{part}`: {}", self.stderr);
        }
    }
}

#[test]
#[ignore = "needs a real cluster: ./with-kafka cargo test --test kafka -- --include-ignored"]
fn check_names_each_missing_right() {
    let guarded = Guarded::new();
    let stage = guarded.stage("rights");
    let name = stage.name.clone();
    guarded.grant_all(&stage);
    let twice = guarded.config(&stage, "exactly_once", "sasl_plaintext");
    check(&guarded, &twice, &[]).is_well();
    let once = guarded.config(&stage, "at_least_once", "sasl_plaintext");
    check(&guarded, &once, &[]).is_well();

    let connections = format!("{name}.connections");
    let dead_letters = format!("{name}.dead_letters");
    let id = "--resource-pattern-type prefixed --transactional-id netsieve-";
    let missing = |what: String| {
        let at = guarded.address("SASL");
        format!("a right is missing ({what}), {at}: grant it to this principal")
    };
    for (right, what) in [
        (
            "--operation Read --topic network_connection".to_owned(),
            format!("READ on source topic {name}, not even DESCRIBE; it may also not exist"),
        ),
        (
            "--operation Read --group netsieve".to_owned(),
            format!("READ on group {name}, not even DESCRIBE"),
        ),
        (
            format!("--operation Write --topic {connections}"),
            format!(
                "WRITE on output topic {connections}, not even DESCRIBE; it may also not exist"
            ),
        ),
        (
            format!("--operation Write --topic {dead_letters}"),
            format!(
                "WRITE on dead-letter topic {dead_letters}, not even DESCRIBE; it may also not exist"
            ),
        ),
        (
            format!("--operation Write {id}"),
            format!("WRITE on transactional id {name}-a-0-check"),
        ),
    ] {
        let is_transactional = right.contains(id);
        // DESCRIBE_CONFIGS implies DESCRIBE: without both, the brokers say nothing of a topic.
        let and = if right.contains("Write --topic") {
            format!("{right} --operation DescribeConfigs")
        } else {
            right.clone()
        };
        guarded.change(&stage, "remove", &and);
        check(&guarded, &twice, &[]).says(&missing(what.clone()));
        if is_transactional {
            check(&guarded, &once, &[]).is_well();
        }
        // What may be described need not be allowed.
        let described = right
            .replace("Write", "Describe")
            .replace("Read", "Describe");
        guarded.change(&stage, "add", &described);
        let what = what.replace("; it may also not exist", "");
        let what = what.replace(", not even DESCRIBE", "");
        check(&guarded, &twice, &[]).says(&missing(what));
        guarded.change(&stage, "remove", &described);
        guarded.change(&stage, "add", &and);
    }
    check(&guarded, &twice, &[]).is_well();
    let others = check(&guarded, &twice, &["source.group=other"]);
    assert_eq!(others.stderr.lines().count(), 2, "{}", others.stderr);
}

#[test]
#[ignore = "needs a real cluster: ./with-kafka cargo test --test kafka -- --include-ignored"]
fn check_names_what_is_missing_or_too_small() {
    let guarded = Guarded::new();
    let stage = guarded.stage("small");
    let name = stage.name.clone();
    guarded.grant_all(&stage);
    let config = guarded.config(&stage, "exactly_once", "sasl_ssl");
    let at = guarded.address("SSL");

    let more = format!("workers={}", SOURCE_PARTITIONS + 1);
    check(&guarded, &config, &[&more]).says(&format!(
        "the source has {SOURCE_PARTITIONS} partitions for {} workers, so that some have nothing to do, {name}: add partitions, or set `workers` to {SOURCE_PARTITIONS} at most",
        SOURCE_PARTITIONS + 1
    ));
    let gone = format!("{name}.gone");
    guarded.change(&stage, "add", &format!("--operation Write --topic {gone}"));
    let setting = format!("dead_letters.topic={gone}");
    check(&guarded, &config, &[&setting]).says(&format!(
        "dead-letter topic {gone} does not exist, {at}: create it (kafka-topics.sh --bootstrap-server {at} --create --topic {gone}) or correct its name"
    ));
    let limit = |topic: &str, bytes: usize| {
        let topic = format!("kafka-configs --alter --entity-type topics --entity-name {topic}");
        let line = format!("{topic} --add-config max.message.bytes={bytes}");
        guarded.sh(&line, &stage);
    };
    limit(&format!("{name}.listeners"), 60_000);
    check(&guarded, &config, &[]).says(&format!(
        "records of up to 60000 bytes are taken, validate.max_event_bytes allows 921600, output topic {name}.listeners: raise its max.message.bytes, or lower validate.max_event_bytes"
    ));
    check(&guarded, &config, &["validate.max_event_bytes=60000"]).is_well();
    limit(&format!("{name}.listeners"), 1_048_588);
    limit(&format!("{name}.dead_letters"), 60_000);
    check(&guarded, &config, &[]).says(&format!(
        "records of up to 60000 bytes are taken, validate.max_metadata_bytes allows 65536, dead-letter topic {name}.dead_letters: raise its max.message.bytes, or lower validate.max_metadata_bytes"
    ));
}

#[test]
#[ignore = "needs a real cluster: ./with-kafka cargo test --test kafka -- --include-ignored"]
fn check_names_why_it_is_not_let_in() {
    let guarded = Guarded::new();
    let stage = guarded.stage("door");
    let (plain, tls) = (guarded.address("SASL"), guarded.address("SSL"));
    let config = |example: &str| guarded.config(&stage, "exactly_once", example);
    let refused = |reason: &str, at: &str| {
        let remedy = "check sasl.username, sasl.password, sasl.mechanisms and security.protocol";
        let end = format!("{at}: {remedy}");
        (
            reason.to_owned(),
            "the connection was refused (".to_owned(),
            end,
        )
    };
    let unanswered = |reason: &str, at: &str| {
        let remedy = "check the address, that the brokers are up, and that this listener speaks what security.protocol says";
        let end = format!("{at}: {remedy}");
        (
            reason.to_owned(),
            "no broker answered within 3 s (".to_owned(),
            end,
        )
    };
    let untrusted = |reason: &str, at: &str| {
        let remedy = "check ssl.ca.location, that the broker's certificate names this address and is not expired, and";
        let end = format!("{at}: {remedy}");
        (reason.to_owned(), "TLS failed (".to_owned(), end)
    };
    // It is closed again at once.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .unwrap()
        .to_string();
    let (wrong, of_another) = ("kafka.sasl.password=wrong", of_another_authority(&guarded));
    let elsewhere = format!("kafka.bootstrap={nobody}");
    let (to_plain, to_tls) = (
        format!("kafka.bootstrap={plain}"),
        format!("kafka.bootstrap={tls}"),
    );
    for (example, settings, (reason, begin, end)) in [
        (
            "sasl_plaintext",
            &[wrong][..],
            refused("invalid credentials", plain),
        ),
        (
            "sasl_ssl",
            &["kafka.producer.sasl.password=wrong"],
            refused("invalid credentials", tls),
        ),
        (
            "sasl_ssl",
            &[&of_another],
            untrusted("certificate verify failed", tls),
        ),
        (
            "sasl_plaintext",
            &["kafka.sasl.mechanisms=PLAIN"],
            refused("Unsupported SASL mechanism", plain),
        ),
        (
            "sasl_ssl",
            &[&elsewhere],
            unanswered("Connection refused", &nobody),
        ),
        (
            "sasl_ssl",
            &[&to_plain],
            unanswered("connecting to a PLAINTEXT", plain),
        ),
        (
            "sasl_plaintext",
            &[&to_tls],
            unanswered("connection closed by peer", tls),
        ),
        (
            "sasl_plaintext",
            &["kafka.security.protocol=PLAINTEXT"],
            unanswered("(after ", plain),
        ),
    ] {
        let checked = check(&guarded, &config(example), settings);
        checked.says_among_others(&[&begin, &reason, &end]);
    }
}

/// The setting of an authority that has signed nothing here.
fn of_another_authority(guarded: &Guarded) -> String {
    let path = guarded.file("other-ca.pem", "");
    let mut command = Command::new("openssl");
    command.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-nodes",
        "-subj",
        "/CN=other",
    ]);
    command.args([
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-keyout",
        "/dev/null",
    ]);
    let made = command.arg("-out").arg(&path).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    format!("kafka.ssl.ca.location={}", path.display())
}

#[test]
#[ignore = "needs a real cluster: ./with-kafka cargo test --test kafka -- --include-ignored"]
fn a_check_beside_a_running_instance_disturbs_nothing() {
    let guarded = Guarded::new();
    for protocol in ["classic", "consumer"] {
        let mut stage = guarded.stage(&format!("beside-{protocol}"));
        guarded.grant_all(&stage);
        let config = guarded.config(&stage, "exactly_once", "sasl_ssl");
        let protocol = format!("kafka.group_protocol={protocol}");
        let settings = [protocol.as_str(), "commit.max_records=5"];
        let process = Process::start_with(&config, "a", &settings, &guarded.environment());
        stage.feed(200);
        stage.wait_for_all();
        let before = changes(&stage, &process);
        for _ in 0..5 {
            stage.feed(200);
            check(&guarded, &config, &settings).is_well();
        }
        stage.wait_for_all();
        // Who was fenced or missed a rebalance would find out by now: it has committed since.
        assert_eq!(changes(&stage, &process), before, "{}", process.log());
        process.stop();
        stage.check(Promise::ExactlyOnce);
    }
}

/// How often the instance was given partitions, fenced, or sent back.
fn changes(stage: &Stage, process: &Process) -> usize {
    let log = process.log();
    assert!(log.contains(&stage.name), "it logs");
    let signs = [
        "partition assigned",
        "partition revoked",
        "fenced",
        "going back",
        "anew",
    ];
    signs.iter().map(|sign| log.matches(sign).count()).sum()
}
