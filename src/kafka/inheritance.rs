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

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError as ClientError;
use rdkafka::groups::GroupInfo;
use rdkafka::producer::{BaseProducer, Producer};

use super::client;
use super::context::{DeliveryContext, GroupContext};
use super::error::KafkaError;
use super::settings::KafkaSettings;
use super::transaction;

/// What the metadata of netsieve's own offsets begin with; the owner's client id follows.
const OWNER: &str = "netsieve:";
/// How long each question to the brokers may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// How many owners are looked after at an assignment, at most.
const MOST_OWNERS: usize = 64;

/// The metadata of offsets that this worker commits.
pub(super) fn signature(settings: &KafkaSettings, worker: usize) -> String {
    format!("{OWNER}{}", client::member_id(settings, worker))
}

/// Ends, beside the worker, what those have left open who committed these partitions last and are
/// no members of the group any more. What cannot be ended the brokers end when its time is over.
pub(super) fn settle(
    settings: &Arc<KafkaSettings>,
    worker: usize,
    partitions: &TopicPartitionList,
) {
    if partitions.count() == 0 {
        return;
    }
    let (settings, partitions) = (Arc::clone(settings), partitions.clone());
    let thread = std::thread::Builder::new().name(format!("inheritance-{worker}"));
    let spawned = thread.spawn(move || {
        if let Err(error) = end_those_of_the_gone(&settings, worker, partitions) {
            tracing::debug!(%error, "whose transactions are left open cannot be told");
        }
    });
    if let Err(error) = spawned {
        tracing::debug!(%error, "what former members left open is left to the brokers");
    }
}

fn end_those_of_the_gone(
    settings: &KafkaSettings,
    worker: usize,
    partitions: TopicPartitionList,
) -> Result<(), KafkaError> {
    let asker = asker(settings)?;
    let committed = asker
        .committed_offsets(partitions, ANSWER_TIMEOUT)
        .map_err(|error| KafkaError::client("reading who committed last", error))?;
    for owner in former_owners(&committed, settings) {
        // Asked anew for each: whoever has come back meanwhile is not to be fenced.
        let members = members(&asker, settings)?;
        // An answer in which this worker itself is missing tells nothing of others either.
        if !members.contains(&client::member_id(settings, worker)) {
            return Ok(());
        }
        if members.contains(&owner) {
            continue;
        }
        let id = transaction::id_of(settings, &owner);
        match take_over(settings, worker, &id) {
            Ok(()) => tracing::info!(id, "ended what a former member may have left open"),
            Err(error) => tracing::warn!(
                id,
                %error,
                "what a former member left open is left to the brokers"
            ),
        }
    }
    Ok(())
}

/// A client that asks what is committed whatever a transaction may still add: who waits for that
/// waits for the very transaction that is to be ended.
fn asker(settings: &KafkaSettings) -> Result<BaseConsumer<GroupContext>, KafkaError> {
    let mut config = client::inspector(settings)?;
    config.set("isolation.level", "read_uncommitted");
    BaseConsumer::from_config_and_context(&config, GroupContext::default())
        .map_err(|error| client::refused(&error, "consumer"))
}

/// The client ids of those who committed these offsets last, other than the workers of this
/// process: one that joins anew is for a moment no member, and ends by itself what it left open.
fn former_owners(committed: &TopicPartitionList, settings: &KafkaSettings) -> BTreeSet<String> {
    let workers = 0..settings.workers;
    let own: BTreeSet<_> = workers
        .map(|worker| client::member_id(settings, worker))
        .collect();
    // Whoever may commit for the group can sign; what they name must at least be a worker.
    let is_worker = |owner: &&str| {
        let number = owner.rsplit_once('-').map(|(_, number)| number);
        number.is_some_and(|number| number.parse::<u16>().is_ok())
    };
    let elements = committed.elements();
    let signed = elements.iter();
    let signed = signed.filter_map(|of| of.metadata().strip_prefix(OWNER));
    let owners = signed.filter(is_worker).map(str::to_owned);
    owners
        .filter(|owner| !own.contains(owner))
        .take(MOST_OWNERS)
        .collect()
}

/// The client ids of the group's members.
fn members(
    asker: &BaseConsumer<GroupContext>,
    settings: &KafkaSettings,
) -> Result<BTreeSet<String>, KafkaError> {
    let groups = asker
        .client()
        .fetch_group_list(Some(&settings.group), ANSWER_TIMEOUT)
        .map_err(|error| KafkaError::client("listing the group's members", error))?;
    let groups = groups.groups().iter();
    let members = groups.flat_map(GroupInfo::members);
    Ok(members
        .map(|member| member.client_id().to_owned())
        .collect())
}

/// Takes a transactional id over, which aborts what is open under it.
fn take_over(settings: &KafkaSettings, worker: usize, id: &str) -> Result<(), KafkaError> {
    let limit = client::DEFAULT_MAX_MESSAGE_BYTES;
    let mut config = client::producer(settings, worker, limit, limit)?;
    config.set("transactional.id", id);
    let producer: BaseProducer<DeliveryContext> =
        BaseProducer::from_config_and_context(&config, DeliveryContext::new(Vec::new()))
            .map_err(|error: ClientError| client::refused(&error, "producer"))?;
    let taken = producer.init_transactions(ANSWER_TIMEOUT);
    taken.map_err(|error| KafkaError::client("taking over its transactional id", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn committed(metadata: &[&str]) -> TopicPartitionList {
        let mut committed = TopicPartitionList::new();
        for (partition, metadata) in (0..).zip(metadata) {
            let mut element = committed.add_partition("t", partition);
            element.set_metadata(metadata);
        }
        committed
    }

    #[test]
    fn an_owner_is_known_by_what_it_has_signed() {
        let mut settings = KafkaSettings::new("b:1", "in", vec![], "dead", "group");
        (settings.instance, settings.workers) = ("pod-2".to_owned(), 2);
        let own = signature(&settings, 0);
        assert_eq!(own, "netsieve:pod-2-0");
        // Of this worker, of another one of this process, of one that it had before, of another
        // process twice, of other programs, and of none.
        let of_all = [
            own.as_str(),
            "netsieve:pod-2-1",
            "netsieve:pod-2-2",
            "netsieve:pod-1-0",
            "netsieve:pod-1-0",
            "netsieve:no worker",
            "by hand",
            "",
        ];
        let owners = former_owners(&committed(&of_all), &settings);
        let owners: Vec<_> = owners.iter().map(String::as_str).collect();
        assert_eq!(owners, ["pod-1-0", "pod-2-2"]);
        assert_eq!(transaction::id_of(&settings, owners[0]), "group-pod-1-0");
    }
}
