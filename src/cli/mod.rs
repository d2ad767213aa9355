//! The command line: arguments to a subcommand's work to an exit code.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod background;
pub mod check;
pub mod completions;
pub mod demo;
pub mod dlq;
mod error;
mod feed;
mod framing;
pub mod generate;
mod number;
mod output;
pub mod pipe;
pub mod run;
pub mod schema;
pub mod submit;
mod table;
mod tables;
mod target;
mod terminal;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use crate::config::{Environment, Sources};

pub use error::CliError;

/// Turns batches of network connection records into one clean event per connection.
#[derive(Debug, Parser)]
#[command(
    name = "netsieve",
    version,
    max_term_width = 80,
    arg_required_else_help = true,
    subcommand_required = true,
    after_help = EXAMPLES
)]
struct Arguments {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  netsieve run --bootstrap kafka:9092
  netsieve check --config netsieve.toml --connect
  netsieve check --set source.topic=raw --set 'kafka.client.rack=a'

Settings come from --config FILE, from variables NETSIEVE__SECTION__KEY over
it, and from --set over both. `netsieve check` prints them all.

Exit codes: 0 done, 1 failure while running, 2 wrong usage, 78 bad
configuration.";

/// Flags of every subcommand, before its name or after it.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Configuration")]
pub struct Global {
    /// Configuration file, TOML
    #[arg(long, value_name = "FILE", env = "NETSIEVE_CONFIG")]
    pub config: Option<PathBuf>,
    /// Set one key, over file and environment; can be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Least severe level to log: error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL")]
    pub log_level: Option<String>,
    /// Format of the log: auto, text or json
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<String>,
}

/// A point in time as a flag gives it.
fn time(text: &str) -> Result<jiff::Timestamp, &'static str> {
    text.parse()
        .map_err(|_| "give a time such as 2026-01-05T08:00:00Z")
}

impl Global {
    /// These flags with those over them that stand behind the subcommand's name.
    fn under(self, behind: Self) -> Self {
        Self {
            config: behind.config.or(self.config),
            set: self.set.into_iter().chain(behind.set).collect(),
            log_level: behind.log_level.or(self.log_level),
            log_format: behind.log_format.or(self.log_format),
        }
    }

    /// Where the configuration comes from, in this process; `bootstrap` is the subcommand's own
    /// flag of that name.
    pub fn sources(&self, bootstrap: Option<String>) -> Sources {
        let flags = [
            ("--bootstrap", "kafka.bootstrap", bootstrap),
            ("--log-level", "log.level", self.log_level.clone()),
            ("--log-format", "log.format", self.log_format.clone()),
        ];
        let given = flags
            .into_iter()
            .filter_map(|(flag, key, text)| Some((flag, key, text?)));
        Sources {
            file: self.config.clone(),
            environment: Environment::of_process(),
            set: self.set.clone(),
            flags: given.collect(),
        }
    }
}

/// A subcommand's own arguments and, behind its name, the flags of all.
///
/// clap's own global arguments would forget a `--set` before the name for one behind it.
#[derive(Debug, clap::Args)]
struct With<A: clap::Args> {
    #[command(flatten)]
    args: A,
    #[command(flatten)]
    global: Global,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Show the whole stream on an embedded broker; ends by itself
    Demo(demo::Args),
    /// Read raw messages from Kafka, write events and dead letters
    Run(With<run::Args>),
    /// Turn messages from files or standard input into events, without Kafka
    Pipe(With<pipe::Args>),
    /// Turn what netstat, ss, osquery and others print into messages
    Submit(submit::Args),
    /// Generate messages like those of real agents, good and bad
    Generate(generate::Args),
    /// Check and print the configuration; with --connect, look at the cluster too
    Check(With<check::Args>),
    /// Look at dead letters, mend them and send them again
    Dlq(dlq::Args),
    /// Print the schema of the events, as protobuf or JSON Schema, or that of the input
    Schema(schema::Args),
    /// Print the completion script of a shell
    Completions(completions::Args),
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error),
    };
    let Arguments { global, command } = arguments;
    let result = match command {
        Command::Demo(args) => demo::run(&args),
        Command::Run(with) => run::run(with.args, &global.under(with.global)),
        Command::Pipe(with) => pipe::run(&with.args, &global.under(with.global)),
        Command::Submit(args) => submit::run(&args),
        Command::Generate(args) => generate::run(&args),
        Command::Check(with) => check::run(with.args, &global.under(with.global)),
        Command::Dlq(args) => dlq::run(args, global),
        Command::Schema(args) => schema::run(&args),
        Command::Completions(args) => completions::run(&args, &mut Arguments::command()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(&error),
    }
}

/// Says on stderr what went wrong.
fn complain(error: &CliError) -> ExitCode {
    for line in error.lines() {
        eprintln!("netsieve: {line}");
    }
    ExitCode::from(error.exit_code())
}

/// Help as clap lays it out; a wrong usage in one line.
fn usage(error: &clap::Error) -> ExitCode {
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    ) {
        // A reader that has gone away is no error here either.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        let _ = error.print();
        return ExitCode::from(2);
    }
    let line = in_one_line(&error.render().to_string(), &help());
    complain(&CliError::usage(line))
}

/// What prints the help that a wrong usage is answered by: the subcommand's, where one was named.
fn help() -> String {
    let command = Arguments::command();
    let mut of = &command;
    let mut words = vec!["netsieve"];
    for word in std::env::args_os().skip(1) {
        if let Some(named) = of.find_subcommand(word) {
            of = named;
            words.push(of.get_name());
        }
    }
    words.push("--help");
    words.join(" ")
}

/// clap's message without its usage and its advice.
fn in_one_line(text: &str, help: &str) -> String {
    let what = text.split("\n\nUsage:").next().unwrap_or(text);
    let what = what
        .split("\n\nFor more information")
        .next()
        .unwrap_or(what);
    let words: Vec<_> = what
        .trim_start_matches("error: ")
        .split_whitespace()
        .collect();
    let words = words.join(" ").replace(" tip: ", ", ");
    format!("{words}: see {help}")
}

/// Writes to stdout; a reader that has gone away is no error.
pub fn print(text: &str) -> Result<(), CliError> {
    let mut stdout = io::stdout().lock();
    let written = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let line = format!("cannot write ({error}), stdout: see where it leads");
            Err(CliError::failure(line))
        }
        _ => Ok(()),
    }
}
