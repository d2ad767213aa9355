//! `netsieve check`: the resolved configuration, and what the cluster says to it.

use std::fmt::Write as _;
use std::time::Duration;

use rdkafka::ClientConfig;

use crate::config::{Config, Shown, load};
use crate::kafka::client;
use crate::kafka::probe::{Finding, Probe};

use super::{CliError, Global, print};

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
    let sources = global.sources(args.bootstrap);
    let loaded = load(&sources)?;
    client::check(&loaded.config.kafka_settings(INSTANCE.to_owned()))?;
    print(&in_toml(&loaded.shown))?;
    if args.connect {
        let timeout = Duration::from_secs(args.timeout);
        connect(&loaded.config, timeout)?;
    }
    Ok(())
}

/// Prints what is well, as comments of TOML; what is not well is the error.
fn connect(config: &Config, timeout: Duration) -> Result<(), CliError> {
    let findings = probe(config, timeout)
        .run()
        .map_err(CliError::configuration)?;
    let mut text = String::from("\n");
    let mut problems = Vec::new();
    for finding in findings {
        match finding {
            Finding::Fine(line) => text.extend(["# ", &line, "\n"]),
            Finding::Problem(line) => problems.push(line),
        }
    }
    print(&text)?;
    if problems.is_empty() {
        return Ok(());
    }
    Err(CliError::failures(problems))
}

fn probe(config: &Config, timeout: Duration) -> Probe {
    let client = |properties: &crate::config::Properties| {
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", &config.kafka.bootstrap);
        for (name, property) in properties {
            client.set(name, property.expose());
        }
        client
    };
    let mut consumer = client(&config.kafka.consumer);
    consumer.set("group.id", &config.source.group);
    consumer.set("allow.auto.create.topics", "false");
    let limits = &config.validate.limits;
    let outputs = config.outputs.iter();
    let outputs = outputs.map(|output| (output.topic.clone(), limits.max_event_bytes));
    let dead_letters = (config.dead_letters_topic.clone(), limits.max_message_bytes);
    Probe {
        consumer,
        producer: client(&config.kafka.producer),
        sources: config.source.topics.clone(),
        written: outputs.chain([dead_letters]).collect(),
        timeout,
    }
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
