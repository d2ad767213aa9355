//! One TOML file, the environment over it, `--set` over that, and flags on top become one
//! checked [`Config`]. Whoever holds a `Config` need not check anything of it again.
//!
//! The layers are flattened to dotted paths (`layers`), every path is looked up in the one
//! list of [`keys`], and every value is read in the form that its key has (`given`).

mod brokers;
mod checked;
mod environment;
mod error;
mod filter;
mod given;
mod kafka;
pub mod keys;
mod layers;
mod load;
mod outputs;
mod parts;
mod properties;
mod sections;
mod value;

pub use brokers::are_brokers;
pub use checked::{Config, Kafka, Log, LogFormat, Output, Source, Validate};
pub use environment::Environment;
pub use error::{ConfigError, Origin};
pub use kafka::{Properties, Property};
pub use load::{Loaded, Shown, Sources, load};

#[cfg(test)]
mod tests;
