//! The operator's tables: read from files, checked, and handed to the core.
//!
//! What a table answers is the core's ([`crate::pipeline::enrich::reference`]); this is where
//! its files are. Each table is read whole or not at all.

mod categories;
mod databases;
mod error;
mod file;
mod labels;
mod rows;
mod table;
mod vendors;

pub use error::ReferenceError;
pub use table::{Files, Loaded, Report, Table, load};
