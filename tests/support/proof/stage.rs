//! Topics of their own for one proof on the real cluster, the load that goes in, and what comes
//! out, as a reader of committed records sees it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use netsieve::generate::{Generated, Options};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::checker::{Checker, Due, Promise, Verdict};
use super::cluster;
use super::feed::{Feed, Sent, mixed};
use super::outputs::{self, WRITTEN};

pub(crate) const SOURCE_PARTITIONS: i32 = 4;
const ANSWER: Duration = Duration::from_secs(15);
/// Longest time without any progress that anything here is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(20);
/// Messages on their way at most.
const PORTION: usize = 2_000;
const BAD: f64 = 0.01;

/// One proof's part of the cluster.
pub(crate) struct Stage {
    pub(crate) bootstrap: String,
    /// Name of the source topic and of the group; the other topics' names begin with it.
    pub(crate) name: String,
    pub(crate) due: Due,
    load: Box<dyn Iterator<Item = Generated>>,
    feed: Feed,
    sent: u64,
    /// The offset after the last message of each partition of the source.
    ends: [i64; SOURCE_PARTITIONS as usize],
    /// Of the group, to ask what it has committed; reads what is not committed as well.
    group: BaseConsumer,
    /// Reads committed records only.
    reader: BaseConsumer,
}

/// The usual load: one in a hundred messages, and of their records, is bad.
pub(crate) fn usual() -> Options {
    Options {
        bad: BAD,
        ..Options::default()
    }
}

impl Stage {
    /// Makes the topics, for the usual load.
    pub(crate) fn open(test: &str) -> Self {
        Self::with_load(test, usual())
    }

    /// Makes the topics, for a load that differs from the usual one in these options.
    pub(crate) fn with_load(test: &str, options: Options) -> Self {
        Self::at(&cluster::bootstrap(), test, options)
    }

    /// Makes the topics on that cluster.
    pub(crate) fn at(bootstrap: &str, test: &str, options: Options) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let now_ms = i64::try_from(now.as_millis()).unwrap();
        let name = format!("{test}-{now_ms}");
        let written = WRITTEN.map(|(_, topic, partitions)| (format!("{name}.{topic}"), partitions));
        let topics = [&written[..], &[(name.clone(), SOURCE_PARTITIONS)]].concat();
        cluster::create_topics(bootstrap, &topics);
        let client = |isolation_level| {
            let mut config = ClientConfig::new();
            config
                .set("bootstrap.servers", bootstrap)
                .set("group.id", &name)
                .set("enable.auto.commit", "false")
                .set("isolation.level", isolation_level)
                .set("enable.partition.eof", "true")
                .set("fetch.queue.backoff.ms", "5");
            config.create().unwrap()
        };
        Self {
            due: Due::default(),
            // The brokers delete old records by these times, and refuse those of the future.
            load: Box::new(mixed(Options {
                start_ms: now_ms - 60_000,
                ..options
            })),
            feed: Feed::connect(bootstrap, &name, None),
            sent: 0,
            ends: [0; SOURCE_PARTITIONS as usize],
            group: client("read_uncommitted"),
            reader: client("read_committed"),
            bootstrap: bootstrap.to_owned(),
            name,
        }
    }

    /// The configuration of a processor.
    pub(crate) fn config(&self, delivery: &str) -> String {
        let name = &self.name;
        format!(
            r#"
delivery = "{delivery}"
[kafka]
bootstrap = "{}"
[source]
topic = "{name}"
group = "{name}"
[[outputs]]
name = "connections"
topic = "{name}.connections"
kinds = ["connection", "idle"]
[[outputs]]
name = "listeners"
topic = "{name}.listeners"
kinds = ["listener"]
[dead_letters]
topic = "{name}.dead_letters"
[http]
listen = "off"
"#,
            self.bootstrap
        )
    }

    /// Topics that are written to, and their partitions.
    pub(crate) fn written(&self) -> impl Iterator<Item = (String, i32)> {
        WRITTEN.iter().flat_map(move |(_, topic, partitions)| {
            let topic = format!("{}.{topic}", self.name);
            (0..*partitions).map(move |partition| (topic.clone(), partition))
        })
    }

    fn turn(sent: u64) -> i32 {
        i32::try_from(sent % u64::from(SOURCE_PARTITIONS.unsigned_abs())).unwrap()
    }

    /// Sends so many more messages, over all partitions in turn.
    pub(crate) fn feed(&mut self, messages: usize) {
        let mut left = messages;
        while left > 0 {
            let portion = self.prepare(left.min(PORTION));
            left -= portion.len();
            self.send(&portion);
            self.settle();
        }
    }

    /// The next messages of the load, so that they can be sent in a burst.
    pub(crate) fn prepare(&mut self, messages: usize) -> Vec<Generated> {
        self.load.by_ref().take(messages).collect()
    }

    /// Hands messages over to be sent, over all partitions in turn.
    pub(crate) fn send(&mut self, messages: &[Generated]) {
        for message in messages {
            self.feed.send(message, Self::turn(self.sent));
            self.sent += 1;
        }
    }

    /// Waits until all that was handed over is sent.
    pub(crate) fn settle(&mut self) {
        let sent = self.feed.take_sent();
        self.enter(&sent);
    }

    /// Sends so many more messages in one transaction, of that producer, that is committed or
    /// aborted.
    pub(crate) fn feed_in_transaction(&mut self, feed: &Feed, messages: usize, is_aborted: bool) {
        let messages = self.prepare(messages);
        let numbered = (self.sent..).map(Self::turn);
        let sent = feed.transaction(messages.iter().zip(numbered), is_aborted);
        self.sent += messages.len() as u64;
        if is_aborted {
            for message in sent {
                self.due.enter_aborted(message.partition, message.offset);
            }
        } else {
            self.enter(&sent);
        }
    }

    fn enter(&mut self, sent: &[Sent]) {
        for Sent {
            expected,
            partition,
            offset,
        } in sent
        {
            self.due.enter(expected, *partition, *offset);
            let end = &mut self.ends[usize::try_from(*partition).unwrap()];
            *end = (*end).max(offset + 1);
        }
    }

    /// How far the group has committed each partition; `None` while there is no answer.
    pub(crate) fn positions(&self) -> Option<Vec<i64>> {
        let mut all = TopicPartitionList::new();
        all.add_partition_range(&self.name, 0, SOURCE_PARTITIONS - 1);
        // While a coordinator is being found or a transaction ends there may be no answer.
        let committed = self.group.committed_offsets(all, ANSWER).ok()?;
        let elements = committed.elements();
        let offsets = elements.iter().map(|element| match element.offset() {
            Offset::Offset(offset) => offset,
            _ => 0,
        });
        Some(offsets.collect())
    }

    /// How many messages the group has committed.
    pub(crate) fn committed(&self) -> i64 {
        self.positions()
            .map_or(0, |positions| positions.iter().sum())
    }

    /// Waits until the group has committed so many messages.
    pub(crate) fn wait_for(&self, messages: i64) {
        let (mut since, mut furthest) = (Instant::now(), 0);
        loop {
            let committed = self.committed();
            if committed >= messages {
                return;
            }
            if committed > furthest {
                (since, furthest) = (Instant::now(), committed);
            }
            assert!(
                since.elapsed() < PATIENCE,
                "waited in vain: {committed} of {messages} messages committed"
            );
            std::thread::sleep(LOOK);
        }
    }

    /// The sum of the offsets after the last message of each partition.
    pub(crate) fn end(&self) -> i64 {
        self.ends.iter().sum()
    }

    /// Waits until the group has committed everything, and no more.
    pub(crate) fn wait_for_all(&self) {
        self.wait_for(self.end());
        let positions = wait("the group's offsets", || self.positions());
        assert_eq!(positions, self.ends);
    }

    /// How many partitions of the outputs have records that are neither committed nor aborted.
    pub(crate) fn undecided(&self) -> Option<usize> {
        let mut undecided = 0;
        for (topic, partition) in self.written() {
            // What is written between the two questions could only be taken for undecided.
            let stable = self.reader.fetch_watermarks(&topic, partition, ANSWER);
            let end = self.group.fetch_watermarks(&topic, partition, ANSWER);
            undecided += usize::from(stable.ok()?.1 < end.ok()?.1);
        }
        Some(undecided)
    }

    /// Waits until every transaction on the outputs has come to its end.
    pub(crate) fn wait_until_decided(&self) {
        wait("every transaction has ended", || {
            (self.undecided() == Some(0)).then_some(())
        });
    }

    /// Sets the largest batch that the topics which are written to take.
    pub(crate) fn limit_bytes(&self, topics: &[&str], bytes: usize) {
        for topic in topics {
            cluster::tool(
                "kafka-configs",
                &[
                    "--alter",
                    "--entity-type",
                    "topics",
                    "--entity-name",
                    &format!("{}.{topic}", self.name),
                    "--add-config",
                    &format!("max.message.bytes={bytes}"),
                ],
            );
        }
    }

    /// Compares what came out with what must have, and demands that nothing differs.
    pub(crate) fn check(&self, promise: Promise) {
        let verdict = self.judge(promise);
        assert!(verdict.is_clean(), "of {} due {verdict}", self.due.len());
    }

    /// Compares everything that was written and committed with what must have been. To be called
    /// when nothing is written any more.
    pub(crate) fn judge(&self, promise: Promise) -> Verdict {
        // A transaction that is left open would hide what is committed behind it.
        self.wait_until_decided();
        let mut checker = Checker::new(&self.due, promise);
        // One by one: the end of a partition is told without its topic, and at times twice.
        for (topic, partition) in self.written() {
            self.read(&topic, partition, &mut checker);
        }
        checker.finish()
    }

    /// Reads a partition to its end.
    fn read(&self, topic: &str, partition: i32, checker: &mut Checker<'_>) {
        let mut from = TopicPartitionList::new();
        let added = from.add_partition_offset(topic, partition, Offset::Beginning);
        added.unwrap();
        self.reader.assign(&from).unwrap();
        let mut since = Instant::now();
        loop {
            match self.reader.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => {
                    checker.take(&outputs::came(&message, &self.name));
                    since = Instant::now();
                }
                Some(Err(KafkaError::PartitionEOF(_))) => break,
                // Errors are of brokers that were down a while ago.
                None | Some(Err(_)) => {}
            }
            assert!(since.elapsed() < PATIENCE, "{topic} [{partition}] not read");
        }
        self.reader.unassign().unwrap();
    }
}

/// Waits for something for as long as there is patience.
pub(crate) fn wait<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let since = Instant::now();
    loop {
        if let Some(found) = attempt() {
            return found;
        }
        assert!(since.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(LOOK);
    }
}
