//! netsieve: a Kafka stream processor for network connection records.
pub mod cli;
pub mod config;
pub mod generate;
pub mod kafka;
pub mod observe;
pub mod pipeline;
pub mod proto;
