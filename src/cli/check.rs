//! `netsieve check`: the resolved configuration, and what the cluster and the schema registry say
//! to it.

use std::fmt::Write as _;
use std::time::Duration;

use crate::config::{Config, Shown, load};
use crate::kafka::client;
use crate::kafka::topics::{self, Finding, Inspection};
use crate::reference::Loaded;
use crate::registry;

use super::number::whole;
use super::run::instance;
use super::{CliError, Global, print, tables};

/// What to check.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  netsieve check --config netsieve.toml
  netsieve check --connect --bootstrap kafka:9092

What is printed is a configuration file that says the same; secrets are
hidden. --connect joins no group, writes nothing and fences nobody: the one
transactional id that it uses is its own, GROUP-INSTANCE-0-check. A schema
registry is asked what it would say to run; nothing is registered. Exit codes:
78 when the configuration is wrong, 1 when something is wrong at the brokers
or the registry.")]
pub struct Args {
    /// Ask the brokers for topics, rights, partitions, limits and offsets, and the schema registry
    /// for schemas
    #[arg(long)]
    connect: bool,
    /// Longest time for the brokers, and for the registry, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = whole(1..=600_u64), allow_negative_numbers = true)]
    timeout: u64,
    /// Brokers, HOST:PORT with commas between (kafka.bootstrap)
    #[arg(long, value_name = "HOST:PORT")]
    bootstrap: Option<String>,
}

/// Prints the configuration and what is found at the brokers.
pub fn run(args: Args, global: &Global) -> Result<(), CliError> {
    let loaded = load(&global.sources(args.bootstrap))?;
    let instance = instance(&loaded.config, loaded.config.http_listen);
    let mut settings = loaded.config.kafka_settings(instance);
    client::check(&settings)?;
    print(&in_toml(&loaded.shown))?;
    print(&tell_tables(&tables::load(&loaded.config)?, &loaded.config))?;
    if args.connect {
        settings.connect_timeout = Duration::from_secs(args.timeout);
        let (text, failures) = ask_registry(&loaded.config, settings.connect_timeout);
        print(&text)?;
        let inspection = topics::examine(&settings).map_err(CliError::from);
        let told = inspection.and_then(|inspection| tell(&inspection, &loaded.config));
        return match told {
            Err(error) => Err(error.after(failures)),
            Ok(()) if failures.is_empty() => Ok(()),
            Ok(()) => Err(CliError::failures(failures)),
        };
    }
    Ok(())
}

/// What is well at the schema registry, as comments of TOML, and what is not.
fn ask_registry(config: &Config, within: Duration) -> (String, Vec<String>) {
    let (mut text, mut failures) = (String::new(), Vec::new());
    let Some(settings) = &config.schema_registry else {
        return (text, failures);
    };
    let framed: Vec<_> = config.outputs.iter().map(|of| of.framed.clone()).collect();
    for finding in registry::examine(&framed, settings, within) {
        match finding {
            Ok(line) => {
                let _ = write!(text, "\n# schema registry: {line}");
            }
            Err(error) => failures.push(error.to_string()),
        }
    }
    if framed.iter().all(Option::is_none) {
        text.push_str(
            "\n# schema registry: no output has framing = \"confluent\", it is not asked",
        );
    }
    if !text.is_empty() {
        text.push('\n');
    }
    (text, failures)
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
    problems.extend(what_is_too_small(inspection, config));
    if problems.is_empty() {
        text.push_str(&what_is_cut(inspection, config));
    }
    print(&text)?;
    if problems.is_empty() {
        return Ok(());
    }
    Err(CliError::failures(problems))
}

/// The topics that do not take what they must.
fn what_is_too_small(inspection: &Inspection, config: &Config) -> Vec<String> {
    let limits = &config.validate.limits;
    let outputs = config.outputs.iter().zip(&inspection.output_bytes);
    let outputs = outputs.map(|(output, takes)| {
        let (role, key) = ("output", "validate.max_event_bytes");
        (role, &output.topic, *takes, key, limits.max_event_bytes)
    });
    // Each dead letter repeats the metadata of its message.
    let (key, least) = ("validate.max_metadata_bytes", limits.max_metadata_bytes);
    let (topic, takes) = (&config.dead_letters_topic, inspection.dead_letter_bytes);
    let all = outputs.chain([("dead-letter", topic, takes, key, least)]);
    let small = all.filter(|(_, _, takes, _, least)| takes < least);
    let line = |(role, topic, takes, key, least)| {
        format!(
            "records of up to {takes} bytes are taken, {key} allows {least}, {role} topic {topic}: raise its max.message.bytes, or lower {key}"
        )
    };
    small.map(line).collect()
}

/// What the dead-letter topic takes only in part.
fn what_is_cut(inspection: &Inspection, config: &Config) -> String {
    let largest = config.validate.limits.max_message_bytes;
    let takes = inspection.dead_letter_bytes;
    if takes >= largest {
        return String::new();
    }
    let topic = &config.dead_letters_topic;
    format!("# a dead letter too large for {topic}, of {takes} to {largest} bytes, is cut\n")
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
