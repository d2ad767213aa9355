//! Brokers that are killed and come back.

use std::time::Duration;

use crate::plan::{Delivery, Plan, Scenario, Told};
use crate::proof::cluster::ctl;
use crate::proof::stage::Stage;

const BOTH: &[Delivery] = &[Delivery::ExactlyOnce, Delivery::AtLeastOnce];

/// All of these take brokers down, and three are needed so that one can be missed.
const USUAL: Scenario = Scenario {
    brokers: 3,
    alone: true,
    ..Scenario::USUAL
};

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "leader",
        about: "kill -9 of the broker that leads the output's partition 0, and a restart, 3 times",
        deliveries: BOTH,
        run: |plan| {
            lose_one(plan, |stage| {
                ctl(&["leader-of", &format!("{}.connections", stage.name), "0"])
            })
        },
        ..USUAL
    },
    Scenario {
        name: "transaction-coordinator",
        about: "kill -9 of the transaction coordinator, and a restart, 3 times",
        run: |plan| {
            lose_one(plan, |stage| {
                ctl(&[
                    "coordinator-of",
                    "transaction",
                    &format!("{}-a-0", stage.name),
                ])
            })
        },
        ..USUAL
    },
    Scenario {
        name: "group-coordinator",
        about: "kill -9 of the group coordinator, and a restart, 3 times",
        short: false,
        deliveries: BOTH,
        run: |plan| lose_one(plan, |stage| ctl(&["coordinator-of", "group", &stage.name])),
        ..USUAL
    },
    Scenario {
        name: "rolling-restart",
        about: "a rolling restart of all three brokers",
        short: false,
        deliveries: BOTH,
        run: rolling_restart,
        ..USUAL
    },
    Scenario {
        name: "outage",
        about: "kill -9 of all brokers, which are down for 30 s",
        deliveries: BOTH,
        run: |plan| {
            // Longer than a transaction may be open.
            let seconds = u64::try_from(plan.rounds(30, 12)).unwrap_or(30);
            lose_all(plan, 1, seconds)
        },
        ..USUAL
    },
    Scenario {
        name: "short-outages",
        about: "kill -9 of all brokers, which are down for 3 s, 3 times",
        short: false,
        deliveries: BOTH,
        run: |plan| lose_all(plan, plan.rounds(3, 1), 3),
        ..USUAL
    },
];

/// Kills a broker, lets the others go on for a while, and starts it again.
fn lose_one(plan: &Plan, which: fn(&Stage) -> String) -> Told {
    let mut stage = plan.open();
    stage.feed(plan.messages);
    let process = plan.start(&stage, "a", &[]);
    let rounds = plan.rounds(3, 1);
    let mut killed = Vec::new();
    for round in 1..=rounds {
        plan.wait_for_part(&stage, 2 * round - 1, 2 * rounds + 1);
        let node = which(&stage);
        ctl(&["kill", &node]);
        plan.wait_for_part(&stage, 2 * round, 2 * rounds + 1);
        ctl(&["start", &node]);
        ctl(&["wait"]);
        killed.push(node);
    }
    stage.wait_for_all();
    process.stop();
    plan.judge(&stage, format!("killed: broker {}", killed.join(", ")))
}

fn rolling_restart(plan: &Plan) -> Told {
    let mut stage = plan.open();
    stage.feed(plan.part(1, 2));
    let process = plan.start(&stage, "a", &[]);
    plan.wait_for_part(&stage, 1, 8);
    // Some is sent while brokers go and come.
    for node in ["1", "2", "3"] {
        ctl(&["restart", node]);
        stage.feed(plan.part(1, 6));
    }
    stage.wait_for_all();
    process.stop();
    plan.judge(&stage, "3 restarts".to_owned())
}

/// Kills all brokers, and starts them again after so long.
fn lose_all(plan: &Plan, rounds: usize, seconds: u64) -> Told {
    let mut stage = plan.open();
    stage.feed(plan.messages);
    let process = plan.start(&stage, "a", &[]);
    for round in 1..=rounds {
        plan.wait_for_part(&stage, round, rounds + 3);
        ctl(&["kill", "all"]);
        std::thread::sleep(Duration::from_secs(seconds));
        ctl(&["start", "all"]);
        ctl(&["wait"]);
    }
    stage.wait_for_all();
    process.stop();
    let times = match rounds {
        1 => String::new(),
        _ => format!("{rounds} times "),
    };
    plan.judge(&stage, format!("{times}down for {seconds} s"))
}
