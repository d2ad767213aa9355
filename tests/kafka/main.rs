//! What is promised, on a real cluster: `./with-kafka cargo test --test kafka -- --include-ignored`.

#[path = "../support/proof/mod.rs"]
mod proof;

mod dlq;
mod dlq_rights;
mod faults;
mod fences;
mod guarded;
mod refused;
mod remade;
mod secure;
mod stage;

use std::io::Write;
use std::time::{Duration, Instant};

use proof::checker::Promise;
use proof::process::Process;
use proof::stage::PATIENCE;
use stage::Stage;

const MESSAGES: usize = 2_000;
/// What was not committed is done again, as often as it takes.
const AT_LEAST_ONCE: Promise = Promise::AtLeastOnce { returns: u32::MAX };

/// Runs one processor over the whole load, and compares.
fn pass(test: &str, delivery: &str, settings: &[&str], promise: Promise) {
    let mut stage = Stage::new(test);
    stage.feed(MESSAGES / 2);
    let process = Process::start(&stage.config(delivery), "a", settings);
    stage.feed(MESSAGES / 2);
    stage.wait_for_all();
    process.stop();
    stage.check(promise);
}

#[test]
#[ignore = "needs a real cluster: ./with-kafka cargo test --test kafka -- --include-ignored"]
fn everything_comes_exactly_once() {
    pass("smoke", "exactly_once", &[], Promise::ExactlyOnce);
}

#[test]
#[ignore = "needs a real cluster: ./with-kafka cargo test --test kafka -- --include-ignored"]
fn two_workers_share_the_work() {
    pass(
        "workers",
        "exactly_once",
        &["workers=2"],
        Promise::ExactlyOnce,
    );
}

#[test]
#[ignore = "needs a real cluster: ./with-kafka cargo test --test kafka -- --include-ignored"]
fn the_consumer_group_protocol_works() {
    let settings = ["kafka.group_protocol=consumer"];
    pass("kip848", "exactly_once", &settings, Promise::ExactlyOnce);
}

#[test]
#[ignore = "needs a real cluster: ./with-kafka cargo test --test kafka -- --include-ignored"]
fn at_least_once_loses_nothing() {
    let mut stage = Stage::new("at-least-once");
    stage.feed(MESSAGES);
    kill_and_restart(&stage, "at_least_once", &[], 1);
    stage.check(AT_LEAST_ONCE);
}

#[test]
#[ignore = "needs a real cluster: ./with-kafka cargo test --test kafka -- --include-ignored"]
fn killed_and_restarted_three_times_everything_comes_exactly_once() {
    let mut stage = Stage::new("kill");
    stage.feed(MESSAGES);
    kill_and_restart(&stage, "exactly_once", &[], 3);
    stage.check(Promise::ExactlyOnce);
}

#[test]
#[ignore = "needs a real cluster: ./with-kafka cargo test --test kafka -- --include-ignored"]
fn a_static_member_goes_on_after_a_kill() {
    let mut stage = Stage::new("static");
    stage.feed(MESSAGES);
    let settings = ["kafka.static_membership=true"];
    kill_and_restart(&stage, "exactly_once", &settings, 1);
    stage.check(Promise::ExactlyOnce);
}

#[test]
#[ignore = "needs a real cluster: ./with-kafka cargo test --test kafka -- --include-ignored"]
fn who_takes_over_ends_what_the_dead_left_open() {
    let mut stage = Stage::new("takeover");
    stage.feed(MESSAGES);
    let config = stage.config("exactly_once");
    let dead = Process::start(&config, "dead", &["commit.max_records=20"]);
    stage.wait_for(100);
    let heir = Process::start(&config, "heir", &["commit.max_records=20"]);
    heir.wait_for_line("partition assigned");
    dead.kill();
    stage.wait_for_all();
    let line = format!(r#""id":"{}-dead-0""#, stage.name);
    assert!(heir.wait_for_line("left open").contains(&line));
    heir.stop();
    stage.check(Promise::ExactlyOnce);
}

/// Kills the processor in the midst of the load and starts it again, so many times.
fn kill_and_restart(stage: &Stage, delivery: &str, settings: &[&str], kills: usize) {
    // Small transactions, so that the load takes a while.
    let settings = [settings, &["commit.max_records=20"]].concat();
    let start = || Process::start(&stage.config(delivery), "a", &settings);
    let mut process = start();
    for _ in 0..kills {
        let before = stage.committed();
        stage.wait_for(before + 100);
        process.kill();
        let (since, before) = (Instant::now(), stage.committed());
        process = start();
        stage.wait_for(before + 1);
        let (test, seconds) = (&stage.name, since.elapsed().as_secs_f64());
        let _ = writeln!(std::io::stderr(), "{test}: went on after {seconds:.1} s");
    }
    stage.wait_for_all();
    process.stop();
}

#[test]
#[ignore = "needs a real cluster: ./with-kafka cargo test --test kafka -- --include-ignored"]
fn topics_that_take_less_than_was_thought_lose_nothing() {
    let mut stage = Stage::new("limits");
    stage.feed(10);
    let process = Process::start(&stage.config("exactly_once"), "a", &[]);
    stage.wait_for_all();
    // Any event fits, and a batch of them does not.
    stage.limit_bytes(&["connections", "listeners", "dead_letters"], 16 << 10);
    stage.feed(MESSAGES / 2);
    stage.wait_for_all();
    assert!(process.log().contains("trying smaller ones"));
    process.stop();
    stage.check(Promise::ExactlyOnce);
}

#[test]
#[ignore = "needs a real cluster: ./with-kafka cargo test --test kafka -- --include-ignored"]
fn brokers_that_freeze_for_longer_than_a_transaction_lasts_lose_nothing() {
    outage("frozen", "stop", "cont");
}

#[test]
#[ignore = "needs a real cluster: ./with-kafka cargo test --test kafka -- --include-ignored"]
fn brokers_that_are_killed_for_longer_than_a_transaction_lasts_lose_nothing() {
    outage("killed", "kill", "start");
}

/// Takes all brokers away in the midst of the load, and gives them back.
fn outage(test: &str, take: &str, give_back: &str) {
    let mut stage = Stage::alone(test);
    stage.feed(MESSAGES);
    let config = stage.config("exactly_once");
    let process = Process::start(&config, "a", &["commit.max_records=20"]);
    stage.wait_for(100);
    stage.all_brokers(take);
    std::thread::sleep(Duration::from_secs(15));
    stage.all_brokers(give_back);
    stage.wait_for_all();
    process.stop();
    stage.check(Promise::ExactlyOnce);
}

#[test]
#[ignore = "needs a real cluster: ./with-kafka cargo test --test kafka -- --include-ignored"]
fn who_was_frozen_and_given_up_adds_nothing() {
    let mut stage = Stage::new("zombie");
    stage.feed(MESSAGES / 2);
    let config = stage.config("exactly_once");
    let zombie = Process::start(&config, "zombie", &["commit.max_records=20"]);
    stage.wait_for(100);
    zombie.signal("STOP");
    let heir = Process::start(&config, "heir", &[]);
    stage.wait_for_all();
    // Longer than its transaction may be open, and until the broker has looked.
    std::thread::sleep(Duration::from_secs(12));
    stage.feed(MESSAGES / 4);
    stage.wait_for_all();
    zombie.signal("CONT");
    stage.feed(MESSAGES / 4);
    // It comes back as an ordinary member, and takes its part.
    let since = Instant::now();
    while zombie.log().matches("partition assigned").count() < 5 {
        assert!(since.elapsed() < PATIENCE, "it does not come back");
        std::thread::sleep(Duration::from_millis(100));
    }
    stage.feed(100);
    stage.wait_for_all();
    zombie.stop();
    heir.stop();
    stage.check(Promise::ExactlyOnce);
}
