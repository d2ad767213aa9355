//! netsieve: a Kafka stream processor for network connection records.

// Signals are Unix's, and lengths of the wire are taken as lengths in memory.
#[cfg(not(all(unix, target_pointer_width = "64")))]
compile_error!("netsieve runs on 64-bit Unix systems only, such as Linux and macOS");

pub mod cli;
pub mod config;
mod csv_lines;
pub mod dead_letters;
pub mod generate;
pub mod intake;
pub mod kafka;
pub mod observe;
pub mod pipeline;
pub mod proto;
pub mod reference;
pub mod registry;
