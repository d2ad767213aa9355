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

/// The JSON Schema of an event in the native JSON format (draft 2020-12).
pub const EVENT_JSON_SCHEMA: &str = include_str!("../proto/netsieve/v1/event.schema.json");

/// The JSON Schema of a line that `netsieve pipe` writes of a reject (draft 2020-12).
pub const REJECT_JSON_SCHEMA: &str = include_str!("../proto/netsieve/v1/reject.schema.json");

/// The ingestion contract's source text.
pub const CONTRACT_PROTO: &str = include_str!("../proto/server/network_connection.proto");
