//! A child process, and what it uses of the machine, as Linux tells it.

use std::process::{Child as Process, Command, Stdio};
use std::time::{Duration, Instant};

use crate::stage::{ANSWER, Run};

/// Linux counts a process's time in hundredths of a second on every architecture.
const TICK_SECONDS: f64 = 0.01;

/// A child; it is killed, by its id, when it is dropped.
pub(crate) struct Child(Process);

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Child {
    /// Starts it. What it logs goes to where the bench's own errors go.
    pub(crate) fn start(command: &mut Command) -> Self {
        Self(
            command
                .stdin(Stdio::null())
                .spawn()
                .expect("the program is there"),
        )
    }

    /// netsieve as that run is configured.
    pub(crate) fn netsieve(run: &Run) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_netsieve"));
        command.args(["run", "--set", "log.level=error", "--config"]);
        command.arg(run.config_path());
        for setting in run.settings() {
            command.args(["--set", setting]);
        }
        Self::start(command.env_clear())
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Seconds of processors that it has used so far.
    pub(crate) fn cpu(&self) -> f64 {
        cpu(self.id())
    }

    /// A line of what Linux tells of its memory, such as VmRSS or VmHWM, in mebibytes.
    pub(crate) fn memory(&self, line: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id()));
        let status = status.expect("it runs, on Linux");
        let found = status.lines().find_map(|of| of.strip_prefix(line));
        let kilobytes = found.and_then(|rest| rest.split_whitespace().nth(1));
        let kilobytes = kilobytes.and_then(|number| number.parse::<u64>().ok());
        kilobytes.expect("Linux tells it") >> 10
    }

    /// Whether it is still at work.
    pub(crate) fn runs(&mut self) -> bool {
        self.0.try_wait().expect("it is our child").is_none()
    }

    /// Asks it to end and waits until it has.
    pub(crate) fn stop(mut self) {
        let id = self.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status();
        assert!(sent.expect("there is a kill").success(), "it runs");
        let since = Instant::now();
        while self.runs() {
            assert!(since.elapsed() < ANSWER, "it does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Seconds of processors that a process has used so far, and the kernel for it.
pub(crate) fn cpu(id: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).expect("it runs, on Linux");
    // The second field is the program's name in brackets, with anything in it.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let fields: Vec<_> = fields.split_whitespace().collect();
    let ticks = |index: usize| fields[index].parse::<u32>().expect("a number");
    f64::from(ticks(11) + ticks(12)) * TICK_SECONDS
}
