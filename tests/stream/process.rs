//! `netsieve run` as a child process.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};

use serde_json::Value;
use tempfile::NamedTempFile;

/// A processor; it is killed, by its id, when the test fails.
pub(crate) struct Process {
    child: Child,
    http: SocketAddr,
    log: NamedTempFile,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let text = std::fs::read_to_string(self.log.path());
            let text = text.unwrap_or_default();
            let _ = writeln!(std::io::stderr(), "log of {}:\n{text}", self.http);
        }
    }
}

impl Process {
    pub(crate) fn start(bootstrap: &str, settings: &[&str]) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let http = free.local_addr().unwrap();
        drop(free);
        let log = NamedTempFile::new().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_netsieve"));
        command.env_clear().args(["run", "--bootstrap", bootstrap]);
        command.args(["--set", &format!("http.listen={http}")]);
        // The embedded broker shows what a transaction has aborted.
        command.args(["--set", "delivery=at_least_once"]);
        for setting in settings {
            command.args(["--set", setting]);
        }
        let stderr: File = log.reopen().unwrap();
        let child = command.stdin(Stdio::null()).stderr(stderr).spawn().unwrap();
        Self { child, http, log }
    }

    /// The partitions that it says that it owns.
    pub(crate) fn owned(&mut self) -> Vec<i32> {
        assert_eq!(self.child.try_wait().unwrap(), None, "it runs");
        let Some(status) = self.status() else {
            return Vec::new();
        };
        let owned = status["workers"][0]["partitions"].as_array().unwrap();
        let numbers = owned.iter().map(|of| of["partition"].as_i64().unwrap());
        numbers.map(|number| number.try_into().unwrap()).collect()
    }

    /// Its status page, once it serves one.
    fn status(&self) -> Option<Value> {
        let mut stream = TcpStream::connect(self.http).ok()?;
        let request = b"GET /status HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        stream.write_all(request).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (_, body) = answer.split_once("\r\n\r\n")?;
        serde_json::from_str(body).ok()
    }

    /// Asks it to end.
    pub(crate) fn terminate(&self) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status();
        assert!(sent.unwrap().success());
    }

    /// Ends it where it stands.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// How it ended, once it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }
}
