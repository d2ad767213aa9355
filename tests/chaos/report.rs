//! The results as tables.

use std::fmt::{self, Write};
use std::process::Command;
use std::time::Duration;

use crate::plan::{Delivery, Scenario, Told};
use crate::proof::checker::Kind;
use crate::proof::{cluster, process};

/// What became of one scenario.
pub(crate) struct Row {
    pub(crate) scenario: &'static Scenario,
    pub(crate) delivery: Delivery,
    /// What it tells, or what it demanded in vain.
    pub(crate) told: Result<Told, String>,
    pub(crate) took: Duration,
}

impl Row {
    pub(crate) fn is_passed(&self) -> bool {
        self.told.as_ref().is_ok_and(|told| told.verdict.is_clean())
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, delivery) = (self.scenario.name, self.delivery.name());
        let seconds = self.took.as_secs();
        let told = match &self.told {
            Err(why) => return write!(f, "{name} {delivery}: FAILED after {seconds} s: {why}"),
            Ok(told) => told,
        };
        let (due, note, verdict) = (told.due, &told.note, &told.verdict);
        if verdict.is_clean() {
            write!(
                f,
                "{name} {delivery}: passed after {seconds} s, {due} due, {note}"
            )?;
        } else {
            write!(
                f,
                "{name} {delivery}: FAILED, {note}, of {due} due {verdict}"
            )?;
        }
        if let Some(recovery) = &told.recovery {
            write!(f, ", {recovery:.1?} s")?;
        }
        Ok(())
    }
}

/// All results in Markdown.
pub(crate) fn markdown(rows: &[Row]) -> String {
    let mut text = String::new();
    let (judged, measured): (Vec<&Row>, Vec<&Row>) = rows
        .iter()
        .partition(|row| !row.scenario.name.starts_with("recovery"));
    let _ = writeln!(text, "{}.\n", circumstances());
    if !judged.is_empty() {
        text.push_str(
            "| scenario | what happens | delivery | events and dead letters | repeated | lost | doubled | out of order | wrong | |\n\
             |---|---|---|---|---|---|---|---|---|---|\n",
        );
    }
    for row in judged {
        let (name, about, delivery) = (row.scenario.name, row.scenario.about, row.delivery.name());
        let head = format!("| {name} | {about} | {delivery}");
        let line = match &row.told {
            Err(_) => writeln!(text, "{head} | | | | | | | failed |"),
            Ok(Told {
                due, verdict, note, ..
            }) => writeln!(
                text,
                "{head} | {due} | {} | {} | {} | {} | {} | {note} |",
                verdict.repeats,
                verdict.count(Kind::Lost),
                verdict.count(Kind::Doubled),
                verdict.count(Kind::OutOfOrder),
                verdict.count(Kind::Wrong),
            ),
        };
        let _ = line;
    }
    if !measured.is_empty() {
        text.push_str(
            "\n| recovery | from kill -9 until | seconds: least, median, most | times | differences |\n\
             |---|---|---|---|---|\n",
        );
    }
    for row in measured {
        let (name, about) = (row.scenario.name, row.scenario.about);
        let _ = match &row.told {
            Ok(Told {
                recovery: Some(seconds),
                verdict,
                ..
            }) => writeln!(
                text,
                "| {name} | {about} | {} | {} | {} |",
                spread(seconds),
                seconds.len(),
                if verdict.is_clean() { "none" } else { "some" }
            ),
            _ => writeln!(text, "| {name} | {about} | failed | | |"),
        };
    }
    text
}

fn spread(seconds: &[f64]) -> String {
    let mut sorted = seconds.to_vec();
    sorted.sort_by(f64::total_cmp);
    match (sorted.first(), sorted.get(sorted.len() / 2), sorted.last()) {
        (Some(least), Some(median), Some(most)) => format!("{least:.1}, {median:.1}, {most:.1}"),
        _ => String::new(),
    }
}

/// Versions, size and day.
fn circumstances() -> String {
    let (_, librdkafka) = rdkafka::util::get_rdkafka_version();
    let brokers = cluster::variable("BROKERS").unwrap_or_default();
    let day = jiff::Timestamp::now().strftime("%Y-%m-%d");
    format!(
        "{} with librdkafka {librdkafka}, Apache Kafka {}, brokers: {brokers}, cores: {}, {day}",
        netsieve().unwrap_or_default(),
        cluster::variable("VERSION").unwrap_or_default(),
        std::thread::available_parallelism().map_or(0, usize::from),
    )
}

/// What was put to the proof: its version, the commit at hand, and how it was built.
fn netsieve() -> Option<String> {
    let said = |command: &mut Command| {
        let output = command.output().ok()?;
        Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
    };
    let program = process::program();
    let version = said(Command::new(&program).arg("--version"))?;
    let commit = said(Command::new("git").args(["rev-parse", "--short", "HEAD"]))?;
    let build = program
        .parent()?
        .file_name()?
        .to_string_lossy()
        .into_owned();
    Some(format!("{version} ({commit}, {build})"))
}
