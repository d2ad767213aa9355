//! What the consumer group asks of a worker: to take partitions over, and to give them away.

use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics::counter;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::Consumer;

use super::{Member, REVOKE_WAIT, STEP, Trouble, list, now_ms};
use crate::kafka::assignment;
use crate::kafka::context::Rebalance;
use crate::kafka::error::KafkaError;
use crate::kafka::inheritance;
use crate::kafka::lag;
use crate::kafka::offsets::Slot;
use crate::kafka::status::State;
use crate::observe::metrics as names;

impl Member {
    /// Acts on what the consumer has told: changes of the assignment and statistics.
    pub(in crate::kafka) fn answer(&mut self) -> Result<(), Trouble> {
        let context = Arc::clone(self.consumer.context());
        while let Some(rebalance) = context.next_rebalance() {
            match rebalance {
                Rebalance::Assign(partitions) => self.assign(&partitions)?,
                Rebalance::Revoke { partitions, lost } => self.revoke(&partitions, lost)?,
            }
        }
        let worker = self.setup.number.to_string();
        if let Some(statistics) = context.notes().take_statistics() {
            self.sum_up_errors();
            // A transaction's offsets are not in there; whether they are committed is known.
            if !self.is_transactional() {
                self.confirm(&statistics);
            }
            self.lag.update(&statistics, &self.tracker, now_ms());
            lag::show_client(&statistics, &worker, "consumer");
            let partitions = self.lag.partitions().to_vec();
            let group = statistics.cgrp.as_ref();
            let is_member = group.is_some_and(|of| of.state == "up" && of.join_state == "steady");
            self.setup.status().update(|now| {
                now.partitions = partitions;
                if is_member {
                    now.last_member = Instant::now();
                }
                if is_member && now.state == State::Starting {
                    now.state = State::Consuming;
                }
            });
        }
        if let Some(statistics) = self.delivery.notes().take_statistics() {
            lag::show_client(&statistics, &worker, "producer");
        }
        Ok(())
    }

    fn assign(&mut self, partitions: &TopicPartitionList) -> Result<(), Trouble> {
        count_rebalance("assigned");
        self.refuse_loops(partitions)?;
        // Looking up where they start may outlast an open transaction.
        let trouble = self.end_transaction().err();
        // Before the offsets are asked for, since the answer waits for transactions that have
        // offsets of these partitions.
        let is_transactional = self.is_transactional();
        let signatures = is_transactional.then(|| inheritance::settle(&self.setup, partitions));
        // An empty assignment before this one may have passed for being at work.
        if partitions.count() > 0 && self.tracker.slots().next().is_none() {
            self.setup.status().update(|now| {
                if now.state == State::Consuming {
                    now.state = State::Starting;
                    now.reason = Some("asking where new partitions start".to_owned());
                }
            });
        }
        let shutdown = self.setup.shutdown.clone();
        let give_up = || shutdown.is_requested();
        let starts = match assignment::starts(&self.consumer, partitions, self.policy, give_up) {
            Ok(starts) => starts,
            // The answer to the group must be given; nothing will be read of it any more.
            Err(_) if shutdown.is_requested() => Vec::new(),
            Err(KafkaError::Client { what, source }) if !assignment::is_final(&source) => {
                let can_be_read = || inheritance::can_be_read(&self.setup.settings, partitions);
                let reason = assignment::reason(&what, &source, can_be_read);
                return Err(Trouble::Rejoin(reason));
            }
            Err(error) => return Err(error.into()),
        };
        if let Some(signatures) = signatures {
            signatures.wait();
        }
        let assigned = if starts.is_empty() {
            self.consumer.incremental_assign(partitions)
        } else {
            self.consumer.incremental_assign(&list(&starts))
        };
        assigned.map_err(|error| KafkaError::client("taking over partitions", error))?;
        for start in &starts {
            self.tracker
                .assign(&start.topic, start.partition, start.offset);
            self.lag.add_partition(start);
            tracing::info!(
                topic = %start.topic,
                partition = start.partition,
                offset = start.offset,
                "partition assigned"
            );
        }
        self.transaction.taken_over();
        // librdkafka remembers of a partition that it was paused when it was given away.
        if self.paused {
            self.pause()?;
        } else {
            self.resume()?;
        }
        let owned = self.lag.partitions().to_vec();
        self.setup.status().update(|now| {
            now.partitions = owned;
            now.last_progress = Instant::now();
            if now.state == State::Starting {
                (now.state, now.reason) = (State::Consuming, None);
            }
        });
        trouble.map_or(Ok(()), Err)
    }

    /// Commits the transaction before the assignment changes. In the midst of a message it can
    /// only be aborted.
    fn end_transaction(&mut self) -> Result<(), Trouble> {
        if self.transaction.is_open() && self.is_handing_on {
            let reason = "the assignment changes in the midst of a message";
            return Err(Trouble::Abort(reason.to_owned()));
        }
        self.commit_transaction()
    }

    fn refuse_loops(&self, partitions: &TopicPartitionList) -> Result<(), KafkaError> {
        for element in partitions.elements() {
            let topic = element.topic();
            if self
                .setup
                .settings
                .written_topics()
                .any(|written| written == topic)
            {
                return Err(KafkaError::Loop {
                    source_topic: self.setup.settings.sources.join(", "),
                    topic: topic.to_owned(),
                });
            }
        }
        Ok(())
    }

    fn revoke(&mut self, partitions: &TopicPartitionList, lost: bool) -> Result<(), Trouble> {
        count_rebalance(if lost { "lost" } else { "revoked" });
        let trouble = match (lost, self.is_transactional()) {
            (true, true) if self.transaction.is_open() => {
                Some(Trouble::Abort("the group has lost this worker".to_owned()))
            }
            (true, _) => None,
            (false, true) => self.end_transaction().err(),
            (false, false) => {
                let trouble = self.await_partitions(partitions).err();
                self.commit_finally();
                trouble
            }
        };
        for element in partitions.elements() {
            let (topic, partition) = (element.topic(), element.partition());
            self.tracker.revoke(topic, partition);
            self.lag.drop_partition(topic, partition);
            tracing::info!(topic, partition, lost, "partition given away");
        }
        let partitions_left = self.lag.partitions().to_vec();
        self.setup
            .status()
            .update(|now| now.partitions = partitions_left);
        if let Err(error) = self.consumer.incremental_unassign(partitions) {
            tracing::debug!(%error, "giving partitions away one by one failed, giving all away");
            let unassigned = self.consumer.unassign();
            unassigned.map_err(|error| KafkaError::client("giving partitions away", error))?;
            // Those not listed are no longer read either.
            let rest: Vec<_> = self.tracker.slots().map(Slot::next).collect();
            for at in rest {
                self.tracker.revoke(&at.topic, at.partition);
            }
            self.end_lag();
            return Err(Trouble::Rejoin(
                "partitions could only be given away all at once".to_owned(),
            ));
        }
        trouble.map_or(Ok(()), Err)
    }

    /// Ends the series of the lag of all partitions.
    fn end_lag(&mut self) {
        self.lag.clear();
        self.setup.status().update(|now| now.partitions.clear());
    }

    /// Waits, within bounds, for what is in flight of these partitions.
    fn await_partitions(&mut self, partitions: &TopicPartitionList) -> Result<(), Trouble> {
        let mut deadline = Instant::now() + REVOKE_WAIT;
        if let Some(leave_by) = self.leave_by {
            deadline = deadline.min(leave_by);
        }
        for element in partitions.elements() {
            while self.tracker.awaited(element.topic(), element.partition()) > 0
                && Instant::now() < deadline
            {
                self.serve_for(STEP)?;
            }
        }
        Ok(())
    }

    /// Commits what is finished, gives all partitions away and leaves the group.
    pub(in crate::kafka) fn leave(&mut self, deadline: Instant) {
        self.leave_by = Some(deadline);
        if self.is_transactional() {
            self.abandon(deadline);
        } else {
            self.commit_finally();
        }
        self.consumer.unsubscribe();
        while self.tracker.slots().next().is_some() && Instant::now() < deadline {
            let consumer = Arc::clone(&self.consumer);
            // Whatever is still read belongs to the next owner.
            drop(consumer.poll(Duration::from_millis(20)));
            if let Err(trouble) = self.answer() {
                tracing::debug!(?trouble, "while leaving the group");
            }
        }
        self.consumer.context().close();
        // Where there was no time to give all away.
        self.end_lag();
    }
}

fn count_rebalance(kind: &'static str) {
    counter!(names::REBALANCES, "kind" => kind).increment(1);
}
