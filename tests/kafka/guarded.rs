//! A cluster with SCRAM, TLS and access control, and the user that the page on security is about.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use tempfile::TempDir;

use crate::stage::Stage;

const PAGE: &str = include_str!("../../docs/security.md");
/// One test at a time: rights are given and taken from the one user.
static TURN: Mutex<()> = Mutex::new(());

/// The cluster, and a folder for the files that the configurations name.
pub(crate) struct Guarded {
    variables: HashMap<String, String>,
    /// Whether it is the cluster of the other tests.
    is_at_hand: bool,
    folder: TempDir,
    #[expect(dead_code, reason = "it is only held")]
    turn: MutexGuard<'static, ()>,
}

impl Guarded {
    /// The cluster at hand if it is guarded, else one of our own, which ends with this process.
    pub(crate) fn new() -> Self {
        static STARTED: OnceLock<(HashMap<String, String>, Option<Child>)> = OnceLock::new();
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let (variables, child) = STARTED.get_or_init(|| {
            if std::env::var_os("NETSIEVE_KAFKA_SASL_BOOTSTRAP").is_some() {
                return (std::env::vars().collect(), None);
            }
            let (variables, child) = start();
            (variables, Some(child))
        });
        Self {
            variables: variables.clone(),
            is_at_hand: child.is_none(),
            folder: tempfile::tempdir().unwrap(),
            turn,
        }
    }

    fn variable(&self, name: &str) -> &str {
        &self.variables[&format!("NETSIEVE_KAFKA_{name}")]
    }

    /// Topics of their own, made and read by the administrator.
    pub(crate) fn stage(&self, test: &str) -> Stage {
        if self.is_at_hand {
            // Other tests may be about to take its brokers down.
            return Stage::new(test);
        }
        Stage::at(self.variable("BOOTSTRAP"), test)
    }

    /// The user's password.
    pub(crate) fn password(&self) -> &str {
        self.variable("PASSWORD")
    }

    /// The address of one listener: `SASL` or `SSL`.
    pub(crate) fn address(&self, listener: &str) -> &str {
        self.variable(&format!("{listener}_BOOTSTRAP"))
    }

    /// The stage's configuration with the page's example for that protocol, in which addresses
    /// and paths are this cluster's.
    pub(crate) fn config(&self, stage: &Stage, delivery: &str, example: &str) -> String {
        let password = self.folder.path().join("password");
        std::fs::write(&password, format!("{}\n", self.password())).unwrap();
        let path = password.to_str().unwrap();
        let example = tested(example)
            .replace("kafka:9093", self.address("SASL"))
            .replace("kafka:9094", self.address("SSL"))
            .replace("/etc/netsieve/ca.pem", self.variable("CA"))
            .replace("/etc/netsieve/password", path);
        let plain = format!("[kafka]\nbootstrap = \"{}\"\n", stage.bootstrap);
        let config = stage.config(delivery);
        assert!(config.contains(&plain));
        config.replace(&plain, &example)
    }

    /// What the page says about the environment.
    pub(crate) fn environment(&self) -> [(&str, &str); 1] {
        [("KAFKA_PASSWORD", self.password())]
    }

    /// A file beside the configurations.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Gives the user the rights of the page, for the topics and the group of this stage.
    pub(crate) fn grant_all(&self, stage: &Stage) {
        self.grant("acls", stage);
    }

    /// Gives the user the rights of the page's code block behind that mark.
    pub(crate) fn grant(&self, mark: &str, stage: &Stage) {
        for line in tested(mark).lines() {
            self.sh(&line.replace("--bootstrap-server kafka:9092 ", ""), stage);
        }
    }

    /// Gives (`add`) or takes (`remove`) one right, as the words of kafka-acls for it.
    pub(crate) fn change(&self, stage: &Stage, add_or_remove: &str, right: &str) {
        let force = if add_or_remove == "remove" {
            "--force"
        } else {
            ""
        };
        let line =
            format!("kafka-acls --{add_or_remove} {force} --allow-principal User:netsieve {right}");
        self.sh(&line, stage);
    }

    /// Runs a line of the shell with Kafka's tools, as the administrator. The names of the page's
    /// topics and group are those of the stage.
    pub(crate) fn sh(&self, line: &str, stage: &Stage) -> Output {
        let line = line
            .replace("network_connection", &stage.name)
            .replace("--group netsieve", &format!("--group {}", stage.name))
            .replace("-id netsieve-", &format!("-id {}-", stage.name));
        let mut command = Command::new("sh");
        command.args(["-c", &line]).envs(&self.variables);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{line}: {output:?}");
        output
    }
}

/// The page's code block behind that mark.
fn tested(mark: &str) -> String {
    let mark = format!("<!-- tested: {mark} -->\n");
    let (_, after) = PAGE.split_once(&mark).expect("the page has the mark");
    let (_, code) = after.split_once('\n').unwrap();
    let (code, _) = code.split_once("```").unwrap();
    code.to_owned()
}

/// Starts a guarded cluster, and gives its variables and what it lives with.
fn start() -> (HashMap<String, String>, Child) {
    let variables = "env | grep -E '^(PATH|NETSIEVE_KAFKA_[A-Z_]+)='; echo; exec cat";
    let mut child = Command::new("./with-kafka")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        // It waits for the end of its input: that of this process, whatever happens.
        .args(["--secure", "sh", "-c", variables])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let lines = lines
        .map(Result::unwrap)
        .take_while(|line| !line.is_empty());
    let pairs = lines.filter_map(|line| {
        let (name, value) = line.split_once('=')?;
        Some((name.to_owned(), value.to_owned()))
    });
    let variables: HashMap<_, _> = pairs.collect();
    assert!(
        variables.contains_key("NETSIEVE_KAFKA_SASL_BOOTSTRAP"),
        "no guarded cluster: see the lines of with-kafka"
    );
    let _ = writeln!(std::io::stderr(), "a guarded cluster of our own is up");
    (variables, child)
}
