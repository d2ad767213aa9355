//! netsieve: a Kafka stream processor for network connection records.
pub mod config;
pub mod observe;
pub mod pipeline;
pub mod proto;
