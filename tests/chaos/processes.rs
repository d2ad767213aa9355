//! Processors that are killed, ended, frozen, and added and taken away.

use crate::plan::{Delivery, Plan, Scenario, Told};
use crate::proof::process::Process;
use crate::proof::stage::{SOURCE_PARTITIONS, Stage, wait};

const BOTH: &[Delivery] = &[Delivery::ExactlyOnce, Delivery::AtLeastOnce];
const ALL: usize = SOURCE_PARTITIONS as usize;

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "kill",
        about: "kill -9 of the processor, and a restart, 20 times",
        deliveries: BOTH,
        short_deliveries: 2,
        run: kill,
        ..Scenario::USUAL
    },
    Scenario {
        name: "term",
        about: "SIGTERM, and a restart, 20 times",
        deliveries: BOTH,
        run: term,
        ..Scenario::USUAL
    },
    Scenario {
        name: "zombie",
        about: "SIGSTOP until another has taken over and the brokers have given up the transaction, then SIGCONT",
        run: zombie,
        ..Scenario::USUAL
    },
    Scenario {
        name: "scale",
        about: "1, 3, 1, 2 processes, with one worker and with two",
        deliveries: BOTH,
        run: scale,
        ..Scenario::USUAL
    },
];

fn kill(plan: &Plan) -> Told {
    let mut stage = plan.open();
    stage.feed(plan.messages);
    let mut process = plan.start(&stage, "a", &[]);
    let (kills, mut open) = (plan.rounds(20, 3), 0);
    for kill in 1..=kills {
        plan.wait_for_part(&stage, kill, kills + 1);
        Plan::drift(kill);
        process.kill();
        open += usize::from(stage.undecided().is_some_and(|undecided| undecided > 0));
        process = plan.start(&stage, "a", &[]);
    }
    stage.wait_for_all();
    process.stop();
    let note = match plan.delivery {
        Delivery::ExactlyOnce => format!("{kills} kills, {open} of them with an open transaction"),
        Delivery::AtLeastOnce => format!("{kills} kills"),
    };
    plan.judge(&stage, note)
}

fn term(plan: &Plan) -> Told {
    let mut stage = plan.open();
    stage.feed(plan.messages);
    let mut process = plan.start(&stage, "a", &[]);
    let ends = plan.rounds(20, 3);
    for end in 1..=ends {
        plan.wait_for_part(&stage, end, ends + 1);
        Plan::drift(end);
        process.stop();
        process = plan.start(&stage, "a", &[]);
    }
    stage.wait_for_all();
    process.stop();
    plan.judge(&stage, format!("{ends} ends"))
}

fn zombie(plan: &Plan) -> Told {
    let mut stage = plan.open();
    let rounds = plan.rounds(3, 1);
    let portion = plan.part(1, rounds * 4).max(500);
    for _ in 0..rounds {
        stage.feed(portion);
        let process = plan.start(&stage, "a", &[]);
        freeze_in_a_transaction(&mut stage, &process, portion / 4);
        let heir = plan.start(&stage, "heir", &[]);
        stage.feed(portion);
        wait("the heir owns all", || share(&[&heir]));
        stage.wait_for_all();
        // The brokers give the zombie's transaction up when its time is over.
        stage.wait_until_decided();
        process.signal("CONT");
        stage.feed(portion);
        wait("the zombie has noticed", || {
            (process.owned().len() < ALL).then_some(())
        });
        // It comes back as an ordinary member.
        wait("both have their share", || share(&[&process, &heir]));
        stage.feed(portion);
        stage.wait_for_all();
        heir.stop();
        process.stop();
    }
    plan.judge(
        &stage,
        format!("{rounds} zombies, each with an open transaction"),
    )
}

/// Freezes a process such that a transaction of its is open, and stays so.
fn freeze_in_a_transaction(stage: &mut Stage, process: &Process, portion: usize) {
    let before = stage.committed();
    stage.wait_for(before + 1);
    wait("a transaction is open", || {
        process.signal("STOP");
        if stage.undecided().is_some_and(|undecided| undecided > 0) {
            return Some(());
        }
        process.signal("CONT");
        stage.feed(portion);
        None
    });
}

/// Every process owns something, and all of them everything.
fn share(processes: &[&Process]) -> Option<()> {
    let owned: Vec<_> = processes
        .iter()
        .map(|process| process.owned().len())
        .collect();
    (owned.iter().all(|count| *count > 0) && owned.iter().sum::<usize>() == ALL).then_some(())
}

fn scale(plan: &Plan) -> Told {
    let mut stage = plan.open();
    let portion = plan.part(1, 5);
    let two = ["workers=2"];
    stage.feed(portion);
    let first = plan.start(&stage, "a", &[]);
    plan.wait_for_part(&stage, 1, 20);
    stage.feed(portion);
    let second = plan.start(&stage, "b", &two);
    let third = plan.start(&stage, "c", &[]);
    wait("three have their share", || {
        share(&[&first, &second, &third])
    });
    stage.feed(portion);
    plan.wait_for_part(&stage, 9, 20);
    second.stop();
    third.stop();
    wait("one has all", || share(&[&first]));
    stage.feed(portion);
    plan.wait_for_part(&stage, 13, 20);
    let fourth = plan.start(&stage, "d", &two);
    stage.feed(portion);
    wait("two have their share", || share(&[&first, &fourth]));
    stage.wait_for_all();
    first.stop();
    fourth.stop();
    plan.judge(&stage, "7 changes of the group".to_owned())
}
