//! `netsieve check`: the resolved configuration, and what the cluster says to it.

use std::fmt::Write as _;
use std::time::Duration;

use crate::config::{Config, Shown, load};
use crate::kafka::client;
use crate::kafka::topics::{self, Finding, Inspection};
use crate::reference::Loaded;

use super::{CliError, Global, print, tables};

/// What to check.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  netsieve check --config netsieve.toml
  netsieve check --connect --bootstrap kafka:9092

What is printed is a configuration file that says the same; secrets are
hidden. --connect joins no group and writes nothing. Exit codes: 78 when the
configuration is wrong, 1 when something is wrong at the brokers.")]
pub struct Args {
    /// Ask the brokers for topics, partitions, limits and offsets
    #[arg(long)]
    connect: bool,
    /// Longest time for --connect, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
    /// Brokers, HOST:PORT with commas between (kafka.bootstrap)
    #[arg(long, value_name = "HOST:PORT")]
    bootstrap: Option<String>,
}

/// The name under which the brokers see this command.
const INSTANCE: &str = "netsieve-check";

/// Prints the configuration and what is found at the brokers.
pub fn run(args: Args, global: &Global) -> Result<(), CliError> {
    let loaded = load(&global.sources(args.bootstrap))?;
    let mut settings = loaded.config.kafka_settings(INSTANCE.to_owned());
    client::check(&settings)?;
    print(&in_toml(&loaded.shown))?;
    print(&tell_tables(&tables::load(&loaded.config)?, &loaded.config))?;
    if args.connect {
        settings.connect_timeout = Duration::from_secs(args.timeout);
        tell(&topics::inspect(&settings, &|| false)?, &loaded.config)?;
    }
    Ok(())
}

/// What each table is, as comments of TOML.
fn tell_tables(tables: &Loaded, config: &Config) -> String {
    let mut text = String::new();
    for report in &tables.reports {
        let files = config.reference.of(report.table);
        for (file, what) in files.iter().zip(&report.what) {
            let (key, file) = (report.table.key(), file.display().to_string());
            let _ = write!(text, "\n# {key} {}: {what}", file.escape_debug());
        }
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

/// Prints what is well, as comments of TOML; what is not well is the error.
fn tell(inspection: &Inspection, config: &Config) -> Result<(), CliError> {
    let mut text = String::from("\n");
    let mut problems = Vec::new();
    for finding in &inspection.findings {
        match finding {
            Finding::Fine(line) | Finding::Notable(line) => text.extend(["# ", line, "\n"]),
            Finding::Doubtful(error) | Finding::Fatal(error) => problems.push(error.to_string()),
        }
    }
    if problems.is_empty() {
        text.push_str(&what_is_cut(inspection, config));
    }
    print(&text)?;
    if problems.is_empty() {
        return Ok(());
    }
    Err(CliError::failures(problems))
}

/// The topics that take less than may come.
fn what_is_cut(inspection: &Inspection, config: &Config) -> String {
    let limits = &config.validate.limits;
    let mut text = String::new();
    for (output, takes) in config.outputs.iter().zip(&inspection.output_bytes) {
        if *takes < limits.max_event_bytes {
            let (topic, largest) = (&output.topic, limits.max_event_bytes);
            let _ = writeln!(
                text,
                "# an event too large for {topic}, of {takes} to {largest} bytes, is rejected"
            );
        }
    }
    let (takes, largest) = (inspection.dead_letter_bytes, limits.max_message_bytes);
    if takes < largest {
        let topic = &config.dead_letters_topic;
        let _ = writeln!(
            text,
            "# a dead letter too large for {topic}, of {takes} to {largest} bytes, is cut"
        );
    }
    text
}

/// The configuration as a file, with the origin of each key behind it.
fn in_toml(shown: &[Shown]) -> String {
    let mut text = String::new();
    let mut current = "";
    // TOML wants keys without a section first.
    let (bare, sectioned): (Vec<_>, Vec<_>) =
        shown.iter().partition(|shown| !shown.path.contains('.'));
    for Shown {
        path,
        value,
        origin,
    } in bare.into_iter().chain(sectioned)
    {
        let (section, key) = split(path);
        if section != current {
            current = section;
            let header = match section.split_once('[') {
                Some((list, _)) => format!("[[{list}]]"),
                None => format!("[{section}]"),
            };
            let _ = write!(text, "\n{header}\n");
        }
        let setting = format!("{key} = {value}");
        let _ = writeln!(text, "{setting:<44} # {origin}");
    }
    text
}

/// Section and key of a path; a property's quoted name is one key.
fn split(path: &str) -> (&str, &str) {
    let end_of_section = match path.find('"') {
        Some(quote) => quote.checked_sub(1),
        None => path.rfind('.'),
    };
    match end_of_section {
        Some(dot) => (&path[..dot], &path[dot + 1..]),
        None => ("", path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Sources;

    #[test]
    fn what_is_printed_is_the_same_configuration() {
        let loaded = |sources: &Sources| load(sources).unwrap();
        let first = loaded(&Sources {
            set: [
                "instance=a",
                "source.topic=[\"b\", \"^c\\\\d\"]",
                "kafka.client.rack=7",
                "kafka.consumer.fetch.min.bytes=8",
                "kafka.producer.linger.ms=9",
                "validate.reject=[\"expired\"]",
                "brake.max_rejected_share=0.25",
            ]
            .map(str::to_owned)
            .to_vec(),
            ..Sources::default()
        });
        let text = in_toml(&first.shown);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &text).unwrap();
        let second = loaded(&Sources {
            file: Some(file.path().to_owned()),
            ..Sources::default()
        });
        assert_eq!(first.config, second.config, "{text}");
        assert!(
            text.contains("\n[kafka.consumer]\n\"fetch.min.bytes\" = \"8\" "),
            "{text}"
        );
    }
}
