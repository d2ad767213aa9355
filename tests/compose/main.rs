//! The image, and the project of `docker-compose.yml`: Kafka, netsieve and a Prometheus that looks
//! at it, each in a container and each killed in its turn.
//!
//!     tests/compose/with-docker cargo test --test compose -- --include-ignored
//!
//! builds the image from source. With `NETSIEVE_BINARY=target/release/netsieve` in its environment
//! it puts that binary into the same image instead.

mod dockerfile;
#[path = "../common/expected.rs"]
mod expected;
mod image;
mod project;
mod prometheus;
#[path = "../support/proof/mod.rs"]
mod proof;
mod topics;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use netsieve::generate::Expected;
use project::{Container, Load, Project, Run as _, root, say, wait_until};
use prometheus::{Prometheus, page};
use topics::Topics;

/// How long Kafka stays away.
const OUTAGE: Duration = Duration::from_secs(3);
/// Messages of the load that are worked off before a container is killed.
const BEFORE_KILL: i64 = 200;

#[test]
#[ignore = "needs docker: tests/compose/with-docker cargo test --test compose -- --include-ignored"]
fn the_project_holds_what_it_promises() {
    let mut stage = Stage::open();
    stage.is_confined();
    stage.rules_are_loaded_and_tested();
    stage.calm_load_is_seen_by_prometheus();
    stage.kafka_and_netsieve_are_killed_under_load();
    stage.mass_of_rejects_engages_the_brake();
    stage.ends_in_order();
    stage.topics.check();
    stage.say("every record came once, as foretold");
}

/// The project that is up.
struct Stage {
    begun: Instant,
    kafka: Container,
    netsieve: Container,
    prometheus: Prometheus,
    topics: Topics,
    project: Project,
}

impl Stage {
    fn open() -> Self {
        let begun = Instant::now();
        let project = Project::new();
        image::make(&project.image());
        project.compose(&["up", "--detach", "--no-build"]).done();
        let stage = Self {
            begun,
            kafka: project.container("kafka"),
            netsieve: project.container("netsieve"),
            prometheus: Prometheus(project.ports.prometheus),
            topics: Topics::new(project.ports.kafka),
            project,
        };
        stage.kafka.wait_until_healthy();
        stage.netsieve.wait_until_healthy();
        stage.say("all is up and healthy");
        stage
    }

    fn say(&self, line: &str) {
        say(&format!("{:3} s: {line}", self.begun.elapsed().as_secs()));
    }

    /// No root, no capability, nothing written, nothing served but on the loopback interface.
    fn is_confined(&self) {
        let inspected = self.netsieve.inspect();
        assert_eq!(inspected["HostConfig"]["ReadonlyRootfs"], true);
        let status = self.netsieve.exec(&["cat", "/proc/1/status"]).done();
        let fact = |name: &str| {
            let mut lines = status.lines();
            let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            value.unwrap().trim().to_owned()
        };
        assert_eq!(fact("Uid"), ["65532"; 4].join("\t"));
        assert_eq!(fact("CapBnd"), "0".repeat(16));
        assert_eq!(fact("NoNewPrivs"), "1");
        // Where anybody may write otherwise.
        let written = self
            .netsieve
            .exec(&["touch", "/tmp/file"])
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&written.stderr);
        assert!(error.contains("Read-only file system"), "{error}");

        for service in ["kafka", "netsieve", "prometheus"] {
            let inspected = self.project.container(service).inspect();
            let ports = inspected["NetworkSettings"]["Ports"].as_object().unwrap();
            let served: Vec<_> = ports
                .values()
                .filter_map(|of| of.as_array())
                .flatten()
                .collect();
            assert_eq!(served.len(), 1, "{service}: {ports:?}");
            assert_eq!(served[0]["HostIp"], "127.0.0.1", "{service}");
        }
        let livez = self
            .netsieve
            .exec(&["netsieve-healthcheck", "/livez"])
            .done();
        assert_eq!(livez, "ok\n");
    }

    /// Prometheus has every rule, scrapes netsieve, and its own test of the rules passes.
    fn rules_are_loaded_and_tested(&self) {
        let file = std::fs::read_to_string(root().join("deploy/alerts.yml")).unwrap();
        let lines = file.lines().map(str::trim_start);
        let mut written: Vec<_> = lines
            .filter_map(|line| line.strip_prefix("- alert: "))
            .collect();
        written.sort_unstable();
        wait_until("Prometheus has the rules", || {
            !self.prometheus.alerts().is_empty()
        });
        assert!(self.prometheus.alerts().keys().eq(written), "{file}");
        wait_until("Prometheus scrapes netsieve", || {
            self.prometheus.number("up{job=\"netsieve\"}") == Some(1.0)
        });
        let targets = self.prometheus.get("targets?state=active").unwrap();
        assert_eq!(targets["activeTargets"][0]["health"], "up", "{targets}");

        let volume = format!("{}:/netsieve:ro", root().display());
        let promtool = [
            "run",
            "--rm",
            "--no-deps",
            "-T",
            "--entrypoint",
            "promtool",
            "--volume",
        ];
        let mut command = self.project.compose(&promtool);
        command.args([&volume, "prometheus", "test", "rules"]);
        command
            .arg("/netsieve/tests/compose/alerts_test.yml")
            .done();
        self.say("Prometheus has the rules, which pass their own test");
    }

    /// A load with nothing in its way: Prometheus counts what the generator foretold.
    fn calm_load_is_seen_by_prometheus(&mut self) {
        let load = self
            .project
            .load(&["--seed", "1", "--messages", "1500", "--bad", "0.15"]);
        let foretold = self.worked_off(load);
        let count = |expression: &str| self.prometheus.number(expression);
        let messages = foretold.len() as f64;
        wait_until("Prometheus has seen it all", || {
            count("sum(netsieve_messages_total)") == Some(messages)
                && count("sum(netsieve_consumer_lag_records)") == Some(0.0)
        });
        let events: usize = foretold.iter().map(Expected::events).sum();
        let records: usize = foretold.iter().map(|message| message.records().len()).sum();
        let outcomes = [("event", events), ("rejected", records - events)];
        let outcomes = outcomes.map(|(outcome, count)| (outcome.to_owned(), count as f64));
        let by = |label, expression: &str| self.prometheus.by(label, expression);
        assert_eq!(by("outcome", "netsieve_records_total"), outcomes.into());
        let mut reasons = BTreeMap::new();
        for reason in foretold.iter().flat_map(Expected::rejects) {
            *reasons.entry(reason.to_owned()).or_insert(0.0) += 1.0;
        }
        assert_eq!(
            by("reason", "sum by (reason) (netsieve_rejects_total)"),
            reasons
        );
        let produced = by("topic", "netsieve_events_produced_total");
        assert_eq!(produced, self.topics.due_by_topic());
        assert_eq!(count("netsieve_worker_up"), Some(1.0));
        self.say("a calm load: Prometheus counts what was foretold");

        // Minutes would pass until it fires; promtool has seen that.
        self.wait_for_alert("NetsieveDeadLetterShare", "pending");
        let mut states = self.prometheus.alerts().into_values();
        assert!(states.all(|state| state != "firing"));
        self.say("the share of dead letters is noticed");
    }

    /// Kafka, then netsieve die and come back while messages go on coming.
    fn kafka_and_netsieve_are_killed_under_load(&mut self) {
        let arguments = ["--seed", "2", "--messages", "10000", "--rate", "100"];
        let mut load = self.project.load(&arguments);
        self.wait_for_progress();
        load.goes_on();
        self.kafka.kill();
        std::thread::sleep(OUTAGE);
        self.kafka.start();
        self.wait_for_progress();
        self.say("Kafka was killed, came back, and the stream goes on");

        load.goes_on();
        self.netsieve.kill();
        self.wait_for_alert("NetsieveDown", "firing");
        self.say("netsieve was killed, and the alert fires");
        self.netsieve.start();
        self.worked_off(load);
        wait_until("netsieve is ready", || {
            page(self.project.ports.netsieve, "/readyz").is_some_and(|(status, _)| status == 200)
        });
        self.wait_for_alert("NetsieveDown", "inactive");
        self.say("netsieve is back and has worked off what waited");
    }

    /// More rejects than any day should have.
    fn mass_of_rejects_engages_the_brake(&mut self) {
        let load = self
            .project
            .load(&["--seed", "3", "--messages", "1200", "--bad", "0.9"]);
        self.worked_off(load);
        self.wait_for_alert("NetsieveBrake", "firing");
        self.say("a mass of rejects: the brake's alert fires");
    }

    fn ends_in_order(&self) {
        self.project.compose(&["stop", "netsieve"]).done();
        assert_eq!(self.netsieve.inspect()["State"]["ExitCode"], 0);
    }

    /// Waits until a load is sent and committed, and gives what was foretold of it.
    fn worked_off(&mut self, load: Load) -> Vec<Expected> {
        let foretold = load.finish();
        self.topics.enter(&foretold);
        let sent = self.topics.sent();
        wait_until("the load is worked off", || self.topics.committed() >= sent);
        assert_eq!(self.topics.committed(), sent);
        foretold
    }

    fn wait_for_progress(&self) {
        let mut before = 0;
        wait_until("the group's offsets are known", || {
            before = self.topics.committed();
            before > 0
        });
        wait_until("messages are worked off", || {
            self.topics.committed() >= before + BEFORE_KILL
        });
    }

    fn wait_for_alert(&self, alert: &str, state: &str) {
        wait_until(&format!("{alert} is {state}"), || {
            self.prometheus
                .alerts()
                .get(alert)
                .is_some_and(|is| is == state)
        });
    }
}
