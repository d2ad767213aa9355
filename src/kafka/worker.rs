//! The worker: one thread that consumes, processes, produces and commits.

mod joining;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rdkafka::Message;
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::message::BorrowedMessage;

use super::brake::Brake;
use super::context::Failure;
use super::delivery::Limits;
use super::error::KafkaError;
use super::limits::{self, Shrunk};
use super::member::{Member, Setup, Trouble};
use super::meters::Summary;
use super::processor::{self, Outcome, Processor};
use super::produce;
use super::settings::BrakeAction;
use super::status::State;
use crate::observe::metrics as names;
use crate::pipeline::settings::Settings;
use joining::Attempts;
pub(super) use joining::give_up;

/// How often counts and the status are brought up to date.
const TICK: Duration = Duration::from_millis(100);
/// How long what is in flight may take when a worker goes back.
const TAKE_BACK: Duration = Duration::from_secs(2);
/// Longest poll while the worker waits for something else.
const WAIT: Duration = Duration::from_millis(50);
/// How long leaving the group may take at least, when the shutdown has used up its time.
const LEAVE: Duration = Duration::from_secs(1);

/// How often in a row batches and records are made smaller: batches of any size are halved to
/// nothing in 31 steps, and the limit of dead letters to the least there is in some twenty.
const MOST_SHRINKS: u32 = 31 * 20;

/// A worker.
pub(super) struct Worker {
    setup: Setup,
    member: Member,
    processor: Processor,
    brake: Brake,
    braked_until: Option<Instant>,
    limits: Limits,
    attempts: Attempts,
    shrinks: Retries,
    next_tick: Instant,
    seen_finished: u64,
}

/// Why a worker goes back.
enum Setback {
    /// A record could not be delivered.
    Delivery(Failure),
    /// The transaction cannot be committed.
    Abort(String),
}

impl Setback {
    /// The cause, where a failure is known that says more.
    fn or_cause(self, failure: Option<Failure>) -> Self {
        match (self, failure) {
            (Self::Delivery(known), Some(failure)) => Self::Delivery(known.or_worse(failure)),
            (Self::Abort(_), Some(failure)) => Self::Delivery(failure),
            (setback, None) => setback,
        }
    }

    /// It in words; a right that is missing is named.
    fn reason(&self, member: &Member) -> String {
        match self {
            Self::Delivery(failure) if failure.code == Code::TopicAuthorizationFailed => {
                let what = format!("WRITE on topic {}", failure.topic);
                member.unauthorized(what).to_string()
            }
            Self::Delivery(failure) => {
                format!("delivery to {} failed: {}", failure.topic, failure.code)
            }
            Self::Abort(reason) => reason.clone(),
        }
    }
}

/// Whether a worker goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    Go,
    Stop,
}

/// Failures in a row.
#[derive(Default)]
struct Retries {
    failures: u32,
    finished: u64,
}

impl Worker {
    /// A worker that has subscribed.
    pub(super) fn start(setup: Setup, core: Settings) -> Result<Self, KafkaError> {
        let brake = &setup.settings.brake;
        let mut attempts = Attempts::default();
        Ok(Self {
            brake: Brake::new(brake.window, brake.max_rejected_share),
            member: joining::join(&setup, &mut attempts, 0)?,
            processor: Processor::new(core, setup.tables.reader()),
            braked_until: None,
            limits: setup.limits,
            attempts,
            shrinks: Retries::default(),
            next_tick: Instant::now(),
            seen_finished: 0,
            setup,
        })
    }

    /// Works until a shutdown is asked for, or until nothing helps.
    pub(super) fn run(self) -> Result<Summary, KafkaError> {
        let (setup, up) = (self.setup.clone(), self.member.meters.up.clone());
        up.set(1.0);
        let result = self.run_until_stopped();
        up.set(0.0);
        let (state, reason) = match &result {
            Ok(_) => (State::Stopped, None),
            Err(error) => (State::Failed, Some(error.to_string())),
        };
        setup.status().enter(state, reason);
        result
    }

    /// Works under one membership after the other.
    fn run_until_stopped(mut self) -> Result<Summary, KafkaError> {
        let result = loop {
            let trouble = match self.run_as_member() {
                Ok(()) => break self.drain(),
                Err(trouble) => trouble,
            };
            let finished = self.member.finished();
            match self.attempts.count(&self.setup, trouble, finished) {
                Ok(pause) => self = self.rejoin(pause)?,
                Err(error) => break Err(error),
            }
        };
        let grace = Instant::now() + LEAVE;
        let limit = self.setup.settings.shutdown_timeout;
        let deadline = self.setup.shutdown.deadline(limit);
        self.leave(deadline.map_or(grace, |deadline| deadline.max(grace)));
        let produced = &self.setup.status().counts.produced;
        let produced = produced.load(Ordering::Relaxed);
        result.map(|()| Summary::of(&self.processor.emitted.tally, produced))
    }

    /// Works until a shutdown is asked for, or until the membership is of no more use.
    fn run_as_member(&mut self) -> Result<(), Trouble> {
        if self.braked_until.is_some() {
            self.hold()?;
        }
        let mut trouble = None;
        loop {
            let outcome = match trouble.take() {
                None => self.turn(),
                Some(Trouble::Delivery(failure)) => self.go_back(Setback::Delivery(failure)),
                Some(Trouble::Abort(reason)) => self.go_back(Setback::Abort(reason)),
                Some(trouble) => return Err(trouble),
            };
            match outcome {
                Ok(Flow::Go) => {}
                Ok(Flow::Stop) => return Ok(()),
                Err(new) => trouble = Some(new),
            }
        }
    }

    /// Leaves the group, and tells what is not told yet.
    fn leave(&mut self, deadline: Instant) {
        self.member.leave(deadline);
        self.show();
        self.member.meters.finish();
    }

    fn turn(&mut self) -> Result<Flow, Trouble> {
        if self.setup.shutdown.is_requested() {
            return Ok(Flow::Stop);
        }
        let now = Instant::now();
        if now >= self.next_tick {
            self.next_tick = now + TICK;
            self.show();
        }
        self.member.serve()?;
        self.member.commit_if_due()?;
        if let Some(until) = self.braked_until {
            return self.wait_for_brake(now, until);
        }
        if self.member.delivery.is_full() {
            self.member.wait_for_room()?;
        }
        let consumer = Arc::clone(&self.member.consumer);
        match consumer.poll(self.member.poll_timeout(now, TICK)) {
            None => {}
            Some(Ok(message)) => self.take(&message)?,
            Some(Err(error)) => self.member.on_error(&error)?,
        }
        self.member.answer()?;
        self.member.commit_at_end()?;
        Ok(Flow::Go)
    }

    /// One message, from its bytes to records that are on their way.
    fn take(&mut self, message: &BorrowedMessage<'_>) -> Result<(), Trouble> {
        let timestamp_ms = message.timestamp().to_millis();
        let (topic, partition, offset) = (message.topic(), message.partition(), message.offset());
        let tracker = &mut self.member.tracker;
        let Some(ticket) = tracker.begin(topic, partition, offset, timestamp_ms) else {
            // Its partition was given away, or it was taken up before.
            return Ok(());
        };
        self.member.begin()?;
        let headers = processor::headers(message);
        let input = processor::input(message, &headers);
        self.member.is_handing_on = true;
        let (member, topics) = (&mut self.member, &self.setup.settings);
        let outcome = self.processor.process(&input, |core, emitted| {
            produce::hand_on(member, topics, core, emitted, (message, &input), ticket)
        })?;
        let seconds = outcome.core.as_secs_f64();
        self.member.meters.process_seconds.record(seconds);
        self.member.is_handing_on = false;
        if !outcome.is_whole {
            return Ok(());
        }
        self.member.release(ticket);
        self.member.pace.handed_on(message.payload_len());
        self.watch_rejects(outcome)
    }

    fn watch_rejects(&mut self, outcome: Outcome) -> Result<(), Trouble> {
        let counts = &self.setup.status().counts;
        let letters = outcome.rejected as u64;
        counts.dead_letters.fetch_add(letters, Ordering::Relaxed);
        if !self.brake.observe(outcome.rejected, outcome.records) {
            return Ok(());
        }
        let settings = &self.setup.settings.brake;
        let share = self.brake.rejected_share();
        let reason = format!(
            "{:.0} % of the last {} messages are rejected",
            share * 100.0,
            settings.window
        );
        if settings.action == BrakeAction::Alert {
            tracing::error!("brake: {reason}; look at the dead letters");
            return Ok(());
        }
        let seconds = settings.pause_for.as_secs();
        tracing::error!(
            "brake: {reason}; look at the dead letters; reading pauses for {seconds} s"
        );
        self.braked_until = Some(Instant::now() + settings.pause_for);
        self.hold()
    }

    /// Holds the worker for as long as the brake says.
    fn hold(&mut self) -> Result<(), Trouble> {
        let percent = self.brake.rejected_share() * 100.0;
        let reason =
            format!("paused by the brake: {percent:.0} % of the last messages are rejected");
        self.setup.status().enter(State::Braked, Some(reason));
        self.member.pause()
    }

    fn wait_for_brake(&mut self, now: Instant, until: Instant) -> Result<Flow, Trouble> {
        if now < until {
            self.member.poll_paused(WAIT)?;
            return Ok(Flow::Go);
        }
        self.braked_until = None;
        self.brake.reset();
        self.member.resume()?;
        self.setup.status().enter(State::Consuming, None);
        Ok(Flow::Go)
    }

    /// After a failure: undoes what is not done for good, waits, and reads again from the first
    /// message that is not wholly acknowledged, exactly once from the first not committed.
    fn go_back(&mut self, mut setback: Setback) -> Result<Flow, Trouble> {
        let mut learned = false;
        if let Setback::Delivery(failure) = &setback
            && failure.is_consequence()
            && let Some(reason) = self.member.cause()
        {
            setback = Setback::Abort(reason);
        }
        if let Setback::Delivery(failure) = &setback {
            let topic = failure.topic.clone();
            metrics::counter!(names::DELIVERY_FAILURES, "topic" => topic).increment(1);
            learned = self.member.learn_timestamps(failure);
        }
        self.member.pause()?;
        let undone = self.member.undo(TAKE_BACK);
        let undone = undone.map_err(|trouble| trouble.after(&setback.reason(&self.member)))?;
        learned |= undone.learned;
        // An aborted transaction leaves the producer as good as new.
        let mut renew = !self.member.is_transactional();
        match setback.or_cause(undone.cause) {
            Setback::Delivery(failure) if failure.is_too_large() => {
                self.shrink(&failure)?;
                renew = true;
            }
            Setback::Delivery(failure) if learned => tracing::warn!(
                topic = failure.topic,
                code = %failure.code,
                "a record was refused, most likely for its timestamp; the present is put in place of it and its like"
            ),
            setback => self.back_off(setback)?,
        }
        if renew {
            self.member.renew_delivery(self.limits)?;
        }
        self.member.rewind()?;
        if self.braked_until.is_some() {
            self.hold()?;
        } else {
            self.member.resume()?;
            self.setup.status().enter(State::Consuming, None);
        }
        Ok(Flow::Go)
    }

    fn shrink(&mut self, failure: &Failure) -> Result<(), KafkaError> {
        let topics = &self.setup.settings.outputs;
        let core = &mut self.processor.settings;
        let (limits, initial) = (&mut self.limits, self.setup.limits);
        let topic = failure.topic.as_str();
        let steps = self.shrinks.count(self.member.finished());
        let given_up = || KafkaError::Delivery {
            topic: failure.topic.clone(),
            failures: steps,
            code: failure.code,
        };
        if steps > MOST_SHRINKS {
            return Err(given_up());
        }
        match limits::shrink(failure, core, topics, limits, initial) {
            Shrunk::Batches(bytes) => {
                tracing::warn!(
                    topic,
                    bytes,
                    "a batch was refused for its size; trying smaller ones"
                );
                Ok(())
            }
            Shrunk::Records(bytes) => {
                tracing::warn!(
                    topic,
                    bytes,
                    "a record was refused for its size; the topic takes less than was thought"
                );
                Ok(())
            }
            Shrunk::Nothing => Err(given_up()),
        }
    }

    /// Waits before the next attempt, longer each time; an error when there were too many.
    fn back_off(&mut self, setback: Setback) -> Result<(), Trouble> {
        let settings = self.setup.settings.delivery;
        let failures = self.attempts.retries.count(self.member.finished());
        if failures > settings.max_failures {
            return Err(Trouble::Fatal(match setback {
                Setback::Delivery(failure) => KafkaError::Delivery {
                    topic: failure.topic,
                    failures,
                    code: failure.code,
                },
                Setback::Abort(reason) => KafkaError::Transaction {
                    id: self.member.transactional_id(),
                    failures,
                    reason,
                },
            }));
        }
        let pause = settings.pause(failures);
        let reason = setback.reason(&self.member);
        tracing::warn!(
            reason,
            failures,
            pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
            "going back to the last messages that are done"
        );
        self.setup.status().enter(State::Retrying, Some(reason));
        let until = Instant::now() + pause;
        while Instant::now() < until && !self.setup.shutdown.is_requested() {
            self.member.poll_paused(WAIT.min(pause))?;
        }
        Ok(())
    }

    /// Finishes what is in work after a shutdown was asked for.
    fn drain(&mut self) -> Result<(), KafkaError> {
        self.setup.status().enter(State::Draining, None);
        let limit = self.setup.settings.shutdown_timeout;
        let deadline = self.setup.shutdown.deadline(limit);
        let deadline = deadline.unwrap_or_else(Instant::now);
        match self.member.drain(deadline) {
            Ok(()) => Ok(()),
            Err(trouble @ (Trouble::Overdue | Trouble::Fatal(_))) => {
                Err(give_up(&self.setup, trouble))
            }
            // Nothing is lost by it, and there is no time to mend it.
            Err(trouble) => {
                let reason = give_up(&self.setup, trouble).to_string();
                tracing::warn!(reason, "what was not committed will be read again");
                Ok(())
            }
        }
    }

    /// Brings counts and status up to date.
    fn show(&mut self) {
        let status = self.setup.status();
        let meters = &mut self.member.meters;
        meters.count_tally(&self.processor.emitted.tally, &status.counts);
        meters
            .in_flight_bytes
            .set(self.member.delivery.in_flight_bytes() as f64);
        meters
            .brake
            .set(f64::from(u8::from(self.brake.is_engaged())));
        meters.rejected_share.set(self.brake.rejected_share());
        let finished = self.member.finished();
        let progressed = finished != std::mem::replace(&mut self.seen_finished, finished);
        status.update(|status| {
            let now = Instant::now();
            status.last_turn = now;
            if progressed || status.lag() == 0 {
                status.last_progress = now;
            }
        });
    }
}

impl Retries {
    /// Counts a failure; how many there were since something was last finished.
    fn count(&mut self, finished: u64) -> u32 {
        if finished != self.finished {
            self.failures = 0;
        }
        self.finished = finished;
        self.failures += 1;
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_count_from_the_last_progress() {
        let mut retries = Retries::default();
        assert_eq!(retries.count(0), 1);
        assert_eq!(retries.count(0), 2);
        assert_eq!(retries.count(1), 1);
        assert_eq!(retries.count(1), 2);
    }
}
