//! A worker as a member of its group: what it owns, what it has in flight, what it may commit.

mod group;
mod refused;
mod undo;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use metrics::counter;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::{Message, Offset, Statistics, TopicPartitionList};

use super::assignment::{self, StartPolicy};
use super::client;
use super::commit::Pace;
use super::context::{Failure, GroupContext, LINE_WINDOW, Reports};
use super::delivery::{Delivery, Limits, Record, Refused};
use super::error::{self, KafkaError};
use super::inheritance::Ended;
use super::lag::Lag;
use super::meters::Meters;
use super::offsets::{Done, OffsetTracker, PartitionOffset, Slot, Ticket};
use super::settings::{KafkaSettings, OnDataLoss};
use super::shutdown::Shutdown;
use super::status::{State, Status, WorkerStatus};
use super::timestamps::Timestamps;
use super::transaction::Transaction;
use crate::observe::logs::{RateLimited, Suppressed};
use crate::observe::metrics as names;
use crate::reference::Live;
pub(super) use undo::Undone;

/// What stops the ordinary run of a worker.
#[derive(Debug)]
pub(super) enum Trouble {
    /// A record could not be delivered: go back to what was.
    Delivery(Failure),
    /// The transaction must be aborted: go back to what is committed.
    Abort(String),
    /// The transactional id is fenced.
    Fenced,
    /// The consumer cannot go on as it is: join the group anew.
    Rejoin(String),
    /// A shutdown took too long.
    Overdue,
    /// Nothing helps.
    Fatal(KafkaError),
}

impl From<KafkaError> for Trouble {
    fn from(error: KafkaError) -> Self {
        Self::Fatal(error)
    }
}

/// What every part of a worker needs to know.
#[derive(Clone)]
pub(super) struct Setup {
    /// The worker's number, from 0.
    pub(super) number: usize,
    /// The settings.
    pub(super) settings: Arc<KafkaSettings>,
    /// The limits read at the start.
    pub(super) limits: Limits,
    /// The request to stop.
    pub(super) shutdown: Shutdown,
    /// Where all workers tell how they are.
    pub(super) status: Status,
    /// The operator's tables.
    pub(super) tables: Live,
    /// Whose transactions the process has ended.
    pub(super) ended: Ended,
}

impl Setup {
    /// Where this worker tells how it is.
    pub(super) fn status(&self) -> &WorkerStatus {
        // A run begins only with as many statuses as workers.
        &self.status.workers()[self.number]
    }
}

#[cfg(test)]
impl Setup {
    /// That of a test's only worker.
    pub(super) fn of_one(settings: KafkaSettings) -> Self {
        let bytes = client::DEFAULT_MAX_MESSAGE_BYTES;
        Self {
            number: 0,
            status: Status::new(1, settings.watchdog_stalled_after),
            settings: Arc::new(settings),
            limits: Limits {
                record_bytes: bytes,
                batch_bytes: bytes,
            },
            shutdown: Shutdown::default(),
            tables: Live::default(),
            ended: Ended::default(),
        }
    }
}

/// A worker's consumer and producer, and the account of what lies between them.
pub(super) struct Member {
    pub(super) consumer: Arc<BaseConsumer<GroupContext>>,
    pub(super) delivery: Delivery,
    pub(super) tracker: OffsetTracker,
    pub(super) meters: Meters,
    pub(super) pace: Pace,
    pub(super) transaction: Transaction,
    pub(super) acknowledged: Acknowledged,
    /// Whether a message was handed on in part.
    pub(super) is_handing_on: bool,
    pub(super) setup: Setup,
    pub(super) lines: RateLimited<String>,
    policy: StartPolicy,
    lag: Lag,
    timestamps: Timestamps,
    paused: bool,
    leave_by: Option<Instant>,
}

/// What is left of a membership whose clients have ended.
pub(super) struct Former {
    meters: Meters,
    tracker: OffsetTracker,
    timestamps: Timestamps,
    transaction: Transaction,
}

/// What the brokers have acknowledged and is not told yet: exactly once, it is only worth
/// telling once it is committed.
#[derive(Default)]
pub(super) struct Acknowledged {
    /// Records by topic.
    by_topic: Vec<u64>,
    done: Vec<Done>,
}

impl Acknowledged {
    /// It is as if nothing had been acknowledged.
    pub(super) fn forget(&mut self) {
        self.by_topic.fill(0);
        self.done.clear();
    }
}

/// How long an acknowledgement is waited for before reading is paused: a short wait is cheaper
/// than a pause, which throws away what was read ahead.
const SHORT_WAIT: Duration = Duration::from_millis(100);
/// How long partitions that are given away wait for what is in flight.
const REVOKE_WAIT: Duration = Duration::from_secs(8);
const STEP: Duration = Duration::from_millis(1);

impl Member {
    /// Connects and subscribes; partitions come later, while polling.
    pub(super) fn join(setup: Setup) -> Result<Self, Trouble> {
        let settings = &setup.settings;
        let policy = StartPolicy {
            start_at: client::start_at(settings)?,
            on_data_loss: settings.on_data_loss,
        };
        let delivery = Delivery::new(settings, setup.number, setup.limits)?;
        let consumer = client::consumer(settings, setup.number)?;
        let consumer = BaseConsumer::from_config_and_context(&consumer, GroupContext::default())
            .map_err(|error| client::refused(&error, "consumer"))?;
        let topics: Vec<_> = settings.written_topics().map(str::to_owned).collect();
        let mut member = Self {
            consumer: Arc::new(consumer),
            delivery,
            tracker: OffsetTracker::default(),
            meters: Meters::new(setup.number, &topics, &settings.output_names),
            pace: Pace::new(settings.commit),
            transaction: Transaction::default(),
            acknowledged: Acknowledged::default(),
            is_handing_on: false,
            setup,
            lines: RateLimited::new(1, LINE_WINDOW),
            policy,
            lag: Lag::default(),
            timestamps: Timestamps::default(),
            paused: false,
            leave_by: None,
        };
        if member.is_transactional() {
            member.init_transactions()?;
        }
        member.subscribe()?;
        Ok(member)
    }

    fn subscribe(&self) -> Result<(), KafkaError> {
        let sources = &self.setup.settings.sources;
        let names: Vec<_> = sources.iter().map(String::as_str).collect();
        let subscribed = self.consumer.subscribe(&names);
        subscribed.map_err(|error| {
            KafkaError::client(format!("subscribing to {}", sources.join(", ")), error)
        })
    }

    /// Takes in what the producer has to tell.
    pub(super) fn serve(&mut self) -> Result<(), Trouble> {
        let mut failure = None;
        let (tracker, acknowledged) = (&mut self.tracker, &mut self.acknowledged);
        self.delivery
            .serve_all(|reports| absorb(reports, tracker, acknowledged, &mut failure));
        self.settle_at_once();
        failure.map_or(Ok(()), |failure| Err(Trouble::Delivery(failure)))
    }

    /// Waits a moment for the producer and takes in what it has to tell.
    pub(super) fn serve_for(&mut self, timeout: Duration) -> Result<(), Trouble> {
        let mut failure = None;
        let (tracker, acknowledged) = (&mut self.tracker, &mut self.acknowledged);
        let reports = self.delivery.serve(timeout);
        absorb(reports, tracker, acknowledged, &mut failure);
        self.settle_at_once();
        failure.map_or(Ok(()), |failure| Err(Trouble::Delivery(failure)))
    }

    /// Hands one record on, waiting for room where there is none. False when the partition that
    /// it came from was given away meanwhile: its next owner will do it all again.
    pub(super) fn deliver(&mut self, mut record: Record<'_>) -> Result<bool, Trouble> {
        let ticket = record.ticket;
        let replacement = self
            .timestamps
            .replacement(record.topic, record.timestamp_ms, now_ms);
        if replacement.is_some() {
            record.timestamp_ms = replacement;
            let topic = record.topic.to_owned();
            counter!(names::TIMESTAMPS_REPLACED, "topic" => topic).increment(1);
        }
        while self.tracker.owns(ticket) {
            record = match self.delivery.send(record) {
                Ok(()) => {
                    // Reports are taken in on this thread, so that none came before.
                    self.tracker.await_delivery(ticket);
                    return Ok(true);
                }
                Err(Refused::Failed(failure)) => return Err(Trouble::Delivery(failure)),
                Err(Refused::Full(record)) => record,
            };
            self.wait_for_room()?;
        }
        Ok(false)
    }

    /// The input was handed on whole.
    pub(super) fn release(&mut self, ticket: Ticket) {
        if let Some(done) = self.tracker.release(ticket) {
            self.acknowledged.done.push(done);
            self.settle_at_once();
        }
    }

    fn settle_at_once(&mut self) {
        if !self.is_transactional() {
            self.settle();
        }
    }

    /// Tells what was acknowledged.
    pub(super) fn settle(&mut self) {
        let Acknowledged { by_topic, done } = &mut self.acknowledged;
        if done.is_empty() && by_topic.iter().all(|count| *count == 0) {
            return;
        }
        self.meters
            .count_produced(by_topic, &self.setup.status().counts);
        let now_ms = now_ms();
        for done in done.iter() {
            observe_age(&self.meters, *done, now_ms);
        }
        self.acknowledged.forget();
    }

    /// Ends the clients. To be called when the group is left.
    pub(super) fn dissolve(self) -> Former {
        Former {
            meters: self.meters,
            tracker: self.tracker,
            timestamps: self.timestamps,
            transaction: self.transaction,
        }
    }

    /// Takes over the running counts of a former membership.
    pub(super) fn carry_on(&mut self, former: Former) {
        self.meters = former.meters;
        self.tracker.carry_on(&former.tracker);
        self.timestamps = former.timestamps;
        self.transaction.carry_on(&former.transaction);
    }

    /// How many messages are done for good.
    pub(super) fn finished(&self) -> u64 {
        if self.is_transactional() {
            self.transaction.committed()
        } else {
            self.tracker.finished()
        }
    }

    /// Waits until half of what may be in flight is free. The group is served meanwhile.
    pub(super) fn wait_for_room(&mut self) -> Result<(), Trouble> {
        let since = Instant::now();
        let was_paused = self.paused;
        loop {
            self.serve_for(STEP)?;
            if self.delivery.has_room() {
                break;
            }
            if self
                .setup
                .shutdown
                .is_overdue(self.setup.settings.shutdown_timeout)
            {
                return Err(Trouble::Overdue);
            }
            if since.elapsed() > SHORT_WAIT {
                if !self.paused {
                    counter!(names::PAUSES).increment(1);
                    let reason = "waiting for the brokers to acknowledge".to_owned();
                    self.setup.status().enter(State::Waiting, Some(reason));
                    self.pause()?;
                }
                self.poll_paused(Duration::ZERO)?;
                // A transaction must not end in the midst of a message.
                if !self.is_transactional() {
                    self.commit_if_due()?;
                }
            }
        }
        if self.paused && !was_paused {
            self.resume()?;
            self.setup.status().enter(State::Consuming, None);
        }
        Ok(())
    }

    /// Polls while partitions are paused, so that the group is served.
    pub(super) fn poll_paused(&mut self, timeout: Duration) -> Result<(), Trouble> {
        let consumer = Arc::clone(&self.consumer);
        match consumer.poll(timeout) {
            None => {}
            // None is expected of a paused partition; if one comes, it must come again later.
            Some(Ok(message)) => self.seek(vec![at(&message)])?,
            Some(Err(error)) => self.on_error(&error)?,
        }
        self.setup
            .status()
            .update(|now| now.last_turn = Instant::now());
        self.answer()
    }

    /// Stops reading all partitions, those to come as well.
    pub(super) fn pause(&mut self) -> Result<(), Trouble> {
        self.paused = true;
        let owned = self.owned();
        let paused = self.consumer.pause(&owned);
        paused.map_err(|error| KafkaError::client("pausing partitions", error).into())
    }

    /// Reads all partitions again.
    pub(super) fn resume(&mut self) -> Result<(), Trouble> {
        self.paused = false;
        let owned = self.owned();
        let resumed = self.consumer.resume(&owned);
        resumed.map_err(|error| KafkaError::client("resuming partitions", error).into())
    }

    fn owned(&self) -> TopicPartitionList {
        let mut owned = TopicPartitionList::new();
        for slot in self.tracker.slots() {
            owned.add_partition(slot.topic(), slot.partition());
        }
        owned
    }

    /// Commits when it is time to.
    pub(super) fn commit_if_due(&mut self) -> Result<(), Trouble> {
        if !self.pace.is_due(Instant::now()) {
            return Ok(());
        }
        if self.is_transactional() {
            return self.commit_transaction();
        }
        self.commit(CommitMode::Async);
        Ok(())
    }

    /// Commits what is finished. A failure is no loss: it is asked for again.
    pub(super) fn commit(&mut self, mode: CommitMode) {
        let commits = self.tracker.take_commits();
        self.pace.asked(Instant::now());
        if commits.is_empty() {
            return;
        }
        counter!(names::COMMITS).increment(1);
        if let Err(error) = self.consumer.commit(&list(&commits), mode) {
            tracing::debug!(%error, "commit failed, it will be asked for again");
            self.tracker.ask_again();
        }
    }

    /// Commits what is finished and waits for the answer, before partitions are given away. What
    /// was asked for before and is not confirmed is asked for once more: it may have failed.
    fn commit_finally(&mut self) {
        self.tracker.ask_again();
        self.commit(CommitMode::Sync);
    }

    /// Takes note of what the broker has confirmed.
    ///
    /// An asynchronous commit is not answered in librdkafka's event mode, which rust-rdkafka
    /// uses; but the statistics tell the offset that was last committed with success. A commit
    /// fails while the group changes hands, so what is not confirmed from one statistics to the
    /// next is asked for again.
    fn confirm(&mut self, statistics: &Statistics) {
        let owned: Vec<_> = self.tracker.slots().map(Slot::next).collect();
        for at in owned {
            let topic = statistics.topics.get(at.topic.as_ref());
            let partition = topic.and_then(|topic| topic.partitions.get(&at.partition));
            if let Some(partition) = partition {
                let offset = partition.committed_offset;
                self.tracker.confirmed(&at.topic, at.partition, offset);
            }
        }
        let again = self.tracker.ask_overdue_again();
        counter!(names::COMMITS_REPEATED).increment(again as u64);
    }

    fn fenced(&self) -> KafkaError {
        KafkaError::Fenced {
            id: client::member_id(&self.setup.settings, self.setup.number),
        }
    }

    /// Acts on an error of the consumer: most pass by themselves.
    pub(super) fn on_error(&mut self, error: &ClientError) -> Result<(), Trouble> {
        match error {
            ClientError::PartitionEOF(_) => return Ok(()),
            ClientError::MessageConsumptionFatal(RDKafkaErrorCode::FencedInstanceId) => {
                return Err(self.fenced().into());
            }
            ClientError::MessageConsumptionFatal(_) => {
                return Err(KafkaError::client("reading", error.clone()).into());
            }
            _ => {}
        }
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AutoOffsetReset) => return self.on_out_of_range(),
            Some(RDKafkaErrorCode::FencedInstanceId) => return Err(self.fenced().into()),
            Some(RDKafkaErrorCode::GroupAuthorizationFailed) => {
                let what = format!("READ on group {}", self.setup.settings.group);
                return Err(self.unauthorized(what).into());
            }
            Some(RDKafkaErrorCode::TopicAuthorizationFailed) => {
                let what = format!("READ on source {}", self.setup.settings.sources.join(", "));
                return Err(self.unauthorized(what).into());
            }
            _ => {}
        }
        self.sum_up_errors();
        if self.lines.admit(error.to_string(), 1, Instant::now()) {
            tracing::warn!(%error, "the consumer reports an error and goes on");
        }
        Ok(())
    }

    /// Tells how many errors were kept back in windows that are over.
    fn sum_up_errors(&mut self) {
        for Suppressed { key, untold } in self.lines.summaries(Instant::now()) {
            tracing::warn!(error = key, count = untold, "more errors like it");
        }
    }

    fn on_out_of_range(&mut self) -> Result<(), Trouble> {
        let next: Vec<_> = self.tracker.slots().map(Slot::next).collect();
        let loss = assignment::out_of_range(&self.consumer, &next);
        match (loss, self.setup.settings.on_data_loss) {
            (Some(loss), OnDataLoss::Stop) => Err(Trouble::Fatal(loss)),
            // At the new assignment a committed offset that is out of range is told and counted;
            // but that of a topic that was deleted the brokers have forgotten.
            (
                Some(KafkaError::DataLoss {
                    topic,
                    partition,
                    offset,
                    low,
                    high,
                }),
                OnDataLoss::Continue,
            ) => Err(Trouble::Rejoin(error::out_of_range(
                &topic,
                partition,
                offset,
                (low, high),
            ))),
            (_, _) => Err(Trouble::Rejoin("an offset is out of range".to_owned())),
        }
    }

    /// Waits until nothing is in flight, and exactly once, until it is committed.
    pub(super) fn drain(&mut self, deadline: Instant) -> Result<(), Trouble> {
        if self.is_transactional() {
            return self.commit_transaction();
        }
        while self.delivery.in_flight() > 0 {
            if Instant::now() > deadline {
                return Err(Trouble::Overdue);
            }
            self.serve_for(STEP)?;
        }
        self.serve()
    }
}

/// Takes in reports: what is acknowledged, what failed, and what is thereby done.
fn absorb(
    reports: &Reports,
    tracker: &mut OffsetTracker,
    acknowledged: &mut Acknowledged,
    failure: &mut Option<Failure>,
) {
    if let Some(new) = &reports.failure {
        *failure = Some(match failure.take() {
            Some(known) => known.or_worse(new.clone()),
            None => new.clone(),
        });
    }
    if reports.delivered.is_empty() {
        return;
    }
    let by_topic = &mut acknowledged.by_topic;
    by_topic.resize(reports.by_topic.len(), 0);
    for (sum, count) in by_topic.iter_mut().zip(&reports.by_topic) {
        *sum += count;
    }
    let done = reports.delivered.iter();
    let done = done.filter_map(|ticket| tracker.delivered(*ticket));
    acknowledged.done.extend(done);
}

fn observe_age(meters: &Meters, done: Done, now_ms: i64) {
    if let Some(timestamp_ms) = done.timestamp_ms {
        let age_ms = now_ms.saturating_sub(timestamp_ms).max(0);
        meters.end_to_end_seconds.record(age_ms as f64 / 1e3);
    }
}

fn at(message: &BorrowedMessage<'_>) -> PartitionOffset {
    PartitionOffset {
        topic: message.topic().into(),
        partition: message.partition(),
        offset: message.offset(),
    }
}

/// Offsets as librdkafka takes them.
pub(super) fn list(offsets: &[PartitionOffset]) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(offsets.len());
    for at in offsets {
        let mut element = list.add_partition(&at.topic, at.partition);
        // Offsets come from the brokers and are never negative.
        let _ = element.set_offset(Offset::Offset(at.offset));
    }
    list
}

/// Milliseconds since 1970.
pub(super) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}
