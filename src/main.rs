//! The command: arguments, run, exit code.

use std::process::ExitCode;

use clap::Parser;
use netsieve::cli::{CliError, generate, pipe};

#[derive(Parser)]
enum Command {
    /// Generates messages like those of real agents
    Generate(generate::Args),
    /// Turns messages from files or standard input into events, without Kafka
    Pipe(pipe::Args),
}

fn main() -> ExitCode {
    let result = match Command::parse() {
        Command::Generate(args) => generate::run(args),
        Command::Pipe(args) => pipe::run(args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("netsieve: {error}");
            ExitCode::from(match error {
                CliError::Config(_) => 78,
                CliError::Usage(_) => 2,
                CliError::Failed(_) => 1,
            })
        }
    }
}
