//! Kafka: workers that read the source topics, run the core, write events and dead letters, and
//! commit what is done.
//!
//! ```text
//! run ── topics (is everything there?) ── N × worker
//!
//! worker ── consumer ── processor (the core) ── produce ── delivery ── acknowledgements
//!             ↑                                                             │
//!             └──────────── commit ←──── offsets (what is done) ←───────────┘
//! ```
//!
//! [`offsets`] lets a partition's position advance only over messages whose every event and dead
//! letter is acknowledged, and only positions are committed. At least once, that is all: whatever
//! fails, a worker goes back to its positions and reads again from there. Exactly once, events,
//! dead letters and positions are moreover one transaction: whatever fails, it is aborted, and
//! the worker goes back to what is committed.
//!
//! [`letters`] reads what lies in the dead-letter topic, and [`replay`] sends it back by the same
//! means, as a member of a group of its own.

pub mod brake;
pub mod client;
pub mod error;
pub mod letters;
pub mod mock;
pub mod offsets;
pub mod replay;
pub mod settings;
pub mod sources;
pub mod status;
pub mod topics;
pub mod watchdog;

mod assignment;
mod cluster;
mod commit;
mod context;
mod delivery;
mod inheritance;
mod lag;
mod limits;
mod member;
mod meters;
mod native;
mod processor;
mod produce;
mod quiet;
mod rights;
mod shutdown;
mod timestamps;
mod transaction;
mod worker;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub(crate) use context::lock;
pub use error::KafkaError;
pub use meters::Summary;
pub use settings::KafkaSettings;
pub use shutdown::Shutdown;
pub use status::Status;

use crate::pipeline::settings::Settings;
use crate::reference::Live;
use inheritance::Ended;
use member::Setup;
use topics::Inspection;
use watchdog::Hang;
use worker::Worker;

/// How often the workers are looked after.
const LOOK: Duration = Duration::from_millis(20);
/// How much longer than the shutdown's own limit a worker is waited for: a call into librdkafka
/// may be under way.
const GRACE: Duration = Duration::from_secs(3);

/// Runs all workers until `shutdown` is requested or one of them fails; then all of them finish
/// what is in work, commit and leave.
///
/// The largest records of the topics are read from the cluster and set in `core`, whose outputs
/// are those of `settings`, in the same order. `status` must have been made for as many workers
/// as the settings have. Each message is enriched from the tables that hold when it comes.
pub fn run(
    settings: KafkaSettings,
    mut core: Settings,
    shutdown: &Shutdown,
    status: &Status,
    tables: &Live,
) -> Result<Summary, KafkaError> {
    let outputs = [core.outputs.len(), settings.output_names.len()];
    if outputs != [settings.outputs.len(); 2] || status.workers().len() != settings.workers {
        return Err(KafkaError::Settings(
            "outputs, their names and topics, and workers do not match in number, the settings: give as many of each".to_owned(),
        ));
    }
    let give_up = || shutdown.is_requested();
    let inspected = topics::inspect(&settings, &give_up).and_then(Inspection::accepted);
    if give_up() {
        // There is nothing in work yet.
        return Ok(Summary::default());
    }
    let inspection = inspected?;
    for (output, bytes) in core.outputs.iter_mut().zip(&inspection.output_bytes) {
        output.max_bytes = *bytes;
    }
    core.dead_letter_max_bytes = inspection.dead_letter_bytes;
    let settings = Arc::new(settings);
    let ended = Ended::default();
    let mut workers = Vec::with_capacity(settings.workers);
    for number in 0..settings.workers {
        let setup = Setup {
            number,
            settings: Arc::clone(&settings),
            limits: inspection.limits(),
            shutdown: shutdown.clone(),
            status: status.clone(),
            tables: tables.clone(),
            ended: ended.clone(),
        };
        match spawn(setup, core.clone()) {
            Ok(worker) => workers.push(worker),
            Err(error) => {
                shutdown.request();
                let _ = join(workers, &settings, shutdown, status);
                return Err(error);
            }
        }
    }
    join(workers, &settings, shutdown, status)
}

/// A worker that runs.
struct Running {
    number: usize,
    thread: JoinHandle<Result<Summary, KafkaError>>,
    hang: Hang,
}

impl Running {
    /// Whether the worker has ended, or never will.
    fn is_over(&mut self, status: &Status) -> bool {
        let last_turn = status.workers()[self.number].last_turn();
        self.thread.is_finished() || self.hang.is_for_good(last_turn, Instant::now())
    }

    /// The result of a worker that is over.
    fn result(self) -> Result<Summary, KafkaError> {
        let failed = |reason: String| KafkaError::Worker {
            worker: self.number,
            reason,
        };
        if !self.thread.is_finished() {
            return Err(failed(Hang::reason()));
        }
        let joined = self.thread.join();
        joined.unwrap_or_else(|_| Err(failed("it panicked, which is a bug".to_owned())))
    }
}

fn spawn(setup: Setup, core: Settings) -> Result<Running, KafkaError> {
    let number = setup.number;
    let thread = std::thread::Builder::new().name(format!("worker-{number}"));
    let spawned = thread.spawn(move || Worker::start(setup, core)?.run());
    let hang = Hang::new(Instant::now());
    match spawned {
        Ok(thread) => Ok(Running {
            number,
            thread,
            hang,
        }),
        Err(error) => Err(KafkaError::Worker {
            worker: number,
            reason: error.to_string(),
        }),
    }
}

/// Waits for the workers to end; the first that fails ends the others as well.
fn join(
    mut workers: Vec<Running>,
    settings: &KafkaSettings,
    shutdown: &Shutdown,
    status: &Status,
) -> Result<Summary, KafkaError> {
    let mut summary = Summary::default();
    let mut failure = None;
    while !workers.is_empty() {
        let over = workers.iter_mut().position(|of| of.is_over(status));
        if let Some(index) = over {
            let worker = workers.swap_remove(index);
            let number = worker.number;
            match worker.result() {
                Ok(of_worker) => summary.add(of_worker),
                Err(error) => {
                    tracing::error!(worker = number, "{error}");
                    failure.get_or_insert(error);
                    shutdown.request();
                }
            }
        } else if shutdown.is_overdue(settings.shutdown_timeout + GRACE) {
            let seconds = settings.shutdown_timeout.as_secs();
            return Err(failure.unwrap_or(KafkaError::ShutdownTimedOut { seconds }));
        } else {
            std::thread::sleep(LOOK);
        }
    }
    failure.map_or(Ok(summary), Err)
}
