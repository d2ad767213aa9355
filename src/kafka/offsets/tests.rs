use proptest::prelude::*;

use super::*;

fn offsets(commits: &[PartitionOffset]) -> Vec<(String, i32, i64)> {
    let mut all: Vec<_> = commits
        .iter()
        .map(|commit| (commit.topic.to_string(), commit.partition, commit.offset))
        .collect();
    all.sort();
    all
}

#[test]
fn what_is_done_and_not_committed_is_forgotten_by_going_back_to_what_is() {
    let mut tracker = OffsetTracker::default();
    tracker.assign("t", 0, 10);
    let first = tracker.begin("t", 0, 10, None).unwrap();
    tracker.release(first);
    tracker.confirmed("t", 0, 11);
    let second = tracker.begin("t", 0, 11, None).unwrap();
    tracker.release(second);
    assert_eq!(tracker.find("t", 0).unwrap().position(), 12);
    tracker.rewind_to_committed();
    let slot = tracker.find("t", 0).unwrap();
    assert_eq!((slot.position(), slot.next().offset), (11, 11));
    assert!(!tracker.owns(second));
    assert!(tracker.take_commits().is_empty());
    assert!(tracker.begin("t", 0, 11, None).is_some());
}

#[test]
fn a_ticket_survives_the_journey_through_an_integer() {
    for (assignment, sequence) in [(0, 0), (1, u32::MAX), (u32::MAX, 7)] {
        let ticket = Ticket {
            assignment,
            sequence,
        };
        assert_eq!(Ticket::from_opaque(ticket.to_opaque()), ticket);
    }
}

#[test]
fn an_acknowledgement_of_a_former_assignment_changes_nothing() {
    let mut tracker = OffsetTracker::default();
    tracker.assign("t", 3, 10);
    let old = tracker.begin("t", 3, 10, None).unwrap();
    assert!(tracker.await_delivery(old));
    tracker.release(old);
    assert!(tracker.revoke("t", 3));
    tracker.assign("t", 3, 10);
    let new = tracker.begin("t", 3, 10, None).unwrap();
    assert!(tracker.await_delivery(new));
    tracker.release(new);
    assert_eq!(tracker.delivered(old), None);
    assert!(!tracker.await_delivery(old));
    assert!(tracker.take_commits().is_empty());
    assert!(tracker.delivered(new).is_some());
    assert_eq!(offsets(&tracker.take_commits()), [("t".into(), 3, 11)]);
}

#[test]
fn offsets_with_gaps_are_committed_after_the_last_one_done() {
    let mut tracker = OffsetTracker::default();
    tracker.assign("t", 0, 5);
    for offset in [7, 20, 21] {
        let ticket = tracker.begin("t", 0, offset, Some(offset)).unwrap();
        tracker.release(ticket);
    }
    assert_eq!(offsets(&tracker.take_commits()), [("t".into(), 0, 22)]);
    assert!(tracker.take_commits().is_empty(), "asked for once");
    tracker.ask_again();
    assert_eq!(offsets(&tracker.take_commits()), [("t".into(), 0, 22)]);
    tracker.confirmed("t", 0, 22);
    tracker.ask_again();
    assert!(tracker.take_commits().is_empty(), "confirmed");
    assert_eq!(tracker.find("t", 0).unwrap().committed(), 22);
}

#[test]
fn a_commit_has_from_one_look_to_the_next_to_be_confirmed() {
    let mut tracker = OffsetTracker::default();
    tracker.assign("t", 0, 0);
    let finish = |tracker: &mut OffsetTracker, offset| {
        let ticket = tracker.begin("t", 0, offset, None).unwrap();
        tracker.release(ticket);
        offsets(&tracker.take_commits())
    };
    assert_eq!(finish(&mut tracker, 0), [("t".into(), 0, 1)]);
    assert_eq!(tracker.ask_overdue_again(), 0, "it was only just asked for");
    assert!(tracker.take_commits().is_empty());
    finish(&mut tracker, 1);
    tracker.confirmed("t", 0, 1);
    assert_eq!(tracker.ask_overdue_again(), 0, "the first is confirmed");
    assert_eq!(tracker.ask_overdue_again(), 1, "the second is not");
    assert_eq!(offsets(&tracker.take_commits()), [("t".into(), 0, 2)]);
    assert_eq!(tracker.ask_overdue_again(), 0, "it was asked for again");
    tracker.confirmed("t", 0, 2);
    assert_eq!(tracker.ask_overdue_again(), 0);
}

#[test]
fn an_offset_is_taken_up_once_and_only_of_an_owned_partition() {
    let mut tracker = OffsetTracker::default();
    assert_eq!(tracker.begin("t", 0, 0, None), None);
    tracker.assign("t", 0, 1);
    assert_eq!(tracker.begin("t", 0, 0, None), None, "before the start");
    assert!(tracker.begin("t", 0, 1, None).is_some());
    assert_eq!(tracker.begin("t", 0, 1, None), None, "again");
    assert_eq!(tracker.begin("t", 1, 1, None), None, "another partition");
}

#[test]
fn a_rewind_starts_again_at_the_first_input_that_is_not_done() {
    let mut tracker = OffsetTracker::default();
    tracker.assign("t", 0, 0);
    let first = tracker.begin("t", 0, 0, None).unwrap();
    let second = tracker.begin("t", 0, 1, Some(7)).unwrap();
    let third = tracker.begin("t", 0, 2, None).unwrap();
    assert!(tracker.await_delivery(second));
    for ticket in [first, second, third] {
        tracker.release(ticket);
    }
    assert_eq!(tracker.timestamp_ms(first), None, "done");
    assert_eq!(tracker.timestamp_ms(second), Some(7));
    let starts = tracker.rewind();
    assert_eq!(tracker.timestamp_ms(second), None);
    assert_eq!(offsets(&starts), [("t".into(), 0, 1)]);
    assert_eq!(tracker.delivered(second), None);
    assert!(tracker.begin("t", 0, 1, None).is_some());
    assert_eq!(
        offsets(&tracker.take_commits()),
        [("t".into(), 0, 1)],
        "what was done before the rewind is still to be committed"
    );
}

#[test]
fn sequence_numbers_wrap_round() {
    let mut tracker = OffsetTracker::default();
    tracker.assign("t", 0, 0);
    let assignment = tracker.last_assignment;
    tracker.slots.get_mut(&assignment).unwrap().first = u32::MAX;
    let last = tracker.begin("t", 0, 0, None).unwrap();
    let wrapped = tracker.begin("t", 0, 1, None).unwrap();
    assert_eq!((last.sequence, wrapped.sequence), (u32::MAX, 0));
    tracker.release(wrapped);
    assert!(tracker.take_commits().is_empty());
    tracker.release(last);
    assert_eq!(offsets(&tracker.take_commits()), [("t".into(), 0, 2)]);
}

/// What may happen to a tracker.
#[derive(Clone, Debug)]
enum Step {
    Assign(i32, i64),
    Revoke(i32),
    Rewind,
    Begin(i32, i64, u8),
    Deliver(prop::sample::Index),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => (0..3, 0..5_i64).prop_map(|(partition, start)| Step::Assign(partition, start)),
        1 => (0..3).prop_map(Step::Revoke),
        1 => Just(Step::Rewind),
        8 => (0..3, 1..4_i64, 0..4_u8)
            .prop_map(|(partition, gap, deliveries)| Step::Begin(partition, gap, deliveries)),
        12 => any::<prop::sample::Index>().prop_map(Step::Deliver),
    ]
}

/// The obvious account, which searches everything every time.
#[derive(Default)]
struct Naive {
    /// Partition: start, and each input's offset and number of deliveries awaited.
    owned: HashMap<i32, (i64, Vec<(i64, usize)>)>,
}

impl Naive {
    fn position(&self, partition: i32) -> i64 {
        let (start, inputs) = &self.owned[&partition];
        let done = inputs.iter().take_while(|(_, awaited)| *awaited == 0);
        done.last().map_or(*start, |(offset, _)| offset + 1)
    }
}

proptest! {
    #[test]
    fn the_position_is_the_end_of_the_contiguous_prefix(
        steps in prop::collection::vec(step(), 1..200)
    ) {
        let mut tracker = OffsetTracker::default();
        let mut naive = Naive::default();
        // Ticket, and the partition and index of its input while that assignment lasts.
        let mut in_flight: Vec<(Ticket, Option<(i32, usize)>)> = Vec::new();
        let forget = |in_flight: &mut Vec<(Ticket, Option<(i32, usize)>)>, partition| {
            for (_, place) in in_flight.iter_mut() {
                *place = place.filter(|(of, _)| *of != partition);
            }
        };
        for step in steps {
            match step {
                Step::Assign(partition, start) => {
                    tracker.assign("t", partition, start);
                    naive.owned.insert(partition, (start, Vec::new()));
                    forget(&mut in_flight, partition);
                }
                Step::Revoke(partition) => {
                    let owned = naive.owned.remove(&partition).is_some();
                    prop_assert_eq!(tracker.revoke("t", partition), owned);
                    forget(&mut in_flight, partition);
                }
                Step::Rewind => {
                    let starts = tracker.rewind();
                    prop_assert_eq!(starts.len(), naive.owned.len());
                    for start in starts {
                        let partition = start.partition;
                        prop_assert_eq!(start.offset, naive.position(partition));
                        naive.owned.insert(partition, (start.offset, Vec::new()));
                        forget(&mut in_flight, partition);
                    }
                }
                Step::Begin(partition, gap, deliveries) => {
                    let Some((start, inputs)) = naive.owned.get_mut(&partition) else {
                        prop_assert!(tracker.begin("t", partition, gap, None).is_none());
                        continue;
                    };
                    let last = inputs.last().map_or(*start - 1, |(offset, _)| *offset);
                    let offset = last + gap;
                    let ticket = tracker.begin("t", partition, offset, None).unwrap();
                    inputs.push((offset, usize::from(deliveries)));
                    for _ in 0..deliveries {
                        prop_assert!(tracker.await_delivery(ticket));
                        in_flight.push((ticket, Some((partition, inputs.len() - 1))));
                    }
                    tracker.release(ticket);
                }
                Step::Deliver(which) => {
                    if in_flight.is_empty() {
                        continue;
                    }
                    let (ticket, place) = in_flight.swap_remove(which.index(in_flight.len()));
                    let done = tracker.delivered(ticket);
                    if let Some((partition, index)) = place {
                        let (_, inputs) = naive.owned.get_mut(&partition).unwrap();
                        inputs[index].1 -= 1;
                        prop_assert_eq!(done.is_some(), inputs[index].1 == 0);
                    } else {
                        prop_assert!(done.is_none());
                    }
                }
            }
            for partition in naive.owned.keys() {
                let slot = tracker.find("t", *partition).unwrap();
                prop_assert_eq!(slot.position(), naive.position(*partition));
                let awaited: usize = naive.owned[partition].1.iter().map(|(_, n)| n).sum();
                prop_assert_eq!(slot.awaited, awaited as u64);
            }
            prop_assert_eq!(tracker.slots().count(), naive.owned.len());
        }
    }
}
