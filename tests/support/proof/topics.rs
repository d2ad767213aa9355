//! Topics of a real cluster, made and deleted. The benches use it as well.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic};
use rdkafka::client::DefaultClientContext;

/// How long the brokers may take to answer.
const ANSWER: Duration = Duration::from_secs(30);

/// Makes topics.
pub(crate) fn create(bootstrap: &str, topics: &[NewTopic<'_>]) {
    let (admin, options) = administrator(bootstrap);
    let created = wait_for(admin.create_topics(topics, &options));
    for result in created.expect("the brokers make topics") {
        result.expect("the topic is new");
    }
}

/// Deletes topics.
pub(crate) fn delete(bootstrap: &str, topics: &[&str]) {
    let (admin, options) = administrator(bootstrap);
    let deleted = wait_for(admin.delete_topics(topics, &options));
    deleted.expect("the brokers delete topics");
}

fn administrator(bootstrap: &str) -> (AdminClient<DefaultClientContext>, AdminOptions) {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap);
    let admin = config.create().expect("the properties are valid");
    (admin, AdminOptions::new().operation_timeout(Some(ANSWER)))
}

fn wait_for<T>(answer: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime needs nothing").block_on(answer)
}
