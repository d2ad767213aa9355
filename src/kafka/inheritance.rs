//! What a former owner of a partition has left open, ended by the one who takes it over.
//!
//! Readers of committed records wait behind an open transaction, also behind that of a process
//! which has died: until its time-out, and then until the brokers look, twenty seconds in all.
//! A process that comes back under the same transactional id ends it at once; one under another
//! id can do the same for it, as soon as it knows the id. So each committed offset carries, as its
//! metadata, who committed it, and whoever takes the partition over asks the group whether that
//! one is still a member. One that is not has lost all its partitions: its transaction can only be
//! aborted, whatever becomes of the process. One that comes back between the question and the end
//! of its transaction is fenced once, and joins anew.
//!
//! A signature also says since when its owner has had the transactional id. One that comes back
//! takes the id anew, and signs anew: what was ended once under a signature stays ended, and a
//! process ends it only once, however many of its workers meet that signature and however often.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError as ClientError;
use rdkafka::producer::{BaseProducer, Producer};

use super::assignment::{self, RETRY_PAUSE, is_final};
use super::client;
use super::context::{DeliveryContext, GroupContext, lock};
use super::error::KafkaError;
use super::member::Setup;
use super::native::{TransactionError, group};
use super::settings::KafkaSettings;
use super::transaction;

/// What the metadata of netsieve's own offsets begin with; the owner follows.
const OWNER: &str = "netsieve:";
/// How long taking a transactional id over may take at once.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// How long it is tried, from the assignment on: by then the brokers have ended it themselves, by
/// its time-out and theirs to look, unless the user has raised them.
const PATIENCE: Duration = Duration::from_secs(20);
/// How many owners are looked after at an assignment, at most.
const MOST_OWNERS: usize = 64;
/// How many owners are remembered whose transactions are ended, at most.
const MOST_REMEMBERED: usize = 1024;

/// The metadata of offsets that this worker commits, who has had its transactional id since then.
pub(super) fn signature(settings: &KafkaSettings, worker: usize, since_ms: i64) -> String {
    format!("{OWNER}{} {since_ms}", client::member_id(settings, worker))
}

/// Whose transactions this process has ended, by when they took their transactional id and by
/// client id; clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Ended(Arc<Mutex<BTreeSet<(i64, String)>>>);

/// Former owners by client id, with when they took their transactional id, by their signatures.
type Owners = BTreeMap<String, BTreeSet<i64>>;

/// What has become of a former owner's transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It is ended.
    Ended,
    /// It is the owner's own, who is a member, or it cannot be ended from here.
    Left,
    /// That cannot be told yet.
    Open,
}

impl Ended {
    /// Ends what an owner has left open, where this process has not done so yet. The workers wait
    /// for each other: an owner that has come back is not to be fenced by one after the other.
    fn once(&self, owner: &str, since_ms: &BTreeSet<i64>, end: impl FnOnce() -> Fate) -> Fate {
        let mut ended = lock(&self.0);
        let mut signatures = since_ms
            .iter()
            .map(|since_ms| (*since_ms, owner.to_owned()));
        if signatures
            .clone()
            .all(|signature| ended.contains(&signature))
        {
            return Fate::Ended;
        }
        let fate = end();
        if fate == Fate::Ended {
            ended.extend(&mut signatures);
            while ended.len() > MOST_REMEMBERED {
                ended.pop_first();
            }
        }
        fate
    }

    /// Ends what these owners have left open, one after the other, and tries again what could not
    /// be told yet; gives whose is left when the time is over.
    fn all(
        &self,
        mut owners: Owners,
        is_over: impl Fn() -> bool,
        end: impl Fn(&str) -> Fate,
    ) -> Owners {
        loop {
            owners.retain(|owner, since_ms| {
                // It may be over only now: others were waited for.
                let end = || if is_over() { Fate::Open } else { end(owner) };
                self.once(owner, since_ms, end) == Fate::Open
            });
            if owners.is_empty() || is_over() {
                return owners;
            }
            std::thread::sleep(RETRY_PAUSE);
        }
    }
}

/// The signatures of partitions that are being taken over, while they are read.
///
/// Until then the worker must not sign them itself: what it writes over cannot be read any more,
/// and the dead one's transaction would stay open.
#[must_use]
pub(super) struct Reading(Receiver<()>);

impl Reading {
    /// Has this done by a thread of its own; it drops the sender when the signatures are read.
    fn by(worker: usize, work: impl FnOnce(Sender<()>) + Send + 'static) -> Self {
        let (unread, read) = mpsc::channel();
        let thread = std::thread::Builder::new().name(format!("inheritance-{worker}"));
        if let Err(error) = thread.spawn(move || work(unread)) {
            tracing::warn!(%error, "what former members left open is left to the brokers");
        }
        Self(read)
    }

    /// Waits until they are read, or cannot be.
    pub(super) fn wait(self) {
        // The reading itself ends sooner.
        if self.0.recv_timeout(PATIENCE + ANSWER_TIMEOUT) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!("who has left something open on new partitions is not known in time");
        }
    }
}

/// Ends, beside the worker, what those have left open who committed these partitions last and are
/// no members of the group any more. What cannot be ended the brokers end when its time is over.
pub(super) fn settle(setup: &Setup, partitions: &TopicPartitionList) -> Reading {
    let (setup, partitions) = (setup.clone(), partitions.clone());
    Reading::by(setup.number, move |unread| {
        if let Err(error) = end_those_of_the_gone(&setup, &partitions, unread) {
            tracing::warn!(%error, "what former members left open is left to the brokers");
        }
    })
}

fn end_those_of_the_gone(
    setup: &Setup,
    partitions: &TopicPartitionList,
    unread: Sender<()>,
) -> Result<(), KafkaError> {
    if partitions.count() == 0 {
        return Ok(());
    }
    let settings = &setup.settings;
    let asker = asker(settings)?;
    let deadline = Instant::now() + PATIENCE;
    let give_up = || setup.shutdown.is_requested();
    let committed = assignment::committed(&asker, partitions, deadline, &give_up);
    // Also when they cannot be read: the worker need not wait until the client has ended.
    drop(unread);
    let owners = former_owners(&committed?, settings);
    tracing::debug!(
        worker = setup.number,
        ?owners,
        "who committed last of what is taken over"
    );
    let is_over = || Instant::now() >= deadline || give_up();
    let left = setup
        .ended
        .all(owners, is_over, |owner| end(&asker, setup, owner));
    for owner in left.keys() {
        let id = transaction::id_of(settings, owner);
        tracing::warn!(id, "what a former member left open is left to the brokers");
    }
    Ok(())
}

/// Ends what an owner has left open that is no member of the group.
fn end(asker: &BaseConsumer<GroupContext>, setup: &Setup, owner: &str) -> Fate {
    let settings = &setup.settings;
    let id = transaction::id_of(settings, owner);
    // Asked anew for each: whoever has come back meanwhile is not to be fenced.
    let members = match group::members(asker.client(), &settings.group, ANSWER_TIMEOUT) {
        Ok(members) => members.into_iter().map(|of| of.client_id).collect(),
        Err(code) => {
            let error = ClientError::GroupListFetch(code);
            let is_final = is_final(&error);
            tracing::debug!(id, %error, is_final, "the members of the group cannot be listed");
            return if is_final { Fate::Left } else { Fate::Open };
        }
    };
    let own = client::member_id(settings, setup.number);
    if let Some(fate) = fate(owner, &own, &members) {
        tracing::debug!(id, ?fate, "a former owner is not to be ended now");
        return fate;
    }
    match take_over(settings, setup.number, &id) {
        Ok(()) => {
            tracing::info!(id, "ended what a former member may have left open");
            Fate::Ended
        }
        Err(Untaken::Refused(error)) if error.is_retriable => {
            tracing::debug!(
                id,
                error = error.reason,
                "its transactional id is not taken over yet"
            );
            Fate::Open
        }
        Err(error) => {
            tracing::warn!(id, %error, "what a former member left open is left to the brokers");
            Fate::Left
        }
    }
}

/// The fate of a former owner's transaction, where the members of the group decide it; none where
/// the owner is gone, so that it is to be ended.
fn fate(owner: &str, own: &str, members: &BTreeSet<String>) -> Option<Fate> {
    if !members.contains(own) {
        // An answer in which this worker itself is missing tells nothing of others either.
        Some(Fate::Open)
    } else if members.contains(owner) {
        Some(Fate::Left)
    } else {
        None
    }
}

/// A client that asks what is committed whatever a transaction may still add: who waits for that
/// waits for the very transaction that is to be ended.
fn asker(settings: &KafkaSettings) -> Result<BaseConsumer<GroupContext>, KafkaError> {
    let mut config = client::inspector(settings)?;
    config.set("isolation.level", "read_uncommitted");
    BaseConsumer::from_config_and_context(&config, GroupContext::default())
        .map_err(|error| client::refused(&error, "consumer"))
}

/// Whether the committed offsets can be read by whoever does not wait for open transactions.
pub(super) fn can_be_read(settings: &KafkaSettings, partitions: &TopicPartitionList) -> bool {
    asker(settings).is_ok_and(|asker| {
        let committed = asker.committed_offsets(partitions.clone(), ANSWER_TIMEOUT);
        committed.is_ok()
    })
}

/// Those who committed these offsets last, other than the workers of this process: one that joins
/// anew is for a moment no member, and ends by itself what it left open.
fn former_owners(committed: &TopicPartitionList, settings: &KafkaSettings) -> Owners {
    let workers = 0..settings.workers;
    let own: BTreeSet<_> = workers
        .map(|worker| client::member_id(settings, worker))
        .collect();
    let mut owners = Owners::new();
    for element in committed.elements() {
        let Some((owner, since_ms)) = signed(element.metadata()) else {
            continue;
        };
        if own.contains(owner) || (owners.len() == MOST_OWNERS && !owners.contains_key(owner)) {
            continue;
        }
        owners.entry(owner.to_owned()).or_default().insert(since_ms);
    }
    owners
}

/// The client id and the time of a signature. Whoever may commit for the group can sign; what they
/// name must at least be a worker.
fn signed(metadata: &str) -> Option<(&str, i64)> {
    let (owner, since_ms) = metadata.strip_prefix(OWNER)?.rsplit_once(' ')?;
    let (_, number) = owner.rsplit_once('-')?;
    number.parse::<u16>().ok()?;
    Some((owner, since_ms.parse().ok()?))
}

/// Why a transactional id was not taken over.
#[derive(Debug, thiserror::Error)]
enum Untaken {
    #[error(transparent)]
    NoClient(#[from] KafkaError),
    #[error("taking over its transactional id: {}", .0.reason)]
    Refused(TransactionError),
}

/// Takes a transactional id over, which aborts what is open under it.
fn take_over(settings: &KafkaSettings, worker: usize, id: &str) -> Result<(), Untaken> {
    let limit = client::DEFAULT_MAX_MESSAGE_BYTES;
    let mut config = client::producer(settings, worker, limit, limit)?;
    config.set("transactional.id", id);
    let producer: BaseProducer<DeliveryContext> =
        BaseProducer::from_config_and_context(&config, DeliveryContext::new(Vec::new()))
            .map_err(|error: ClientError| client::refused(&error, "producer"))?;
    let taken = producer.init_transactions(ANSWER_TIMEOUT);
    taken.map_err(|error| Untaken::Refused(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::{Cell, RefCell};

    fn committed(metadata: &[&str]) -> TopicPartitionList {
        let mut committed = TopicPartitionList::new();
        for (partition, metadata) in (0..).zip(metadata) {
            let mut element = committed.add_partition("t", partition);
            element.set_metadata(metadata);
        }
        committed
    }

    fn owner(client_id: &str, since_ms: &[i64]) -> Owners {
        let since_ms = since_ms.iter().copied().collect();
        Owners::from([(client_id.to_owned(), since_ms)])
    }

    fn members(client_ids: &[&str]) -> BTreeSet<String> {
        client_ids.iter().map(|&id| id.to_owned()).collect()
    }

    #[test]
    fn an_owner_is_known_by_what_it_has_signed() {
        let mut settings = KafkaSettings::new("b:1", "in", vec![], "dead", "group");
        (settings.instance, settings.workers) = ("pod-2".to_owned(), 2);
        let own = signature(&settings, 0, 5);
        assert_eq!(own, "netsieve:pod-2-0 5");
        // Of this worker, of another one of this process, of one that it had before, of another
        // process which took its id twice, of other programs, and of none.
        let of_all = [
            own.as_str(),
            "netsieve:pod-2-1 5",
            "netsieve:pod-2-2 5",
            "netsieve:pod-1-0 6",
            "netsieve:pod-1-0 6",
            "netsieve:pod-1-0 8",
            "netsieve:no worker",
            "netsieve:no-1 time",
            "netsieve:",
            "by hand",
            "",
        ];
        let owners = former_owners(&committed(&of_all), &settings);
        let mut all = owner("pod-1-0", &[6, 8]);
        all.extend(owner("pod-2-2", &[5]));
        assert_eq!(owners, all);
        assert_eq!(transaction::id_of(&settings, "pod-1-0"), "group-pod-1-0");
    }

    #[test]
    fn who_takes_over_signs_only_when_the_signatures_are_read() {
        use std::sync::atomic::{AtomicBool, Ordering};
        let is_read = Arc::new(AtomicBool::new(false));
        let (seen, (goes_on, to_go_on)) = (Arc::clone(&is_read), mpsc::channel());
        let reading = Reading::by(0, move |unread| {
            std::thread::sleep(RETRY_PAUSE);
            is_read.store(true, Ordering::SeqCst);
            drop(unread);
            // What it does after that is not waited for.
            let _: Result<(), _> = to_go_on.recv();
        });
        reading.wait();
        assert!(seen.load(Ordering::SeqCst));
        drop::<Sender<()>>(goes_on);
    }

    #[test]
    fn only_an_owner_that_is_surely_gone_is_to_be_ended() {
        let of = |listed| fate("dead-0", "heir-0", &members(listed));
        assert_eq!(of(&["heir-0", "other-0"]), None);
        assert_eq!(of(&["heir-0", "dead-0"]), Some(Fate::Left));
        // In the midst of a rebalance, or by a coordinator that has just taken over.
        assert_eq!(of(&["other-0"]), Some(Fate::Open));
        assert_eq!(of(&["dead-0"]), Some(Fate::Open));
        assert_eq!(of(&[]), Some(Fate::Open));
    }

    #[test]
    fn what_cannot_be_told_is_asked_again_until_it_can_or_the_time_is_over() {
        let asked = Cell::new(0);
        let after_three = |_: &str| {
            asked.set(asked.get() + 1);
            if asked.get() < 3 {
                Fate::Open
            } else {
                Fate::Ended
            }
        };
        let left = Ended::default().all(owner("dead-0", &[1]), || false, after_three);
        assert_eq!((left.len(), asked.get()), (0, 3));
        let over = || asked.get() >= 5;
        let never = |_: &str| {
            asked.set(asked.get() + 1);
            Fate::Open
        };
        let left = Ended::default().all(owner("dead-0", &[1]), over, never);
        assert_eq!((left.len(), asked.get()), (1, 5));
    }

    #[test]
    fn nobody_else_is_fenced_when_the_time_is_over() {
        let mut owners = owner("dead-0", &[1]);
        owners.extend(owner("dead-1", &[1]));
        let fenced = RefCell::new(Vec::new());
        let end = |owner: &str| {
            fenced.borrow_mut().push(owner.to_owned());
            Fate::Ended
        };
        let over = || !fenced.borrow().is_empty();
        let left = Ended::default().all(owners, over, end);
        assert_eq!(left, owner("dead-1", &[1]));
        assert_eq!(*fenced.borrow(), ["dead-0"]);
    }

    #[test]
    fn an_owner_is_ended_once_for_all_workers_until_it_signs_anew() {
        let ended = Ended::default();
        let fenced = RefCell::new(Vec::new());
        let settle = |owners, fate| {
            // Another worker of the process has the same memory.
            ended.clone().all(
                owners,
                || !fenced.borrow().is_empty(),
                |owner| {
                    fenced.borrow_mut().push(owner.to_owned());
                    fate
                },
            );
            fenced.take().len()
        };
        assert_eq!(settle(owner("dead-0", &[1, 2]), Fate::Left), 1);
        assert_eq!(settle(owner("dead-0", &[1, 2]), Fate::Open), 1);
        assert_eq!(
            settle(owner("dead-0", &[1, 2]), Fate::Ended),
            1,
            "once for both"
        );
        assert_eq!(settle(owner("dead-0", &[1]), Fate::Ended), 0);
        assert_eq!(settle(owner("dead-0", &[2]), Fate::Ended), 0);
        assert_eq!(
            settle(owner("dead-0", &[2, 3]), Fate::Ended),
            1,
            "it came back"
        );
        assert_eq!(settle(owner("dead-1", &[1]), Fate::Ended), 1, "another one");
    }

    #[test]
    fn of_the_ended_the_latest_are_remembered() {
        let ended = Ended::default();
        for since_ms in 0..=i64::try_from(MOST_REMEMBERED).unwrap() {
            ended.once("dead-0", &BTreeSet::from([since_ms]), || Fate::Ended);
        }
        let again = |since_ms| ended.once("dead-0", &BTreeSet::from([since_ms]), || Fate::Left);
        assert_eq!((again(0), again(1)), (Fate::Left, Fate::Ended));
    }
}
