//! `netsieve run`: the processor.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::SocketAddr;

use crate::config::{Config, load};
use crate::kafka::{self, Shutdown, Status, Summary};
use crate::observe::health::Health;
use crate::observe::http::{self, Pages};
use crate::observe::{logs, metrics};
use crate::pipeline::settings::Settings;
use crate::registry::{self, RegistryError};

use super::background::Background;
use super::{CliError, Global, tables};

/// What to run.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  netsieve run --bootstrap kafka:9092
  netsieve run --config /etc/netsieve.toml --set workers=4
  NETSIEVE__SOURCE__GROUP=b netsieve run --set http.listen=off

The first SIGTERM or SIGINT finishes what is in work, commits and leaves the
group within shutdown.timeout, and ends with exit code 0. A second one ends
the process at once, with exit code 143 or 130; nothing is lost by it. Other
exit codes: 1 failed while running, 78 bad configuration.")]
pub struct Args {
    /// Brokers, HOST:PORT with commas between (kafka.bootstrap)
    #[arg(long, value_name = "HOST:PORT")]
    bootstrap: Option<String>,
}

/// Runs the processor until it is told to end or fails.
pub fn run(args: Args, global: &Global) -> Result<(), CliError> {
    let sources = global.sources(args.bootstrap);
    let config = load(&sources)?.config;
    let loaded = tables::load(&config)?;
    // Before anything else: a second process of this name ends here.
    let listener = config.http_listen.map(http::bind).transpose();
    let listener = listener.map_err(CliError::failure)?;
    let address = listener.as_ref().and_then(|of| of.local_addr().ok());
    logs::install(&config.log).map_err(CliError::failure)?;
    let recorder = metrics::install().map_err(CliError::failure)?;

    let instance = instance(&config, address);
    let status = Status::new(config.workers, config.stalled_after);
    let shutdown = Shutdown::default();
    let (tables, _watcher) = tables::keep_up_to_date(loaded)?;
    let (asked, shown) = (status.clone(), tables.clone());
    let health = move || Health::of(&asked, &shown);
    let pages = Pages::new(instance.clone(), recorder, health);
    let background = Background::start(listener, pages, shutdown.clone())?;
    let http = address.map_or("off".to_owned(), |address| address.to_string());
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        instance,
        http,
        bootstrap = config.kafka.bootstrap,
        sources = config.source.topics.join(","),
        group = config.source.group,
        workers = config.workers,
        "starting"
    );
    let settings = config.kafka_settings(instance);
    let result = match framed_core(&config, &shutdown, &status) {
        Ok(Some(core)) => {
            kafka::run(settings, core, &shutdown, &status, &tables).map_err(CliError::from)
        }
        Ok(None) => Ok(Summary::default()),
        Err(error) => Err(CliError::failure(error)),
    };
    background.stop();
    let summary = result?;
    tracing::info!(
        messages = summary.messages,
        records = summary.records,
        rejected = summary.rejected_messages + summary.rejected_records,
        produced = summary.produced,
        "ended"
    );
    Ok(())
}

/// The core's settings with the ids of the schemas; nothing when the run was to end before the
/// registry had told them.
fn framed_core(
    config: &Config,
    shutdown: &Shutdown,
    status: &Status,
) -> Result<Option<Settings>, RegistryError> {
    let mut core = config.core_settings();
    let Some(registry) = &config.schema_registry else {
        return Ok(Some(core));
    };
    let framed: Vec<_> = config.outputs.iter().map(|of| of.framed.clone()).collect();
    let give_up = || shutdown.is_requested();
    let waiting = |error: &RegistryError| {
        tracing::warn!(%error, "waiting for the schema registry");
        status.start_waits(Some(&format!("waiting for the schema registry: {error}")));
    };
    let Some(prefixes) = registry::prefixes(&framed, registry, &give_up, &waiting)? else {
        return Ok(None);
    };
    status.start_waits(None);
    for (output, prefix) in core.outputs.iter_mut().zip(prefixes) {
        output.prefix = prefix;
    }
    Ok(Some(core))
}

/// The name of this process: the one configured, or else the host's name and the HTTP port, or
/// else, without HTTP, the host's name and a random number.
pub(super) fn instance(config: &Config, http: Option<SocketAddr>) -> String {
    if let Some(name) = &config.instance {
        return name.clone();
    }
    let host = gethostname::gethostname();
    // What Kafka takes in client ids and metric names everywhere.
    let host: String = host
        .to_string_lossy()
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || "._-".contains(c) {
                c
            } else {
                '-'
            }
        })
        .collect();
    match http {
        Some(address) => format!("{host}-{}", address.port()),
        None => format!(
            "{host}-{:08x}",
            RandomState::new().build_hasher().finish() >> 32
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Sources;

    #[test]
    fn a_process_has_a_name_of_its_own() {
        let mut config = load(&Sources::default()).unwrap().config;
        let at = |port: u16| Some(SocketAddr::from(([127, 0, 0, 1], port)));
        assert!(instance(&config, at(9898)).ends_with("-9898"));
        assert_ne!(instance(&config, at(1)), instance(&config, at(2)));
        assert_ne!(instance(&config, None), instance(&config, None));
        config.instance = Some("pod-1".to_owned());
        assert_eq!(instance(&config, at(9898)), "pod-1");
    }
}
