//! The checker that every proof rests on, shown to fail: each kind of fault is planted once, and
//! it and nothing else is reported.

#[path = "support/proof/mod.rs"]
mod proof;

use netsieve::generate::{Generator, Options};
use proof::checker::{Came, Due, Kind, Outcome, Promise, Role, Verdict, judge, outcomes};

const SOURCE_PARTITION: i32 = 3;
const ONCE: Promise = Promise::ExactlyOnce;

/// A small load, and exactly what must come of it.
fn perfect() -> (Due, Vec<Came>) {
    let options = Options {
        messages: Some(40),
        bad: 0.1,
        ..Options::default()
    };
    let (mut due, mut came) = (Due::default(), Vec::new());
    for (offset, message) in (0..).zip(Generator::new(options)) {
        let expected = &message.expected;
        due.enter(expected, SOURCE_PARTITION, offset);
        let outcomes = outcomes(expected);
        // The account is made of the same.
        let is_event = |(_, of): &&(_, Outcome)| of.role() != Role::DeadLetters;
        let events = outcomes.iter().filter(is_event).count();
        assert_eq!(events, expected.events());
        assert_eq!(outcomes.len() - events, expected.rejects().count());
        for (index, outcome) in outcomes {
            came.push(one(offset, index, outcome));
        }
    }
    (due, came)
}

/// What came of one record; each is about a socket of its own.
fn one(offset: i64, index: Option<u32>, outcome: Outcome) -> Came {
    let name = format!("{offset}-{index:?}");
    Came {
        topic: format!("{:?}", outcome.role()),
        role: outcome.role(),
        partition: 0,
        offset: 0,
        origin: (SOURCE_PARTITION, offset, index),
        ids: matches!(outcome, Outcome::Event { .. }).then(|| (name.clone(), name.clone())),
        value: format!("{outcome:?}").into_bytes(),
        outcome,
    }
}

/// The first that is an event, or that is none, past the first few.
fn place(came: &[Came], is_event: bool) -> usize {
    let mut places = (5..).zip(&came[5..]);
    let found = places.find(|(_, one)| one.ids.is_some() == is_event);
    found.unwrap().0
}

fn source(came: &Came) -> String {
    let (partition, offset, index) = came.origin;
    let record = index.map_or_else(String::new, |index| format!(" record {index}"));
    format!("source [{partition}] @ {offset}{record}")
}

/// Sees that there is one difference, of that kind, of that record, and gives its line.
#[track_caller]
fn only(verdict: &Verdict, kind: Kind, of: &Came) -> String {
    assert!(!verdict.is_clean());
    let [difference] = verdict.named.as_slice() else {
        panic!("{verdict}");
    };
    assert_eq!(verdict.count(kind), 1, "{verdict}");
    assert_eq!((difference.kind, difference.origin), (kind, of.origin));
    difference.to_string()
}

#[track_caller]
fn assert_clean(verdict: &Verdict) {
    assert!(verdict.is_clean(), "{verdict}");
    assert!(verdict.named.is_empty());
}

#[test]
fn what_is_as_it_must_be_is_passed() {
    let (due, came) = perfect();
    let roles = [Role::Connections, Role::Listeners, Role::DeadLetters];
    for role in roles {
        assert!(came.iter().any(|one| one.role == role));
    }
    assert!(came.len() > 500);
    let verdict = judge(&due, &came, ONCE);
    assert_clean(&verdict);
    assert_eq!(
        (verdict.came, due.len()),
        (came.len() as u64, came.len() as u64)
    );
}

#[test]
fn one_lost_is_reported() {
    for is_event in [true, false] {
        let (due, mut came) = perfect();
        let lost = came.remove(place(&came, is_event));
        let told = only(&judge(&due, &came, ONCE), Kind::Lost, &lost);
        let place = format!("Lost: {}: of 1 in {:?}, 0 came", source(&lost), lost.role);
        assert_eq!(told, place);
    }
}

#[test]
fn one_doubled_is_reported() {
    for is_event in [true, false] {
        let (due, mut came) = perfect();
        let mut twin = came[place(&came, is_event)].clone();
        twin.offset = 77;
        came.push(twin.clone());
        let told = only(&judge(&due, &came, ONCE), Kind::Doubled, &twin);
        assert!(told.contains(&format!("{} [0] @ 77", twin.topic)), "{told}");
        let id = twin.ids.as_ref().map_or("none", |(id, _)| id);
        assert!(told.contains(&format!("event id {id}: ")), "{told}");
    }
}

#[test]
fn at_least_once_an_equal_repeat_passes_and_another_does_not() {
    let (due, mut came) = perfect();
    let first = place(&came, true);
    came.push(came[first].clone());
    let verdict = judge(&due, &came, Promise::AtLeastOnce { returns: 1 });
    assert_clean(&verdict);
    assert_eq!(verdict.repeats, 1);
    let verdict = judge(&due, &came, Promise::AtLeastOnce { returns: 0 });
    only(&verdict, Kind::OutOfOrder, &came[first]);

    let changes: [fn(&mut Came); 4] = [
        |twin| twin.value.push(b' '),
        |twin| twin.ids.as_mut().unwrap().0.push('x'),
        |twin| {
            twin.outcome = Outcome::Reject {
                reason: "expired".to_owned(),
                sequence: 0,
            }
        },
        |twin| twin.partition = 1,
    ];
    for change in changes {
        let (due, mut came) = perfect();
        let mut twin = came[place(&came, true)].clone();
        change(&mut twin);
        came.push(twin.clone());
        let verdict = judge(&due, &came, Promise::AtLeastOnce { returns: 1 });
        let told = only(&verdict, Kind::Wrong, &twin);
        assert!(told.contains("and otherwise"), "{told}");
    }
}

#[test]
fn two_swapped_are_reported() {
    for promise in [ONCE, Promise::AtLeastOnce { returns: 0 }] {
        let (due, mut came) = perfect();
        let mut pairs = came.windows(2);
        let at = pairs.position(|pair| pair[0].role == pair[1].role).unwrap();
        came.swap(at, at + 1);
        let told = only(
            &judge(&due, &came, promise),
            Kind::OutOfOrder,
            &came[at + 1],
        );
        let after = format!("it came after {}", source(&came[at]));
        assert!(told.contains(&after), "{told}");
    }
}

#[test]
fn a_connection_that_leaves_its_partition_is_reported() {
    let (due, mut came) = perfect();
    let mut connections = (0..came.len()).filter(|at| came[*at].role == Role::Connections);
    let (first, second) = (connections.next().unwrap(), connections.next().unwrap());
    came[second].ids.as_mut().unwrap().1 = came[first].ids.clone().unwrap().1;
    assert_clean(&judge(&due, &came, ONCE));
    came[second].partition = 1;
    let told = only(&judge(&due, &came, ONCE), Kind::OutOfOrder, &came[second]);
    assert!(told.contains("was in partition 0 before"), "{told}");
}

#[test]
fn one_wrong_is_reported_with_what_is_wrong() {
    let (due, mut came) = perfect();
    let at = place(&came, true);
    let Outcome::Event { event, .. } = &mut came[at].outcome else {
        panic!("not an event");
    };
    event.local.port = event.local.port.map_or(Some(1), |port| Some(port ^ 1));
    let told = only(&judge(&due, &came, ONCE), Kind::Wrong, &came[at]);
    assert!(told.contains("not as due: local; found"), "{told}");

    let (due, mut came) = perfect();
    let at = place(&came, false);
    let Outcome::Reject { reason, sequence } = &mut came[at].outcome else {
        panic!("not a dead letter");
    };
    reason.push('s');
    *sequence += 1;
    let told = only(&judge(&due, &came, ONCE), Kind::Wrong, &came[at]);
    let fields = "not as due: reason, generate.sequence; found";
    assert!(told.contains(fields), "{told}");
}

#[test]
fn one_astray_is_reported() {
    let (due, mut came) = perfect();
    let at = place(&came, true);
    came[at].role = Role::DeadLetters;
    let told = only(&judge(&due, &came, ONCE), Kind::Wrong, &came[at]);
    assert!(told.contains("another topic"), "{told}");
}

#[test]
fn an_id_that_two_share_is_reported() {
    let (due, mut came) = perfect();
    let first = place(&came, true);
    let second = first + 1 + place(&came[first + 1..], true);
    came[second].ids.as_mut().unwrap().0 = came[first].ids.clone().unwrap().0;
    let told = only(&judge(&due, &came, ONCE), Kind::Wrong, &came[second]);
    assert!(told.contains("its id is that of"), "{told}");
}

#[test]
fn what_was_not_to_come_is_reported() {
    let (mut due, mut came) = perfect();
    let mut stray = came[place(&came, true)].clone();
    stray.origin = (SOURCE_PARTITION, 1_000, Some(0));
    came.push(stray.clone());
    let told = only(&judge(&due, &came, ONCE), Kind::Wrong, &stray);
    assert!(told.contains("nothing of it was to come"), "{told}");
    due.enter_aborted(SOURCE_PARTITION, 1_000);
    let told = only(&judge(&due, &came, ONCE), Kind::Wrong, &stray);
    assert!(told.contains("taken back"), "{told}");
}

#[test]
fn what_was_reset_must_come_again_and_nothing_else() {
    let (mut due, came) = perfect();
    let from = came[place(&came, true)].origin.1;
    due.expect_again(SOURCE_PARTITION, from..from + 3);
    let is_again = |one: &&Came| (from..from + 3).contains(&one.origin.1);
    let again: Vec<_> = came.iter().filter(is_again).cloned().collect();
    let all = [came.clone(), again.clone()].concat();
    assert_clean(&judge(&due, &all, ONCE));
    assert_eq!(due.len(), all.len() as u64);

    let (lost, rest) = all.split_last().unwrap();
    only(&judge(&due, rest, ONCE), Kind::Lost, lost);
    let spare = came.iter().find(|one| one.origin.1 == from + 3).unwrap();
    let all = [all.clone(), vec![spare.clone()]].concat();
    only(&judge(&due, &all, ONCE), Kind::Doubled, spare);
}

#[test]
fn too_large_a_record_may_come_as_a_dead_letter_only_where_that_is_said() {
    let (mut due, mut came) = perfect();
    let at = place(&came, true);
    came[at].role = Role::DeadLetters;
    came[at].ids = None;
    came[at].outcome = Outcome::Reject {
        reason: "event_too_large".to_owned(),
        sequence: 0,
    };
    only(&judge(&due, &came, ONCE), Kind::Wrong, &came[at]);
    due.allow_too_large();
    let verdict = judge(&due, &came, ONCE);
    assert_clean(&verdict);
    assert_eq!(verdict.too_large, 1);
    came.push(perfect().1.swap_remove(at));
    let verdict = judge(&due, &came, ONCE);
    assert_eq!(verdict.count(Kind::Doubled), 1, "{verdict}");
    came.pop();

    // It may come after the other dead letters of its message, and not after the next message.
    let letter = came.remove(at);
    let is_of_it = |one: &Came| one.origin.1 == letter.origin.1;
    let end = came.iter().rposition(is_of_it).unwrap() + 1;
    came.insert(end, letter.clone());
    assert_clean(&judge(&due, &came, ONCE));
    came.remove(end);
    came.push(letter.clone());
    only(&judge(&due, &came, ONCE), Kind::OutOfOrder, &letter);
}
