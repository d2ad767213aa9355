//! The generated types of the two schemas, for tests, tools and benches.
//!
//! The hot path reads and writes the wire format itself; these types are the reference that
//! it is tested against.

#![allow(missing_docs, clippy::pedantic)]

/// The ingestion contract.
pub mod server {
    include!(concat!(env!("OUT_DIR"), "/server.rs"));
}

/// What netsieve produces.
pub mod v1 {
    include!(concat!(env!("OUT_DIR"), "/netsieve.v1.rs"));
}

/// The event schema's source text.
pub const EVENT_PROTO: &str = include_str!("../proto/netsieve/v1/event.proto");

/// The ingestion contract's source text.
pub const CONTRACT_PROTO: &str = include_str!("../proto/server/network_connection.proto");
