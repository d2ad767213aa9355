//! `netsieve schema`: the schemas, as they are compiled in.

use crate::proto::{CONTRACT_PROTO, EVENT_PROTO};

use super::{CliError, print};

/// Which schema.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  netsieve schema > event.proto
  netsieve schema --contract > network_connection.proto")]
pub struct Args {
    /// Print the schema of the input messages instead
    #[arg(long)]
    contract: bool,
}

/// Prints a schema.
pub fn run(args: &Args) -> Result<(), CliError> {
    print(if args.contract {
        CONTRACT_PROTO
    } else {
        EVENT_PROTO
    })
}
