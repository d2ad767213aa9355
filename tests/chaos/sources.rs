//! Sources that are read again, and sources whose producers change their minds.

use crate::plan::{Delivery, Plan, Scenario, Told};
use crate::proof::cluster::tool;
use crate::proof::feed::Feed;

const BOTH: &[Delivery] = &[Delivery::ExactlyOnce, Delivery::AtLeastOnce];

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "offsets-reset",
        about: "the group's offsets set back by hand while it is stopped: what was reset comes again, and nothing else",
        run: offsets_reset,
        ..Scenario::USUAL
    },
    Scenario {
        name: "aborting-source",
        about: "the source is written in transactions, of which every third is aborted: of those nothing may come",
        deliveries: BOTH,
        run: aborting_source,
        ..Scenario::USUAL
    },
];

fn offsets_reset(plan: &Plan) -> Told {
    let mut stage = plan.open();
    stage.feed(plan.part(9, 10));
    let process = plan.start(&stage, "a", &[]);
    stage.wait_for_all();
    process.stop();
    let before = stage.positions().unwrap();
    let shift = format!("-{}", plan.part(1, 40));
    let mut arguments = vec!["--group", &stage.name, "--topic", &stage.name];
    arguments.extend(["--reset-offsets", "--shift-by", &shift, "--execute"]);
    tool("kafka-consumer-groups", &arguments);
    let after = stage.positions().unwrap();
    let mut again = 0;
    for (partition, (before, after)) in (0..).zip(before.iter().zip(&after)) {
        assert!(after < before, "[{partition}]: {before} to {after}");
        stage.due.expect_again(partition, *after..*before);
        again += before - after;
    }
    let process = plan.start(&stage, "a", &[]);
    stage.feed(plan.part(1, 10));
    stage.wait_for_all();
    process.stop();
    plan.judge(&stage, format!("{again} messages read again"))
}

/// Messages of one transaction at the source.
const PER_TRANSACTION: usize = 50;

fn aborting_source(plan: &Plan) -> Told {
    let mut stage = plan.open();
    let id = format!("{}-source", stage.name);
    let feed = Feed::connect(&stage.bootstrap, &stage.name, Some(&id));
    let process = plan.start(&stage, "a", &[]);
    let transactions = plan.messages.div_ceil(PER_TRANSACTION);
    let mut aborted = 0;
    for number in 1..=transactions {
        let is_aborted = number.is_multiple_of(3);
        stage.feed_in_transaction(&feed, PER_TRANSACTION, is_aborted);
        aborted += usize::from(is_aborted);
    }
    stage.wait_for_all();
    process.stop();
    plan.judge(
        &stage,
        format!("{aborted} of {transactions} transactions aborted"),
    )
}
