//! netsieve: a Kafka stream processor for network connection records.
pub mod kafka;
pub mod pipeline;
pub mod proto;
