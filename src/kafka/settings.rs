//! What the Kafka side must be told, checked once by the configuration.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

/// Settings of the Kafka side of a processor.
#[derive(Clone, Debug)]
pub struct KafkaSettings {
    /// Brokers to begin with, `HOST:PORT` with commas between.
    pub bootstrap: String,
    /// librdkafka properties of every consumer; they go over netsieve's own, see
    /// [`client`](super::client).
    pub consumer: ClientProperties,
    /// librdkafka properties of every producer.
    pub producer: ClientProperties,
    /// Source topics: names, or patterns that begin with `^`. Not empty.
    pub sources: Vec<String>,
    /// Consumer group.
    pub group: String,
    /// Topic of each output, in the order of the core's
    /// [`Settings::outputs`](crate::pipeline::settings::Settings::outputs).
    pub outputs: Vec<String>,
    /// Name of each output in metrics, in the same order; no two are alike.
    pub output_names: Vec<String>,
    /// Dead-letter topic.
    pub dead_letters: String,
    /// Name of this process within the group; client ids and static member ids are made of it.
    pub instance: String,
    /// What holds after a crash.
    pub guarantee: Guarantee,
    /// Number of worker threads, at least 1.
    pub workers: usize,
    /// How members of the group agree.
    pub group_protocol: GroupProtocol,
    /// Whether the workers are static members (`group.instance.id`), which leave no gap at a
    /// restart but are missed for a whole session when they go for good.
    pub static_membership: bool,
    /// What happens when records were deleted before they were read.
    pub on_data_loss: OnDataLoss,
    /// How often offsets are committed.
    pub commit: CommitSettings,
    /// How deliveries that fail are tried again.
    pub delivery: DeliverySettings,
    /// Bounds of memory.
    pub memory: MemorySettings,
    /// When too large a share is rejected.
    pub brake: BrakeSettings,
    /// A worker that owns partitions with lag and makes no progress for so long is not ready.
    pub watchdog_stalled_after: Duration,
    /// How long a start waits for the brokers to answer.
    pub connect_timeout: Duration,
    /// How long a shutdown may take: what is in work is delivered, committed, and the group left.
    pub shutdown_timeout: Duration,
}

/// librdkafka properties by name. Debug shows the names alone: a value may be a secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ClientProperties(BTreeMap<String, String>);

impl Deref for ClientProperties {
    type Target = BTreeMap<String, String>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for ClientProperties {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for ClientProperties {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(properties: I) -> Self {
        let properties = properties.into_iter();
        Self(properties.map(|(n, v)| (n.into(), v.into())).collect())
    }
}

impl fmt::Debug for ClientProperties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// What holds after a crash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Guarantee {
    /// Nothing is lost and nothing comes twice, for readers that read committed records only:
    /// events, dead letters and offsets are one transaction.
    #[default]
    ExactlyOnce,
    /// Nothing is lost; some of it may come again.
    AtLeastOnce,
}

/// How members of a consumer group agree on who reads what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GroupProtocol {
    /// The members agree (cooperative-sticky).
    #[default]
    Classic,
    /// The broker decides (KIP-848).
    Consumer,
}

/// What happens when an offset is out of range: records were deleted before they were read, or
/// the topic was made anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnDataLoss {
    /// The run ends, and says which partition lost how much.
    #[default]
    Stop,
    /// It is logged and counted, and reading goes on at the first record there is.
    Continue,
}

/// When offsets are committed: at whichever comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommitSettings {
    /// Longest time between commits while there is something to commit.
    pub interval: Duration,
    /// Source messages since the last commit.
    pub max_records: u64,
    /// Bytes of source messages since the last commit.
    pub max_bytes: u64,
}

impl Default for CommitSettings {
    fn default() -> Self {
        Self {
            interval: Duration::from_millis(100),
            max_records: 10_000,
            max_bytes: 16 << 20,
        }
    }
}

/// How deliveries are tried again once librdkafka has given up on one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeliverySettings {
    /// Failures in a row, without any progress between them, after which the worker fails.
    pub max_failures: u32,
    /// Pause before the first new attempt; it doubles with each failure.
    pub backoff: Duration,
    /// Longest pause before a new attempt.
    pub max_backoff: Duration,
}

impl DeliverySettings {
    /// The pause after so many failures in a row, of which there is at least one.
    pub fn pause(&self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(16);
        self.backoff
            .saturating_mul(1 << doublings)
            .min(self.max_backoff)
    }
}

impl Default for DeliverySettings {
    fn default() -> Self {
        Self {
            max_failures: 10,
            backoff: Duration::from_millis(250),
            max_backoff: Duration::from_secs(10),
        }
    }
}

/// Bounds of memory of one worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemorySettings {
    /// Source messages read ahead, over all partitions, in bytes.
    pub max_read_ahead_bytes: usize,
    /// Events and dead letters that are not yet acknowledged, in bytes, their overhead included.
    pub max_in_flight_bytes: usize,
}

impl Default for MemorySettings {
    fn default() -> Self {
        Self {
            max_read_ahead_bytes: 16 << 20,
            max_in_flight_bytes: 24 << 20,
        }
    }
}

/// When the brake engages and what it does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BrakeSettings {
    /// How many messages are looked back on.
    pub window: usize,
    /// Rejected share above which the brake engages, between 0 and 1.
    pub max_rejected_share: f64,
    /// What it does.
    pub action: BrakeAction,
    /// How long a pause lasts.
    pub pause_for: Duration,
}

/// What the brake does when it engages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BrakeAction {
    /// It logs and counts.
    #[default]
    Alert,
    /// It also stops reading for a while.
    Pause,
}

impl Default for BrakeSettings {
    fn default() -> Self {
        Self {
            window: 1_000,
            max_rejected_share: 0.5,
            action: BrakeAction::Alert,
            pause_for: Duration::from_secs(60),
        }
    }
}

impl KafkaSettings {
    /// Settings with every default, for a cluster, its topics and a group; the outputs are named
    /// as their topics.
    pub fn new(
        bootstrap: &str,
        source: &str,
        outputs: Vec<String>,
        dead_letters: &str,
        group: &str,
    ) -> Self {
        Self {
            bootstrap: bootstrap.to_owned(),
            consumer: ClientProperties::default(),
            producer: ClientProperties::default(),
            sources: vec![source.to_owned()],
            group: group.to_owned(),
            output_names: outputs.clone(),
            outputs,
            dead_letters: dead_letters.to_owned(),
            instance: "netsieve".to_owned(),
            guarantee: Guarantee::default(),
            workers: 1,
            group_protocol: GroupProtocol::default(),
            static_membership: false,
            on_data_loss: OnDataLoss::default(),
            commit: CommitSettings::default(),
            delivery: DeliverySettings::default(),
            memory: MemorySettings::default(),
            brake: BrakeSettings::default(),
            watchdog_stalled_after: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(15),
            shutdown_timeout: Duration::from_secs(30),
        }
    }

    /// Every topic that is written to, the outputs first.
    pub fn written_topics(&self) -> impl Iterator<Item = &str> {
        let outputs = self.outputs.iter().map(String::as_str);
        outputs.chain([self.dead_letters.as_str()])
    }
}
