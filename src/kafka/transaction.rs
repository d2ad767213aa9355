//! Exactly once: what a worker produces and the offsets that it has thereby done become visible
//! together, in one transaction, or not at all.
//!
//! ```text
//! begin ── messages … ── drain ── send offsets ── commit
//!   └─────────── abort, and back to the committed offsets
//! ```
//!
//! Every call that may be made again is made again, for as long as it takes: a commit that timed
//! out may have happened or not, and only asking on tells.

use std::time::{Duration, Instant};

use metrics::counter;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::Consumer;
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::producer::Producer;

use super::client;
use super::context::Failure;
use super::inheritance;
use super::member::{Member, Trouble, Undone, list, now_ms};
use super::native::{self, NotSent, TransactionError};
use super::offsets::{PartitionOffset, Slot};
use super::settings::{Guarantee, KafkaSettings};
use super::status::State;
use crate::observe::metrics as names;

/// How long one call may block; while it does, nothing else of the worker is served.
const ONE_CALL: Duration = Duration::from_secs(1);
/// Pause before a call is made again at first, and at last.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));
/// How long a start asks the brokers for its transactional id before all clients are made anew.
const INIT_PATIENCE: Duration = Duration::from_secs(60);
/// How long taking back what is in flight may take: it needs no broker.
const PURGE_PATIENCE: Duration = Duration::from_secs(10);
/// A source that is silent for so long is taken to be at its end, whatever the offsets say: the
/// markers of transactions fill offsets too.
const QUIET: Duration = Duration::from_millis(10);
/// How long the worker rests after an early commit. The coordinator is still writing the markers
/// of the transaction, and when it is asked for the next one meanwhile, librdkafka pauses for
/// 20 ms before it asks again.
const REST: Duration = Duration::from_millis(5);
/// How often it is looked whether there is more to read.
const LOOK: Duration = Duration::from_millis(1);
/// Shortest wait for a message.
const SHORTEST_POLL: Duration = Duration::from_millis(3);
/// How long a lapse into trouble may take before it shows in the worker's state.
const PATIENCE: Duration = Duration::from_secs(1);
const STEP: Duration = Duration::from_millis(1);

/// What to do about an error of a transactional call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Remedy {
    /// Make the same call again.
    Again,
    /// Abort the transaction and go back.
    Abort,
    /// Another producer has the transactional id, or the transaction outlived its time-out.
    Fenced,
    /// The principal may not use the transactional id, or not commit for the group.
    Unauthorized,
    /// Make the clients anew.
    Rebuild,
}

/// What a transaction of a worker is about.
#[derive(Debug)]
pub(super) struct Transaction {
    /// When the one that is open was begun.
    begun: Option<Instant>,
    /// When the transactional id was taken over, in milliseconds since 1970.
    since_ms: i64,
    /// Whether there may be partitions whose offsets do not say yet who reads them.
    is_unsigned: bool,
    last_message: Option<Instant>,
    /// When it is looked again whether there is more to read.
    next_look: Instant,
    /// Messages whose offsets were committed.
    committed: u64,
}

impl Default for Transaction {
    fn default() -> Self {
        Self {
            begun: None,
            since_ms: 0,
            is_unsigned: false,
            last_message: None,
            next_look: Instant::now(),
            committed: 0,
        }
    }
}

impl Transaction {
    /// Whether one is open.
    pub(super) fn is_open(&self) -> bool {
        self.begun.is_some()
    }

    /// Messages whose offsets were committed, so far.
    pub(super) fn committed(&self) -> u64 {
        self.committed
    }

    /// Partitions were taken over.
    pub(super) fn taken_over(&mut self) {
        self.is_unsigned = true;
    }

    /// Goes on counting where a former one ended.
    pub(super) fn carry_on(&mut self, former: &Self) {
        self.committed += former.committed;
    }
}

/// The transactional id of a worker.
pub(super) fn id(settings: &KafkaSettings, worker: usize) -> String {
    id_of(settings, &client::member_id(settings, worker))
}

/// The transactional id of the member of the group that has this client id.
pub(super) fn id_of(settings: &KafkaSettings, client_id: &str) -> String {
    format!("{}-{client_id}", settings.group)
}

/// The transactional id by which a check proves the right to such ids. No worker has it, so that
/// none is fenced; it begins as theirs do, for access rights by prefix.
pub(super) fn check_id(settings: &KafkaSettings) -> String {
    format!("{}-check", id(settings, 0))
}

impl Member {
    /// Whether events, dead letters and offsets are one transaction.
    pub(super) fn is_transactional(&self) -> bool {
        self.setup.settings.guarantee == Guarantee::ExactlyOnce
    }

    /// Takes over the transactional id, and thereby ends whatever a former process has left
    /// open under it. Must come before anything is read.
    pub(super) fn init_transactions(&mut self) -> Result<(), Trouble> {
        let deadline = Instant::now() + INIT_PATIENCE;
        let what = "taking over the transactional id";
        let mut pause = PAUSES.0;
        while !self.setup.shutdown.is_requested() {
            let called = self.delivery.producer().init_transactions(ONE_CALL);
            let Err(error) = called.map_err(TransactionError::from) else {
                break;
            };
            if remedy(&error) != Remedy::Again || Instant::now() > deadline {
                return Err(self.trouble(what, &error));
            }
            self.tell_retry(what, &error.reason);
            self.delivery.serve(pause);
            pause = (pause * 2).min(PAUSES.1);
        }
        // What was ended under the former signature does not hold for this one.
        self.transaction.since_ms = now_ms();
        self.transaction.is_unsigned = true;
        Ok(())
    }

    /// Begins a transaction where none is open.
    pub(super) fn begin(&mut self) -> Result<(), Trouble> {
        if !self.is_transactional() {
            return Ok(());
        }
        let now = Instant::now();
        self.transaction.last_message = Some(now);
        if self.transaction.is_open() {
            return Ok(());
        }
        if self.transaction.is_unsigned {
            self.sign()?;
        }
        self.open()?;
        self.pace.begun(now);
        Ok(())
    }

    fn open(&mut self) -> Result<(), Trouble> {
        let begun = self.delivery.producer().begin_transaction();
        begun.map_err(|error| self.trouble("beginning a transaction", &error.into()))?;
        self.transaction.begun = Some(Instant::now());
        Ok(())
    }

    /// Signs the offsets of the partitions as they are, in a transaction of its own: should this
    /// worker die in the first one that writes, whoever takes over must know whose it is.
    fn sign(&mut self) -> Result<(), Trouble> {
        self.open()?;
        let offsets: Vec<_> = self.tracker.slots().map(Slot::start).collect();
        self.end(&offsets)?;
        self.transaction.is_unsigned = false;
        Ok(())
    }

    /// Commits the transaction with these offsets.
    fn end(&mut self, offsets: &[PartitionOffset]) -> Result<(), Trouble> {
        let offsets = self.signed(offsets);
        let what = "adding offsets to the transaction";
        self.insist(what, |member| {
            let consumer = member.consumer.client();
            let producer = member.delivery.producer().client();
            native::send_offsets(producer, &offsets, consumer, ONE_CALL)
        })?;
        self.insist("committing the transaction", |member| {
            let committed = member.delivery.producer().commit_transaction(ONE_CALL);
            committed.map_err(|error| NotSent::Refused(error.into()))
        })?;
        self.transaction.begun = None;
        counter!(names::TRANSACTIONS, "outcome" => "committed").increment(1);
        Ok(())
    }

    /// Ends the transaction: everything of it is delivered, its offsets go with it, and it is
    /// committed. To be called between two messages only.
    pub(super) fn commit_transaction(&mut self) -> Result<(), Trouble> {
        if !self.transaction.is_open() {
            return Ok(());
        }
        let since = Instant::now();
        self.await_deliveries()?;
        let commits = self.tracker.take_commits();
        // Neither can be; both would make something come twice.
        if commits.is_empty() || !self.tracker.slots().all(Slot::is_idle) {
            return Err(Trouble::Abort("not all that was read is done".to_owned()));
        }
        self.end(&commits)?;
        self.transaction.committed += self.pace.messages();
        for at in &commits {
            self.tracker.confirmed(&at.topic, at.partition, at.offset);
        }
        self.settle();
        self.pace.asked(Instant::now());
        let seconds = since.elapsed().as_secs_f64();
        self.meters.transaction_commit_seconds.record(seconds);
        Ok(())
    }

    /// Offsets that say who commits them, to whoever takes their partitions over.
    fn signed(&self, commits: &[PartitionOffset]) -> TopicPartitionList {
        let (settings, since_ms) = (&self.setup.settings, self.transaction.since_ms);
        let signature = inheritance::signature(settings, self.setup.number, since_ms);
        let list = list(commits);
        for mut element in list.elements() {
            element.set_metadata(&signature);
        }
        list
    }

    /// Ends the transaction early when there is nothing more to read for now.
    pub(super) fn commit_at_end(&mut self) -> Result<(), Trouble> {
        let now = Instant::now();
        if !self.transaction.is_open() || now < self.transaction.next_look {
            return Ok(());
        }
        self.transaction.next_look = now + LOOK;
        if !self.pace.may_be_early(now) {
            return Ok(());
        }
        let last = self.transaction.last_message;
        let is_quiet = last.is_none_or(|last| now.saturating_duration_since(last) >= QUIET);
        if is_quiet || self.is_at_end() {
            self.commit_transaction()?;
            std::thread::sleep(REST);
        }
        Ok(())
    }

    fn is_at_end(&self) -> bool {
        let consumer = self.consumer.client();
        self.tracker
            .slots()
            .map(Slot::next)
            .all(|next| native::is_at_end(consumer, &next.topic, next.partition, next.offset))
    }

    /// How long a poll may wait for a message.
    pub(super) fn poll_timeout(&self, now: Instant, longest: Duration) -> Duration {
        let remaining = if self.transaction.is_open() {
            self.pace.remaining_early(now)
        } else if self.is_transactional() {
            longest
        } else {
            self.pace.remaining(now)
        };
        remaining.clamp(SHORTEST_POLL, longest)
    }

    /// Undoes what the transaction holds, and goes back to what is committed: what was read since
    /// then must be read again.
    ///
    /// What is on its way is waited for up to `limit`: a request that reaches a broker after the
    /// abort could count as part of the next transaction.
    ///
    /// Gives the failed delivery that says most of the cause.
    pub(super) fn abort(&mut self, limit: Duration) -> Result<Undone, Trouble> {
        let mut failure = self.take_back(limit);
        let deadline = Instant::now() + PURGE_PATIENCE;
        while self.delivery.in_flight() > 0 {
            if Instant::now() > deadline {
                let reason = "what is in flight cannot be taken back";
                return Err(Trouble::Rejoin(reason.to_owned()));
            }
            let more = self.take_back(STEP);
            failure = failure.into_iter().chain(more).reduce(Failure::or_worse);
        }
        if self.transaction.is_open() {
            let aborted = self.insist("aborting the transaction", |member| {
                let aborted = member.delivery.producer().abort_transaction(ONE_CALL);
                aborted.map_err(|error| NotSent::Refused(error.into()))
            });
            // To go back once more would be to ask for the same again, at once and without end.
            aborted.map_err(|trouble| match trouble {
                Trouble::Abort(reason) => Trouble::Rejoin(reason),
                other => other,
            })?;
            self.transaction.begun = None;
            counter!(names::TRANSACTIONS, "outcome" => "aborted").increment(1);
        }
        self.acknowledged.forget();
        self.pace.asked(Instant::now());
        let undone = self.undone(failure);
        self.tracker.rewind_to_committed();
        Ok(undone)
    }

    /// Aborts what is open, as far as the time goes: the next owner of the transactional id would
    /// do it too, or else the brokers, when its time is over.
    pub(super) fn abandon(&mut self, deadline: Instant) {
        self.take_back(Duration::ZERO);
        while self.transaction.is_open() && Instant::now() < deadline {
            let left = deadline.saturating_duration_since(Instant::now());
            let aborted = self
                .delivery
                .producer()
                .abort_transaction(left.min(ONE_CALL));
            match aborted.map_err(TransactionError::from) {
                Ok(()) => {
                    self.transaction.begun = None;
                    counter!(names::TRANSACTIONS, "outcome" => "aborted").increment(1);
                }
                Err(error) if remedy(&error) == Remedy::Again => {
                    self.delivery.serve(PAUSES.0);
                }
                Err(error) => {
                    tracing::debug!(
                        reason = error.reason,
                        "the transaction is left to the brokers"
                    );
                    break;
                }
            }
        }
        self.transaction.begun = None;
    }

    fn await_deliveries(&mut self) -> Result<(), Trouble> {
        while self.delivery.in_flight() > 0 {
            // librdkafka gives up on a record long before this could last.
            self.refuse_overdue()?;
            self.serve_for(STEP)?;
        }
        self.serve()
    }

    /// Makes a call until it is answered.
    fn insist(
        &mut self,
        what: &'static str,
        call: impl Fn(&Self) -> Result<(), NotSent>,
    ) -> Result<(), Trouble> {
        let since = Instant::now();
        let (mut pause, mut told) = (PAUSES.0, false);
        loop {
            let error = match call(self) {
                Ok(()) => break,
                Err(NotSent::NoMember) => {
                    return Err(Trouble::Abort(format!("{what}: no member of the group")));
                }
                Err(NotSent::Refused(error)) => error,
            };
            if remedy(&error) != Remedy::Again {
                return Err(self.trouble(what, &error));
            }
            self.refuse_overdue()?;
            if since.elapsed() > PATIENCE {
                self.tell_retry(what, &error.reason);
                told = true;
            }
            self.delivery.serve(pause);
            pause = (pause * 2).min(PAUSES.1);
        }
        if told {
            self.setup.status().enter(State::Consuming, None);
        }
        Ok(())
    }

    fn tell_retry(&mut self, what: &str, error: &str) {
        if self.lines.admit(what.to_owned(), 1, Instant::now()) {
            tracing::warn!(error, "{what} is not answered, asking again");
        }
        self.setup.status().update(|now| {
            now.last_turn = Instant::now();
            now.reason = Some(format!("{what}: {error}"));
            if now.state == State::Consuming {
                now.state = State::Retrying;
            }
        });
    }

    fn refuse_overdue(&self) -> Result<(), Trouble> {
        let setup = &self.setup;
        if setup.shutdown.is_overdue(setup.settings.shutdown_timeout) {
            return Err(Trouble::Overdue);
        }
        Ok(())
    }

    fn trouble(&self, what: &str, error: &TransactionError) -> Trouble {
        match remedy(error) {
            Remedy::Abort => Trouble::Abort(self.told(what, error)),
            Remedy::Fenced if self.has_outlived_time_out() => Trouble::Rejoin(format!(
                "{what}: the transaction was open for longer than transaction.timeout.ms"
            )),
            Remedy::Fenced => Trouble::Fenced,
            Remedy::Unauthorized => {
                let what = if error.code == Code::GroupAuthorizationFailed {
                    format!("READ on group {}", self.setup.settings.group)
                } else {
                    format!("WRITE on transactional id {}", self.transactional_id())
                };
                self.unauthorized(what).into()
            }
            Remedy::Again | Remedy::Rebuild => Trouble::Rejoin(format!("{what}: {}", error.reason)),
        }
    }

    /// Whether the brokers may have ended the transaction for its age: while they did not answer,
    /// or this process stood still. The same error tells of another process with its id.
    fn has_outlived_time_out(&self) -> bool {
        let time_out = client::transaction_timeout(&self.setup.settings);
        let begun = self.transaction.begun;
        begun.is_some_and(|begun| begun.elapsed() >= time_out)
    }

    /// The transactional id.
    pub(super) fn transactional_id(&self) -> String {
        id(&self.setup.settings, self.setup.number)
    }
}

fn remedy(error: &TransactionError) -> Remedy {
    match error.code {
        Code::TransactionalIdAuthorizationFailed | Code::GroupAuthorizationFailed => {
            Remedy::Unauthorized
        }
        Code::Fenced | Code::ProducerFenced => Remedy::Fenced,
        _ if error.is_retriable => Remedy::Again,
        _ if error.requires_abort => Remedy::Abort,
        Code::InvalidProducerEpoch => Remedy::Fenced,
        _ => Remedy::Rebuild,
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::producer::BaseRecord;
    use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

    use super::*;
    use crate::kafka::member::Setup;
    use crate::kafka::mock::EmbeddedCluster;

    /// What comes of an abort, of a transaction of that age, to which the brokers answer with this
    /// error.
    fn refused_abort(error: RDKafkaRespErr, age: Duration) -> Trouble {
        let cluster = EmbeddedCluster::start(&[("in", 1), ("dead", 1)]).unwrap();
        let bootstrap = cluster.bootstrap_servers();
        let settings = KafkaSettings::new(&bootstrap, "in", Vec::new(), "dead", "g");
        let mut member = Member::join(Setup::of_one(settings)).unwrap();
        member.open().unwrap();
        let record = BaseRecord::with_opaque_to("dead", 0).key("").payload("");
        member.delivery.producer().send(record).unwrap();
        member.delivery.producer().flush(INIT_PATIENCE).unwrap();
        member.transaction.begun = Some(Instant::now().checked_sub(age).unwrap());
        cluster
            .mock()
            .request_errors(RDKafkaApiKey::EndTxn, &[error; 8]);
        member.abort(ONE_CALL).err().unwrap()
    }

    #[test]
    fn an_abort_that_is_refused_makes_the_clients_anew() {
        let unknown = RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN;
        let trouble = refused_abort(unknown, Duration::ZERO);
        assert!(matches!(trouble, Trouble::Rejoin(_)), "{trouble:?}");
    }

    #[test]
    fn a_transaction_that_has_outlived_its_time_out_is_no_fight_for_its_id() {
        let fenced = RDKafkaRespErr::RD_KAFKA_RESP_ERR_PRODUCER_FENCED;
        let trouble = refused_abort(fenced, Duration::ZERO);
        assert!(matches!(trouble, Trouble::Fenced), "{trouble:?}");
        let settings = KafkaSettings::new("b:1", "in", Vec::new(), "dead", "g");
        let trouble = refused_abort(fenced, client::transaction_timeout(&settings));
        assert!(
            matches!(&trouble, Trouble::Rejoin(reason) if reason.contains("transaction.timeout.ms")),
            "{trouble:?}"
        );
    }

    #[test]
    fn each_class_of_error_has_its_remedy() {
        let of = |code, is_retriable, requires_abort| {
            remedy(&TransactionError {
                code,
                is_retriable,
                requires_abort,
                reason: String::new(),
            })
        };
        assert_eq!(of(Code::OperationTimedOut, true, false), Remedy::Again);
        assert_eq!(of(Code::IllegalGeneration, false, true), Remedy::Abort);
        assert_eq!(of(Code::Fenced, false, false), Remedy::Fenced);
        assert_eq!(of(Code::InvalidProducerEpoch, false, true), Remedy::Abort);
        assert_eq!(of(Code::InvalidProducerEpoch, false, false), Remedy::Fenced);
        assert_eq!(of(Code::State, false, false), Remedy::Rebuild);
        for code in [
            Code::TransactionalIdAuthorizationFailed,
            Code::GroupAuthorizationFailed,
        ] {
            assert_eq!(of(code, false, true), Remedy::Unauthorized);
        }
        // It may be given back.
        assert_eq!(
            of(Code::TopicAuthorizationFailed, false, true),
            Remedy::Abort
        );
    }

    #[test]
    fn workers_of_one_group_have_ids_of_their_own() {
        let mut settings = KafkaSettings::new("b:1", "in", vec![], "dead", "group");
        settings.instance = "pod-1".to_owned();
        assert_eq!(id(&settings, 2), "group-pod-1-2");
    }
}
