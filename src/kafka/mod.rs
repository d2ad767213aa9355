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

pub mod brake;
pub mod client;
pub mod error;
pub mod mock;
pub mod offsets;
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
use std::time::Duration;

pub use error::KafkaError;
pub use meters::Summary;
pub use settings::KafkaSettings;
pub use shutdown::Shutdown;
pub use status::Status;

use crate::pipeline::settings::Settings;
use member::Setup;
use topics::Inspection;
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
/// as the settings have.
pub fn run(
    settings: KafkaSettings,
    mut core: Settings,
    shutdown: &Shutdown,
    status: &Status,
) -> Result<Summary, KafkaError> {
    if core.outputs.len() != settings.outputs.len() || status.workers().len() != settings.workers {
        return Err(KafkaError::Settings(
            "outputs, topics and workers do not match in number, the settings: give as many of each".to_owned(),
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
    let mut workers = Vec::with_capacity(settings.workers);
    for number in 0..settings.workers {
        let setup = Setup {
            number,
            settings: Arc::clone(&settings),
            limits: inspection.limits(),
            shutdown: shutdown.clone(),
            status: status.clone(),
        };
        match spawn(setup, core.clone()) {
            Ok(worker) => workers.push((number, worker)),
            Err(error) => {
                shutdown.request();
                let _ = join(workers, &settings, shutdown);
                return Err(error);
            }
        }
    }
    join(workers, &settings, shutdown)
}

type Handle = JoinHandle<Result<Summary, KafkaError>>;

fn spawn(setup: Setup, core: Settings) -> Result<Handle, KafkaError> {
    let worker = setup.number;
    let thread = std::thread::Builder::new().name(format!("worker-{worker}"));
    let spawned = thread.spawn(move || Worker::start(setup, core)?.run());
    spawned.map_err(|error| KafkaError::Worker {
        worker,
        reason: error.to_string(),
    })
}

/// Waits for the workers to end; the first that fails ends the others as well.
fn join(
    mut workers: Vec<(usize, Handle)>,
    settings: &KafkaSettings,
    shutdown: &Shutdown,
) -> Result<Summary, KafkaError> {
    let mut summary = Summary::default();
    let mut failure = None;
    while !workers.is_empty() {
        let ended = workers.iter().position(|(_, handle)| handle.is_finished());
        if let Some(index) = ended {
            let (worker, handle) = workers.swap_remove(index);
            let result = handle.join().unwrap_or_else(|_| {
                Err(KafkaError::Worker {
                    worker,
                    reason: "it panicked, which is a bug".to_owned(),
                })
            });
            match result {
                Ok(of_worker) => summary.add(of_worker),
                Err(error) => {
                    tracing::error!(worker, "{error}");
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
