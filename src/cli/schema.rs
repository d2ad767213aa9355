//! `netsieve schema`: the schemas, as they are compiled in.

use crate::proto::{CONTRACT_PROTO, EVENT_JSON_SCHEMA, EVENT_PROTO, REJECT_JSON_SCHEMA};

use super::{CliError, print};

/// Which schema.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  netsieve schema > event.proto
  netsieve schema --format json-schema > event.schema.json
  netsieve schema --rejects > reject.schema.json
  netsieve schema --contract > network_connection.proto")]
pub struct Args {
    /// Form of the events' schema: that of protobuf, or JSON Schema (draft 2020-12) of the
    /// native JSON format
    #[arg(long, value_enum, default_value_t = Form::Proto)]
    format: Form,
    /// Print the JSON Schema of the lines that pipe writes of rejects instead
    #[arg(long, conflicts_with_all = ["format", "contract"])]
    rejects: bool,
    /// Print the protobuf schema of the input messages instead
    #[arg(long, conflicts_with = "format")]
    contract: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Form {
    Proto,
    JsonSchema,
}

/// Prints a schema.
pub fn run(args: &Args) -> Result<(), CliError> {
    print(match args.format {
        _ if args.contract => CONTRACT_PROTO,
        _ if args.rejects => REJECT_JSON_SCHEMA,
        Form::Proto => EVENT_PROTO,
        Form::JsonSchema => EVENT_JSON_SCHEMA,
    })
}
