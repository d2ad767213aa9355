//! The `netsieve` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    netsieve::cli::main()
}
