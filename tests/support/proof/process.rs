//! `netsieve run` as a child process.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Instant;

use serde_json::Value;
use tempfile::TempDir;

use super::stage::PATIENCE;

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
        let mut command = Command::new(program());
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

    /// Whether it has not ended.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// The source partitions that it owns, by its log.
    pub(crate) fn owned(&self) -> BTreeSet<i32> {
        let mut owned = BTreeSet::new();
        for line in self.lines() {
            let partition = || i32::try_from(line["partition"].as_i64()?).ok();
            match (line["message"].as_str(), partition()) {
                (Some("partition assigned"), Some(partition)) => {
                    owned.insert(partition);
                }
                (Some("partition given away"), Some(partition)) => {
                    owned.remove(&partition);
                }
                _ => {}
            }
        }
        owned
    }

    /// The offset at which it took each source partition over, the last time that it did.
    pub(crate) fn starts(&self) -> BTreeMap<i32, i64> {
        let assigned = self.lines().into_iter().filter_map(|line| {
            let is_assigned = line["message"] == "partition assigned";
            let partition = i32::try_from(line["partition"].as_i64()?).ok()?;
            is_assigned.then_some((partition, line["offset"].as_i64()?))
        });
        assigned.collect()
    }

    fn lines(&self) -> Vec<Value> {
        let log = self.log();
        let lines = log.lines().map(serde_json::from_str);
        lines.filter_map(Result::ok).collect()
    }

    /// Everything that it has logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(log_path(&self.folder)).unwrap_or_default()
    }

    /// Waits for a line of the log with that text in it.
    pub(crate) fn wait_for_line(&self, text: &str) -> String {
        let since = Instant::now();
        loop {
            let log = self.log();
            if let Some(line) = log.lines().find(|line| line.contains(text)) {
                return line.to_owned();
            }
            assert!(since.elapsed() < PATIENCE, "no line with {text:?}");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
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

    /// Waits until it ends by itself; gives its exit code.
    pub(crate) fn wait(mut self) -> Option<i32> {
        self.ended().code()
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

/// The program that is put to the proof: `$NETSIEVE_BIN`, or else the one built with this.
pub(crate) fn program() -> PathBuf {
    let given = std::env::var_os("NETSIEVE_BIN").map(PathBuf::from);
    given.unwrap_or_else(|| env!("CARGO_BIN_EXE_netsieve").into())
}

fn log_path(folder: &TempDir) -> PathBuf {
    folder.path().join("log")
}
