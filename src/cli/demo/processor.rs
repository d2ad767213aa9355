//! The processor of the demo: the one that `run` starts, and its HTTP pages.

use std::net::{SocketAddr, TcpListener};
use std::thread::JoinHandle;

use crate::cli::background::Background;
use crate::cli::{CliError, tables};
use crate::config::Config;
use crate::kafka::{self, KafkaError, Shutdown, Status, Summary};
use crate::observe::health::Health;
use crate::observe::http::{self, Pages};
use crate::observe::metrics;
use crate::reference::Watcher;

/// A processor at work in this process.
pub(super) struct Processor {
    worker: JoinHandle<Result<Summary, KafkaError>>,
    background: Background,
    _watcher: Watcher,
    shutdown: Shutdown,
    status: Status,
    /// Where its pages are.
    pub(super) address: SocketAddr,
}

impl Processor {
    /// Starts the processor and its pages.
    pub(super) fn start(config: &Config) -> Result<Self, CliError> {
        let (listener, address) = listen(config)?;
        let recorder = metrics::install().map_err(CliError::failure)?;
        let status = Status::new(config.workers, config.stalled_after);
        let shutdown = Shutdown::default();
        let (tables, watcher) = tables::keep_up_to_date(tables::load(config)?)?;
        let (asked, shown) = (status.clone(), tables.clone());
        let health = move || Health::of(&asked, &shown);
        let pages = Pages::new("demo".to_owned(), recorder, health);
        let background = Background::start(Some(listener), pages, shutdown.clone())?;
        let (settings, core) = (
            config.kafka_settings("demo".to_owned()),
            config.core_settings(),
        );
        let (asked, told) = (shutdown.clone(), status.clone());
        let thread = std::thread::Builder::new().name("processor".to_owned());
        let worker = thread
            .spawn(move || kafka::run(settings, core, &asked, &told, &tables))
            .map_err(|error| {
                CliError::failure(format!(
                    "cannot start a thread ({error}), this process: see its limits"
                ))
            })?;
        Ok(Self {
            worker,
            background,
            _watcher: watcher,
            shutdown,
            status,
            address,
        })
    }

    /// Whether the workers have their partitions.
    pub(super) fn is_assigned(&self) -> bool {
        let mut workers = self.status.workers().iter();
        workers.all(|worker| !worker.snapshot().partitions.is_empty())
    }

    /// Whether it has ended, or was asked to by a signal.
    pub(super) fn is_ending(&self) -> bool {
        self.worker.is_finished() || self.shutdown.is_requested()
    }

    /// Has it finish what is in work, commit and leave.
    pub(super) fn stop(self) -> Result<Summary, CliError> {
        self.shutdown.request();
        let ended = self.worker.join();
        self.background.stop();
        match ended {
            Ok(Ok(summary)) => Ok(summary),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(CliError::failure(
                "the processor panicked, a bug: report it",
            )),
        }
    }
}

/// The port that the configuration has; where another process has it, any.
fn listen(config: &Config) -> Result<(TcpListener, SocketAddr), CliError> {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let listener = http::bind(config.http_listen.unwrap_or(any))
        .or_else(|_| http::bind(any))
        .map_err(CliError::failure)?;
    let address = listener.local_addr().map_err(|error| {
        CliError::failure(format!("cannot serve HTTP ({error}), any port: try again"))
    })?;
    Ok((listener, address))
}
