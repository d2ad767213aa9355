//! What must come out of a load and what did: the comparison that everything here rests on. It
//! knows the generator's manifest and the outputs, and nothing of the pipeline.

use std::collections::{BTreeMap, HashMap};

use netsieve::generate::{Expected, ExpectedEvent, MessageOutcome, RecordOutcome};

/// Where something came from: source partition, offset, and the record of the message; no record
/// where it is the whole message.
pub(crate) type Origin = (i32, i64, Option<u32>);

/// What must come of a record or of a whole message.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    Event {
        message_id: String,
        event: Box<ExpectedEvent>,
    },
    /// A dead letter with this reason, of the message of this number in the load.
    Reject { reason: String, sequence: u64 },
}

/// The kind of topic that something is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Role {
    Connections,
    Listeners,
    DeadLetters,
}

impl Outcome {
    pub(crate) fn role(&self) -> Role {
        match self {
            Self::Event { event, .. } if event.kind == "listener" => Role::Listeners,
            Self::Event { .. } => Role::Connections,
            Self::Reject { .. } => Role::DeadLetters,
        }
    }
}

/// Everything that must come out, by where it comes from.
pub(crate) type Due = BTreeMap<Origin, Outcome>;

/// Something that came out; those of one partition are kept in their order.
#[derive(Clone, Debug)]
pub(crate) struct Came {
    pub(crate) role: Role,
    pub(crate) partition: i32,
    pub(crate) origin: Origin,
    pub(crate) event_id: Option<String>,
    pub(crate) outcome: Outcome,
}

/// How often something may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Promise {
    ExactlyOnce,
    AtLeastOnce,
}

/// Enters what must come of a message that was sent to that place.
pub(crate) fn enter(due: &mut Due, expected: &Expected, partition: i32, offset: i64) {
    let reject = |reason: &String| Outcome::Reject {
        reason: reason.clone(),
        sequence: expected.sequence,
    };
    match &expected.outcome {
        MessageOutcome::Reject(reason) => {
            due.insert((partition, offset, None), reject(reason));
        }
        MessageOutcome::Records(records) => {
            for (index, record) in (0..).zip(records) {
                let outcome = match record {
                    RecordOutcome::Reject(reason) => reject(reason),
                    RecordOutcome::Event(event) => Outcome::Event {
                        message_id: expected.message_id.clone(),
                        event: event.clone(),
                    },
                };
                due.insert((partition, offset, Some(index)), outcome);
            }
        }
    }
}

/// What differs from what must have come, in a line each. Order is judged exactly once only: a
/// repeat goes back.
pub(crate) fn differences(due: &Due, came: &[Came], promise: Promise) -> Vec<String> {
    let mut differences = Vec::new();
    let mut seen: HashMap<Origin, &Came> = HashMap::new();
    let mut owners: HashMap<&str, Origin> = HashMap::new();
    let mut last: HashMap<(Role, i32, i32), Origin> = HashMap::new();
    for one in came {
        let origin = one.origin;
        let first = *seen.entry(origin).or_insert(one);
        let is_repeat = !std::ptr::eq(first, one);
        if is_repeat && promise == Promise::ExactlyOnce {
            differences.push(format!("{origin:?} came twice: {:?}", one.role));
        } else if is_repeat && (&first.event_id, &first.outcome) != (&one.event_id, &one.outcome) {
            differences.push(format!("{origin:?} came twice, and otherwise: {one:?}"));
        }
        if let Some(id) = &one.event_id {
            let owner = *owners.entry(id).or_insert(origin);
            if owner != origin {
                differences.push(format!("{origin:?} and {owner:?} have one id"));
            }
        }
        match due.get(&origin) {
            None => differences.push(format!("{origin:?} was never sent: {one:?}")),
            Some(outcome) if *outcome != one.outcome => differences.push(format!(
                "{origin:?} is otherwise: expected {outcome:?}, found {:?}",
                one.outcome
            )),
            Some(outcome) if outcome.role() != one.role => {
                differences.push(format!("{origin:?} is in the wrong topic: {:?}", one.role));
            }
            Some(_) => {}
        }
        let before = last.insert((one.role, one.partition, origin.0), origin);
        if promise == Promise::ExactlyOnce && before.is_some_and(|before| before > origin) {
            differences.push(format!("{origin:?} is out of order, after {before:?}"));
        }
    }
    let missing = due.keys().filter(|origin| !seen.contains_key(origin));
    differences.extend(missing.map(|origin| format!("{origin:?} is lost")));
    differences
}

#[cfg(test)]
mod tests {
    use super::*;
    use netsieve::generate::{Generator, Options};

    /// A small load, and exactly what must come of it.
    fn perfect() -> (Due, Vec<Came>) {
        let mut due = Due::new();
        let options = Options {
            messages: Some(40),
            bad: 0.1,
            ..Options::default()
        };
        for (offset, message) in (0..).zip(Generator::new(options)) {
            enter(&mut due, &message.expected, 3, offset);
        }
        let came = due.iter().map(|(origin, outcome)| Came {
            role: outcome.role(),
            partition: 0,
            origin: *origin,
            event_id: matches!(outcome, Outcome::Event { .. }).then(|| format!("{origin:?}")),
            outcome: outcome.clone(),
        });
        let came = came.collect();
        (due, came)
    }

    fn only(due: &Due, came: &[Came]) -> String {
        let mut differences = differences(due, came, Promise::ExactlyOnce);
        assert_eq!(differences.len(), 1, "{differences:#?}");
        differences.remove(0)
    }

    /// The first that is an event, or that is none.
    fn place(came: &[Came], is_event: bool) -> usize {
        let found = came
            .iter()
            .position(|one| one.event_id.is_some() == is_event);
        found.unwrap()
    }

    #[test]
    fn what_is_as_it_must_be_is_passed() {
        let (due, came) = perfect();
        let roles = [Role::Connections, Role::Listeners, Role::DeadLetters];
        assert!(
            roles
                .iter()
                .all(|role| came.iter().any(|one| one.role == *role))
        );
        assert_eq!(differences(&due, &came, Promise::ExactlyOnce), [""; 0]);
    }

    #[test]
    fn one_lost_is_reported() {
        for is_event in [true, false] {
            let (due, mut came) = perfect();
            let lost = came.remove(place(&came, is_event));
            assert_eq!(only(&due, &came), format!("{:?} is lost", lost.origin));
        }
    }

    #[test]
    fn one_doubled_is_reported() {
        for is_event in [true, false] {
            let (due, mut came) = perfect();
            let at = place(&came, is_event);
            came.insert(at, came[at].clone());
            let told = only(&due, &came);
            let expected = format!("{:?} came twice", came[at].origin);
            assert!(told.starts_with(&expected), "{told}");
            assert_eq!(differences(&due, &came, Promise::AtLeastOnce), [""; 0]);
        }
    }

    #[test]
    fn two_swapped_are_reported() {
        let (due, mut came) = perfect();
        let mut pairs = came.windows(2);
        let at = pairs.position(|pair| pair[0].role == pair[1].role).unwrap();
        came.swap(at, at + 1);
        let told = only(&due, &came);
        let expected = format!("{:?} is out of order", came[at + 1].origin);
        assert!(told.starts_with(&expected), "{told}");
    }

    #[test]
    fn one_wrong_is_reported() {
        let (due, mut came) = perfect();
        let at = place(&came, true);
        let Outcome::Event { event, .. } = &mut came[at].outcome else {
            panic!("not an event");
        };
        event.local.port = event.local.port.map_or(Some(1), |port| Some(port ^ 1));
        assert!(only(&due, &came).contains("is otherwise"));

        let (due, mut came) = perfect();
        let at = place(&came, false);
        let Outcome::Reject { reason, .. } = &mut came[at].outcome else {
            panic!("not a dead letter");
        };
        reason.push('s');
        assert!(only(&due, &came).contains("is otherwise"));
    }

    #[test]
    fn one_astray_and_an_id_that_two_share_are_reported() {
        let (due, mut came) = perfect();
        let at = place(&came, true);
        came[at].role = Role::DeadLetters;
        assert!(only(&due, &came).contains("is in the wrong topic"));

        let (due, mut came) = perfect();
        let mut stray = came[place(&came, true)].clone();
        stray.origin = (3, 1_000, Some(0));
        stray.event_id = Some("stray".to_owned());
        came.push(stray);
        assert!(only(&due, &came).contains("was never sent"));

        let (due, mut came) = perfect();
        let first = place(&came, true);
        let second = first + 1 + place(&came[first + 1..], true);
        came[second].event_id = came[first].event_id.clone();
        assert!(only(&due, &came).contains("have one id"));
    }
}
