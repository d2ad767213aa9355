//! Sends dead letters back, exactly once: what is sent and how far the dead-letter topic is read
//! are one transaction, of which either all becomes visible or nothing.
//!
//! A replay is a consumer group of its own, so that it goes on where it was interrupted. It is
//! alone in it: another run of it finds a member there and does not begin. A run that was killed
//! is a member until its session is over, which is waited for; one that was only frozen is fenced
//! by the transactional id, and what it had begun is aborted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::Message as _;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError as ClientError;
use rdkafka::message::{BorrowedMessage, Header, OwnedHeaders};
use rdkafka::metadata::{MetadataPartition, MetadataTopic};

use super::client;
use super::context::GroupContext;
use super::delivery::{Limits, Record};
use super::error::KafkaError;
use super::inheritance::Ended;
use super::letters::{self, Span};
use super::member::{Member, Setup, Trouble};
use super::native::group;
use super::processor;
use super::settings::{ClientProperties, GroupProtocol, Guarantee, KafkaSettings, MemorySettings};
use super::shutdown::Shutdown;
use super::status::Status;
use super::topics::{self, Inspection};
use super::worker::give_up;
use crate::dead_letters::Letter;
use crate::dead_letters::plan::{Fate, Plan, Why};
use crate::reference::Live;

/// After so long without a sign a member is taken for dead: the least that brokers allow.
const SESSION: Duration = Duration::from_secs(6);
/// How much longer than a session a member that is there is waited for.
const GRACE: Duration = Duration::from_secs(3);
/// How long joining the group may take.
const JOINING: Duration = Duration::from_secs(60);
/// How often it is looked whether another run has gone.
const LOOK: Duration = Duration::from_millis(250);
/// How long one question about the group may take.
const ANSWER: Duration = Duration::from_secs(4);
/// Longest wait for a dead letter.
const TICK: Duration = Duration::from_millis(100);
/// How long leaving the group may take.
const LEAVE: Duration = Duration::from_secs(2);

/// What a replay has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Messages that were sent back.
    pub back: u64,
    /// Dead letters that were not meant.
    pub passed: u64,
    /// Dead letters that stay, by why.
    pub left: BTreeMap<&'static str, u64>,
    /// Whether it ended before the end.
    pub is_interrupted: bool,
}

impl Summary {
    fn add(&mut self, other: &mut Self) {
        let other = std::mem::take(other);
        self.back += other.back;
        self.passed += other.passed;
        for (why, count) in other.left {
            *self.left.entry(why).or_default() += count;
        }
    }
}

/// What a replay comes across.
pub enum Step<'a> {
    /// Another member of its group is there; it is waited for, since it may be dead.
    Waiting,
    /// It begins; so many offsets are to be read.
    Total(u64),
    /// So many offsets are behind.
    Position(u64),
    /// A dead letter stays where it is.
    Left(&'a Letter<'a>, &'a Why),
}

/// The consumer group of a replay, which is what it is known by.
pub fn group(settings: &KafkaSettings, name: &str) -> String {
    format!("{}-replay-{name}", settings.group)
}

/// The settings of a replay's clients: a group and a transactional id of its own, which reads the
/// dead-letter topic and writes to `targets`.
fn settings_of(run: &KafkaSettings, name: &str, targets: Vec<String>) -> KafkaSettings {
    let mut consumer = run.consumer.clone();
    consumer.remove("auto.offset.reset");
    let session_ms = SESSION.as_millis();
    for (property, value) in [
        ("session.timeout.ms", session_ms),
        ("heartbeat.interval.ms", session_ms / 4),
    ] {
        consumer.insert(property.to_owned(), value.to_string());
    }
    let ahead = run.memory.max_read_ahead_bytes;
    KafkaSettings {
        consumer,
        memory: MemorySettings {
            max_read_ahead_bytes: ahead.min(client::LETTERS_AHEAD_BYTES),
            ..run.memory
        },
        sources: vec![run.dead_letters.clone()],
        group: group(run, name),
        dead_letters: targets.first().cloned().unwrap_or_default(),
        outputs: targets,
        // The same in each run, so that the next one ends what a dead one left open.
        instance: "replay".to_owned(),
        guarantee: Guarantee::ExactlyOnce,
        workers: 1,
        group_protocol: GroupProtocol::Classic,
        static_membership: false,
        producer: ClientProperties::clone(&run.producer),
        ..run.clone()
    }
}

/// Replays dead letters up to the end that the topic has now.
///
/// `run` are the settings of the processor; `targets` the topics that messages may go to, by
/// name.
pub fn replay(
    run: &KafkaSettings,
    name: &str,
    targets: Vec<String>,
    plan: &mut Plan,
    shutdown: &Shutdown,
    tell: &mut dyn FnMut(Step<'_>),
) -> Result<Summary, KafkaError> {
    let settings = settings_of(run, name, targets);
    let inspected = topics::inspect(&settings, &|| shutdown.is_requested())?;
    let inspection = inspected.accepted()?;
    let limits = settings.outputs.iter().cloned();
    plan.limit(
        limits
            .zip(inspection.output_bytes.iter().copied())
            .collect(),
    );
    let mut replay = Replay::start(settings, &inspection, plan, shutdown, tell)?;
    replay.run()?;
    Ok(replay.summary)
}

/// A replay at work.
struct Replay<'p> {
    name: String,
    setup: Setup,
    /// What is to be read.
    spans: Vec<Span>,
    /// The next offset of each partition that is not at its end.
    open: BTreeMap<i32, i64>,
    plan: &'p mut Plan,
    tell: &'p mut dyn FnMut(Step<'_>),
    summary: Summary,
    /// What is not committed yet.
    pending: Summary,
    failures: u32,
}

impl<'p> Replay<'p> {
    fn start(
        settings: KafkaSettings,
        inspection: &Inspection,
        plan: &'p mut Plan,
        shutdown: &Shutdown,
        tell: &'p mut dyn FnMut(Step<'_>),
    ) -> Result<Self, KafkaError> {
        let (topic, limits) = (settings.sources.concat(), inspection.limits());
        let asker = asker(&settings)?;
        let metadata = asker.fetch_metadata(Some(&topic), ANSWER);
        let metadata =
            metadata.map_err(|error| KafkaError::client("asking about topics", error))?;
        let found = metadata.topics().iter().flat_map(MetadataTopic::partitions);
        let partitions: Vec<_> = found.map(MetadataPartition::id).collect();
        let spans = letters::spans(&asker, &topic, &partitions, shutdown)?;
        let watchdog = settings.watchdog_stalled_after;
        Ok(Self {
            name: settings.group.clone(),
            setup: setup(settings, limits, shutdown, Status::new(1, watchdog)),
            open: BTreeMap::new(),
            spans,
            plan,
            tell,
            summary: Summary::default(),
            pending: Summary::default(),
            failures: 0,
        })
    }

    /// Reads to the end; after a failure it begins anew where it has committed.
    fn run(&mut self) -> Result<(), KafkaError> {
        loop {
            self.await_alone()?;
            let mut member = match Member::join(self.setup.clone()) {
                Ok(member) => member,
                Err(trouble) => {
                    self.back_off(trouble)?;
                    continue;
                }
            };
            let worked = self.work(&mut member);
            self.settle(&member);
            self.pending = Summary::default();
            member.leave(Instant::now() + LEAVE);
            match worked {
                Ok(()) => return Ok(()),
                Err(trouble) => self.back_off(trouble)?,
            }
        }
    }

    /// Waits until nobody else is in the group: who was killed goes when its session is over.
    fn await_alone(&mut self) -> Result<(), KafkaError> {
        let asker = asker(&self.setup.settings)?;
        let deadline = Instant::now() + SESSION + GRACE;
        let mut is_told = false;
        while !self.setup.shutdown.is_requested() {
            let answer = group::members(asker.client(), &self.name, ANSWER);
            let why = match answer {
                Ok(members) => match members.into_iter().next() {
                    None => return Ok(()),
                    Some(member) => KafkaError::ReplayRuns {
                        group: self.name.clone(),
                        host: member.host.trim_start_matches('/').to_owned(),
                    },
                },
                Err(code) => {
                    let error = ClientError::GroupListFetch(code);
                    KafkaError::client("asking who is in the group", error)
                }
            };
            if Instant::now() > deadline {
                return Err(why);
            }
            if !std::mem::replace(&mut is_told, true) {
                (self.tell)(Step::Waiting);
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    fn work(&mut self, member: &mut Member) -> Result<(), Trouble> {
        if !self.await_all(member)? {
            return Ok(());
        }
        let total = self.spans.iter().map(|of| of.end - of.first).sum::<i64>();
        (self.tell)(Step::Total(total.unsigned_abs()));
        while !self.open.is_empty() && !self.setup.shutdown.is_requested() {
            self.turn(member)?;
            self.settle(member);
        }
        self.summary.is_interrupted = !self.open.is_empty();
        member.commit_transaction()
    }

    /// Waits until all partitions are ours. While another run has some, nothing is read. False
    /// when it is to end before.
    fn await_all(&mut self, member: &mut Member) -> Result<bool, Trouble> {
        member.pause()?;
        let joining = Instant::now();
        let mut partial = None;
        loop {
            if self.setup.shutdown.is_requested() {
                self.summary.is_interrupted = true;
                return Ok(false);
            }
            member.poll_paused(LOOK)?;
            let owned = member.tracker.slots().count();
            if owned == self.spans.len() {
                break;
            }
            if owned > 0 {
                partial.get_or_insert_with(Instant::now);
            }
            if partial.is_some_and(|since| since.elapsed() > SESSION + GRACE) {
                return Err(Trouble::Fatal(KafkaError::ReplayRuns {
                    group: self.name.clone(),
                    host: "its group has another member".to_owned(),
                }));
            }
            if joining.elapsed() > JOINING {
                // Who is in the group is looked at again.
                let reason = "the group gives it no partitions";
                return Err(Trouble::Rejoin(reason.to_owned()));
            }
        }
        self.open.clear();
        for span in &mut self.spans {
            let slot = member
                .tracker
                .slots()
                .find(|of| of.partition() == span.partition);
            let next = slot.map_or(span.first, |slot| slot.next().offset);
            if next < span.end {
                self.open.insert(span.partition, next);
            }
        }
        member.resume()?;
        Ok(true)
    }

    fn turn(&mut self, member: &mut Member) -> Result<(), Trouble> {
        member.serve()?;
        member.commit_if_due()?;
        if member.delivery.is_full() {
            member.wait_for_room()?;
        }
        let consumer = Arc::clone(&member.consumer);
        match consumer.poll(member.poll_timeout(Instant::now(), TICK)) {
            None => {}
            Some(Ok(message)) => self.take(member, &message)?,
            Some(Err(ClientError::PartitionEOF(partition))) => {
                self.open.remove(&partition);
                self.tell_position();
            }
            Some(Err(error)) => member.on_error(&error)?,
        }
        member.answer()?;
        member.commit_at_end()
    }

    /// Sends one dead letter back, or lets it pass; either way it is behind.
    fn take(&mut self, member: &mut Member, message: &BorrowedMessage<'_>) -> Result<(), Trouble> {
        let (partition, offset) = (message.partition(), message.offset());
        let end = self.spans.iter().find(|of| of.partition == partition);
        // What came after the start is for another run.
        if end.is_none_or(|of| offset >= of.end) {
            self.open.remove(&partition);
            return Ok(());
        }
        let timestamp_ms = message.timestamp().to_millis();
        let begun = member
            .tracker
            .begin(message.topic(), partition, offset, timestamp_ms);
        let Some(ticket) = begun else { return Ok(()) };
        member.begin()?;
        let headers = processor::headers(message);
        let letter = letters::letter(message, &headers);
        match self.plan.fate(&letter) {
            Fate::Passed => self.pending.passed += 1,
            Fate::Left(why) => {
                *self.pending.left.entry(why.name()).or_default() += 1;
                (self.tell)(Step::Left(&letter, &why));
            }
            Fate::Back(back) => {
                let headers = back.headers().into_iter();
                let headers = headers.fold(OwnedHeaders::new(), |all, (key, value)| {
                    all.insert(Header { key, value })
                });
                let record = Record {
                    topic: back.topic,
                    key: back.key,
                    value: back.value.as_deref(),
                    timestamp_ms: back.timestamp_ms,
                    headers,
                    ticket,
                };
                member.is_handing_on = true;
                if !member.deliver(record)? {
                    member.is_handing_on = false;
                    return Ok(());
                }
                member.is_handing_on = false;
                self.pending.back += 1;
            }
        }
        member.release(ticket);
        member.pace.handed_on(message.payload_len());
        if end.is_some_and(|of| offset + 1 >= of.end) {
            self.open.remove(&partition);
        } else {
            self.open.insert(partition, offset + 1);
        }
        self.tell_position();
        Ok(())
    }

    fn tell_position(&mut self) {
        let behind = self.spans.iter().map(|span| {
            let next = self.open.get(&span.partition).copied();
            next.unwrap_or(span.end) - span.first
        });
        (self.tell)(Step::Position(behind.sum::<i64>().unsigned_abs()));
    }

    /// Counts what is committed.
    fn settle(&mut self, member: &Member) {
        if !member.transaction.is_open() && self.pending != Summary::default() {
            self.failures = 0;
            self.summary.add(&mut self.pending);
        }
    }

    /// Waits before it begins anew; an error where that would not help.
    fn back_off(&mut self, trouble: Trouble) -> Result<(), KafkaError> {
        let settings = &self.setup.settings.delivery;
        self.failures += 1;
        let is_over = self.failures > settings.max_failures;
        if is_over || matches!(trouble, Trouble::Fatal(_) | Trouble::Overdue) {
            return Err(give_up(&self.setup, trouble));
        }
        tracing::warn!(?trouble, "beginning anew where it is committed");
        std::thread::sleep(settings.pause(self.failures));
        Ok(())
    }
}

fn setup(settings: KafkaSettings, limits: Limits, shutdown: &Shutdown, status: Status) -> Setup {
    Setup {
        number: 0,
        settings: Arc::new(settings),
        limits,
        shutdown: shutdown.clone(),
        status,
        tables: Live::default(),
        ended: Ended::default(),
    }
}

/// A client that asks about the group and the topic.
fn asker(settings: &KafkaSettings) -> Result<BaseConsumer<GroupContext>, KafkaError> {
    let config = client::reader(settings)?;
    BaseConsumer::from_config_and_context(&config, GroupContext::default())
        .map_err(|error| client::refused(&error, "consumer"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replay_has_a_group_and_a_transactional_id_of_its_own() {
        let mut run = KafkaSettings::new("b:1", "in", vec!["out".to_owned()], "dead", "g");
        let latest = ("auto.offset.reset".to_owned(), "latest".to_owned());
        run.consumer.extend([latest]);
        run.guarantee = Guarantee::AtLeastOnce;
        run.group_protocol = GroupProtocol::Consumer;
        let settings = settings_of(&run, "mend", vec!["in".to_owned(), "in2".to_owned()]);
        client::check(&settings).unwrap();
        let consumer = client::consumer(&settings, 0).unwrap();
        assert_eq!(consumer.get("group.id"), Some("g-replay-mend"));
        assert_eq!(consumer.get("session.timeout.ms"), Some("6000"));
        // Whatever a processor does with what it finds: all dead letters are there to be sent.
        assert_eq!(client::start_at(&settings), Ok(client::StartAt::Earliest));
        let producer = client::producer(&settings, 0, 1_000, 1_000).unwrap();
        assert_eq!(
            producer.get("transactional.id"),
            Some("g-replay-mend-replay-0")
        );
        assert_eq!(settings.sources, ["dead"]);
        let written: Vec<_> = settings.written_topics().collect();
        assert_eq!(written, ["in", "in2", "in"]);
    }
}
