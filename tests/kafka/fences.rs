//! Two processes of one name.

use std::time::{Duration, Instant};

use crate::proof::checker::Promise;
use crate::proof::process::Process;
use crate::proof::stage::PATIENCE;
use crate::stage::Stage;

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
        "netsieve: transactional id {}-a-0 was fenced twice within 60 s: another process uses it, give each its own `instance`; or transactions take longer than transaction.timeout.ms",
        stage.name
    );
    assert_eq!(said, [line], "{log}");
    stage.wait_for_all();
    let [first, second] = twins;
    first.or(second).expect("the other goes on").stop();
    stage.check(Promise::ExactlyOnce);
}
