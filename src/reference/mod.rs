//! The operator's tables: read from files, checked, and handed to the core.
//!
//! What a table answers is the core's ([`crate::pipeline::enrich::reference`]); this is where
//! its files are. Each table is read whole or not at all.
//!
//! [`load`] reads all of them once, [`Live`] holds what was read for every thread, and a
//! [`Watcher`] puts another table in its place when its files have changed.

mod categories;
mod databases;
mod error;
mod file;
mod labels;
mod live;
mod rows;
mod table;
mod vendors;
mod watch;

pub use error::ReferenceError;
pub use live::{Live, Reader, TableStatus};
pub use table::{Files, Loaded, Report, Table, load};
pub use watch::{EVERY, Watched, Watcher};
