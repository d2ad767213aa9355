//! The `dlq` commands with no more rights than the page on security says.

use std::process::Command;

use crate::guarded::Guarded;
use crate::proof::process::Process;
use crate::stage::Stage;

/// Enough for some dead letters: one in a hundred messages is bad, and of their records.
const MESSAGES: usize = 500;

/// Runs a command of `dlq`: its exit code, stdout and stderr.
fn dlq(guarded: &Guarded, config: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netsieve"));
    command.env_clear().envs(guarded.environment());
    command.arg("dlq").args(arguments);
    command
        .arg("--config")
        .arg(guarded.file("dlq.toml", config));
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    (output.status.code(), stdout, stderr)
}

/// A stage on which a processor with all rights has left dead letters.
fn with_dead_letters(guarded: &Guarded) -> Stage {
    let mut stage = guarded.stage("dlq-rights");
    let process = Process::start(&stage.config("exactly_once"), "a", &[]);
    stage.feed(MESSAGES);
    stage.wait_for_all();
    process.stop();
    stage
}

#[test]
#[ignore = "needs a real cluster: ./with-kafka cargo test --test kafka -- --include-ignored"]
fn dlq_needs_the_rights_of_the_page_and_no_others() {
    let guarded = Guarded::new();
    let stage = with_dead_letters(&guarded);
    let config = guarded.config(&stage, "exactly_once", "sasl_ssl");
    let works = |arguments: &[&str]| {
        let (code, stdout, stderr) = dlq(&guarded, &config, arguments);
        assert_eq!(code, Some(0), "{arguments:?}: {stderr}");
        stdout
    };
    let lacks = |arguments: &[&str], right: &str| {
        let (code, stdout, stderr) = dlq(&guarded, &config, arguments);
        assert_eq!((code, &*stdout), (Some(1), ""), "{arguments:?}: {stderr}");
        let said = stderr.lines().filter(|line| line.starts_with("netsieve: "));
        let said: Vec<_> = said.collect();
        let line = format!("netsieve: a right is missing ({right}");
        assert!(
            said.len() == 1 && said[0].starts_with(&line),
            "no `{line}`: {stderr}"
        );
    };
    let name = &stage.name;
    lacks(
        &["ls"],
        &format!("READ on source topic {name}.dead_letters"),
    );
    guarded.grant("acls of dlq ls and show", &stage);
    assert!(works(&["ls"]).contains(" dead letters"));
    assert!(works(&["show", "--limit", "1"]).contains("reason"));

    let replay = ["replay", "--name", "first"];
    guarded.grant("acls of dlq replay", &stage);
    let letters = "--operation Read --topic network_connection.dead_letters";
    let group = "--operation Read --resource-pattern-type prefixed --group netsieve-replay-";
    let target = "--operation Write --operation DescribeConfigs --topic network_connection";
    let id =
        "--operation Write --resource-pattern-type prefixed --transactional-id netsieve-replay-";
    for (right, what) in [
        (
            letters,
            format!("READ on source topic {name}.dead_letters, not even DESCRIBE"),
        ),
        (
            group,
            format!("READ on group {name}-replay-first, not even DESCRIBE"),
        ),
        (
            target,
            format!("WRITE on output topic {name}, not even DESCRIBE"),
        ),
        (
            id,
            format!("WRITE on transactional id {name}-replay-first-replay-0"),
        ),
    ] {
        guarded.change(&stage, "remove", right);
        lacks(&replay, &what);
        guarded.change(&stage, "add", right);
    }
    let described = group.replace("Read", "Describe");
    guarded.change(&stage, "remove", group);
    guarded.change(&stage, "add", &described);
    works(&["replay", "--name", "first", "--dry-run"]);
    lacks(&replay, &format!("READ on group {name}-replay-first"));
    guarded.change(&stage, "add", group);
    let said = works(&replay);
    assert!(
        said.contains(" sent back, ") && !said.starts_with("0 "),
        "{said}"
    );
}
