//! netsieve: a Kafka stream processor for network connection records.
pub mod generate;
pub mod pipeline;
pub mod proto;
