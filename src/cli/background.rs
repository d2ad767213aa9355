//! What goes on beside the workers: HTTP pages, signals, and the upkeep of metrics, all on one
//! thread.

use std::net::TcpListener;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use crate::kafka::Shutdown;
use crate::observe::http::{self, Pages};

use super::CliError;

/// How often metrics are tidied up.
const UPKEEP: Duration = Duration::from_secs(5);

/// The thread beside the workers; it ends with [`Background::stop`].
pub(super) struct Background {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Background {
    /// Serves the pages, where there is a listener, and listens for signals: the first SIGINT or
    /// SIGTERM requests the shutdown, a second one ends the process at once.
    pub(super) fn start(
        listener: Option<TcpListener>,
        pages: Pages,
        shutdown: Shutdown,
    ) -> Result<Self, CliError> {
        let beside = async move {
            tokio::select! {
                () = serve(listener, pages.clone()) => {}
                () = upkeep(pages) => {}
            }
        };
        Self::beside(beside, shutdown)
    }

    /// Listens for signals alone.
    pub(super) fn watch(shutdown: Shutdown) -> Result<Self, CliError> {
        Self::beside(std::future::pending(), shutdown)
    }

    fn beside(
        work: impl Future<Output = ()> + Send + 'static,
        shutdown: Shutdown,
    ) -> Result<Self, CliError> {
        let failed = |error: std::io::Error| {
            let line = format!(
                "cannot start the background thread ({error}), this process: see its limits"
            );
            CliError::failure(line)
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(failed)?;
        // Before anything is consumed, so that no signal is missed.
        let signals = {
            let _entered = runtime.enter();
            Signals::new().map_err(failed)?
        };
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("background".to_owned());
        let work = async move {
            tokio::select! {
                () = work => {}
                () = signals.watch(shutdown) => {}
                _ = stopped => {}
            }
        };
        let thread = thread
            .spawn(move || runtime.block_on(work))
            .map_err(failed)?;
        Ok(Self { stop, thread })
    }

    /// Ends the thread.
    pub(super) fn stop(self) {
        // A thread that has ended has no ear left.
        let _ = self.stop.send(());
        let _ = self.thread.join();
    }
}

async fn serve(listener: Option<TcpListener>, pages: Pages) {
    if let Some(listener) = listener
        && let Err(error) = http::serve(listener, pages).await
    {
        tracing::error!(%error, "HTTP is no longer served");
    }
    std::future::pending::<()>().await;
}

async fn upkeep(pages: Pages) {
    loop {
        tokio::time::sleep(UPKEEP).await;
        pages.upkeep();
    }
}

/// SIGINT and SIGTERM.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Takes the signals over from the system; within a runtime.
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// The next signal's name and number.
    async fn next(&mut self) -> (&'static str, i32) {
        tokio::select! {
            _ = self.interrupt.recv() => ("SIGINT", SignalKind::interrupt().as_raw_value()),
            _ = self.terminate.recv() => ("SIGTERM", SignalKind::terminate().as_raw_value()),
        }
    }

    async fn watch(mut self, shutdown: Shutdown) {
        let (signal, _) = self.next().await;
        tracing::info!(signal, "draining; a second signal ends the process at once");
        shutdown.request();
        let (signal, number) = self.next().await;
        tracing::warn!(
            signal,
            "ended at once; what is not committed will be read again"
        );
        end_process(128 + number)
    }
}

#[allow(clippy::exit, reason = "a second signal asks for just that")]
fn end_process(code: i32) -> ! {
    std::process::exit(code)
}
