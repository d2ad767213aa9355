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
        about: "the transaction aborted in the midst of a batch, by another producer of the same id and by Kafka's own tool",
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
    let name = stage.name.clone();
    allow_all(&name);
    let config = with_credentials(&stage.config(plan.delivery.name()));
    let mut process = plan.start_with(&config, "a", &[]);
    let rounds = plan.rounds(3, 1);
    let named = format!("a right is missing (WRITE on topic {name}.connections)");
    for _ in 0..rounds {
        stage.feed(plan.part(1, 2 * rounds));
        let refusals = || process.log().matches(&named).count();
        let before = refusals();
        deny("--add", &name);
        stage.feed(plan.part(1, 2 * rounds));
        wait("it is refused, and names the right", || {
            (refusals() > before).then_some(())
        });
        deny("--remove", &name);
        // It would give up after ten refusals, in three quarters of a minute.
        assert!(process.is_running(), "it has given up");
        stage.wait_for_all();
    }
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
    let aborts = plan.rounds(10, 2);
    let mut process = plan.start(&stage, "a", &[]);
    let mut ended = 0;
    for abort in 1..=aborts {
        plan.wait_for_part(&stage, abort, aborts + 1);
        if abort % 2 == 0 {
            terminate(&stage);
        } else {
            take_over(&stage);
        }
        let part = i64::try_from(plan.part(2 * abort + 1, 2 * aborts + 2)).unwrap();
        wait("it goes on", || {
            // It takes the id back once; then it takes it for a fight, ends and says so.
            if !process.is_running() {
                assert!(process.log().contains("was fenced twice"));
                ended += 1;
                process = plan.start(&stage, "a", &[]);
            }
            (stage.committed() >= part).then_some(())
        });
    }
    stage.wait_for_all();
    process.stop();
    plan.judge(
        &stage,
        format!("{aborts} aborts, {ended} of which ended the process"),
    )
}

/// Aborts whatever the processor's worker has open, as a second process of its name would.
fn take_over(stage: &Stage) {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &stage.bootstrap)
        .set("transactional.id", transactional_id(stage));
    let other: BaseProducer = config.create().unwrap();
    other.init_transactions(PATIENCE).unwrap();
}

/// Aborts it as an administrator would.
fn terminate(stage: &Stage) {
    let id = transactional_id(stage);
    let order = ["forceTerminateTransaction", "--transactionalId", &id];
    tool("kafka-transactions", &order);
}

fn transactional_id(stage: &Stage) -> String {
    format!("{}-a-0", stage.name)
}
