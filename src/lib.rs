//! netsieve: a Kafka stream processor for network connection records.

#![warn(clippy::print_stdout, clippy::print_stderr)]

pub mod cli;
pub mod config;
pub mod generate;
pub mod observe;
pub mod pipeline;
pub mod proto;
