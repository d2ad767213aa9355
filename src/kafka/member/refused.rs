//! What the brokers refuse, in words: which right is missing, and to what.

use std::time::Duration;

use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::producer::Producer;

use super::{Member, Trouble};
use crate::kafka::error::KafkaError;
use crate::kafka::native::{TransactionError, rights};

/// How long each question about rights may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

impl Trouble {
    /// The same, where it came of undoing what had failed for `cause`.
    pub(in crate::kafka) fn after(self, cause: &str) -> Self {
        match self {
            Self::Rejoin(reason) => Self::Rejoin(format!("{cause}; {reason}")),
            other => other,
        }
    }
}

impl Member {
    /// Why the open transaction has failed, where it has: a record that is refused for it may come
    /// to light before any call that would tell.
    pub(in crate::kafka) fn cause(&self) -> Option<String> {
        if !self.transaction.is_open() {
            return None;
        }
        // librdkafka answers any call with what a transaction has failed of; one that has not
        // failed cannot begin again, and stays as it is.
        let begun = self.delivery.producer().begin_transaction();
        let error = TransactionError::from(begun.err()?);
        let what = "writing in the transaction";
        error.requires_abort.then(|| self.told(what, &error))
    }

    /// An error of a transactional call in words. Brokers that refuse one topic of several do not
    /// say which, so they are asked.
    pub(in crate::kafka) fn told(&self, what: &str, error: &TransactionError) -> String {
        if error.code == Code::TopicAuthorizationFailed {
            let topics = self.not_writable();
            if !topics.is_empty() {
                let what = format!("WRITE on topic {}", topics.join(", "));
                return self.unauthorized(what).to_string();
            }
        }
        format!("{what}: {}", error.reason)
    }

    /// The error that names a missing right.
    pub(in crate::kafka) fn unauthorized(&self, what: String) -> KafkaError {
        KafkaError::Unauthorized {
            bootstrap: self.setup.settings.bootstrap.clone(),
            what,
        }
    }

    /// The topics that may not be written to, as far as the brokers tell it.
    fn not_writable(&self) -> Vec<&str> {
        let client = self.delivery.producer().client();
        let mut topics: Vec<_> = self.setup.settings.written_topics().collect();
        topics.sort_unstable();
        topics.dedup();
        let metadata = |topic| client.fetch_metadata(Some(topic), ANSWER_TIMEOUT);
        let Some(Ok(any)) = topics.first().map(|topic| metadata(*topic)) else {
            return Vec::new();
        };
        let broker = Some(any.orig_broker_id());
        let told = rights::of_topics(client, broker, &topics, ANSWER_TIMEOUT).unwrap_or_default();
        topics.retain(|topic| match told.iter().find(|(name, _)| name == topic) {
            Some((_, rights)) => !rights.may_write(),
            // Of a topic that may not even be described nothing is told.
            None => metadata(*topic).is_ok_and(|answer| {
                let mut of_topic = answer.topics().iter();
                of_topic.any(|topic| {
                    let error = topic.error().map(Code::from);
                    error == Some(Code::TopicAuthorizationFailed)
                })
            }),
        });
        topics
    }
}
