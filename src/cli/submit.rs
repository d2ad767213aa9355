//! `netsieve submit`: what tools print, or this host's own sockets, to input messages on standard
//! output, in a file or in Kafka.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use jiff::Timestamp;

use super::CliError;
use super::feed::{self, Feed, brokers, property};
use super::number::whole;
use super::output::{Taken, create};
use super::target::Target;
use super::terminal::counted;
use crate::intake::{self, Expiration, Kind, Message, Metadata, Reading, Unread};
use crate::pipeline::settings::Limits;

/// Turns what tools print, or this host's own sockets, into messages.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  netsieve submit --live --project try | netsieve pipe --output table
  netsieve submit --project try --agent-id web01 netstat.txt ss.txt >in.jsonl
  ss -tunap | netsieve submit --project try | netsieve pipe
  netsieve submit --project try --bootstrap localhost:9092 conn.log

What a file is shows in its content; docs/intake.md has every kind, the command
that makes it, and what it lacks. What cannot be read is reported with its line.")]
pub struct Args {
    /// Files to read in order; `-` or none is standard input
    files: Vec<PathBuf>,
    /// Take this host's own sockets, with their processes (Linux)
    #[arg(long, conflicts_with_all = ["files", "kind"])]
    live: bool,
    /// Take the files for this kind, rather than recognise each
    #[arg(long, value_name = "KIND", value_parser = kinds())]
    kind: Option<Kind>,
    /// File to write to, `-` for standard output: JSON, one message a line
    #[arg(
        long,
        value_name = "FILE",
        default_value = "-",
        conflicts_with = "bootstrap"
    )]
    output: PathBuf,
    /// Brokers to write to instead
    #[arg(long, value_name = "HOST:PORT", value_parser = brokers)]
    bootstrap: Option<String>,
    /// Topic to write to
    #[arg(long, default_value = "network_connection", requires = "bootstrap")]
    topic: String,
    /// A librdkafka property of the producer, for example security.protocol=SSL
    #[arg(long, value_name = "KEY=VALUE", value_parser = property, requires = "bootstrap")]
    property: Vec<(String, String)>,
    /// Split a snapshot into messages of at most so many bytes; its neighbours tell much of a
    /// row, so only where brokers take no larger ones
    #[arg(long, value_name = "N", default_value_t = Limits::default().max_message_bytes, value_parser = whole(1..=usize::MAX), allow_negative_numbers = true)]
    max_message_bytes: usize,
    #[command(flatten)]
    metadata: MetadataArgs,
}

/// What is said of the rows.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Metadata")]
struct MetadataArgs {
    /// Engagement that the data belong to
    #[arg(long, value_parser = clap::builder::NonEmptyStringValueParser::new())]
    project: String,
    /// Agent that took the data; by default this host's name
    #[arg(long, value_name = "ID")]
    agent_id: Option<String>,
    /// Kind of agent; by default netsieve
    #[arg(long, value_name = "TYPE")]
    agent_type: Option<String>,
    /// Host or network that the rows were taken on; by default the one that the file names,
    /// else this host
    #[arg(long, value_name = "HOST")]
    source: Option<String>,
    /// When the data were sent, RFC 3339; by default now
    #[arg(long, value_name = "TIME", value_parser = super::time)]
    timestamp: Option<Timestamp>,
    /// When the data must be removed, RFC 3339, or days from the timestamp as +30d; by default
    /// +30d
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    expiration: Option<Expires>,
}

fn kinds() -> impl clap::builder::TypedValueParser<Value = Kind> {
    use clap::builder::TypedValueParser as _;
    let names = Kind::ALL.iter().map(|kind| kind.name());
    clap::builder::PossibleValuesParser::new(names).try_map(|name| name.parse::<Kind>())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Expires(Expiration);

impl FromStr for Expires {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const HOW: &str = "give days as +30d, or a time such as 2027-01-05T08:00:00Z";
        if let Some(rest) = text.strip_prefix('+') {
            let days = rest.strip_suffix('d').and_then(|days| days.parse().ok());
            let days = days.filter(|days: &i64| *days >= 0).ok_or(HOW)?;
            return Ok(Self(Expiration::Days(days)));
        }
        let time = text.parse().map_err(|_| HOW)?;
        Ok(Self(Expiration::At(time)))
    }
}

impl MetadataArgs {
    /// With this host's name and time for what is not given.
    fn complete(&self) -> Metadata {
        Metadata {
            project: self.project.clone(),
            agent_id: self.agent_id.clone(),
            agent_type: self.agent_type.clone(),
            source: self.source.clone(),
            timestamp: self.timestamp,
            expiration: self.expiration.map(|expires| expires.0),
            host: host_name(),
            now: now_ms(),
        }
    }
}

/// The time of the clock, in whole milliseconds as Kafka has it.
pub(super) fn now_ms() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}

/// This host's name.
pub(super) fn host_name() -> String {
    gethostname::gethostname().to_string_lossy().into_owned()
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), CliError> {
    let metadata = args.metadata.complete();
    let mut target = match &args.bootstrap {
        Some(bootstrap) => Target::Topic(connect(bootstrap, args)?),
        None => Target::File {
            file: create(&args.output)?,
            delimited: false,
        },
    };
    let limits = Limits {
        max_message_bytes: args.max_message_bytes,
        ..Limits::default()
    };
    let mut submit = Submit {
        metadata: &metadata,
        limits,
        target: &mut target,
        records: 0,
        failed: false,
        known: false,
        unread: false,
    };
    if args.live {
        let reading = intake::live().map_err(CliError::failure)?;
        submit.take("this host", "live", &reading)?;
    } else {
        submit.files(args)?;
    }
    let Submit {
        records,
        failed,
        known,
        unread,
        ..
    } = submit;
    target.finish()?;
    if records == 0 {
        return Err(match (known, unread, args.kind) {
            // Why was said of each file.
            (false, ..) => CliError::failures(Vec::new()),
            (true, false, _) => {
                CliError::failure("there is no row, the input: see that its tool found any")
            }
            (true, true, Some(_)) => {
                let what = "no row could be read, the input: leave --kind out, or name another";
                CliError::failure(what)
            }
            (true, true, None) => {
                let what = "no row could be read, the input: see docs/intake.md for what can be";
                CliError::failure(what)
            }
        });
    }
    if failed {
        let what = "not every file could be read, the input: see the lines above";
        return Err(CliError::failure(what));
    }
    Ok(())
}

/// Largest file that is read, in bytes; it is in memory as a whole.
const MAX_FILE_BYTES: u64 = 1 << 30;

/// The work on its way.
struct Submit<'a> {
    metadata: &'a Metadata,
    limits: Limits,
    target: &'a mut Target,
    records: usize,
    /// Whether a file could not be opened or read, or its kind not be told.
    failed: bool,
    /// Whether any file was of a known kind.
    known: bool,
    /// Whether one of them has rows that could not be read.
    unread: bool,
}

impl Submit<'_> {
    fn files(&mut self, args: &Args) -> Result<(), CliError> {
        let stdin = [PathBuf::from("-")];
        let files = if args.files.is_empty() {
            if io::stdin().is_terminal() {
                let what = "nothing to read, standard input is a terminal: give files, --live, or \
                            what a tool prints, ss -tunap | netsieve submit";
                return Err(CliError::usage(what));
            }
            &stdin[..]
        } else {
            &args.files
        };
        for path in files {
            let name = if path.as_os_str() == "-" {
                "stdin".to_owned()
            } else {
                path.display().to_string()
            };
            let bytes = match contents(path) {
                Ok(bytes) => bytes,
                Err(error) => {
                    eprintln!(
                        "netsieve: cannot read ({error}), {name}: check the path and its rights"
                    );
                    self.failed = true;
                    continue;
                }
            };
            if bytes.trim_ascii().is_empty() {
                eprintln!("netsieve: nothing to read (it is empty), {name}: see that its tool ran");
                continue;
            }
            match intake::read(&bytes, args.kind) {
                Ok((kind, reading)) => self.take(&name, kind.name(), &reading)?,
                Err(error) => {
                    let kinds = Kind::names();
                    eprintln!("netsieve: {error}, {name}: name it with --kind, one of {kinds}");
                    self.failed = true;
                }
            }
        }
        Ok(())
    }

    /// Writes what was read of one file, and tells of it.
    fn take(&mut self, name: &str, kind: &str, reading: &Reading) -> Result<(), CliError> {
        self.known = true;
        self.unread |= !reading.unread.is_empty();
        self.records += reading.records();
        for line in unread(&reading.unread) {
            eprintln!("netsieve: {name}:{line}");
        }
        for snapshot in &reading.snapshots {
            let messages = intake::messages(snapshot, self.metadata, &self.limits);
            if messages.len() > 1 {
                eprintln!(
                    "netsieve: {name}: {} records are more than one message may have, and go in {}: \
                     rows do not know their neighbours in the others",
                    snapshot.records.len(),
                    messages.len()
                );
            }
            for message in messages {
                if self.target.take(&feed_message(message))? == Taken::Closed {
                    return Ok(());
                }
            }
        }
        let is_whole =
            reading.unread.is_empty() && !reading.has_left_out() && reading.records() > 0;
        if io::stderr().is_terminal() || !is_whole {
            eprintln!("netsieve: {name}: {}", summary(kind, reading));
        }
        Ok(())
    }
}

/// Most lines that are shown with the same thing wrong with them, and most of all, of one file: a
/// wrong --kind is wrong for every line.
const MOST_ALIKE: usize = 3;
const MOST_UNREAD: usize = 20;

/// What could not be read, behind the file's name: the first lines of each thing that is wrong, and
/// how many more there are.
fn unread(all: &[Unread]) -> Vec<String> {
    let mut alike: HashMap<&str, usize> = HashMap::new();
    let mut lines = Vec::new();
    for unread in all {
        let count = alike.entry(&unread.why).or_default();
        *count += 1;
        if *count <= MOST_ALIKE && lines.len() < MOST_UNREAD {
            lines.push(format!("{}: {}", unread.line, unread.why));
        }
    }
    let more = all.len() - lines.len();
    if more > 0 {
        let more = counted(more as u64, "more line");
        lines.push(format!(" {more} cannot be read"));
    }
    lines
}

/// What was read and what was not, in one line.
fn summary(kind: &str, reading: &Reading) -> String {
    let mut parts = vec![format!("{kind}, records: {}", reading.records())];
    let (hosts, unread) = (reading.snapshots.len(), reading.unread.len());
    if hosts > 1 {
        parts.push(format!("snapshots: {hosts}"));
    }
    if unread > 0 {
        parts.push(format!("not read: {unread}"));
    }
    let left_out = reading.left_out.iter();
    parts.extend(left_out.map(|(what, count)| format!("left out: {count} {what}")));
    parts.join("; ")
}

/// A file's bytes, or those of standard input for `-`.
fn contents(path: &Path) -> io::Result<Vec<u8>> {
    let input: Box<dyn Read> = if path.as_os_str() == "-" {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(path)?)
    };
    let mut bytes = Vec::new();
    input.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        let what = format!("more than {} MiB", MAX_FILE_BYTES >> 20);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
    }
    Ok(bytes)
}

/// Connects to the topic, for messages as large as are asked for.
fn connect(bootstrap: &str, args: &Args) -> Result<Feed, CliError> {
    // The topic's own limit decides, not the client's default of 1 MB, which counts the key
    // and the record's frame as well.
    let largest = args.max_message_bytes.saturating_add(MAX_OVERHEAD_BYTES);
    let own = [(
        "message.max.bytes".to_owned(),
        largest.clamp(1_000, 1_000_000_000).to_string(),
    )];
    let properties: Vec<_> = own.iter().chain(&args.property).cloned().collect();
    Feed::connect("netsieve-submit", bootstrap, &args.topic, &properties)
}

/// What a Kafka record has beside its value, generously.
const MAX_OVERHEAD_BYTES: usize = 64 << 10;

/// A message as a Kafka record: its key is the agent, its time now, whatever the metadata say,
/// since brokers delete old records by it.
pub(super) fn feed_message(message: Message) -> feed::Message {
    let content_type = (
        "content-type".to_owned(),
        Some(b"application/json".to_vec()),
    );
    feed::Message {
        key: message.agent_id,
        headers: vec![content_type],
        timestamp_ms: Timestamp::now().as_millisecond(),
        value: message.value.into_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expirations_are_days_or_a_time() {
        assert_eq!("+30d".parse(), Ok(Expires(Expiration::Days(30))));
        let time = "2027-01-05T08:00:00Z";
        let at = Expiration::At(time.parse().unwrap());
        assert_eq!(time.parse(), Ok(Expires(at)));
        for wrong in ["", "30", "+30", "+-1d", "+d", "tomorrow"] {
            assert!(wrong.parse::<Expires>().is_err(), "{wrong}");
        }
    }
}
