//! A source topic that is deleted and made anew under a processor that reads it.

use crate::proof::cluster::{create_topics, tool};
use crate::proof::feed::Feed;
use crate::proof::process::Process;
use crate::proof::stage::{SOURCE_PARTITIONS, wait};
use crate::stage::Stage;

/// Messages of each partition of the new topic: far fewer than were read of the old one.
const FEW: usize = 5;

#[test]
#[ignore = "needs a real cluster: ./with-kafka cargo test --test kafka -- --include-ignored"]
fn a_source_that_is_made_anew_ends_the_run_or_is_read_from_its_first_message() {
    let reason = "the topic was made anew or has lost its end (offset ";
    for policy in ["stop", "continue"] {
        let mut stage = Stage::new("remade");
        stage.feed(400);
        let setting = format!("source.on_data_loss={policy}");
        let process = Process::start(&stage.config("exactly_once"), "a", &[&setting]);
        stage.wait_for_all();
        make_anew(&mut stage);
        if policy == "stop" {
            let (code, log) = process.ends();
            assert_eq!(code, Some(1), "{log}");
            let last = log.lines().last().unwrap();
            assert!(last.starts_with(&format!("netsieve: {reason}")), "{log}");
            continue;
        }
        process.wait_for_line(reason);
        let all = [i64::try_from(FEW).unwrap(); SOURCE_PARTITIONS as usize];
        wait("the new topic is read", || {
            (stage.positions()? == all).then_some(())
        });
        process.stop();
    }
}

/// Puts a new topic with a few messages in place of the source.
fn make_anew(stage: &mut Stage) {
    tool("kafka-topics", &["--delete", "--topic", &stage.name]);
    create_topics(&stage.bootstrap, &[(stage.name.clone(), SOURCE_PARTITIONS)]);
    let feed = Feed::connect(&stage.bootstrap, &stage.name, None);
    let messages = stage.prepare(FEW * SOURCE_PARTITIONS as usize);
    for (message, partition) in messages.iter().zip((0..SOURCE_PARTITIONS).cycle()) {
        feed.send(message, partition);
    }
    assert_eq!(feed.take_sent().len(), messages.len());
}
