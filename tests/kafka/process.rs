//! `netsieve run` as a child process.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Instant;

use tempfile::TempDir;

use crate::stage::PATIENCE;

/// A processor; it is killed, by its id, when the test fails.
pub(crate) struct Process {
    child: Child,
    folder: TempDir,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let mut stderr = std::io::stderr();
            let _ = writeln!(
                stderr,
                "log of process {}:\n{}",
                self.child.id(),
                self.log()
            );
        }
    }
}

impl Process {
    /// Starts one with that configuration, under that name.
    pub(crate) fn start(config: &str, instance: &str, settings: &[&str]) -> Self {
        Self::start_with(config, instance, settings, &[])
    }

    /// The same, with these variables in its environment.
    pub(crate) fn start_with(
        config: &str,
        instance: &str,
        settings: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("netsieve.toml");
        std::fs::write(&path, config).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_netsieve"));
        command.env_clear().envs(environment.iter().copied());
        command.arg("run").arg("--config").arg(path);
        command.args(["--set", &format!("instance={instance}")]);
        for setting in settings {
            command.args(["--set", setting]);
        }
        let log = std::fs::File::create(log_path(&folder)).unwrap();
        let child = command.stdin(Stdio::null()).stderr(log).spawn().unwrap();
        Self { child, folder }
    }

    /// Everything that it has logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(log_path(&self.folder)).unwrap_or_default()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &id])
            .status();
        assert!(sent.unwrap().success());
    }

    /// Ends it where it stands.
    pub(crate) fn kill(mut self) {
        assert_eq!(self.child.try_wait().unwrap(), None, "it runs");
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end, and waits until it has done so in order.
    pub(crate) fn stop(mut self) {
        self.signal("TERM");
        let status = self.ended();
        assert_eq!(status.code(), Some(0));
    }

    /// Waits until it has ended by itself, and gives its exit code and log.
    pub(crate) fn ends(mut self) -> (Option<i32>, String) {
        let status = self.ended();
        (status.code(), self.log())
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    fn ended(&mut self) -> ExitStatus {
        let since = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(since.elapsed() < PATIENCE, "it does not end");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

fn log_path(folder: &TempDir) -> PathBuf {
    folder.path().join("log")
}
