//! What must come out of a load and what did, and the comparison of the two.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use netsieve::generate::{Expected, ExpectedEvent, MessageOutcome, RecordOutcome};

pub(crate) const CONNECTIONS: &str = "network_connection.connections";
pub(crate) const LISTENERS: &str = "network_connection.listeners";
pub(crate) const DEAD_LETTERS: &str = "network_connection.dead_letters";

/// Where something came from: source partition, offset, and the record of the message; no record
/// where it is the whole message.
pub(crate) type Origin = (i32, i64, Option<u32>);

/// What must come of a record or of a whole message.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    /// This event, of the message of this id.
    Event {
        message_id: String,
        event: Box<ExpectedEvent>,
    },
    /// A dead letter with this reason, of the message of this number in the load.
    Reject { reason: String, sequence: u64 },
}

impl Outcome {
    /// The topic that it belongs to.
    pub(crate) fn topic(&self) -> &'static str {
        match self {
            Self::Event { event, .. } if event.kind == "listener" => LISTENERS,
            Self::Event { .. } => CONNECTIONS,
            Self::Reject { .. } => DEAD_LETTERS,
        }
    }
}

/// Everything that must come out, by where it comes from.
pub(crate) type Due = BTreeMap<Origin, Outcome>;

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

/// Something that came out. Of each topic's partition these are kept in order.
#[derive(Clone, Debug)]
pub(crate) struct Came {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) origin: Origin,
    /// The event's id; absent for a dead letter.
    pub(crate) event_id: Option<String>,
    pub(crate) outcome: Outcome,
    pub(crate) value: Vec<u8>,
}

/// What differs from what must have come, in a line each.
///
/// At least once may repeat what was not committed when a partition went to another process, so
/// equal repeats count once, and each partition may be gone back in `handovers` times.
pub(crate) fn differences(due: &Due, came: &[Came], handovers: u32) -> Vec<String> {
    let mut differences = Vec::new();
    let firsts = firsts(came, &mut differences);
    for (origin, first) in &firsts {
        match due.get(origin) {
            None => differences.push(format!("{origin:?} was never sent: {first:?}")),
            Some(outcome) if *outcome != first.outcome => differences.push(format!(
                "{origin:?} is otherwise\n  expected {outcome:?}\n  found    {:?}",
                first.outcome
            )),
            Some(outcome) if outcome.topic() != first.topic => {
                differences.push(format!("{origin:?} is not for {}: {first:?}", first.topic));
            }
            Some(_) => {}
        }
    }
    let lost = due
        .iter()
        .filter(|(origin, _)| !firsts.contains_key(origin));
    differences.extend(lost.map(|(origin, outcome)| format!("{origin:?} is lost: {outcome:?}")));
    differences.extend(disorder(came, handovers));
    differences
}

/// The first that came of each origin; whatever came of it again must be its equal, and no two
/// events share an id.
fn firsts<'a>(came: &'a [Came], differences: &mut Vec<String>) -> BTreeMap<Origin, &'a Came> {
    let mut firsts: BTreeMap<Origin, &Came> = BTreeMap::new();
    let mut ids: HashMap<&str, Origin> = HashMap::new();
    for one in came {
        let first = *firsts.entry(one.origin).or_insert(one);
        if let Some(id) = &one.event_id {
            let owner = *ids.entry(id).or_insert(one.origin);
            if owner != one.origin {
                differences.push(format!("{:?} and {owner:?} have one id", one.origin));
            }
        }
        let place = |of: &Came| (of.topic.clone(), of.partition);
        let is_equal = first.event_id == one.event_id
            && first.outcome == one.outcome
            && first.value == one.value
            && place(first) == place(one);
        if !is_equal {
            differences.push(format!(
                "{:?} came twice, and otherwise\n  first {first:?}\n  then  {one:?}",
                one.origin
            ));
        }
    }
    firsts
}

/// Where the order of a source partition is lost on its way to an output's partition.
fn disorder(came: &[Came], handovers: u32) -> Vec<String> {
    #[derive(Default)]
    struct Way {
        seen: BTreeSet<Origin>,
        last: Option<Origin>,
        replays: u32,
    }
    let mut ways: BTreeMap<(&str, i32, i32), Way> = BTreeMap::new();
    let mut differences = Vec::new();
    for one in came {
        let key = (one.topic.as_str(), one.partition, one.origin.0);
        let way = ways.entry(key).or_default();
        let furthest = way.seen.last().copied();
        if way.seen.insert(one.origin) {
            if furthest > Some(one.origin) {
                differences.push(format!("{:?} came after {furthest:?}, {key:?}", one.origin));
            }
        } else if way.last >= Some(one.origin) {
            way.replays += 1;
            if way.replays > handovers {
                differences.push(format!("{:?} goes back once more, {key:?}", one.origin));
            }
        }
        way.last = Some(one.origin);
    }
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
            topic: outcome.topic().to_owned(),
            partition: 0,
            origin: *origin,
            event_id: matches!(outcome, Outcome::Event { .. }).then(|| format!("{origin:?}")),
            outcome: outcome.clone(),
            value: format!("{outcome:?}").into_bytes(),
        });
        let came = came.collect();
        (due, came)
    }

    /// The place of the first event, or of the first dead letter, past the first few.
    fn place(came: &[Came], is_event: bool) -> usize {
        let mut places = (5..).zip(&came[5..]);
        let found = places.find(|(_, one)| one.event_id.is_some() == is_event);
        found.unwrap().0
    }

    /// The only difference there is.
    fn only(due: &Due, came: &[Came], handovers: u32) -> String {
        let mut differences = differences(due, came, handovers);
        assert_eq!(differences.len(), 1, "{differences:#?}");
        differences.remove(0)
    }

    #[test]
    fn exactly_what_is_due_differs_in_nothing() {
        let (due, came) = perfect();
        assert!(due.len() > 500);
        assert_eq!(differences(&due, &came, 0), [""; 0]);
    }

    #[test]
    fn one_lost_is_reported() {
        for is_event in [true, false] {
            let (due, mut came) = perfect();
            let lost = came.remove(place(&came, is_event));
            let told = only(&due, &came, 0);
            assert_eq!(
                told,
                format!("{:?} is lost: {:?}", lost.origin, lost.outcome)
            );
        }
    }

    #[test]
    fn one_doubled_is_reported_unless_it_is_an_equal_repeat() {
        let changes: [fn(&mut Came); 4] = [
            |twin| twin.value.push(b' '),
            |twin| twin.event_id = Some("another".to_owned()),
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
            let origin = twin.origin;
            change(&mut twin);
            came.push(twin);
            let told = only(&due, &came, 1);
            assert!(
                told.starts_with(&format!("{origin:?} came twice")),
                "{told}"
            );
        }
        let (due, mut came) = perfect();
        came.push(came[place(&came, true)].clone());
        assert_eq!(differences(&due, &came, 1), [""; 0]);
        let told = only(&due, &came, 0);
        assert!(told.contains("goes back once more"), "{told}");
    }

    #[test]
    fn two_swapped_are_reported() {
        let (due, mut came) = perfect();
        let mut pairs = (0..).zip(came.windows(2));
        let alike = pairs.find(|(_, pair)| pair[0].topic == pair[1].topic);
        let (at, _) = alike.unwrap();
        came.swap(at, at + 1);
        let told = only(&due, &came, 0);
        let expected = format!(
            "{:?} came after Some({:?})",
            came[at + 1].origin,
            came[at].origin
        );
        assert!(told.starts_with(&expected), "{told}");
    }

    #[test]
    fn one_wrong_is_reported() {
        let (due, mut came) = perfect();
        let event = place(&came, true);
        let Outcome::Event { event: wrong, .. } = &mut came[event].outcome else {
            panic!("not an event");
        };
        wrong.local.port = wrong.local.port.map_or(Some(1), |port| Some(port ^ 1));
        let told = only(&due, &came, 0);
        assert!(told.contains("is otherwise"), "{told}");

        let (due, mut came) = perfect();
        let letter = place(&came, false);
        let Outcome::Reject { reason, .. } = &mut came[letter].outcome else {
            panic!("not a dead letter");
        };
        reason.push('s');
        let told = only(&due, &came, 0);
        assert!(told.contains("is otherwise"), "{told}");
    }

    #[test]
    fn one_in_the_topic_of_another_kind_is_reported() {
        let (due, mut came) = perfect();
        let event = place(&came, true);
        came[event].topic = DEAD_LETTERS.to_owned();
        assert!(only(&due, &came, 0).contains("is not for"));
    }

    #[test]
    fn one_that_was_never_sent_and_an_id_that_two_share_are_reported() {
        let (due, mut came) = perfect();
        let mut stray = came[place(&came, true)].clone();
        stray.origin = (3, 1_000, Some(0));
        stray.event_id = Some("stray".to_owned());
        came.push(stray.clone());
        assert!(only(&due, &came, 0).contains("was never sent"));

        let (due, mut came) = perfect();
        let first = place(&came, true);
        let second = first + 1 + place(&came[first + 1..], true);
        came[second].event_id = came[first].event_id.clone();
        assert!(only(&due, &came, 0).contains("have one id"));
    }
}
