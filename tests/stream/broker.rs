//! The embedded broker's far end: what comes out, and what the group has committed.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::proof::checker::Came;
use crate::proof::outputs::{self, WRITTEN};

pub(crate) const SOURCE: &str = "network_connection";
pub(crate) const SOURCE_PARTITIONS: i32 = 4;
const ANSWER: Duration = Duration::from_secs(10);

/// Reads all that is written, from its beginning.
pub(crate) struct Outlet(BaseConsumer);

impl Outlet {
    pub(crate) fn open(bootstrap: &str) -> Self {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            .set("group.id", "outlet")
            .set("enable.auto.commit", "false")
            // What the broker dropped before it was read must not be passed over.
            .set("auto.offset.reset", "error")
            .set("fetch.wait.max.ms", "20")
            .set("fetch.queue.backoff.ms", "5")
            .create()
            .unwrap();
        let mut all = TopicPartitionList::new();
        for (topic, partition) in places() {
            all.add_partition_offset(&topic, partition, Offset::Offset(0))
                .unwrap();
        }
        consumer.assign(&all).unwrap();
        Self(consumer)
    }

    /// What came next, waiting for it so long.
    pub(crate) fn next(&self, wait: Duration) -> Option<Came> {
        let message = self.0.poll(wait)?;
        Some(outputs::came(&message.unwrap(), SOURCE))
    }

    /// Whether all that is there was read.
    pub(crate) fn is_at_end(&self) -> bool {
        let read = self.0.position().unwrap();
        places().all(|(topic, partition)| {
            let (_, end) = self.0.fetch_watermarks(&topic, partition, ANSWER).unwrap();
            let position = read.find_partition(&topic, partition).unwrap().offset();
            // There is no position before the first record.
            end == 0 || position == Offset::Offset(end)
        })
    }
}

fn places() -> impl Iterator<Item = (String, i32)> {
    let of_topic = |(_, end, partitions)| {
        (0..partitions).map(move |partition| (format!("{SOURCE}.{end}"), partition))
    };
    WRITTEN.into_iter().flat_map(of_topic)
}

/// The group's committed offset of each source partition; 0 where there is none.
pub(crate) fn committed(bootstrap: &str) -> Vec<i64> {
    let client: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "netsieve")
        .create()
        .unwrap();
    let mut all = TopicPartitionList::new();
    all.add_partition_range(SOURCE, 0, SOURCE_PARTITIONS - 1);
    let committed = client.committed_offsets(all, ANSWER).unwrap();
    let elements = committed.elements();
    let offsets = elements.iter().map(|element| match element.offset() {
        Offset::Offset(offset) => offset,
        _ => 0,
    });
    offsets.collect()
}
