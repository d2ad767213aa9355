//! Brokers that refuse: records that are too large, rights that are taken away, a transactional
//! id that somebody else takes over.

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, Producer};

use netsieve::generate::Options;

use crate::plan::{Delivery, Plan, Scenario, Told};
use crate::proof::cluster::{tool, variable};
use crate::proof::stage::{PATIENCE, Stage, wait};

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "too-large",
        about: "the outputs' max.message.bytes lowered to 4 KiB while one event in a hundred is larger",
        run: too_large,
        ..Scenario::USUAL
    },
    Scenario {
        name: "authorisation",
        about: "the right to write to an output withdrawn, and given back",
        secure: true,
        deliveries: &[Delivery::ExactlyOnce, Delivery::AtLeastOnce],
        run: authorisation,
        ..Scenario::USUAL
    },
    Scenario {
        name: "forced-abort",
        about: "the transaction aborted in the midst of a batch by another producer of the same id",
        run: forced_abort,
        ..Scenario::USUAL
    },
];

fn too_large(plan: &Plan) -> Told {
    let options = Options {
        bad: 0.01,
        long_commands: 0.02,
        ..Options::default()
    };
    let mut stage = Stage::with_load(&plan.name, options);
    stage.feed(plan.messages);
    stage.due.allow_too_large();
    let process = plan.start(&stage, "a", &[]);
    plan.wait_for_part(&stage, 1, 4);
    // The process has read the former limit.
    stage.limit_bytes(&["connections", "listeners"], 4 << 10);
    stage.wait_for_all();
    process.stop();
    let mut told = plan.judge(&stage, String::new());
    let too_large = told.verdict.too_large;
    assert!(too_large > 0, "nothing was too large");
    told.note = format!("{too_large} events as dead letters, being too large");
    told
}

fn authorisation(plan: &Plan) -> Told {
    let mut stage = plan.open();
    stage.feed(plan.messages);
    let name = &stage.name;
    allow_all(name);
    let config = with_credentials(&stage.config(plan.delivery.name()));
    let mut process = plan.start_with(&config, "a", &[]);
    let rounds = plan.rounds(3, 1);
    for round in 1..=rounds {
        plan.wait_for_part(&stage, round, rounds + 1);
        deny("--add", name);
        wait("it is refused", || {
            (process.log().matches("TopicAuthorizationFailed").count() >= round).then_some(())
        });
        let is_running = process.is_running();
        deny("--remove", name);
        assert!(is_running, "it has given up");
    }
    stage.wait_for_all();
    process.stop();
    plan.judge(&stage, format!("{rounds} times"))
}

/// Denies the processor to write to one of the outputs, or no longer does.
fn deny(action: &str, name: &str) {
    let topic = format!("{name}.connections");
    let user = format!("User:{}", user());
    let mut arguments = vec![action, "--deny-principal", &user];
    arguments.extend(["--operation", "Write", "--topic", &topic]);
    if action == "--remove" {
        arguments.push("--force");
    }
    tool("kafka-acls", &arguments);
}

/// Grants the processor everything that it needs.
fn allow_all(name: &str) {
    let user = format!("User:{}", user());
    let mut arguments = vec!["--add", "--allow-principal", &user, "--operation", "All"];
    arguments.extend(["--topic", name, "--group", name, "--transactional-id", name]);
    arguments.extend(["--resource-pattern-type", "prefixed"]);
    tool("kafka-acls", &arguments);
}

fn user() -> String {
    variable("USER").expect("./with-kafka --secure")
}

/// The configuration for the listener that asks who is there.
fn with_credentials(config: &str) -> String {
    let bootstrap = variable("SASL_BOOTSTRAP").expect("./with-kafka --secure");
    let password = variable("PASSWORD").expect("./with-kafka --secure");
    let mut lines = Vec::new();
    for line in config.lines() {
        if line.starts_with("bootstrap = ") {
            lines.push(format!("bootstrap = \"{bootstrap}\""));
            lines.push("security.protocol = \"SASL_PLAINTEXT\"".to_owned());
            lines.push("sasl.mechanisms = \"SCRAM-SHA-512\"".to_owned());
            lines.push(format!("sasl.username = \"{}\"", user()));
            lines.push(format!("sasl.password = \"{password}\""));
        } else {
            lines.push(line.to_owned());
        }
    }
    lines.join("\n")
}

fn forced_abort(plan: &Plan) -> Told {
    let mut stage = plan.open();
    stage.feed(plan.messages);
    let rounds = plan.rounds(5, 1);
    for round in 0..rounds {
        let mut process = plan.start(&stage, "a", &[]);
        plan.wait_for_part(&stage, 2 * round + 1, 2 * rounds + 1);
        take_over(&stage);
        // It takes the id back once.
        let joined = || process.log().matches("joining the group anew").count();
        wait("it joins anew", || (joined() == 1).then_some(()));
        plan.wait_for_part(&stage, 2 * round + 2, 2 * rounds + 1);
        assert!(process.is_running());
        take_over(&stage);
        // The second time within a minute it takes it for a fight, and ends.
        wait("it ends", || (!process.is_running()).then_some(()));
        assert!(process.log().contains("was fenced twice"));
        assert_eq!(process.wait(), Some(1));
    }
    let process = plan.start(&stage, "a", &[]);
    stage.wait_for_all();
    process.stop();
    plan.judge(&stage, format!("{} aborts", 2 * rounds))
}

/// Aborts whatever the processor's worker has open, as a second process of its name would.
fn take_over(stage: &Stage) {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &stage.bootstrap)
        .set("transactional.id", format!("{}-a-0", stage.name));
    let other: BaseProducer = config.create().unwrap();
    other.init_transactions(PATIENCE).unwrap();
}
