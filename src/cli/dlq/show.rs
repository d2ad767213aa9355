//! `netsieve dlq show`: dead letters whole.

use std::fmt::Write as _;
use std::io;
use std::ops::ControlFlow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bumpalo::Bump;
use serde_json::{Map, Value, json};

use super::progress::Progress;
use super::value::{Raw, printable, shown};
use super::{Which, begin, interrupted};
use crate::cli::number::whole;
use crate::cli::terminal::{Paint, counted};
use crate::cli::{CliError, Global, print};
use crate::dead_letters::Letter;
use crate::dead_letters::filter;
use crate::kafka::letters::{self, Part, Seen};
use crate::pipeline::code::Reason;
use crate::pipeline::decode;
use crate::pipeline::message::{Encoding, Envelope, RawMetadata, RawTime};
use crate::pipeline::record::{ProcessId, Row};
use crate::pipeline::settings::Settings;

/// Records of a message that are shown decoded.
const MOST_RECORDS: usize = 5;

/// What to show.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  netsieve dlq show --bootstrap kafka:9092 --offset 0:17
  netsieve dlq show --reason invalid_timestamp --limit 3 --raw hex
  netsieve dlq show --agent 339429212 --json | jq .message

What is shown may be confidential: it is the message as the agent sent it.")]
pub(super) struct Args {
    #[command(flatten)]
    which: Which,
    /// Most dead letters to show
    #[arg(long, value_name = "NUMBER", default_value_t = 10, value_parser = whole(0..=u64::MAX), allow_negative_numbers = true)]
    limit: u64,
    /// How the bytes are shown
    #[arg(long, value_name = "FORM", value_enum, default_value_t = Raw::Auto)]
    raw: Raw,
    /// Print one JSON object a line
    #[arg(long, conflicts_with = "raw")]
    json: bool,
}

/// Shows those that are meant, partition by partition.
pub(super) fn run(args: &Args, global: &Global) -> Result<(), CliError> {
    let begun = begin(&args.which, global)?;
    let (filter, core) = (args.which.filter(), &begun.core);
    let (mut arena, mut left) = (Bump::new(), args.limit);
    let paint = Paint::of(&io::stdout());
    let progress = Progress::new(true);
    let mut printed = Ok(());
    let part = Part {
        bounds: &|partition| filter.bounds(partition),
        from_group: false,
    };
    let whole = letters::read(&begun.kafka, part, &begun.shutdown, &mut |seen| {
        match seen {
            _ if left == 0 => return ControlFlow::Break(()),
            Seen::Total(total) => progress.total(total),
            Seen::Position(position) => progress.position(position),
            Seen::Letter(letter) if filter.takes(letter, core, &mut arena) => {
                left -= 1;
                let text = if args.json {
                    format!("{}\n", in_json(letter))
                } else {
                    text(letter, core, args.raw, paint)
                };
                printed = print(&text);
                if printed.is_err() {
                    return ControlFlow::Break(());
                }
            }
            Seen::Letter(_) => {}
        }
        ControlFlow::Continue(())
    })?;
    progress.end();
    begun.background.stop();
    printed?;
    if !whole {
        return Err(interrupted("run it again"));
    }
    if left == args.limit && left > 0 {
        let topic = &begun.kafka.dead_letters;
        return Err(CliError::failure(format!(
            "no dead letter fits, topic {topic}: see netsieve dlq ls"
        )));
    }
    Ok(())
}

fn in_json(letter: &Letter<'_>) -> Value {
    let bytes = |bytes: &[u8]| match std::str::from_utf8(bytes) {
        Ok(text) => json!(text),
        Err(_) => json!({ "base64": BASE64.encode(bytes) }),
    };
    let headers = letter.headers.iter();
    let headers = headers.map(|(name, value)| json!([name, value.map(bytes)]));
    let at = letter.timestamp_ms;
    let at = at.and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    let all = json!({
        "partition": letter.partition,
        "offset": letter.offset,
        "timestamp": at.map(|at| at.to_string()),
        "level": letter.level().name(),
        "reason": letter.reason(),
        "field": letter.field(),
        "message": letter.header("__connect.errors.exception.message"),
        "source": {
            "topic": letter.source_topic(),
            "partition": letter.source_place().map(|of| of.0),
            "offset": letter.source_place().map(|of| of.1),
        },
        "record_index": letter.record().map(|of| of.0),
        "record_count": letter.record().map(|of| of.1),
        "attempt": letter.attempt(),
        "truncated": letter.truncated_from(),
        "key": letter.key.map(bytes),
        "headers": headers.collect::<Vec<_>>(),
        "value": letter.value.map(bytes),
    });
    let Value::Object(all) = all else { return all };
    let there = all.into_iter().filter(|(_, value)| !value.is_null());
    Value::Object(there.collect::<Map<_, _>>())
}

fn text(letter: &Letter<'_>, core: &Settings, raw: Raw, paint: Paint) -> String {
    let mut out = String::new();
    let at = letter.timestamp_ms;
    let at = at.and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    let title = format!("dead letter {}:{}", letter.partition, letter.offset);
    let _ = writeln!(out, "{}", paint.bold(&title));
    let mut line = |name: &str, value: String| {
        let _ = writeln!(out, "{name:9} {}", printable(&value));
    };
    let reason = letter.reason().unwrap_or("(none)");
    let meaning = filter::reason(reason).ok().map_or("", meaning);
    let level = letter.level().name();
    line("reason", format!("{reason} ({level}): {meaning}"));
    if let Some(sentence) = letter.header("__connect.errors.exception.message") {
        line("message", sentence.to_owned());
    }
    if let Some(field) = letter.field() {
        line("field", field.to_owned());
    }
    line("from", origin(letter));
    if let Some(at) = at {
        line("time", at.to_string());
    }
    line("attempt", letter.attempt().to_string());
    if let Some(whole) = letter.truncated_from() {
        line("cut", format!("only the first of {whole} bytes are here"));
    }
    if let Some(key) = letter.key {
        line("key", String::from_utf8_lossy(key).into_owned());
    }
    let own = letter
        .headers
        .iter()
        .filter(|(name, _)| is_source_header(name));
    for (name, value) in own {
        let value = value.map_or("(null)".into(), String::from_utf8_lossy);
        line("header", format!("{name}: {value}"));
    }
    out.push_str(&decoded(letter, core, paint));
    match letter.value {
        None => out.push_str("value     (null)\n"),
        Some(value) if raw != Raw::None => {
            let _ = writeln!(out, "value     {}", counted(value.len() as u64, "byte"));
            out.push_str(&shown(value, raw));
        }
        Some(_) => {}
    }
    out.push('\n');
    out
}

fn meaning(reason: Reason) -> &'static str {
    match reason {
        Reason::Rejection(code) => code.meaning(),
        Reason::Promoted(code) => code.meaning(),
    }
}

fn is_source_header(name: &str) -> bool {
    !crate::pipeline::dead_letter::HEADER_NAMES.contains(&name)
}

fn origin(letter: &Letter<'_>) -> String {
    let mut text = letter.source_topic().unwrap_or("(unknown)").to_owned();
    if let Some((partition, offset)) = letter.source_place() {
        let _ = write!(text, " [{partition}] offset {offset}");
    }
    if let Some((index, count)) = letter.record() {
        let _ = write!(text, ", record {index} of {count}");
    }
    text
}

/// The message taken apart, as far as that goes, with the field at fault marked.
fn decoded(letter: &Letter<'_>, core: &Settings, paint: Paint) -> String {
    let arena = Bump::new();
    let Ok(envelope) = decode::envelope(&letter.input(), core, &arena) else {
        return "decoded   (it cannot be read)\n".to_owned();
    };
    let encoding = match envelope.encoding {
        Encoding::Protobuf => "protobuf",
        Encoding::Json => "JSON",
    };
    let framed = if envelope.framing.is_empty() {
        ""
    } else {
        ", framed"
    };
    let mut out = format!("decoded   {encoding}{framed}\n");
    let fault = letter.field().unwrap_or_default();
    let mut mark = |name: &str, value: &str, is_fault: bool| {
        let value = if value.is_empty() { "(absent)" } else { value };
        let line = format!("{name:24} {}", printable(value));
        if is_fault {
            let _ = writeln!(out, "{}", paint.red(&format!("> {line}")));
        } else {
            let _ = writeln!(out, "  {line}");
        }
    };
    match &envelope.metadata {
        None => mark("metadata", "", fault == "metadata"),
        Some(metadata) => {
            for (name, value) in metadata_fields(metadata) {
                let name = format!("metadata.{name}");
                mark(&name, &value, fault == name || fault == "metadata");
            }
        }
    }
    rows(&envelope, letter, &arena, &mut mark);
    out
}

fn rows(
    envelope: &Envelope<'_>,
    letter: &Letter<'_>,
    arena: &Bump,
    mark: &mut dyn FnMut(&str, &str, bool),
) {
    let fault = letter.field().unwrap_or_default();
    for (number, raw) in envelope.records.iter().enumerate().take(MOST_RECORDS) {
        let part = if envelope.records.len() == 1 {
            "data".to_owned()
        } else {
            format!("data[{number}]")
        };
        match decode::row(envelope.encoding, raw, arena) {
            Err(reject) => mark(&part, &format!("({})", reject.message), true),
            Ok(row) => {
                for (name, value) in row_fields(&row) {
                    let is_fault = letter.record().is_some() && fault == name;
                    mark(&format!("{part}.{name}"), &value, is_fault);
                }
            }
        }
    }
    let more = envelope.records.len().saturating_sub(MOST_RECORDS);
    if more > 0 {
        mark(
            "data",
            &counted(more as u64, "more record"),
            fault == "data",
        );
    }
}

fn metadata_fields(of: &RawMetadata<'_>) -> [(&'static str, String); 9] {
    let time = |time: RawTime<'_>| match time {
        RawTime::Absent => String::new(),
        RawTime::Text(text) => text.to_owned(),
        RawTime::Parts { seconds, nanos } => {
            let at = jiff::Timestamp::new(seconds, nanos).ok();
            at.map_or_else(|| format!("{seconds} s {nanos} ns"), |at| at.to_string())
        }
    };
    [
        ("agent_id", of.agent_id.to_owned()),
        ("agent_type", of.agent_type.to_owned()),
        ("automated", of.automated.to_string()),
        ("data_type", of.data_type.to_owned()),
        ("source", of.source.to_owned()),
        ("project", of.project.to_owned()),
        ("timestamp", time(of.timestamp)),
        ("expiration", time(of.expiration)),
        ("message_id", of.message_id.to_owned()),
    ]
}

fn row_fields(of: &Row<'_>) -> [(&'static str, String); 7] {
    let process_id = match of.process_id {
        ProcessId::Absent => String::new(),
        ProcessId::Number(id) => id.to_string(),
        ProcessId::Invalid(text) => text.to_owned(),
    };
    [
        ("local_address", of.local_address.to_owned()),
        ("remote_address", of.remote_address.to_owned()),
        ("protocol", of.protocol.to_owned()),
        ("state", of.state.to_owned()),
        ("process_id", process_id),
        ("process_name", of.process_name.to_owned()),
        ("service", of.service.to_owned()),
    ]
}
