//! `netsieve dlq`: what was rejected, looked at, mended and sent again.

mod ls;
mod progress;
mod replay;
mod show;
mod value;

use std::str::FromStr;

use super::background::Background;
use super::{CliError, Global, With, tables};
use crate::config::{Config, Log, load};
use crate::dead_letters::filter::{self, Filter, FilterError, Offsets};
use crate::kafka::{KafkaSettings, Shutdown};
use crate::observe::logs;
use crate::pipeline::code::{Level, Reason};
use crate::pipeline::settings::Settings;

/// What to do with dead letters.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  netsieve dlq ls --bootstrap kafka:9092
  netsieve dlq show --bootstrap kafka:9092 --reason missing_protocol
  netsieve dlq replay --bootstrap kafka:9092 --reason missing_protocol \\
      --mend 'data.protocol=tcp,ipv4' --dry-run

Without --dry-run the last one sends the mended messages to the topics that
they came from. docs/dead-letters.md tells the whole story.")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Count dead letters by reason, level, topic, time and agent
    Ls(With<ls::Args>),
    /// Show dead letters whole: why, what, from where, and the bytes
    Show(With<show::Args>),
    /// Send dead letters back, mended or as they are, exactly once
    Replay(With<replay::Args>),
}

/// Runs the command; `global` are the flags before its name.
pub fn run(args: Args, global: Global) -> Result<(), CliError> {
    match args.command {
        Command::Ls(with) => ls::run(&with.args, &global.under(with.global)),
        Command::Show(with) => show::run(&with.args, &global.under(with.global)),
        Command::Replay(with) => replay::run(&with.args, &global.under(with.global)),
    }
}

/// Which dead letters, and where.
#[derive(Clone, Debug, clap::Args)]
struct Which {
    /// Brokers, HOST:PORT with commas between (kafka.bootstrap)
    #[arg(long, value_name = "HOST:PORT")]
    bootstrap: Option<String>,
    /// Rejected for one of these reasons, a comma list
    #[arg(long, value_name = "CODE", value_delimiter = ',', value_parser = filter::reason, help_heading = FILTER)]
    reason: Vec<Reason>,
    /// Rejected as a whole message, or as a record
    #[arg(long, value_name = "LEVEL", value_parser = level, help_heading = FILTER)]
    level: Option<Level>,
    /// With one of these fields at fault, a comma list
    #[arg(long, value_name = "FIELD", value_delimiter = ',', value_parser = filter::field, help_heading = FILTER)]
    field: Vec<String>,
    /// Sent by one of these agents, a comma list
    #[arg(long, value_name = "ID", value_delimiter = ',', help_heading = FILTER)]
    agent: Vec<String>,
    /// From one of these source topics, a comma list
    #[arg(long, value_name = "TOPIC", value_delimiter = ',', help_heading = FILTER)]
    source: Vec<String>,
    /// From this time on (the source message's Kafka timestamp)
    #[arg(long, value_name = "TIME", value_parser = filter::time_ms, help_heading = FILTER)]
    since: Option<i64>,
    /// Before this time
    #[arg(long, value_name = "TIME", value_parser = filter::time_ms, help_heading = FILTER)]
    until: Option<i64>,
    /// At these places in the dead-letter topic: P, P:O, P:FIRST-LAST; a comma list
    #[arg(long, visible_alias = "offset", value_name = "P:O", value_delimiter = ',', value_parser = Offsets::from_str, help_heading = FILTER)]
    offsets: Vec<Offsets>,
}

const FILTER: &str = "Which dead letters (all that is given must fit)";

fn level(name: &str) -> Result<Level, FilterError> {
    let mut all = Level::ALL.iter().copied();
    let found = all.find(|level| level.name() == name);
    found.ok_or_else(|| FilterError::Level(name.to_owned()))
}

impl Which {
    fn filter(&self) -> Filter {
        Filter {
            reasons: self.reason.clone(),
            levels: self.level.into_iter().collect(),
            fields: self.field.clone(),
            agents: self.agent.clone(),
            sources: self.source.clone(),
            since_ms: self.since,
            until_ms: self.until,
            offsets: self.offsets.clone(),
        }
    }
}

/// What every one of these commands begins with.
struct Begun {
    config: Config,
    kafka: KafkaSettings,
    core: Settings,
    shutdown: Shutdown,
    background: Background,
}

/// Reads the configuration, begins the log and listens for signals.
fn begin(which: &Which, global: &Global) -> Result<Begun, CliError> {
    let config = load(&global.sources(which.bootstrap.clone()))?.config;
    // The configuration's level is a processor's; here somebody looks on.
    let level = match global.log_level {
        Some(_) => config.log.level,
        None => config.log.level.min(tracing::Level::WARN),
    };
    logs::install(&Log {
        level,
        ..config.log
    })
    .map_err(CliError::failure)?;
    let kafka = config.kafka_settings(super::run::instance(&config, None));
    let shutdown = Shutdown::default();
    Ok(Begun {
        core: config.core_settings(),
        background: Background::watch(shutdown.clone())?,
        config,
        kafka,
        shutdown,
    })
}

impl Begun {
    /// The core as a processor of this configuration has it, with the operator's tables.
    fn core_with_tables(&self) -> Result<Settings, CliError> {
        let mut core = self.core.clone();
        core.enrich.reference = std::sync::Arc::new(tables::load(&self.config)?.reference);
        Ok(core)
    }
}

/// The error of a command that was told to end before it was done.
fn interrupted(how_to_go_on: &str) -> CliError {
    CliError::failure(format!("interrupted, this command: {how_to_go_on}"))
}
