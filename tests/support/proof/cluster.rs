//! The cluster that `./with-kafka` keeps, and what can be done to it.

use std::process::Command;

use rdkafka::admin::{NewTopic, TopicReplication};

use super::topics;

/// What `./with-kafka` says in the environment.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(format!("NETSIEVE_KAFKA_{name}")).ok()
}

/// The brokers' addresses.
pub(crate) fn bootstrap() -> String {
    variable("BOOTSTRAP").expect("a cluster: run it by ./with-kafka, see its --help")
}

/// Does something to the brokers, or asks where something is; gives what was answered.
pub(crate) fn ctl(arguments: &[&str]) -> String {
    let program = variable("CTL").expect("a cluster that ./with-kafka keeps");
    run(Command::new(program).args(arguments))
}

/// Brings back every broker that is down or frozen.
pub(crate) fn restore() {
    for line in ctl(&["status"]).lines() {
        let mut words = line.split('\t');
        let (node, state) = (words.next().unwrap_or_default(), words.nth(1));
        match state {
            Some("down") => ctl(&["start", node]),
            Some("frozen") => ctl(&["cont", node]),
            _ => continue,
        };
    }
    ctl(&["wait"]);
}

/// Runs one of Kafka's own tools.
pub(crate) fn tool(name: &str, arguments: &[&str]) -> String {
    run(Command::new(name).args(arguments))
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Makes topics with so many partitions, and with as many replicas as the cluster has by default.
pub(crate) fn create_topics(bootstrap: &str, topics: &[(String, i32)]) {
    let topics: Vec<_> = topics
        .iter()
        .map(|(topic, partitions)| NewTopic::new(topic, *partitions, TopicReplication::Fixed(-1)))
        .collect();
    topics::create(bootstrap, &topics);
}
