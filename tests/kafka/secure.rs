//! `run` with SCRAM and PLAIN, with and without TLS, with no more rights than the page on security
//! says.

use std::time::{Duration, Instant};

use crate::faults::check;
use crate::guarded::Guarded;
use crate::proof::checker::Promise;
use crate::proof::process::Process;
use crate::proof::stage::PATIENCE;

const MESSAGES: usize = 500;

/// Runs the load through a processor that was told what the page says.
fn pass(test: &str, delivery: &str, example: &str, promise: Promise) {
    let guarded = Guarded::new();
    let mut stage = guarded.stage(test);
    guarded.grant_all(&stage);
    let config = guarded.config(&stage, delivery, example);
    let settings = ["workers=2", "log.level=debug"];
    stage.feed(MESSAGES / 2);
    let process = Process::start_with(&config, "a", &settings, &guarded.environment());
    stage.feed(MESSAGES / 2);
    stage.wait_for_all();
    let log = process.log();
    process.stop();
    assert!(!log.contains(guarded.password()), "it logs the password");
    // All topics were said to take what they take: the right to ask was used.
    assert!(!log.contains("max.message.bytes is not told"), "{log}");
    stage.check(promise);
}

#[test]
#[ignore = "needs a real cluster: ./with-kafka cargo test --test kafka -- --include-ignored"]
fn exactly_once_by_scram_over_tls() {
    pass(
        "tls-exactly",
        "exactly_once",
        "sasl_ssl",
        Promise::ExactlyOnce,
    );
}

#[test]
#[ignore = "needs a real cluster: ./with-kafka cargo test --test kafka -- --include-ignored"]
fn exactly_once_by_scram_without_tls() {
    let example = "sasl_plaintext";
    pass(
        "scram-exactly",
        "exactly_once",
        example,
        Promise::ExactlyOnce,
    );
}

#[test]
#[ignore = "needs a real cluster: ./with-kafka cargo test --test kafka -- --include-ignored"]
fn at_least_once_by_scram_over_tls() {
    pass(
        "tls-least",
        "at_least_once",
        "sasl_ssl",
        crate::AT_LEAST_ONCE,
    );
}

#[test]
#[ignore = "needs a real cluster: ./with-kafka cargo test --test kafka -- --include-ignored"]
fn at_least_once_by_scram_without_tls() {
    let example = "sasl_plaintext";
    pass(
        "scram-least",
        "at_least_once",
        example,
        crate::AT_LEAST_ONCE,
    );
}

#[test]
#[ignore = "needs a real cluster: ./with-kafka cargo test --test kafka -- --include-ignored"]
fn each_mechanism_lets_in_who_knows_the_password_and_nobody_else() {
    let guarded = Guarded::new();
    for (example, mechanism, refusal) in [
        ("sasl_plaintext", "SCRAM-SHA-256", "invalid credentials"),
        ("sasl_plaintext", "SCRAM-SHA-512", "invalid credentials"),
        ("sasl_ssl", "SCRAM-SHA-256", "invalid credentials"),
        ("sasl_ssl", "SCRAM-SHA-512", "invalid credentials"),
        ("sasl_ssl", "PLAIN", "Invalid username or password"),
    ] {
        let mut stage = guarded.stage("mechanism");
        guarded.grant_all(&stage);
        let config = guarded.config(&stage, "exactly_once", example);
        let mechanism = format!("kafka.sasl.mechanisms={mechanism}");
        let right = [mechanism.as_str()];
        check(&guarded, &config, &right).is_well();
        for wrong in ["password=wrong", "username=nobody"] {
            let wrong = format!("kafka.sasl.{wrong}");
            let wrong = [mechanism.as_str(), &wrong];
            check(&guarded, &config, &wrong).says_among_others(&[refusal, "check sasl.username"]);
            ends(&guarded, &config, &wrong, refusal);
        }
        let process = Process::start_with(&config, "a", &right, &guarded.environment());
        stage.feed(MESSAGES / 5);
        stage.wait_for_all();
        process.stop();
        stage.check(Promise::ExactlyOnce);
    }
}

/// Starts a run that ends by itself, with one line in which these words occur.
fn ends(guarded: &Guarded, config: &str, settings: &[&str], words: &str) {
    let environment = guarded.environment();
    let (code, log) = Process::start_with(config, "a", settings, &environment).ends();
    assert_eq!(code, Some(1), "{log}");
    let said: Vec<_> = log.lines().filter(|line| !line.starts_with('{')).collect();
    assert_eq!(said.len(), 1, "{log}");
    assert!(said[0].contains(words), "no `{words}`: {log}");
    assert!(!log.contains(guarded.password()), "it shows the password");
}

#[test]
#[ignore = "needs a real cluster: ./with-kafka cargo test --test kafka -- --include-ignored"]
fn a_run_without_a_right_ends_in_one_line() {
    let guarded = Guarded::new();
    let stage = guarded.stage("refused");
    guarded.grant_all(&stage);
    let config = guarded.config(&stage, "exactly_once", "sasl_plaintext");
    let ends = |settings: &[&str], words: &str| ends(&guarded, &config, settings, words);
    let id = "--operation Write --resource-pattern-type prefixed --transactional-id netsieve-";
    guarded.change(&stage, "remove", id);
    let missing = format!(
        "a right is missing (WRITE on transactional id {}-a-0)",
        stage.name
    );
    ends(&[], &missing);
    let listeners = format!("{}.listeners", stage.name);
    let write = format!("--operation Write --topic {listeners}");
    guarded.change(&stage, "remove", &write);
    // The brokers still tell of it, as its configuration may be asked for.
    let missing = format!("a right is missing (WRITE on output topic {listeners}");
    ends(&["delivery=at_least_once"], &missing);
}

#[test]
#[ignore = "needs a real cluster: ./with-kafka cargo test --test kafka -- --include-ignored"]
fn a_right_that_is_withdrawn_is_named_and_given_back_loses_nothing() {
    let guarded = Guarded::new();
    for (delivery, promise) in [
        ("exactly_once", Promise::ExactlyOnce),
        ("at_least_once", crate::AT_LEAST_ONCE),
    ] {
        let mut stage = guarded.stage("withdrawn");
        guarded.grant_all(&stage);
        let config = guarded.config(&stage, delivery, "sasl_ssl");
        let settings = ["commit.max_records=20", "retry.max_failures=1000"];
        let process = Process::start_with(&config, "a", &settings, &guarded.environment());
        stage.feed(MESSAGES / 2);
        stage.wait_for_all();
        let connections = format!("{}.connections", stage.name);
        let write = format!("--operation Write --topic {connections}");
        guarded.change(&stage, "remove", &write);
        // Listeners and dead letters of the same transactions could be written.
        let reason = format!("a right is missing (WRITE on topic {connections}), ");
        let since = Instant::now();
        while !process.log().contains(&reason) {
            assert!(since.elapsed() < PATIENCE, "{delivery}: it is not named");
            stage.feed(20);
            std::thread::sleep(Duration::from_millis(100));
        }
        guarded.change(&stage, "add", &write);
        stage.feed(MESSAGES / 2);
        stage.wait_for_all();
        process.stop();
        stage.check(promise);
    }
}

#[test]
#[ignore = "needs a real cluster: ./with-kafka cargo test --test kafka -- --include-ignored"]
fn a_right_to_go_on_that_is_withdrawn_ends_the_run_and_is_named() {
    let guarded = Guarded::new();
    for (right, missing) in [
        (
            "--operation Write --resource-pattern-type prefixed --transactional-id netsieve-",
            "WRITE on transactional id NAME-a-0",
        ),
        ("--operation Read --group netsieve", "READ on group NAME"),
    ] {
        let mut stage = guarded.stage("ended");
        guarded.grant_all(&stage);
        let config = guarded.config(&stage, "exactly_once", "sasl_plaintext");
        let mut process = Process::start_with(&config, "a", &[], &guarded.environment());
        stage.feed(20);
        stage.wait_for_all();
        guarded.change(&stage, "remove", right);
        let since = Instant::now();
        while process.is_running() {
            assert!(since.elapsed() < PATIENCE, "{missing}: it goes on");
            stage.feed(5);
            std::thread::sleep(Duration::from_millis(200));
        }
        let (code, log) = process.ends();
        assert_eq!(code, Some(1), "{log}");
        let last = log.lines().last().unwrap();
        let missing = missing.replace("NAME", &stage.name);
        let line = format!("netsieve: a right is missing ({missing}), ");
        assert!(last.starts_with(&line), "{log}");
    }
}
