//! The schema registry: at the start, the schema of each framed output gets its id there, and
//! the core what goes before each value. While the stream runs, the registry is not asked.
//! Beforehand, [`examine`] tells what would come of it.

mod client;
mod schema;
#[cfg(test)]
mod tests;

pub use schema::{Schema, SubjectStrategy, prefix};

use std::time::{Duration, Instant};

use crate::config::Property;
use crate::pipeline::settings::Format;

use client::{Client, Standing};

/// Pause after the first failed request; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How often a pause looks whether it is to be given up.
const GLANCE: Duration = Duration::from_millis(50);
/// Shortest time that a request has, however little is left: of none at all there would be no end.
const LEAST_TIMEOUT: Duration = Duration::from_millis(50);

/// How a registry is reached, and what it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrySettings {
    /// Where its API begins, `http://` or `https://`.
    pub url: String,
    /// User name and password, for basic authentication.
    pub credentials: Option<(String, Property)>,
    /// How long one request may take.
    pub timeout: Duration,
    /// Whether schemas are registered; otherwise they are only looked up.
    pub register: bool,
}

/// What an output has framed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Framed {
    /// The subject of its values.
    pub subject: String,
    /// Their format.
    pub format: Format,
}

/// Why a schema has no id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// The registry does not answer, or cannot at the moment; it is worth to ask again.
    #[error(
        "no id for the schema of subject {subject} ({why}), {url}: see that the schema registry runs there"
    )]
    Unreachable {
        /// The subject.
        subject: String,
        /// What happened.
        why: String,
        /// The registry.
        url: String,
    },
    /// The registry answers, and would so again.
    #[error("no id for the schema of subject {subject} ({why}), {url}: {remedy}")]
    Refused {
        /// The subject.
        subject: String,
        /// What it says.
        why: String,
        /// The registry.
        url: String,
        /// What to do.
        remedy: &'static str,
    },
}

/// What goes before each value of each output, in their order. A registry that does not answer is
/// asked again until it does or `give_up` says so; then there is nothing. `waiting` hears why it
/// takes so long.
pub fn prefixes(
    outputs: &[Option<Framed>],
    settings: &RegistrySettings,
    give_up: &dyn Fn() -> bool,
    waiting: &dyn Fn(&RegistryError),
) -> Result<Option<Vec<Vec<u8>>>, RegistryError> {
    let client = Client::new(settings);
    let mut prefixes = Vec::new();
    for output in outputs {
        let Some(framed) = output else {
            prefixes.push(Vec::new());
            continue;
        };
        let Some(id) = persistent_id(&client, framed, give_up, waiting)? else {
            return Ok(None);
        };
        tracing::info!(subject = framed.subject, id, "schema registry");
        prefixes.push(prefix(framed.format, id));
    }
    Ok(Some(prefixes))
}

/// What a start would find at the registry, each schema in one line, within that time; nothing is
/// registered. One that does not answer is not asked again.
pub fn examine(
    outputs: &[Option<Framed>],
    settings: &RegistrySettings,
    within: Duration,
) -> Vec<Result<String, RegistryError>> {
    let client = Client::new(settings);
    let end = Instant::now() + within;
    let mut asked = Vec::new();
    let mut findings = Vec::new();
    for framed in outputs.iter().flatten() {
        if asked.contains(&framed) {
            continue;
        }
        asked.push(framed);
        let subject = &framed.subject;
        // Two requests may be needed.
        let left = end.saturating_duration_since(Instant::now()) / 2;
        let longest = settings.timeout.min(left).max(LEAST_TIMEOUT);
        let standing = client.standing(subject, &Schema::of(framed.format), longest);
        let found = standing.map(|standing| match standing {
            Standing::Known(id) => format!("subject {subject} has the schema, id {id}"),
            Standing::NewSubject => format!("subject {subject} is new: run registers it"),
            Standing::NewVersion => {
                format!("subject {subject} takes the schema as a new version: run registers it")
            }
        });
        let is_gone = matches!(found, Err(RegistryError::Unreachable { .. }));
        findings.push(found);
        if is_gone {
            break;
        }
    }
    findings
}

fn persistent_id(
    client: &Client<'_>,
    framed: &Framed,
    give_up: &dyn Fn() -> bool,
    waiting: &dyn Fn(&RegistryError),
) -> Result<Option<u32>, RegistryError> {
    let schema = Schema::of(framed.format);
    let mut pause = FIRST_PAUSE;
    while !give_up() {
        match client.id(&framed.subject, &schema) {
            Ok(id) => return Ok(Some(id)),
            Err(error @ RegistryError::Refused { .. }) => return Err(error),
            Err(error @ RegistryError::Unreachable { .. }) => waiting(&error),
        }
        let end = Instant::now() + pause;
        while Instant::now() < end && !give_up() {
            std::thread::sleep(GLANCE);
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    Ok(None)
}
