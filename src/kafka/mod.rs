//! The Kafka side.

pub mod probe;
