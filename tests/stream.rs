//! The whole stream: processors as processes of their own come, go and die, and what comes out
//! is what the load's manifest says, no more, no less, and in order.

#[path = "stream/broker.rs"]
mod broker;
#[path = "stream/process.rs"]
mod process;
#[path = "support/proof/mod.rs"]
mod proof;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use broker::{Outlet, SOURCE, SOURCE_PARTITIONS};
use netsieve::generate::{Generator, Options};
use netsieve::kafka::mock::EmbeddedCluster;
use process::Process;
use proof::checker::{Came, Due, Origin, Promise, judge};
use proof::feed::Feed;
use proof::outputs::WRITTEN;

const MESSAGES: u64 = 2_000;
/// Until when everything must have happened; it takes about half of it.
const PATIENCE: Duration = Duration::from_secs(85);
/// Records on their way at most: the broker keeps 5 MiB of a partition, read or not.
const MAX_OPEN_RECORDS: usize = 8_000;
const ALL: usize = SOURCE_PARTITIONS as usize;
const HALF: usize = ALL / 2;
/// How much is read before it is seen whether what is waited for has come.
const READ_PORTION: usize = 50;
/// How often a partition can change hands here: one joins, leaves, another joins, one dies.
const HANDOVERS: u32 = 4;
/// Time between messages where the stream only has to go on.
const TRICKLE: Duration = Duration::from_millis(25);

/// The stream as it flows.
struct Stream {
    begun: Instant,
    feed: Feed,
    outlet: Outlet,
    load: Generator,
    sent: u64,
    last_sent: Instant,
    due: Due,
    open: BTreeSet<Origin>,
    came: Vec<Came>,
}

impl Stream {
    fn open(bootstrap: &str) -> Self {
        let options = Options {
            messages: Some(MESSAGES),
            ..Options::default()
        };
        assert_eq!((options.min_records, options.max_records), (1, 50));
        Self {
            begun: Instant::now(),
            feed: Feed::connect(bootstrap, SOURCE, None),
            outlet: Outlet::open(bootstrap),
            load: Generator::new(options),
            sent: 0,
            last_sent: Instant::now(),
            due: Due::default(),
            open: BTreeSet::new(),
            came: Vec::new(),
        }
    }

    /// Lets the stream flow until something is so, sending up to so many messages in all, with so
    /// much time between them.
    fn flow(
        &mut self,
        what: &str,
        (until, every): (u64, Duration),
        mut is_so: impl FnMut(&Self) -> bool,
    ) {
        while !is_so(self) {
            assert!(
                self.begun.elapsed() < PATIENCE,
                "waited in vain until {what}: {} sent, {} records open, the first {:?}",
                self.sent,
                self.open.len(),
                self.open.first(),
            );
            while self.sent < until
                && self.last_sent.elapsed() >= every
                && self.open.len() < MAX_OPEN_RECORDS
            {
                self.send();
            }
            let mut wait = every.clamp(Duration::from_millis(1), TRICKLE);
            for _ in 0..READ_PORTION {
                let Some(came) = self.outlet.next(wait) else {
                    break;
                };
                self.open.remove(&came.origin);
                self.came.push(came);
                wait = Duration::ZERO;
            }
        }
    }

    fn send(&mut self) {
        let message = self.load.next().unwrap();
        let partition = i32::try_from(message.sequence).unwrap() % SOURCE_PARTITIONS;
        let offset = i64::try_from(message.sequence).unwrap() / i64::from(SOURCE_PARTITIONS);
        self.feed.send(&message, partition);
        self.sent += 1;
        self.last_sent = Instant::now();
        let mut due = Due::default();
        due.enter(&message.expected, partition, offset);
        self.open.extend(due.origins());
        self.due.enter(&message.expected, partition, offset);
    }

    /// Asks a process to end, and lets the stream flow until it has.
    fn terminate(&mut self, what: &str, until: u64, mut process: Process) {
        process.terminate();
        let mut status = None;
        self.flow(what, (until, TRICKLE), |_| {
            status = process.ended();
            status.is_some()
        });
        assert_eq!(status.unwrap().code(), Some(0), "{what}");
    }
}

/// The number in the load of the message that it comes from.
fn sequence((partition, offset, _): Origin) -> u64 {
    let sequence = offset * i64::from(SOURCE_PARTITIONS) + i64::from(partition);
    sequence.try_into().unwrap()
}

/// Starts a processor. It commits all the time, so that one that is killed has committed just
/// before; what is then lost was committed too early.
fn start(bootstrap: &str) -> Process {
    let settings = [
        "commit.interval=1ms",
        "kafka.consumer.session.timeout.ms=6000",
        // An embedded broker answers an empty fetch only when its wait is over.
        "kafka.consumer.fetch.wait.max.ms=20",
    ];
    Process::start(bootstrap, &settings)
}

/// A second process joins, and leaves when both have worked for a while.
fn join_and_leave(stream: &mut Stream, bootstrap: &str, first: &mut Process) {
    let mut second = start(bootstrap);
    stream.flow("the second has its share", (600, TRICKLE), |_| {
        (first.owned().len(), second.owned().len()) == (HALF, HALF)
    });
    let enough = stream.sent + 50;
    stream.flow("both work", (enough, TRICKLE), |now| now.sent == enough);
    stream.terminate("the second leaves", 800, second);
    stream.flow("the first has all again", (900, TRICKLE), |_| {
        first.owned().len() == ALL
    });
}

/// Another joins, and the first is killed in a burst, as soon as something of it has come out;
/// gives the one that is left.
fn join_and_kill(stream: &mut Stream, bootstrap: &str, mut first: Process) -> Process {
    let mut third = start(bootstrap);
    stream.flow("the third has its share", (1_300, TRICKLE), |_| {
        (first.owned().len(), third.owned().len()) == (HALF, HALF)
    });
    let enough = stream.sent + 50;
    stream.flow("both work", (enough, TRICKLE), |now| now.sent == enough);
    let (owned, sent) = (first.owned(), stream.sent);
    let burst = (sent + 300, Duration::ZERO);
    stream.flow("it is in a burst", burst, |now| {
        let mut came = now.came.iter().rev().take(READ_PORTION);
        came.any(|came| sequence(came.origin) >= sent && owned.contains(&came.origin.0))
    });
    first.kill();
    stream.flow("the third has all", (1_800, TRICKLE), |_| {
        third.owned().len() == ALL
    });
    third
}

#[test]
fn what_comes_out_is_the_manifest_whoever_joins_leaves_or_dies() {
    let names = WRITTEN.map(|(_, end, partitions)| (format!("{SOURCE}.{end}"), partitions));
    let written = names
        .iter()
        .map(|(topic, partitions)| (topic.as_str(), *partitions));
    let topics: Vec<_> = written.chain([(SOURCE, SOURCE_PARTITIONS)]).collect();
    let cluster = EmbeddedCluster::start(&topics).unwrap();
    let bootstrap = cluster.bootstrap_servers();
    let mut stream = Stream::open(&bootstrap);

    let mut first = start(&bootstrap);
    stream.flow("the first has all", (100, TRICKLE), |_| {
        first.owned().len() == ALL
    });
    stream.flow("it works", (180, TRICKLE), |now| now.sent == 180);
    join_and_leave(&mut stream, &bootstrap, &mut first);
    let third = join_and_kill(&mut stream, &bootstrap, first);
    stream.flow("all has come", (MESSAGES, Duration::ZERO), |now| {
        now.sent == MESSAGES && now.open.is_empty()
    });
    stream.terminate("the last leaves", MESSAGES, third);
    // Whatever is too much comes in the end.
    stream.flow("all is read", (MESSAGES, TRICKLE), |now| {
        now.outlet.is_at_end()
    });

    let ends = [i64::try_from(MESSAGES).unwrap() / i64::from(SOURCE_PARTITIONS); ALL];
    assert_eq!(broker::committed(&bootstrap), ends);
    let promise = Promise::AtLeastOnce { returns: HANDOVERS };
    let verdict = judge(&stream.due, &stream.came, promise);
    assert!(verdict.is_clean(), "{verdict}");
}
