//! `netsieve completions`: completion scripts for shells.

use clap_complete::Shell;

use super::{CliError, print};

/// Which shell.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  netsieve completions bash > /etc/bash_completion.d/netsieve
  netsieve completions fish > ~/.config/fish/completions/netsieve.fish")]
pub struct Args {
    /// The shell
    shell: Shell,
}

/// Prints the completion script for `command`.
pub fn run(args: &Args, command: &mut clap::Command) -> Result<(), CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, command, "netsieve", &mut script);
    print(&String::from_utf8_lossy(&script))
}
