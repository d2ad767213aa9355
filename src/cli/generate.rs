//! `netsieve generate`: a deterministic load to a file, standard output or Kafka, and the
//! manifest of what must come out of it.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::CliError;
use super::feed::{Feed, brokers, property};
use super::number::whole;
use super::output::{Taken, create, unwritten};
use super::target::Target;
use crate::generate::{Carrier, Encodings, Generator, Options};

/// Generates messages like those of real agents, good and bad, the same ones each time.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  netsieve generate --messages 3                        three JSON lines
  netsieve generate --encoding protobuf --output load.bin
  netsieve generate --bootstrap localhost:9092 --topic network_connection \\
      --messages 100000 --rate 2000 --start-time now    to Kafka, paced
  netsieve generate --messages 1000 --output in.jsonl --manifest expected.jsonl")]
pub struct Args {
    /// How many messages
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = whole(0..=u64::MAX), allow_negative_numbers = true)]
    messages: u64,
    /// Records of a message, fewest and most
    #[arg(
        long,
        value_name = "MIN..MAX",
        default_value = "1..50",
        allow_hyphen_values = true
    )]
    records: Range,
    /// Share of messages, and of records of the others, that must be rejected: 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.02, value_parser = share, allow_negative_numbers = true)]
    bad: f64,
    /// Let bad ones break the default size limits as well
    #[arg(long)]
    oversized: bool,
    /// Share of good records whose process name is a command line of some KiB: 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share, allow_negative_numbers = true)]
    long_commands: f64,
    /// What everything random follows from
    #[arg(long, default_value_t = 1, value_parser = whole(0..=u64::MAX), allow_negative_numbers = true)]
    seed: u64,
    /// Encoding of the messages; mixed goes to Kafka only, and is the default there
    #[arg(long, value_enum)]
    encoding: Option<EncodingArg>,
    /// Timestamp of the first message, RFC 3339 or `now`; brokers delete old records by it. Further
    /// ones are later by what passes at the rate, or by 1 ms each
    #[arg(long, value_name = "TIME", default_value = "2026-01-05T08:00:00Z")]
    start_time: StartTime,
    /// File to write to, `-` for standard output: JSON lines, or length-delimited protobuf
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
    /// Messages a second; 0 is as fast as it goes
    #[arg(long, value_name = "N", default_value_t = 0, requires = "bootstrap", value_parser = whole(0..=u32::MAX), allow_negative_numbers = true)]
    rate: u32,
    /// A librdkafka property of the producer, for example security.protocol=SSL
    #[arg(long, value_name = "KEY=VALUE", value_parser = property, requires = "bootstrap")]
    property: Vec<(String, String)>,
    /// Write what must come out to this file, one JSON line a message
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum EncodingArg {
    Json,
    Protobuf,
    Mixed,
}

/// Fewest and most records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range(u32, u32);

impl FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (min, max) = text.split_once("..").unwrap_or((text, text));
        let number = |text: &str| text.trim_start_matches('=').parse::<u32>();
        match (number(min), number(max)) {
            (Ok(min), Ok(max)) if min <= max => Ok(Self(min, max)),
            _ => Err("give MIN..MAX, for example 1..50, or one number".to_owned()),
        }
    }
}

/// Milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct StartTime(i64);

impl FromStr for StartTime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "now" {
            return Ok(Self(jiff::Timestamp::now().as_millisecond()));
        }
        let time: jiff::Timestamp = text
            .parse()
            .map_err(|_| "give a time such as 2026-01-05T08:00:00Z, or now".to_owned())?;
        Ok(Self(time.as_millisecond()))
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("give a share between 0 and 1, for example 0.02".to_owned()),
    }
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), CliError> {
    let options = options(args)?;
    let delimited = options.encodings == Encodings::Protobuf;
    let mut manifest = args.manifest.as_deref().map(create).transpose()?;
    let mut target = match &args.bootstrap {
        Some(bootstrap) => Target::Topic(Feed::connect(
            "netsieve-generate",
            bootstrap,
            &args.topic,
            &args.property,
        )?),
        None => Target::File {
            file: create(&args.output)?,
            delimited,
        },
    };
    let mut pace = Pace::new(args.rate);
    let progress = progress(args, &target);
    for message in Generator::new(options) {
        if let Some(manifest) = &mut manifest {
            let written = serde_json::to_writer(&mut *manifest, &message.expected)
                .map_err(io::Error::from)
                .and_then(|()| manifest.write_all(b"\n"));
            written.map_err(|error| unwritten(&error))?;
        }
        pace.wait();
        if target.take(&message.into())? == Taken::Closed {
            break;
        }
        progress.inc(1);
    }
    target.finish()?;
    if let Some(mut manifest) = manifest {
        manifest.flush().map_err(|error| unwritten(&error))?;
    }
    progress.finish_and_clear();
    Ok(())
}

fn options(args: &Args) -> Result<Options, CliError> {
    let to_kafka = args.bootstrap.is_some();
    let encodings = match (args.encoding, to_kafka) {
        (Some(EncodingArg::Json), _) | (None, false) => Encodings::Json,
        (Some(EncodingArg::Protobuf), _) => Encodings::Protobuf,
        (Some(EncodingArg::Mixed) | None, true) => Encodings::Mixed,
        (Some(EncodingArg::Mixed), false) => {
            return Err(CliError::usage(
                "a file has one encoding, --encoding mixed: give --encoding json or protobuf, or --bootstrap"
                    .to_owned(),
            ));
        }
    };
    let Range(min_records, max_records) = args.records;
    Ok(Options {
        seed: args.seed,
        messages: Some(args.messages),
        min_records,
        max_records,
        bad: args.bad,
        encodings,
        carrier: if to_kafka {
            Carrier::Kafka
        } else {
            Carrier::File
        },
        start_ms: args.start_time.0,
        interval_us: interval_us(args.rate),
        oversized: args.oversized,
        long_commands: args.long_commands,
    })
}

/// Time between two messages' timestamps: what passes between them at that rate, so that paced
/// messages are as old as they say.
fn interval_us(rate: u32) -> u32 {
    const SECOND_US: u32 = 1_000_000;
    match rate {
        0 => Options::default().interval_us,
        rate => SECOND_US / rate,
    }
}

/// Keeps to a rate of messages a second.
struct Pace {
    interval: Option<Duration>,
    due: Instant,
}

impl Pace {
    fn new(rate: u32) -> Self {
        Self {
            interval: (rate > 0).then(|| Duration::from_secs(1) / rate),
            due: Instant::now(),
        }
    }

    /// Waits until the next message is due; what was late is made up for.
    fn wait(&mut self) {
        if let Some(interval) = self.interval {
            std::thread::sleep(self.due.saturating_duration_since(Instant::now()));
            self.due += interval;
        }
    }
}

/// A bar over the messages, where there is somebody to see it and nothing that it would
/// disturb.
fn progress(args: &Args, target: &Target) -> ProgressBar {
    let in_the_way = matches!(target, Target::File { .. })
        && args.output.as_os_str() == "-"
        && io::stdout().is_terminal();
    if in_the_way || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(args.messages);
    match ProgressStyle::with_template(
        "{bar:30} {human_pos}/{human_len} messages {per_sec:0} {eta}",
    ) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::DEFAULT_START_MS;

    #[test]
    fn ranges_have_two_ends_or_one_number() {
        assert_eq!("1..50".parse(), Ok(Range(1, 50)));
        assert_eq!("2..=3".parse(), Ok(Range(2, 3)));
        assert_eq!("7".parse(), Ok(Range(7, 7)));
        for wrong in ["5..1", "..", "a..b", ""] {
            assert!(wrong.parse::<Range>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_default_start_is_the_librarys() {
        assert_eq!(
            "2026-01-05T08:00:00Z".parse(),
            Ok(StartTime(DEFAULT_START_MS))
        );
        assert!("tomorrow".parse::<StartTime>().is_err());
    }
}
