//! The project of `docker-compose.yml`, under a name and on ports of its own, taken down whatever
//! happens.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use netsieve::generate::Expected;
use serde_json::Value;
use tempfile::NamedTempFile;

/// Longest time that anything here is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
const COMMAND_SECONDS: u32 = 300;
/// Reads until the test has ended, however it did, and takes down what it has brought up.
const TAKE_DOWN: &str = "
    cat > /dev/null
    timeout 120 docker-compose --profile load down --volumes --remove-orphans --timeout 5 || exit
    docker rmi \"$NETSIEVE_IMAGE\" || true
";

/// Where docker-compose.yml is.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Tells how far the test is, at once.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "compose: {line}");
}

/// A command that is ended when it takes longer.
pub(crate) fn bounded(seconds: u32, program: &str) -> Command {
    let mut command = Command::new("timeout");
    command.args([&seconds.to_string(), program]);
    command.current_dir(root()).stdin(Stdio::null());
    command
}

/// What a command has to come to.
pub(crate) trait Run {
    /// Runs it, and gives what it wrote; it must succeed.
    fn done(&mut self) -> String;
}

impl Run for Command {
    fn done(&mut self) -> String {
        let output = self.output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{self:?}: {error}");
        String::from_utf8(output.stdout).unwrap()
    }
}

/// Waits until something is so.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let since = Instant::now();
    while !is_so() {
        assert!(since.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// The ports on the loopback interface.
pub(crate) struct Ports {
    pub(crate) kafka: u16,
    pub(crate) netsieve: u16,
    pub(crate) prometheus: u16,
}

/// The project; it is gone when this is dropped or the process ends.
pub(crate) struct Project {
    pub(crate) ports: Ports,
    name: String,
    undertaker: Child,
}

impl Project {
    /// A project of which nothing is there yet.
    pub(crate) fn new() -> Self {
        // All are held until each has its own.
        let free = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let [kafka, netsieve, prometheus] =
            free.each_ref().map(|of| of.local_addr().unwrap().port());
        let ports = Ports {
            kafka,
            netsieve,
            prometheus,
        };
        let name = format!("netsieve-test-{}", std::process::id());
        let mut undertaker = Command::new("sh");
        undertaker.args(["-c", TAKE_DOWN]).current_dir(root());
        undertaker.envs(environment(&name, &ports));
        // Ctrl-C is not for it.
        undertaker.process_group(0).stdin(Stdio::piped());
        let undertaker = undertaker
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self {
            ports,
            name,
            undertaker,
        }
    }

    /// The name of the image.
    pub(crate) fn image(&self) -> String {
        image(&self.name)
    }

    /// A docker-compose command.
    pub(crate) fn compose(&self, arguments: &[&str]) -> Command {
        let mut command = bounded(COMMAND_SECONDS, "docker-compose");
        command
            .args(arguments)
            .envs(environment(&self.name, &self.ports));
        command
    }

    /// The container of a service.
    pub(crate) fn container(&self, service: &str) -> Container {
        let id = self.compose(&["ps", "--all", "--quiet", service]).done();
        Container {
            service: service.to_owned(),
            id: id.trim().to_owned(),
        }
    }

    /// Starts a load, which netsieve's own generator sends, with these arguments.
    pub(crate) fn load(&self, arguments: &[&str]) -> Load {
        let (manifest, errors) = (NamedTempFile::new().unwrap(), NamedTempFile::new().unwrap());
        let reopen = |file: &NamedTempFile| -> File { file.reopen().unwrap() };
        let mut command = self.compose(&["run", "--rm", "--no-deps", "-T", "generator"]);
        command.args([
            "generate",
            "--bootstrap",
            "kafka:9092",
            "--start-time",
            "now",
        ]);
        command
            .args(["--records", "1..10", "--manifest", "-"])
            .args(arguments);
        let child = command
            .stdout(reopen(&manifest))
            .stderr(reopen(&errors))
            .spawn();
        Load {
            child: child.unwrap(),
            manifest,
            errors,
        }
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let logs = self
                .compose(&["logs", "--no-color", "--tail", "60"])
                .output();
            let logs = logs.map(|output| output.stdout).unwrap_or_default();
            let _ = std::io::stderr().write_all(&logs);
        }
        drop(self.undertaker.stdin.take());
        if !self.undertaker.wait().is_ok_and(|status| status.success()) {
            let name = &self.name;
            say(&format!(
                "{name} is still there: docker-compose -p {name} down --volumes"
            ));
        }
    }
}

fn image(project: &str) -> String {
    format!("netsieve:{project}")
}

fn environment(project: &str, ports: &Ports) -> [(&'static str, String); 5] {
    [
        ("COMPOSE_PROJECT_NAME", project.to_owned()),
        ("NETSIEVE_IMAGE", image(project)),
        ("KAFKA_PORT", ports.kafka.to_string()),
        ("NETSIEVE_PORT", ports.netsieve.to_string()),
        ("PROMETHEUS_PORT", ports.prometheus.to_string()),
    ]
}

/// One container.
pub(crate) struct Container {
    service: String,
    id: String,
}

impl Container {
    fn docker(&self, arguments: &[&str]) -> String {
        let mut command = bounded(COMMAND_SECONDS, "docker");
        command.args(arguments).arg(&self.id).done()
    }

    /// What docker knows of it.
    pub(crate) fn inspect(&self) -> Value {
        let found: Value = serde_json::from_str(&self.docker(&["inspect"])).unwrap();
        found[0].clone()
    }

    /// A command within it.
    pub(crate) fn exec(&self, arguments: &[&str]) -> Command {
        let mut command = bounded(COMMAND_SECONDS, "docker");
        command.args(["exec", &self.id]).args(arguments);
        command
    }

    /// Ends it where it stands.
    pub(crate) fn kill(&self) {
        self.docker(&["kill", "--signal", "KILL"]);
        assert_eq!(self.inspect()["State"]["ExitCode"], 137);
    }

    /// Starts it again, and waits until it is healthy.
    pub(crate) fn start(&self) {
        self.docker(&["start"]);
        self.wait_until_healthy();
    }

    /// Waits until its health check says so.
    pub(crate) fn wait_until_healthy(&self) {
        wait_until(&format!("{} is healthy", self.service), || {
            self.inspect()["State"]["Health"]["Status"] == "healthy"
        });
    }
}

/// A load that is being sent.
pub(crate) struct Load {
    child: Child,
    manifest: NamedTempFile,
    errors: NamedTempFile,
}

impl Load {
    /// How the generator ended, once it has.
    fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Fails unless it is still being sent.
    pub(crate) fn goes_on(&mut self) {
        assert_eq!(self.ended(), None, "the load is to go on meanwhile");
    }

    /// Waits until all of it is acknowledged, and gives what must come of it.
    pub(crate) fn finish(mut self) -> Vec<Expected> {
        let mut status = None;
        wait_until("the load is sent", || {
            status = self.ended();
            status.is_some()
        });
        let read = |mut file: File| {
            let mut text = String::new();
            file.read_to_string(&mut text).unwrap();
            text
        };
        let errors = read(self.errors.reopen().unwrap());
        assert!(status.unwrap().success(), "{errors}");
        let manifest = read(self.manifest.reopen().unwrap());
        let lines = manifest.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}
