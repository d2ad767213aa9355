//! Whether the principal has the rights that a run needs. None of it is found out by trying on
//! what is in use: the brokers tell the rights to topics and to the group when they are asked
//! (KIP-430), and the right to a transactional id shows at an id of the check's own.

use std::time::{Duration, Instant};

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode as Code};
use rdkafka::producer::{BaseProducer, Producer};

use super::client;
use super::cluster::{Cluster, Topic};
use super::context::DeliveryContext;
use super::error::KafkaError;
use super::native::TransactionError;
use super::settings::{Guarantee, KafkaSettings};
use super::topics::{Finding, Inspection, SOURCE};
use super::transaction;

/// Pause before the producer is asked again.
const STEP: Duration = Duration::from_millis(20);
/// librdkafka's name for an idempotent producer that the brokers have given its id.
const ASSIGNED: &str = "Assigned";

/// The rights to read the source topics that are there.
pub(super) fn look_at_read(
    cluster: &Cluster<'_>,
    settings: &KafkaSettings,
    read: &[Topic],
    inspection: &mut Inspection,
) {
    let names: Vec<_> = read.iter().map(|topic| topic.name.as_str()).collect();
    for (topic, rights) in cluster.topic_rights(&names, SOURCE) {
        if !rights.may_read() {
            let what = format!("READ on source topic {topic}");
            inspection.findings.push(missing(settings, what));
        }
    }
}

/// The rights to write to topics that are there, of one role.
pub(super) fn look_at_write(
    cluster: &Cluster<'_>,
    settings: &KafkaSettings,
    written: &[&str],
    role: &str,
    inspection: &mut Inspection,
) {
    for (topic, rights) in cluster.topic_rights(written, role) {
        if !rights.may_write() {
            let what = format!("WRITE on {role} topic {topic}");
            inspection.findings.push(missing(settings, what));
        }
    }
}

/// The right to read as a member of the group; false where it is missing.
pub(super) fn look_at_group(
    cluster: &Cluster<'_>,
    settings: &KafkaSettings,
    inspection: &mut Inspection,
) -> bool {
    let finding = match cluster.group_rights() {
        Ok(Some(rights)) if !rights.may_read() => {
            missing(settings, format!("READ on group {}", settings.group))
        }
        Ok(_) => return true,
        Err(error) => Finding::Fatal(error),
    };
    inspection.findings.push(finding);
    false
}

/// The right to produce as the workers will: exactly once, to take a transactional id, else to
/// have a producer id.
pub(super) fn look_at_producer(
    settings: &KafkaSettings,
    timeout: Duration,
    inspection: &mut Inspection,
) -> Result<(), KafkaError> {
    let context = DeliveryContext::new(Vec::new());
    let producer = BaseProducer::from_config_and_context(&client::prober(settings)?, context)
        .map_err(|error| client::refused(&error, "producer"))?;
    let deadline = Instant::now() + timeout;
    let proved = if settings.guarantee == Guarantee::ExactlyOnce {
        take_transactional_id(&producer, settings, deadline)
    } else {
        take_producer_id(&producer, settings, deadline)
    };
    inspection.findings.push(match proved {
        Ok(line) => Finding::Fine(line),
        Err(finding) => finding,
    });
    Ok(())
}

/// Takes the check's transactional id over, as a worker does with its own at the start.
fn take_transactional_id(
    producer: &BaseProducer<DeliveryContext>,
    settings: &KafkaSettings,
    deadline: Instant,
) -> Result<String, Finding> {
    let id = transaction::check_id(settings);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let Err(error) = producer.init_transactions(left.max(STEP)) else {
            return Ok(format!("transactional id {id} can be used"));
        };
        let judged = TransactionError::from(error.clone());
        if judged.code == Code::TransactionalIdAuthorizationFailed {
            return Err(missing(settings, format!("WRITE on transactional id {id}")));
        }
        let what = format!("taking transactional id {id}");
        if !judged.is_retriable {
            return Err(Finding::Fatal(KafkaError::client(what, error)));
        }
        if Instant::now() >= deadline {
            return Err(Finding::Doubtful(KafkaError::client(what, error)));
        }
        std::thread::sleep(STEP);
    }
}

/// Waits until the brokers have given the idempotent producer an id, which librdkafka asks for
/// by itself. Since Kafka 2.8 the right to write to any topic is enough for that.
fn take_producer_id(
    producer: &BaseProducer<DeliveryContext>,
    settings: &KafkaSettings,
    deadline: Instant,
) -> Result<String, Finding> {
    loop {
        producer.poll(STEP);
        if let Some((code, _)) = producer.client().fatal_error() {
            return Err(match code {
                Code::ClusterAuthorizationFailed => {
                    missing(settings, "IDEMPOTENT_WRITE on the cluster".to_owned())
                }
                code => Finding::Fatal(no_producer_id(code)),
            });
        }
        let statistics = producer.context().notes().take_statistics();
        let state = statistics.and_then(|of| of.eos);
        if state.is_some_and(|eos| eos.idemp_state == ASSIGNED) {
            return Ok("an idempotent producer can be used".to_owned());
        }
        if Instant::now() >= deadline {
            return Err(Finding::Doubtful(no_producer_id(Code::OperationTimedOut)));
        }
    }
}

fn no_producer_id(code: Code) -> KafkaError {
    let error = ClientError::Global(code);
    KafkaError::client("getting an idempotent producer's id", error)
}

fn missing(settings: &KafkaSettings, what: String) -> Finding {
    let bootstrap = settings.bootstrap.clone();
    Finding::Fatal(KafkaError::Unauthorized { bootstrap, what })
}

#[cfg(test)]
mod tests {
    use rdkafka::mocking::MockCluster;
    use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

    use super::*;
    use crate::kafka::settings::Guarantee;
    use crate::kafka::topics::examine;

    const REFUSED: RDKafkaRespErr = RDKafkaRespErr::RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED;

    #[test]
    fn a_producer_that_may_not_be_idempotent_is_named() {
        let cluster = MockCluster::new(1).unwrap();
        for topic in ["in", "out", "dead"] {
            cluster.create_topic(topic, 1, 1).unwrap();
        }
        let outputs = vec!["out".to_owned()];
        let bootstrap = cluster.bootstrap_servers();
        let settings = KafkaSettings {
            guarantee: Guarantee::AtLeastOnce,
            ..KafkaSettings::new(&bootstrap, "in", outputs, "dead", "g")
        };
        let fatal = || {
            let found = examine(&settings).unwrap().findings.into_iter();
            let wrong = found.filter(|finding| matches!(finding, Finding::Fatal(_)));
            wrong.collect::<Vec<_>>()
        };
        assert_eq!(fatal(), []);
        cluster.request_errors(RDKafkaApiKey::InitProducerId, &[REFUSED; 8]);
        let what = "IDEMPOTENT_WRITE on the cluster".to_owned();
        assert_eq!(fatal(), [missing(&settings, what)]);
    }
}
