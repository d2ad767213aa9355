//! What people have to input messages: the output of netstat, `ss`, osquery and others, and this
//! host's own sockets.
//!
//! The way goes from a file's bytes ([`text`]) over its [`Kind`] to the rows of a [`Reading`],
//! and from those with their [`Metadata`] to [`messages`]. Each adaptor is a file that says the
//! quirks of its source; it only splits columns, and leaves every spelling that the core knows
//! as it is. What cannot be read is reported with its line, what the data type has no place for
//! is counted; nothing is skipped in silence. docs/intake.md has it all in one table.
//!
//! ```
//! let printed = "  TCP    0.0.0.0:135    0.0.0.0:0    ABH\u{d6}REN    1712\r\n";
//! let (kind, reading) = netsieve::intake::read(printed.as_bytes(), None)?;
//! assert_eq!(kind.name(), "windows-netstat");
//! assert_eq!(reading.records(), 1);
//! # Ok::<(), netsieve::intake::Unrecognized>(())
//! ```

mod bsd_netstat;
mod json;
mod kind;
mod linux_netstat;
mod live;
mod message;
mod nemesis;
mod osquery;
mod powershell;
mod proc_net;
mod reading;
mod row;
mod ss;
mod sysmon;
pub mod text;
mod velociraptor;
mod windows_netstat;
mod words;
mod zeek;

pub use kind::Kind;
pub use live::{LiveError, live};
pub use message::{AGENT_TYPE, DEFAULT_DAYS, Expiration, Message, Metadata, messages};
pub use reading::{Reading, Record, Snapshot, Unread};
pub use row::Row;

/// Nothing in a file looks like anything that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot tell what it is (no row or object of a known form)")]
pub struct Unrecognized;

/// Reads a file of that kind, or of the one that its content shows.
pub fn read(bytes: &[u8], kind: Option<Kind>) -> Result<(Kind, Reading), Unrecognized> {
    let text = text::decode(bytes);
    let kind = kind.or_else(|| Kind::of(&text.text)).ok_or(Unrecognized)?;
    let mut reading = kind.read(&text.text);
    if text.replaced {
        reading.leave_out("texts with bytes that are not UTF-8, which were replaced");
    }
    Ok((kind, reading))
}
