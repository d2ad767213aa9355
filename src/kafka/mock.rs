//! The embedded broker: librdkafka's in-process mock cluster, for the demo and for tests.
//!
//! It speaks Kafka's protocol over loopback, so that the true code runs against it. Its limits:
//! it retains about 5 MiB a partition and drops older records silently, transactions are
//! cosmetic, a first group join takes 3 s, and it knows no static membership.

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

use super::error::KafkaError;

/// A cluster in this process; it ends when it is dropped.
pub struct EmbeddedCluster {
    cluster: MockCluster<'static, DefaultProducerContext>,
}

impl EmbeddedCluster {
    /// Starts one broker with these topics: each with its number of partitions.
    ///
    /// ```
    /// use netsieve::kafka::mock::EmbeddedCluster;
    ///
    /// let cluster = EmbeddedCluster::start(&[("network_connection", 4)])?;
    /// assert!(cluster.bootstrap_servers().starts_with("127.0.0.1:"));
    /// # Ok::<(), netsieve::kafka::KafkaError>(())
    /// ```
    pub fn start(topics: &[(&str, i32)]) -> Result<Self, KafkaError> {
        let failed = |error| KafkaError::client("starting the embedded broker", error);
        let cluster = MockCluster::new(1).map_err(failed)?;
        for (topic, partitions) in topics {
            cluster
                .create_topic(topic, *partitions, 1)
                .map_err(failed)?;
        }
        Ok(Self { cluster })
    }

    /// Its address.
    pub fn bootstrap_servers(&self) -> String {
        self.cluster.bootstrap_servers()
    }

    /// The mock itself, to inject faults.
    pub fn mock(&self) -> &MockCluster<'static, DefaultProducerContext> {
        &self.cluster
    }
}
