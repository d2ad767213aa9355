//! netsieve: a Kafka stream processor for network connection records.
pub mod config;
pub mod generate;
pub mod pipeline;
pub mod proto;
