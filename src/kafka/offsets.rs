//! Which offsets may be committed: the broker-free account of inputs in work.
//!
//! An input is open from the moment it is taken up until it was handed on whole and every event
//! and dead letter of it is acknowledged. The position of a partition is the offset after the
//! contiguous prefix of inputs that are no longer open; nothing beyond it is ever committed.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// Names one input while it is in work, and the assignment that it was read under.
///
/// A partition that is given away and comes back is a new assignment, so whatever is still said
/// of the old one's inputs falls on deaf ears.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket {
    assignment: u32,
    sequence: u32,
}

const _: () = assert!(
    usize::BITS >= 64,
    "a ticket travels through librdkafka in a pointer-sized integer"
);

impl Ticket {
    /// The ticket as librdkafka carries it.
    #[allow(clippy::cast_possible_truncation)] // checked above: usize has 64 bits
    pub fn to_opaque(self) -> usize {
        ((u64::from(self.assignment) << 32) | u64::from(self.sequence)) as usize
    }

    /// The ticket that [`Ticket::to_opaque`] gave.
    #[allow(clippy::cast_possible_truncation)] // the two halves are taken apart
    pub fn from_opaque(opaque: usize) -> Self {
        Self {
            assignment: (opaque as u64 >> 32) as u32,
            sequence: opaque as u32,
        }
    }
}

/// A partition and an offset of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionOffset {
    /// Topic.
    pub topic: Arc<str>,
    /// Partition.
    pub partition: i32,
    /// Offset of the next record to read.
    pub offset: i64,
}

/// An input that is taken up and not yet behind its partition's position.
#[derive(Debug)]
struct Open {
    offset: i64,
    timestamp_ms: Option<i64>,
    /// Deliveries awaited, and one more while the input is being handed on.
    holds: u32,
}

/// One partition under one assignment.
#[derive(Debug)]
pub struct Slot {
    topic: Arc<str>,
    partition: i32,
    inputs: VecDeque<Open>,
    /// Sequence number of the first of `inputs`; wraps round.
    first: u32,
    position: i64,
    /// The next offset that may be taken up.
    next: i64,
    /// Where the last commit that was asked for stands.
    requested: i64,
    /// Where the last commit that the broker confirmed stands.
    committed: i64,
    /// Where the last commit that was asked for stood at the last look for unconfirmed ones.
    looked: i64,
    awaited: u64,
    begun: bool,
    last_timestamp_ms: Option<i64>,
}

impl Slot {
    /// The topic.
    pub fn topic(&self) -> &Arc<str> {
        &self.topic
    }

    /// The partition.
    pub fn partition(&self) -> i32 {
        self.partition
    }

    /// The offset up to which everything is done: what may be committed.
    pub fn position(&self) -> i64 {
        self.position
    }

    /// The offset that the broker last confirmed, or where the assignment started.
    pub fn committed(&self) -> i64 {
        self.committed
    }

    /// The partition, and the offset that is committed of it.
    pub fn start(&self) -> PartitionOffset {
        self.at(self.committed)
    }

    /// The partition, and the next offset to be taken up.
    pub fn next(&self) -> PartitionOffset {
        self.at(self.next)
    }

    /// Whether every input that was taken up is done.
    pub fn is_idle(&self) -> bool {
        self.inputs.is_empty()
    }

    /// Whether an input was taken up since the assignment started.
    pub fn has_begun(&self) -> bool {
        self.begun
    }

    /// Timestamp of the oldest input in work, else of the last one done, in milliseconds since
    /// 1970.
    pub fn oldest_timestamp_ms(&self) -> Option<i64> {
        let oldest = self.inputs.front().and_then(|open| open.timestamp_ms);
        oldest.or(self.last_timestamp_ms)
    }

    fn at(&self, offset: i64) -> PartitionOffset {
        PartitionOffset {
            topic: Arc::clone(&self.topic),
            partition: self.partition,
            offset,
        }
    }
}

/// The partitions that a worker owns, and the inputs of each that are in work.
///
/// ```
/// use netsieve::kafka::offsets::OffsetTracker;
///
/// let mut tracker = OffsetTracker::default();
/// tracker.assign("source", 0, 40);
/// let first = tracker.begin("source", 0, 40, None).unwrap();
/// let second = tracker.begin("source", 0, 41, None).unwrap();
/// tracker.await_delivery(first);
/// tracker.release(first);
/// tracker.release(second);
/// assert!(tracker.take_commits().is_empty(), "the first is not delivered");
/// tracker.delivered(first);
/// assert_eq!(tracker.take_commits()[0].offset, 42);
/// ```
#[derive(Debug, Default)]
pub struct OffsetTracker {
    slots: HashMap<u32, Slot>,
    assignments: HashMap<Arc<str>, HashMap<i32, u32>>,
    last_assignment: u32,
    finished: u64,
}

impl OffsetTracker {
    /// Takes over a partition whose next record is at `start`. An assignment that is still
    /// known of it is forgotten.
    pub fn assign(&mut self, topic: &str, partition: i32, start: i64) {
        self.revoke(topic, partition);
        let topic: Arc<str> = match self.assignments.get_key_value(topic) {
            Some((known, _)) => Arc::clone(known),
            None => Arc::from(topic),
        };
        self.last_assignment = self.last_assignment.wrapping_add(1);
        let slot = Slot {
            topic: Arc::clone(&topic),
            partition,
            inputs: VecDeque::new(),
            first: 0,
            position: start,
            next: start,
            requested: start,
            committed: start,
            looked: start,
            awaited: 0,
            begun: false,
            last_timestamp_ms: None,
        };
        self.slots.insert(self.last_assignment, slot);
        let partitions = self.assignments.entry(topic).or_default();
        partitions.insert(partition, self.last_assignment);
    }

    /// Gives a partition away; whether it was owned.
    pub fn revoke(&mut self, topic: &str, partition: i32) -> bool {
        let Some(partitions) = self.assignments.get_mut(topic) else {
            return false;
        };
        let Some(assignment) = partitions.remove(&partition) else {
            return false;
        };
        if partitions.is_empty() {
            self.assignments.remove(topic);
        }
        self.slots.remove(&assignment).is_some()
    }

    /// Forgets all inputs in work: every partition starts again at its position. Gives where
    /// each must be read from.
    pub fn rewind(&mut self) -> Vec<PartitionOffset> {
        let starts: Vec<_> = self
            .slots()
            .map(|slot| (slot.at(slot.position), slot.committed))
            .collect();
        for (start, committed) in &starts {
            self.assign(&start.topic, start.partition, start.offset);
            if let Some(slot) = self.find_mut(&start.topic, start.partition) {
                slot.requested = *committed;
                slot.committed = *committed;
            }
        }
        starts.into_iter().map(|(start, _)| start).collect()
    }

    /// Forgets all that is not committed: every partition starts again at its committed offset.
    pub fn rewind_to_committed(&mut self) {
        let starts: Vec<_> = self.slots().map(|slot| slot.at(slot.committed)).collect();
        for start in starts {
            self.assign(&start.topic, start.partition, start.offset);
        }
    }

    /// Takes up an input and holds it open. Nothing where the partition is not owned or the
    /// offset was already taken up.
    pub fn begin(
        &mut self,
        topic: &str,
        partition: i32,
        offset: i64,
        timestamp_ms: Option<i64>,
    ) -> Option<Ticket> {
        let assignment = *self.assignments.get(topic)?.get(&partition)?;
        let slot = self.slots.get_mut(&assignment)?;
        if offset < slot.next {
            return None;
        }
        #[allow(clippy::cast_possible_truncation)] // far fewer than 2^32 inputs are in work
        let sequence = slot.first.wrapping_add(slot.inputs.len() as u32);
        slot.inputs.push_back(Open {
            offset,
            timestamp_ms,
            holds: 1,
        });
        slot.next = offset + 1;
        slot.begun = true;
        Some(Ticket {
            assignment,
            sequence,
        })
    }

    /// Awaits one more delivery for the input; false where its partition was given away.
    pub fn await_delivery(&mut self, ticket: Ticket) -> bool {
        let Some(slot) = self.slots.get_mut(&ticket.assignment) else {
            return false;
        };
        let index = ticket.sequence.wrapping_sub(slot.first) as usize;
        let Some(open) = slot.inputs.get_mut(index) else {
            return false;
        };
        open.holds += 1;
        slot.awaited += 1;
        true
    }

    /// Whether the input's partition is still owned under the same assignment.
    pub fn owns(&self, ticket: Ticket) -> bool {
        self.slots.contains_key(&ticket.assignment)
    }

    /// The input's timestamp in milliseconds since 1970, while the input is in work and has one.
    pub fn timestamp_ms(&self, ticket: Ticket) -> Option<i64> {
        let slot = self.slots.get(&ticket.assignment)?;
        let index = ticket.sequence.wrapping_sub(slot.first) as usize;
        slot.inputs.get(index)?.timestamp_ms
    }

    /// One delivery of the input is acknowledged. Gives the input's timestamp when that was all
    /// that it waited for.
    pub fn delivered(&mut self, ticket: Ticket) -> Option<Done> {
        if let Some(slot) = self.slots.get_mut(&ticket.assignment) {
            slot.awaited = slot.awaited.saturating_sub(1);
        }
        self.let_go(ticket)
    }

    /// The input was handed on whole; only deliveries are awaited from now on.
    pub fn release(&mut self, ticket: Ticket) -> Option<Done> {
        self.let_go(ticket)
    }

    fn let_go(&mut self, ticket: Ticket) -> Option<Done> {
        let slot = self.slots.get_mut(&ticket.assignment)?;
        let index = ticket.sequence.wrapping_sub(slot.first) as usize;
        let open = slot.inputs.get_mut(index)?;
        open.holds = open.holds.checked_sub(1)?;
        if open.holds > 0 {
            return None;
        }
        let timestamp_ms = open.timestamp_ms;
        while slot.inputs.front().is_some_and(|open| open.holds == 0) {
            if let Some(done) = slot.inputs.pop_front() {
                slot.position = done.offset + 1;
                slot.first = slot.first.wrapping_add(1);
                slot.last_timestamp_ms = done.timestamp_ms.or(slot.last_timestamp_ms);
                self.finished += 1;
            }
        }
        Some(Done { timestamp_ms })
    }

    /// The offsets to commit now: of every partition whose position is beyond what was last
    /// asked for. They count as asked for from now on.
    pub fn take_commits(&mut self) -> Vec<PartitionOffset> {
        let mut commits = Vec::new();
        for slot in self.slots.values_mut() {
            if slot.position > slot.requested {
                slot.requested = slot.position;
                commits.push(slot.at(slot.position));
            }
        }
        commits
    }

    /// The broker confirmed a commit.
    pub fn confirmed(&mut self, topic: &str, partition: i32, offset: i64) {
        if let Some(slot) = self.find_mut(topic, partition) {
            slot.committed = slot.committed.max(offset);
        }
    }

    /// Whatever was asked for and is not confirmed is to be asked for again. Gives how many
    /// partitions that concerns.
    pub fn ask_again(&mut self) -> usize {
        let unconfirmed = self
            .slots
            .values_mut()
            .filter(|slot| slot.requested > slot.committed);
        unconfirmed
            .map(|slot| slot.requested = slot.committed)
            .count()
    }

    /// Whatever was asked for before the last call and is still not confirmed is to be asked for
    /// again. Gives how many partitions that concerns.
    pub fn ask_overdue_again(&mut self) -> usize {
        let mut overdue = 0;
        for slot in self.slots.values_mut() {
            if slot.looked > slot.committed {
                slot.requested = slot.committed;
                overdue += 1;
            }
            slot.looked = slot.requested;
        }
        overdue
    }

    /// The partitions that are owned.
    pub fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.slots.values()
    }

    /// The partition, where it is owned.
    pub fn find(&self, topic: &str, partition: i32) -> Option<&Slot> {
        let assignment = self.assignments.get(topic)?.get(&partition)?;
        self.slots.get(assignment)
    }

    /// How many deliveries of the partition are awaited.
    pub fn awaited(&self, topic: &str, partition: i32) -> u64 {
        self.find(topic, partition).map_or(0, |slot| slot.awaited)
    }

    /// Goes on counting where a former tracker ended.
    pub(super) fn carry_on(&mut self, former: &Self) {
        self.finished += former.finished;
    }

    /// How many inputs are behind their partition's position, since the tracker was made.
    pub fn finished(&self) -> u64 {
        self.finished
    }

    fn find_mut(&mut self, topic: &str, partition: i32) -> Option<&mut Slot> {
        let assignment = self.assignments.get(topic)?.get(&partition)?;
        self.slots.get_mut(assignment)
    }
}

/// An input that waits for nothing any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// The Kafka record's timestamp, in milliseconds since 1970.
    pub timestamp_ms: Option<i64>,
}

#[cfg(test)]
mod tests;
