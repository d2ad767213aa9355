//! Who takes over whose transactional id.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, Producer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::proof::checker::Promise;
use crate::proof::process::Process;
use crate::proof::stage::PATIENCE;
use crate::stage::Stage;

const ANSWER: Duration = Duration::from_secs(30);

#[test]
#[ignore = "needs a real cluster: ./with-kafka cargo test --test kafka -- --include-ignored"]
fn of_two_processes_of_one_name_one_ends_and_names_the_id() {
    let mut stage = Stage::new("twins");
    let config = stage.config("exactly_once");
    // Without HTTP there is no port that would tell the second one at its start.
    let mut twins = ["a"; 2].map(|name| Some(Process::start(&config, name, &[])));
    let since = Instant::now();
    let (code, log) = loop {
        assert!(since.elapsed() < PATIENCE, "both go on");
        stage.feed(20);
        std::thread::sleep(Duration::from_millis(50));
        let has_ended = |twin: &mut Option<Process>| {
            let twin = twin.as_mut();
            twin.is_some_and(|twin| !twin.is_running())
        };
        let ended = twins.iter_mut().position(has_ended);
        if let Some(twin) = ended.and_then(|index| twins[index].take()) {
            break twin.ends();
        }
    };
    assert_eq!(code, Some(1), "{log}");
    let said: Vec<_> = log.lines().filter(|line| !line.starts_with('{')).collect();
    let line = format!(
        "netsieve: transactional id {}-a-0 was fenced twice within 60 s: another process uses it, give each its own `instance`",
        stage.name
    );
    assert_eq!(said, [line], "{log}");
    stage.wait_for_all();
    let [first, second] = twins;
    first.or(second).expect("the other goes on").stop();
    stage.check(Promise::ExactlyOnce);
}

#[test]
#[ignore = "needs a real cluster: ./with-kafka cargo test --test kafka -- --include-ignored"]
fn who_takes_over_does_not_wait_for_offsets_that_the_dead_left_undecided() {
    end_what_the_dead_left_undecided("undecided", &[]);
}

#[test]
#[ignore = "needs a real cluster: ./with-kafka cargo test --test kafka -- --include-ignored"]
fn who_takes_over_does_so_in_a_group_of_the_consumer_protocol_too() {
    end_what_the_dead_left_undecided("undecided-kip848", &["kafka.group_protocol=consumer"]);
}

#[test]
#[ignore = "needs a real cluster: ./with-kafka cargo test --test kafka -- --include-ignored"]
fn who_takes_over_with_two_workers_fences_the_dead_once() {
    end_what_the_dead_left_undecided("undecided-once", &["workers=2"]);
}

/// The dead one's transaction is open for longer than the test would wait.
fn end_what_the_dead_left_undecided(test: &str, settings: &[&str]) {
    let mut stage = Stage::new(test);
    stage.feed(200);
    let config = stage.config("exactly_once");
    let dead = Process::start(&config, "dead", settings);
    stage.wait_for_all();
    dead.stop();
    // Of two workers one may have done it all: who has done nothing has signed nothing.
    let dead = who_signed_first_partition(&stage);
    let _open = leave_offsets_undecided(&stage, &format!("{}-{dead}", stage.name));
    let heir = Process::start(&config, "heir", settings);
    heir.wait_for_line("partition assigned");
    heir.wait_for_line("left open");
    stage.feed(200);
    stage.wait_for_all();
    let id = format!(r#""id":"{}-{dead}""#, stage.name);
    let log = heir.log();
    let ended = log.lines().filter(|line| line.contains("ended what"));
    assert_eq!(ended.filter(|line| line.contains(&id)).count(), 1, "{log}");
    heir.stop();
    stage.check(Promise::ExactlyOnce);
}

#[test]
#[ignore = "needs a real cluster: ./with-kafka cargo test --test kafka -- --include-ignored"]
fn offsets_that_a_stranger_leaves_undecided_are_waited_for_and_named() {
    let mut stage = Stage::new("held");
    stage.feed(200);
    let config = stage.config("exactly_once");
    let process = Process::start(&config, "a", &[]);
    stage.wait_for_all();
    process.stop();
    let open = leave_offsets_undecided(&stage, &format!("{}-stranger", stage.name));
    let process = Process::start(&config, "a", &[]);
    stage.feed(200);
    process.wait_for_line("a transaction that holds offsets of these partitions does not end");
    assert!(!process.log().contains("partition assigned"));
    open.abort_transaction(ANSWER).unwrap();
    stage.wait_for_all();
    process.stop();
    stage.check(Promise::ExactlyOnce);
}

/// The client id that is signed on the offset of partition 0.
fn who_signed_first_partition(stage: &Stage) -> String {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &stage.bootstrap);
    let of_group: BaseConsumer = config.set("group.id", &stage.name).create().unwrap();
    let mut first = TopicPartitionList::new();
    first.add_partition(&stage.name, 0);
    let committed = of_group.committed_offsets(first, ANSWER).unwrap();
    let signature = committed.elements()[0].metadata().to_owned();
    let owner = signature.strip_prefix("netsieve:").unwrap();
    let (owner, _) = owner.split_once(' ').unwrap();
    owner.to_owned()
}

/// As a process leaves them that dies between a transaction's offsets and its commit. Gives who
/// holds the transaction open.
fn leave_offsets_undecided(stage: &Stage, transactional_id: &str) -> BaseProducer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &stage.bootstrap);
    let mut of_group = config.clone();
    let of_group: BaseConsumer = of_group.set("group.id", &stage.name).create().unwrap();
    config.set("transactional.id", transactional_id);
    // Longer than anybody would wait for it.
    config.set("transaction.timeout.ms", "600000");
    let producer: BaseProducer = config.create().unwrap();
    producer.init_transactions(ANSWER).unwrap();
    producer.begin_transaction().unwrap();
    let mut offsets = TopicPartitionList::new();
    for (partition, position) in (0..).zip(stage.positions().unwrap()) {
        let offset = Offset::Offset(position);
        let added = offsets.add_partition_offset(&stage.name, partition, offset);
        added.unwrap();
    }
    let member = of_group.group_metadata().unwrap();
    let sent = producer.send_offsets_to_transaction(&offsets, &member, ANSWER);
    sent.unwrap();
    producer
}
