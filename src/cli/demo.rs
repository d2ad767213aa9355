//! `netsieve demo`: the whole stream on an embedded broker, in a few seconds.
//!
//! The processor is the one that `run` starts. A generated load goes in, what comes out is read
//! back, shown in samples, and compared with what had to come out.

mod findings;
mod ledger;
mod live;
mod processor;
mod reader;
mod rows;
mod screen;
mod show;

use std::time::{Duration, Instant};

use super::CliError;
use super::feed::Feed;
use super::number::whole;
use crate::config::{self, Config, Sources};
use crate::generate::{Generated, Generator, Options};
use crate::kafka::mock::EmbeddedCluster;
use crate::pipeline::settings::Format;
use findings::Findings;
use ledger::Ledger;
use processor::Processor;
use reader::{Came, Reader};
use screen::Screen;

/// Partitions of each topic.
const PARTITIONS: i32 = 4;
/// How long the start may take: the topics are looked at, then the group forms, for which an
/// embedded broker takes 3 s alone.
const JOIN: Duration = Duration::from_secs(10);
/// How long what was sent last may take to come out.
const DRAIN: Duration = Duration::from_secs(4);
/// Bytes that may be on their way: the broker keeps 5 MiB of a partition and drops older ones,
/// whether they were read or not, and events are several times as large as their records.
const MAX_OPEN_BYTES: usize = 512 << 10;
/// Messages sent, and things read, before the other has its turn.
const SEND_PORTION: u32 = 64;
const READ_PORTION: u32 = 5_000;

/// Shows the whole stream on an embedded broker; ends by itself.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  netsieve demo
  netsieve demo --live                 this host's own sockets
  netsieve demo --rate 0 --seconds 8   as fast as it goes
  curl -s localhost:9898/metrics       while it runs")]
pub struct Args {
    /// Send this host's own sockets with their processes instead of generated messages (Linux)
    #[arg(long, conflicts_with_all = ["seconds", "rate", "seed"])]
    live: bool,
    /// For how long messages are sent, in seconds
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = whole(1..=8_u64), allow_negative_numbers = true)]
    seconds: u64,
    /// Messages a second, of 1 to 50 records each; 0 is as fast as it goes
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = whole(0..=u32::MAX), allow_negative_numbers = true)]
    rate: u32,
    /// What everything random in the load follows from
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = whole(0..=u64::MAX), allow_negative_numbers = true)]
    seed: u64,
}

/// How much came out, by topic.
type Totals = Vec<(String, u64)>;

/// Runs the command.
pub fn run(args: &Args) -> Result<(), CliError> {
    let live = args.live.then(live::messages).transpose()?;
    let defaults = load(None)?;
    let source = defaults.source.topics.join(",");
    let dead_letters = &defaults.dead_letters_topic;
    let outputs = defaults.outputs.iter().map(|output| output.topic.as_str());
    let written = outputs.chain([dead_letters.as_str()]);
    let written: Vec<_> = written.map(|topic| (topic, PARTITIONS)).collect();
    let mut topics = written.clone();
    topics.push((&source, PARTITIONS));
    let cluster = EmbeddedCluster::start(&topics).map_err(CliError::failure)?;
    let bootstrap = cluster.bootstrap_servers();
    let mut config = load(Some(bootstrap.clone()))?;
    if live.is_some() {
        // The table is made of it.
        for output in &mut config.outputs {
            output.format = Format::Json;
        }
    }
    let mut demo = Demo {
        screen: Screen::new(),
        processor: Processor::start(&config)?,
        feed: Feed::connect("netsieve-demo", &bootstrap, &source, &[])?,
        reader: Reader::start(&bootstrap, &written, dead_letters)?,
        ledger: Ledger::default(),
        findings: Findings::default(),
        totals: written
            .iter()
            .map(|(topic, _)| ((*topic).to_owned(), 0))
            .collect(),
    };
    demo.screen.introduce(&config, demo.processor.address);
    if let Some(messages) = live {
        return demo.play_live(messages);
    }
    match demo.play(args) {
        Ok(elapsed) => demo.finish(elapsed),
        Err(stop) => demo.stopped(stop),
    }
}

/// The default configuration, whatever the environment has, on the given brokers.
fn load(bootstrap: Option<String>) -> Result<Config, CliError> {
    let bootstrap = bootstrap.map(|brokers| ("--bootstrap", "kafka.bootstrap", brokers));
    let sources = Sources {
        flags: bootstrap.into_iter().collect(),
        // An embedded broker answers an empty fetch only when its wait is over, whatever comes
        // meanwhile; a real one answers at once.
        set: vec![
            "kafka.consumer.fetch.wait.max.ms=5".to_owned(),
            // It takes no part in transactions either: it shows what was aborted.
            "delivery=at_least_once".to_owned(),
        ],
        ..Sources::default()
    };
    Ok(config::load(&sources)?.config)
}

/// Why the demo cannot go on.
enum Stop {
    /// By a failure of its own, or because a signal asked it to.
    ProcessorEnded,
    Failed(CliError),
}

impl From<CliError> for Stop {
    fn from(error: CliError) -> Self {
        Self::Failed(error)
    }
}

struct Demo {
    screen: Screen,
    processor: Processor,
    feed: Feed,
    reader: Reader,
    ledger: Ledger,
    findings: Findings,
    totals: Totals,
}

impl Demo {
    fn play(&mut self, args: &Args) -> Result<Duration, Stop> {
        self.join()?;
        self.show_rows()?;
        self.stream(args)
    }

    /// Ends before its end.
    fn stopped(self, stop: Stop) -> Result<(), CliError> {
        match stop {
            // The processor's own reason says more than that it has ended.
            Stop::ProcessorEnded => {
                self.processor.stop()?;
                self.screen.interrupted();
                Ok(())
            }
            Stop::Failed(error) => Err(error),
        }
    }

    /// Waits until the processor has its partitions.
    fn join(&mut self) -> Result<(), Stop> {
        let start = Instant::now();
        while !self.processor.is_assigned() {
            self.check_processor()?;
            if start.elapsed() > JOIN {
                let seconds = JOIN.as_secs();
                let what = format!("no partitions within {seconds} s, the processor: try again");
                return Err(Stop::Failed(CliError::failure(what)));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn check_processor(&self) -> Result<(), Stop> {
        if self.processor.is_ending() {
            return Err(Stop::ProcessorEnded);
        }
        Ok(())
    }

    /// Sends the built-in rows and shows what becomes of each.
    fn show_rows(&mut self) -> Result<(), Stop> {
        let message = rows::message(jiff::Timestamp::now());
        self.ledger.send_rows(message.value.len());
        self.feed.send(&message)?;
        let mut shown: Vec<Option<String>> = vec![None; rows::ROWS.len()];
        let start = Instant::now();
        while !self.ledger.is_settled() && start.elapsed() < DRAIN {
            self.check_processor()?;
            if let Some(came) = self.take(Duration::from_millis(20))? {
                let index = came.record_index().unwrap_or(0) as usize;
                if let Some(place) = shown.get_mut(index) {
                    *place = Some(self.screen.text(&came));
                }
            }
        }
        self.screen.rows(&shown);
        Ok(())
    }

    /// Sends the load and reads what comes out of it; gives how long that took.
    fn stream(&mut self, args: &Args) -> Result<Duration, Stop> {
        let mut load = Generator::new(Options {
            seed: args.seed,
            start_ms: jiff::Timestamp::now().as_millisecond(),
            ..Options::default()
        });
        self.screen.stream();
        let start = Instant::now();
        let end = Duration::from_secs(args.seconds);
        let mut next = load.next();
        let mut sent = 0;
        while start.elapsed() < end {
            for _ in 0..SEND_PORTION {
                let due = args.rate == 0 || is_due(sent, args.rate, start.elapsed());
                let Some(message) = next.take_if(|message| due && self.has_room(message)) else {
                    break;
                };
                self.ledger.send(&message.expected, message.value.len());
                self.feed.send(&message.into())?;
                sent += 1;
                next = load.next();
            }
            self.read(start)?;
        }
        let sent_all = Instant::now();
        while !self.ledger.is_settled() && sent_all.elapsed() < DRAIN {
            self.read(start)?;
        }
        Ok(start.elapsed())
    }

    fn has_room(&self, message: &Generated) -> bool {
        self.ledger.open_bytes + message.value.len() <= MAX_OPEN_BYTES
    }

    /// Reads what has come out by now.
    fn read(&mut self, start: Instant) -> Result<(), Stop> {
        self.check_processor()?;
        let mut wait = Duration::from_millis(2);
        for _ in 0..READ_PORTION {
            let Some(came) = self.take(wait)? else { break };
            self.screen.sample(&came);
            wait = Duration::ZERO;
        }
        self.screen.progress(&self.ledger, start.elapsed());
        Ok(())
    }

    /// Takes the next thing that came out into the books.
    fn take(&mut self, wait: Duration) -> Result<Option<Came>, CliError> {
        let came = self.reader.next(wait)?;
        let topic = match &came {
            None => return Ok(None),
            Some(Came::Event { topic, event }) => {
                self.ledger.event(event);
                self.findings.add(event);
                Some(topic)
            }
            Some(Came::Reject(reject)) => {
                self.ledger
                    .reject(reject.sequence, reject.record_index, &reject.reason);
                None
            }
        };
        // The dead letters' topic is the last.
        let found = match topic {
            Some(topic) => self.totals.iter_mut().find(|(name, _)| name == topic),
            None => self.totals.last_mut(),
        };
        if let Some((_, count)) = found {
            *count += 1;
        }
        Ok(came)
    }

    /// Ends the processor, shows the summary, and fails unless the books balance.
    fn finish(mut self, elapsed: Duration) -> Result<(), CliError> {
        self.feed.finish()?;
        self.processor.stop()?;
        self.screen.findings(&self.findings);
        self.screen.summary(&mut self.ledger, &self.totals, elapsed);
        self.ledger.balance().map_err(|difference| {
            CliError::failure(format!(
                "the books do not balance ({difference}), the demo: report it"
            ))
        })?;
        self.screen.verdict(&self.ledger);
        Ok(())
    }
}

/// Whether one more than so many messages is due after so long, at that rate a second.
fn is_due(sent: u64, rate: u32, elapsed: Duration) -> bool {
    u128::from(sent) * 1_000 <= elapsed.as_millis() * u128::from(rate)
}
