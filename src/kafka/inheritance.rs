//! What a former owner of a partition has left open, ended by the one who takes it over.
//!
//! Readers of committed records wait behind an open transaction, also behind that of a process
//! which has died: until its time-out, and then until the brokers look, twenty seconds in all.
//! A process that comes back under the same transactional id ends it at once; one under another
//! id can do the same for it, as soon as it knows the id. So each committed offset carries, as its
//! metadata, who committed it, and whoever takes the partition over asks the group whether that
//! one is still a member. One that is not has lost all its partitions: its transaction can only be
//! aborted, whatever becomes of the process.

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

/// The metadata of offsets that this worker commits.
pub(super) fn signature(settings: &KafkaSettings, worker: usize) -> String {
    format!("{OWNER}{}", client::member_id(settings, worker))
}

/// The client ids of those who committed these offsets last, other than this worker.
pub(super) fn former_owners(
    committed: &TopicPartitionList,
    settings: &KafkaSettings,
    worker: usize,
) -> BTreeSet<String> {
    let own = client::member_id(settings, worker);
    let owner = |metadata: &str| metadata.strip_prefix(OWNER).map(str::to_owned);
    let elements = committed.elements();
    let owners = elements.iter().filter_map(|of| owner(of.metadata()));
    owners.filter(|owner| *owner != own).collect()
}

/// Ends, beside the worker, the transactions of those who are no members of the group any more.
/// What cannot be ended the brokers end when its time is over.
pub(super) fn settle(settings: &Arc<KafkaSettings>, worker: usize, owners: BTreeSet<String>) {
    if owners.is_empty() {
        return;
    }
    let settings = Arc::clone(settings);
    let thread = std::thread::Builder::new().name(format!("inheritance-{worker}"));
    let spawned = thread.spawn(move || {
        if let Err(error) = end_those_of_the_gone(&settings, worker, owners) {
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
    mut owners: BTreeSet<String>,
) -> Result<(), KafkaError> {
    let members = members(settings)?;
    // An answer in which this worker itself is missing tells nothing of others either.
    if !members.contains(&client::member_id(settings, worker)) {
        return Ok(());
    }
    owners.retain(|owner| !members.contains(owner));
    for owner in owners {
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

/// The client ids of the group's members.
fn members(settings: &KafkaSettings) -> Result<BTreeSet<String>, KafkaError> {
    let config = client::inspector(settings)?;
    let asker = BaseConsumer::from_config_and_context(&config, GroupContext::default())
        .map_err(|error| client::refused(&error, "consumer"))?;
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
        settings.instance = "pod-2".to_owned();
        let own = signature(&settings, 0);
        assert_eq!(own, "netsieve:pod-2-0");
        // Of this worker, of another one of this process, of another process twice, of other
        // programs, and of none.
        let of_all = [
            own.as_str(),
            "netsieve:pod-2-1",
            "netsieve:pod-1-0",
            "netsieve:pod-1-0",
            "by hand",
            "",
        ];
        let owners = former_owners(&committed(&of_all), &settings, 0);
        let owners: Vec<_> = owners.iter().map(String::as_str).collect();
        assert_eq!(owners, ["pod-1-0", "pod-2-1"]);
        assert_eq!(transaction::id_of(&settings, owners[0]), "group-pod-1-0");
    }
}
