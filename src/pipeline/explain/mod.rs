//! How each answer about a record was reached, in words for a person.
//!
//! The message goes the whole way first, as any other; what is told here is found afterwards, by
//! the same functions, so that the way itself carries nothing for it.

mod ends;
mod owner;
mod who;

use bumpalo::Bump;

use super::code::{Reason, Warning};
use super::emit::Emitted;
use super::encode::push_time;
use super::enrich::evidence::{self, Evidence};
use super::enrich::{self, Enrichment, Facts};
use super::message::{Envelope, Input, Metadata, Time};
use super::record::{Kind, Record, State};
use super::reject::{Reject, printable};
use super::settings::Settings;
use super::{Workspace, open, process_in_portions, read};

/// What came of a message as a whole, or of one record, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The record's position in the message; absent where it is about the message.
    pub record: Option<u32>,
    /// Whether it was rejected.
    pub rejected: bool,
    /// What it is about and what came of it, in one line.
    pub title: String,
    /// Each answer: what it is about, and in one line what it is and how it was reached.
    pub answers: Vec<(&'static str, String)>,
}

/// Takes an explanation; false when there is nobody to read more.
pub type Show<'s> = &'s mut dyn FnMut(&Explanation) -> bool;

/// What comes out of a message on its way is looked at in portions of about this size.
const PORTION_BYTES: usize = 1 << 20;
/// Longest text of a record that is repeated in an explanation, in bytes.
const MAX_QUOTED_BYTES: usize = 120;

/// Explains a message and each of its records in their order. What came of them is counted in
/// `out` as by [`process`](super::process).
pub fn message(
    input: &Input<'_>,
    settings: &Settings,
    workspace: &mut Workspace,
    out: &mut Emitted,
    show: Show<'_>,
) {
    let mut rejects = rejects(input, settings, workspace, out);
    if let Some((None, reject)) = rejects.first() {
        show(&rejected_message(input, reject));
        return;
    }
    // Those of records that were refused late come after those that could not be read.
    rejects.sort_by_key(|(index, _)| *index);
    workspace.reset();
    let Workspace { arena, tables, .. } = workspace;
    let Ok((envelope, metadata)) = open(input, settings, arena) else {
        return;
    };
    let records = readable(&envelope, settings, arena);
    let facts = enrich::message(&records, &settings.enrich, tables, arena);
    if !show(&whole_message(input, &envelope, &metadata, settings)) {
        return;
    }
    let mut rejects = rejects.iter().peekable();
    let mut places = (0..).zip(&records).peekable();
    for (index, raw) in (0..).zip(envelope.records) {
        let place = places.next_if(|(_, record)| record.index == index);
        let reject = rejects.next_if(|(of, _)| *of == Some(index));
        let explanation = match (reject, place) {
            (Some((_, reject)), _) => rejected_record(index, raw, reject),
            (None, Some((at, record))) => {
                let Some(facts_of) = facts.get(at as usize) else {
                    continue;
                };
                let found = evidence::of(at, &records, &facts, &settings.enrich, tables);
                let Some(evidence) = found else { continue };
                explained(&Explained {
                    record,
                    facts: facts_of,
                    evidence: &evidence,
                    records: &records,
                    settings,
                })
            }
            (None, None) => continue,
        };
        if !show(&explanation) {
            return;
        }
    }
}

/// Sends the message its whole way and keeps what was rejected, and of which record.
fn rejects(
    input: &Input<'_>,
    settings: &Settings,
    workspace: &mut Workspace,
    out: &mut Emitted,
) -> Vec<(Option<u32>, Reject)> {
    let mut rejects = Vec::new();
    let mut keep = |emitted: &Emitted| {
        let of_portion = emitted
            .dead_letters()
            .map(|letter| (letter.record.map(|it| it.index), letter.reject.clone()));
        rejects.extend(of_portion);
        true
    };
    process_in_portions(input, settings, workspace, out, PORTION_BYTES, &mut keep);
    keep(out);
    rejects
}

fn readable<'a>(envelope: &Envelope<'a>, settings: &Settings, arena: &'a Bump) -> Vec<Record<'a>> {
    let rows = (0..).zip(envelope.records);
    rows.filter_map(|(index, raw)| read(index, raw, envelope, settings, arena).ok())
        .collect()
}

/// All that the explanation of a record is made of.
struct Explained<'e, 'a> {
    record: &'e Record<'a>,
    facts: &'e Facts<'a>,
    evidence: &'e Evidence,
    /// The records that could be read; rows of the evidence are places in it.
    records: &'e [Record<'a>],
    settings: &'e Settings,
}

impl<'a> Explained<'_, 'a> {
    fn is_on(&self, enrichment: Enrichment) -> bool {
        self.settings.enrich.enabled.has(enrichment)
    }

    /// The record at a place of the evidence.
    fn at(&self, place: u32) -> Option<&Record<'a>> {
        self.records.get(place as usize)
    }

    /// "record 2", "records 2 and 5", "records 1, 2, 3 and others": where rows stand in the
    /// message.
    fn rows(&self, rows: &evidence::Rows) -> String {
        let indices = rows.first.iter().filter_map(|place| self.at(*place));
        let indices: Vec<_> = indices.map(|record| record.index.to_string()).collect();
        match (&indices[..], rows.more) {
            ([only], false) => format!("record {only}"),
            ([before @ .., last], false) => format!("records {} and {last}", before.join(", ")),
            (several, _) => format!("records {} and others", several.join(", ")),
        }
    }
}

fn explained(of: &Explained<'_, '_>) -> Explanation {
    let record = of.record;
    let mut answers = vec![("kind", kind(record, of.facts.kind))];
    who::push(of, &mut answers);
    ends::push(of, &mut answers);
    owner::push(of, &mut answers);
    if let Some(text) = state(record) {
        answers.push(("state", text));
    }
    answers.extend(record.warnings.iter().map(warning));
    for enrichment in of.facts.failure.iter() {
        let text = format!("{}: it could not be told, and is absent", enrichment.name());
        answers.push(("failed", text));
    }
    Explanation {
        record: Some(record.index),
        rejected: false,
        title: title(record, of.facts),
        answers,
    }
}

/// "record 3: connection tcp 10.0.0.5:445 ◀ 8.8.8.8:50000 ESTABLISHED"; the arrow points to the
/// end that was called.
fn title(record: &Record<'_>, facts: &Facts<'_>) -> String {
    use enrich::direction::Initiator;
    let mut title = format!("record {}: {}", record.index, facts.kind.name());
    if let Some(protocol) = record.protocols.first() {
        let transport = record
            .transport
            .map_or(*protocol, |transport| transport.name);
        title.push(' ');
        title.push_str(&quoted(transport));
    }
    title.push(' ');
    title.push_str(&ends::text(&record.local));
    if let Some(remote) = &record.remote {
        title.push_str(match facts.direction.map(|direction| direction.initiator) {
            Some(Initiator::Local) => " ──▶ ",
            Some(Initiator::Remote) => " ◀── ",
            Some(Initiator::Unknown) | None => " ─── ",
        });
        title.push_str(&ends::text(remote));
    }
    if let Some(state) = record.state {
        title.push(' ');
        title.push_str(state.name());
    }
    title
}

fn kind(record: &Record<'_>, kind: Kind) -> String {
    let why = match kind {
        Kind::Listener if record.state == Some(State::Listen) => "its state is LISTEN",
        Kind::Listener => "a datagram or raw socket without a remote end",
        Kind::Connection => "it has a remote end",
        Kind::Idle => "it has no remote end and does not listen",
    };
    format!("{}: {why}", kind.name())
}

/// How the state was read, where it is not as it was sent.
fn state(record: &Record<'_>) -> Option<String> {
    let sent = record.row.state;
    match record.state {
        Some(state) if state.name() == sent => None,
        Some(state) => Some(format!("{}, sent as \"{}\"", state.name(), quoted(sent))),
        None if sent.is_empty() => None,
        None => Some(format!(
            "none: \"{}\" says that there is none",
            quoted(sent)
        )),
    }
}

fn warning(warning: Warning) -> (&'static str, String) {
    let text = format!("{}: {}", warning.name(), sentence(warning.meaning()));
    ("warning", text)
}

fn whole_message(
    input: &Input<'_>,
    envelope: &Envelope<'_>,
    metadata: &Metadata<'_>,
    settings: &Settings,
) -> Explanation {
    let count = envelope.records.len();
    let mut from = format!("agent {}", quoted(metadata.agent_id));
    if let Some(source) = metadata.source {
        from = format!("{from} on {}", quoted(source));
    }
    let mut answers = vec![
        (
            "from",
            format!("{from}, project {}", quoted(metadata.project)),
        ),
        ("sent", time(metadata.observed_at)),
    ];
    if let Some(expires_at) = metadata.expires_at {
        answers.push(("expires", time(expires_at)));
    }
    answers.extend(metadata.warnings.iter().map(warning));
    let off = Enrichment::ALL
        .iter()
        .filter(|enrichment| !settings.enrich.enabled.has(**enrichment));
    let off: Vec<_> = off.map(|enrichment| enrichment.name()).collect();
    if !off.is_empty() {
        answers.push(("off", format!("{}: not looked for", off.join(", "))));
    }
    let records = if count == 1 { "record" } else { "records" };
    Explanation {
        record: None,
        rejected: false,
        title: format!("{}: {count} {records}", place(input)),
        answers,
    }
}

fn rejected_message(input: &Input<'_>, reject: &Reject) -> Explanation {
    Explanation {
        record: None,
        rejected: true,
        title: format!("{}: rejected, {}", place(input), reject.reason.name()),
        answers: why_rejected(reject),
    }
}

fn rejected_record(index: u32, raw: &[u8], reject: &Reject) -> Explanation {
    let mut answers = why_rejected(reject);
    if let Ok(text) = std::str::from_utf8(raw)
        && reject.field.is_none()
    {
        answers.push(("sent", quoted(text)));
    }
    Explanation {
        record: Some(index),
        rejected: true,
        title: format!("record {index}: rejected, {}", reject.reason.name()),
        answers,
    }
}

fn why_rejected(reject: &Reject) -> Vec<(&'static str, String)> {
    let mut answers = vec![("why", reject.message.clone())];
    if let Some(field) = reject.field {
        answers.push(("field", field.to_owned()));
    }
    let rule = match reject.reason {
        Reason::Rejection(code) => sentence(code.meaning()).to_owned(),
        Reason::Promoted(code) => format!(
            "a warning that validate.reject makes a rejection: {}",
            sentence(code.meaning())
        ),
    };
    answers.push((
        "rule",
        format!("{rule} (stage {})", reject.reason.stage().name()),
    ));
    answers
}

/// Where a message was read: topic, partition and offset.
fn place(input: &Input<'_>) -> String {
    let topic = quoted(input.topic);
    format!("{topic} [{}] at offset {}", input.partition, input.offset)
}

/// Text of the sender, safe to show and not too long.
fn quoted(text: &str) -> String {
    printable(text, MAX_QUOTED_BYTES)
}

/// A sentence to go on after, or into brackets.
fn sentence(text: &str) -> &str {
    text.strip_suffix('.').unwrap_or(text)
}

fn time(time: Time) -> String {
    let mut text = Vec::new();
    push_time(&mut text, time);
    String::from_utf8_lossy(&text).into_owned()
}
