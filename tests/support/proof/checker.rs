//! What must come out of a load and what did: the comparison that every proof rests on. It knows
//! the generator's manifest and the outputs, and nothing of the pipeline.
//!
//! Of what must come only a print of each field is kept, so that a million records fit into some
//! 100 MiB; a wrong field has a chance of one in four thousand million to go unseen.

use std::collections::hash_map::{DefaultHasher, Entry};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Range;

use netsieve::generate::{Expected, ExpectedEvent, MessageOutcome, RecordOutcome};

/// Where something came from: source partition, offset, and the record of the message; no record
/// where it is the whole message.
pub(crate) type Origin = (i32, i64, Option<u32>);

/// What comes of a record or of a whole message.
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

/// The kind of topic that something is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Role {
    Connections,
    Listeners,
    DeadLetters,
}

/// Something that came out; those of one partition are handed over in their order.
#[derive(Clone, Debug)]
pub(crate) struct Came {
    pub(crate) topic: String,
    pub(crate) role: Role,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) origin: Origin,
    /// Of an event: its id, and the key of the socket that it is about.
    pub(crate) ids: Option<(String, String)>,
    pub(crate) outcome: Outcome,
    pub(crate) value: Vec<u8>,
}

/// How often something may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Promise {
    ExactlyOnce,
    /// Equal repeats count once, and on each way from a source partition to an output's there may
    /// be so many returns to what came before.
    AtLeastOnce {
        returns: u32,
    },
}

/// What a difference amounts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Lost,
    Doubled,
    OutOfOrder,
    Wrong,
}

/// The most differences that are kept by name; all are counted.
const MOST_NAMED: usize = 100;

const EVENT_FIELDS: [&str; 11] = [
    "message_id",
    "kind",
    "protocols",
    "transport",
    "network",
    "state",
    "local",
    "remote",
    "pid",
    "process",
    "warnings",
];
const LETTER_FIELDS: [&str; 2] = ["reason", "generate.sequence"];
/// The reason of a dead letter of an event that its topic finds too large.
const TOO_LARGE: &str = "event_too_large";

type Prints = [u32; EVENT_FIELDS.len()];

impl Outcome {
    pub(crate) fn role(&self) -> Role {
        match self {
            Self::Event { event, .. } if event.kind == "listener" => Role::Listeners,
            Self::Event { .. } => Role::Connections,
            Self::Reject { .. } => Role::DeadLetters,
        }
    }

    fn is_too_large(&self) -> bool {
        matches!(self, Self::Reject { reason, .. } if reason == TOO_LARGE)
    }

    fn prints(&self) -> Prints {
        match self {
            Self::Event { message_id, event } => [
                print(message_id),
                print(&event.kind),
                print(&event.protocols),
                print(&event.transport),
                print(&event.network),
                print(&event.state),
                print(&event.local),
                print(&event.remote),
                print(&event.pid),
                print(&event.process),
                print(&event.warnings),
            ],
            Self::Reject { reason, sequence } => {
                let mut prints = Prints::default();
                prints[0] = print(reason);
                prints[1] = print(sequence);
                prints
            }
        }
    }
}

/// What must come of a message: of the whole of it, or of each of its records.
pub(crate) fn outcomes(expected: &Expected) -> Vec<(Option<u32>, Outcome)> {
    let reject = |reason: &String| Outcome::Reject {
        reason: reason.clone(),
        sequence: expected.sequence,
    };
    let of_record = |record: &RecordOutcome| match record {
        RecordOutcome::Reject(reason) => reject(reason),
        RecordOutcome::Event(event) => Outcome::Event {
            message_id: expected.message_id.clone(),
            event: event.clone(),
        },
    };
    match &expected.outcome {
        MessageOutcome::Reject(reason) => vec![(None, reject(reason))],
        MessageOutcome::Records(records) => {
            let indexed = (0..).map(Some).zip(records);
            indexed
                .map(|(index, record)| (index, of_record(record)))
                .collect()
        }
    }
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

fn print(value: &impl Hash) -> u32 {
    (hash(value) >> 32) as u32
}

/// What must come of one record.
struct DueRecord {
    role: Role,
    times: u32,
    prints: Prints,
}

/// Everything that must come out, by where it comes from.
#[derive(Default)]
pub(crate) struct Due {
    records: BTreeMap<Origin, DueRecord>,
    aborted: BTreeSet<(i32, i64)>,
    may_be_too_large: bool,
}

impl Due {
    /// Enters what must come of a message that was sent to that place.
    pub(crate) fn enter(&mut self, expected: &Expected, partition: i32, offset: i64) {
        for (index, outcome) in outcomes(expected) {
            let due = DueRecord {
                role: outcome.role(),
                times: 1,
                prints: outcome.prints(),
            };
            self.records.insert((partition, offset, index), due);
        }
    }

    /// Enters a message that was sent and taken back: nothing may come of it.
    pub(crate) fn enter_aborted(&mut self, partition: i32, offset: i64) {
        self.aborted.insert((partition, offset));
    }

    /// The messages of these offsets were read before and are read once more: all that came of
    /// them comes again.
    pub(crate) fn expect_again(&mut self, partition: i32, offsets: Range<i64>) {
        let from = (partition, offsets.start, None);
        let to = (partition, offsets.end, None);
        for (_, due) in self.records.range_mut(from..to) {
            due.times += 1;
        }
    }

    /// An event may come as a dead letter that says that its topic finds it too large.
    pub(crate) fn allow_too_large(&mut self) {
        self.may_be_too_large = true;
    }

    /// Where everything comes from that must come.
    pub(crate) fn origins(&self) -> impl Iterator<Item = Origin> {
        self.records.keys().copied()
    }

    /// How many of them must come to that kind of topic.
    pub(crate) fn len_of(&self, role: Role) -> u64 {
        let of_role = self.records.values().filter(|due| due.role == role);
        of_role.map(|due| u64::from(due.times)).sum()
    }

    /// How many events and dead letters must come.
    pub(crate) fn len(&self) -> u64 {
        self.records.values().map(|due| u64::from(due.times)).sum()
    }
}

/// One thing that is not as it must be.
#[derive(Clone, Debug)]
pub(crate) struct Difference {
    pub(crate) kind: Kind,
    pub(crate) origin: Origin,
    text: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}: ", self.kind, source(self.origin))?;
        f.write_str(&self.text)
    }
}

/// The name of a place in the source.
fn source((partition, offset, index): Origin) -> String {
    let record = index.map(|index| format!(" record {index}"));
    format!(
        "source [{partition}] @ {offset}{}",
        record.unwrap_or_default()
    )
}

/// What the comparison has brought to light.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// Events and dead letters that came.
    pub(crate) came: u64,
    /// Events that came as dead letters since their topic finds them too large.
    pub(crate) too_large: u64,
    /// Equal repeats that the promise allows.
    pub(crate) repeats: u64,
    counts: BTreeMap<Kind, u64>,
    /// The first differences.
    pub(crate) named: Vec<Difference>,
}

impl Verdict {
    /// How many differences of a kind there are.
    pub(crate) fn count(&self, kind: Kind) -> u64 {
        self.counts.get(&kind).copied().unwrap_or(0)
    }

    /// Whether everything is as it must be.
    pub(crate) fn is_clean(&self) -> bool {
        self.counts.is_empty()
    }

    fn add(&mut self, kind: Kind, origin: Origin, text: String) {
        *self.counts.entry(kind).or_default() += 1;
        if self.named.len() < MOST_NAMED {
            self.named.push(Difference { kind, origin, text });
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} came, differences: {:?}", self.came, self.counts)?;
        for difference in &self.named {
            write!(f, "\n  {difference}")?;
        }
        Ok(())
    }
}

/// What came first of an origin, and how often it came.
struct Seen {
    times: u32,
    place: (Role, i32),
    print: u64,
}

/// The way from a source partition to an output's, in its n-th run.
#[derive(Default)]
struct Way {
    furthest: Option<Origin>,
    last: Option<Origin>,
    returns: u32,
}

/// Compares while it is told what came.
pub(crate) struct Checker<'d> {
    due: &'d Due,
    promise: Promise,
    seen: HashMap<Origin, Seen>,
    /// The origin of each event id.
    owners: HashMap<u64, Origin>,
    /// The output partition of each socket.
    homes: HashMap<(Role, u64), i32>,
    ways: HashMap<(Role, i32, i32, u32), Way>,
    verdict: Verdict,
}

impl<'d> Checker<'d> {
    pub(crate) fn new(due: &'d Due, promise: Promise) -> Self {
        Self {
            due,
            promise,
            seen: HashMap::new(),
            owners: HashMap::new(),
            homes: HashMap::new(),
            ways: HashMap::new(),
            verdict: Verdict::default(),
        }
    }

    /// Takes in something that came.
    pub(crate) fn take(&mut self, one: &Came) {
        self.verdict.came += 1;
        let Some(due) = self.due.records.get(&one.origin) else {
            let (partition, offset, _) = one.origin;
            let why = if self.due.aborted.contains(&(partition, offset)) {
                "its message was taken back"
            } else {
                "nothing of it was to come"
            };
            return self.report(Kind::Wrong, one, why);
        };
        let print = hash(&(&one.ids, &one.value, one.outcome.prints()));
        let place = (one.role, one.partition);
        let (times, is_equal) = match self.seen.entry(one.origin) {
            Entry::Vacant(vacant) => {
                vacant.insert(Seen {
                    times: 1,
                    place,
                    print,
                });
                (1, true)
            }
            Entry::Occupied(mut occupied) => {
                let first = occupied.get_mut();
                first.times += 1;
                (first.times, (first.place, first.print) == (place, print))
            }
        };
        if !is_equal {
            self.report(Kind::Wrong, one, "it came before, and otherwise");
        } else if times == 1 {
            self.compare(due, one);
        }
        if times > due.times && self.promise == Promise::ExactlyOnce {
            let text = format!("it came {times} times, not {}", due.times);
            return self.report(Kind::Doubled, one, &text);
        }
        self.follow(one, times, times > due.times);
    }

    /// Holds what came first against what must come.
    fn compare(&mut self, due: &DueRecord, one: &Came) {
        let is_swapped = self.due.may_be_too_large
            && one.outcome.is_too_large()
            && due.role != Role::DeadLetters;
        if one.role != one.outcome.role() || (one.role != due.role && !is_swapped) {
            return self.report(Kind::Wrong, one, "it belongs to another topic");
        }
        if is_swapped {
            self.verdict.too_large += 1;
            return;
        }
        let text = wrong_fields(&one.outcome, &due.prints);
        if !text.is_empty() {
            self.report(Kind::Wrong, one, &text);
        }
        let Some((id, connection)) = &one.ids else {
            return;
        };
        let owner = *self.owners.entry(hash(id)).or_insert(one.origin);
        if owner != one.origin {
            let text = format!("its id is that of {}", source(owner));
            self.report(Kind::Wrong, one, &text);
        }
        let home = self.homes.entry((one.role, hash(connection)));
        let home = *home.or_insert(one.partition);
        if home != one.partition {
            let text = format!("connection {connection} was in partition {home} before");
            self.report(Kind::OutOfOrder, one, &text);
        }
    }

    /// Sees that it comes in its turn. Repeats that must come have a turn of their own; those
    /// that may come go back.
    fn follow(&mut self, one: &Came, times: u32, is_spare: bool) {
        let run = if is_spare { 1 } else { times };
        let key = (one.role, one.partition, one.origin.0, run);
        let way = self.ways.entry(key).or_default();
        let mut text = None;
        if is_spare {
            self.verdict.repeats += 1;
            let Promise::AtLeastOnce { returns } = self.promise else {
                return;
            };
            if way.last >= Some(one.origin) {
                way.returns += 1;
                let is_once_more = way.returns > returns;
                text = is_once_more.then(|| format!("it goes back for time {}", way.returns));
            }
        } else {
            // That an event is too large is found when all records of its message are judged.
            let index = (!one.outcome.is_too_large()).then_some(one.origin.2);
            let later = way.furthest.filter(|(partition, offset, record)| {
                let turn = (*partition, *offset, index.map(|_| *record));
                turn > (one.origin.0, one.origin.1, index)
            });
            text = later.map(|later| format!("it came after {}", source(later)));
            way.furthest = way.furthest.max(Some(one.origin));
        }
        way.last = Some(one.origin);
        if let Some(text) = text {
            self.report(Kind::OutOfOrder, one, &text);
        }
    }

    fn report(&mut self, kind: Kind, one: &Came, what: &str) {
        let (topic, partition, offset) = (&one.topic, one.partition, one.offset);
        let id = one.ids.as_ref().map_or("none", |(id, _)| id);
        let text = format!("{topic} [{partition}] @ {offset}, event id {id}: {what}");
        self.verdict.add(kind, one.origin, text);
    }

    /// Adds what has not come.
    pub(crate) fn finish(mut self) -> Verdict {
        for (origin, due) in &self.due.records {
            let times = self.seen.get(origin).map_or(0, |seen| seen.times);
            if times < due.times {
                let wanted = format!("of {} in {:?}, {times} came", due.times, due.role);
                self.verdict.add(Kind::Lost, *origin, wanted);
            }
        }
        self.verdict
    }
}

/// The fields that are not as they must be, with what they are.
fn wrong_fields(outcome: &Outcome, due: &Prints) -> String {
    let names: &[&str] = match outcome {
        Outcome::Event { .. } => &EVENT_FIELDS,
        Outcome::Reject { .. } => &LETTER_FIELDS,
    };
    let prints = outcome.prints();
    let pairs = names.iter().zip(prints.iter().zip(due));
    let wrong = pairs.filter(|(_, (is, must))| is != must);
    let wrong: Vec<_> = wrong.map(|(name, _)| *name).collect();
    if wrong.is_empty() {
        return String::new();
    }
    format!("not as due: {}; found {outcome:?}", wrong.join(", "))
}

/// The differences between what must come and what came.
pub(crate) fn judge<'c>(
    due: &Due,
    came: impl IntoIterator<Item = &'c Came>,
    promise: Promise,
) -> Verdict {
    let mut checker = Checker::new(due, promise);
    for one in came {
        checker.take(one);
    }
    checker.finish()
}
