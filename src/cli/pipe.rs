//! `netsieve pipe`: messages from files or standard input, events to standard output, through
//! the same core as the stream and without Kafka.

mod told;

use std::fs::File;
use std::io::{self, BufReader, BufWriter, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::framing::{self, Framing};
use super::table::Table;
use super::terminal::{self, Paint};
use super::{CliError, Global, tables};
use crate::config;
use crate::pipeline::code::Level;
use crate::pipeline::emit::{DeadLetter, Emitted};
use crate::pipeline::enrich::Enrich;
use crate::pipeline::explain::{self, Explanation};
use crate::pipeline::message::Input;
use crate::pipeline::settings::{Format, Key, Output, Settings, SourceFormat};
use crate::pipeline::{self, Workspace};
use told::Look;

/// Turns messages from files or standard input into events, without Kafka.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  netsieve pipe messages.jsonl                     one JSON message a line
  netsieve generate --messages 10 | netsieve pipe  the same from another command
  netsieve submit --live --project try | netsieve pipe --output table
  netsieve pipe --raw value.bin                    a value as Kafka has it
  netsieve pipe --input protobuf --output protobuf <in.bin >out.bin
  netsieve pipe --output ecs messages.jsonl        Elastic Common Schema
  netsieve pipe --dead-letters rejects.jsonl messages.jsonl | jq .local
  netsieve pipe --explain messages.jsonl | less    how each answer was reached")]
pub struct Args {
    /// Files to read in order; `-` or none is standard input
    files: Vec<PathBuf>,
    /// How messages follow one another: JSON one a line, or protobuf each after its length as
    /// a varint
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = InputFormat::Json)]
    input: InputFormat,
    /// Take each whole file as one message, as a Kafka value would be, and detect its format
    #[arg(long, conflicts_with = "input")]
    raw: bool,
    /// Format of events: native JSON, Elastic Common Schema or OCSF one a line, protobuf each
    /// after its length as a varint, or a table for a person
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = OutputFormat::Json)]
    output: OutputFormat,
    /// Write rejects to this file instead of standard error, JSON one a line
    #[arg(long, value_name = "FILE")]
    dead_letters: Option<PathBuf>,
    /// Say in words how each answer was reached, and why a record was rejected, instead of
    /// writing events and rejects
    #[arg(long, conflicts_with_all = ["output", "dead_letters"])]
    explain: bool,
    /// Take this time (RFC 3339) for now; without it, each message's own timestamp is
    #[arg(long, value_name = "TIME", value_parser = super::time, allow_hyphen_values = true)]
    now: Option<jiff::Timestamp>,
}

/// How messages are written.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum InputFormat {
    Json,
    Protobuf,
}

/// How events are written.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum OutputFormat {
    Json,
    Ecs,
    Ocsf,
    Protobuf,
    Table,
}

/// Runs the command.
pub fn run(args: &Args, global: &Global) -> Result<(), CliError> {
    let settings = settings(args, global)?;
    let rejects: Box<dyn Write> = match &args.dead_letters {
        Some(path) => {
            let file = File::create(path).map_err(|error| cannot("write", path, &error))?;
            Box::new(BufWriter::new(file))
        }
        None => Box::new(io::stderr().lock()),
    };
    let mut pipe = Pipe {
        settings,
        now_ms: args.now.map(jiff::Timestamp::as_millisecond),
        workspace: Workspace::default(),
        emitted: Emitted::default(),
        look: None,
        sink: Sink {
            form: match args.output {
                _ if args.explain => Form::Words(Words::of(&io::stdout())),
                OutputFormat::Json | OutputFormat::Ecs | OutputFormat::Ocsf => Form::Lines,
                OutputFormat::Protobuf => Form::Delimited,
                OutputFormat::Table => Form::Table(Box::new(Table::of(&io::stdout()))),
            },
            output: BufWriter::with_capacity(1 << 16, io::stdout().lock()),
            rejects,
        },
    };
    match pipe.read_all(args).and_then(|()| pipe.sink.flush()) {
        Ok(()) => {}
        // Whoever read the output has had enough of it, as `head` does.
        Err(Stop::Closed) => return Ok(()),
        Err(Stop::Failed(error)) => return Err(error),
    }
    let tally = &pipe.emitted.tally;
    let is_seen = io::stderr().is_terminal();
    if is_seen {
        eprintln!("{}", told::summary(tally));
    }
    if may_be_told(args)
        && let Some(remedy) = told::remedy(tally, pipe.look)
    {
        eprintln!("netsieve: {remedy}");
    }
    Ok(())
}

/// Whether standard error may have lines for a person: where rejects go to it, they are alone.
fn may_be_told(args: &Args) -> bool {
    io::stderr().is_terminal() || args.dead_letters.is_some() || args.explain
}

/// The core's settings: those of the configuration, and one output that takes every event.
fn settings(args: &Args, global: &Global) -> Result<Settings, CliError> {
    let config = config::load(&global.sources(None))?.config;
    let format = match (args.raw, args.input) {
        (true, _) => config.source.format,
        (false, InputFormat::Json) => SourceFormat::Json,
        (false, InputFormat::Protobuf) => SourceFormat::Protobuf,
    };
    let output_format = match args.output {
        OutputFormat::Json | OutputFormat::Table => Format::Json,
        OutputFormat::Ecs => Format::Ecs,
        OutputFormat::Ocsf => Format::Ocsf,
        OutputFormat::Protobuf => Format::Protobuf,
    };
    Ok(Settings {
        format,
        reject: config.validate.reject,
        limits: config.validate.limits,
        enrich: Enrich {
            reference: Arc::new(tables::load(&config)?.reference),
            ..config.enrich
        },
        outputs: vec![Output::new(output_format, Key::None)],
        dead_letter_max_bytes: usize::MAX,
    })
}

/// Why the work ends before its end.
enum Stop {
    /// The reader of an output has gone.
    Closed,
    /// Something failed.
    Failed(CliError),
}

impl Stop {
    fn of_write(what: &str, error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::Closed;
        }
        Self::Failed(CliError::failure(format!(
            "cannot write ({error}), {what}: check the space and the rights"
        )))
    }
}

fn cannot(verb: &str, path: &Path, error: &io::Error) -> CliError {
    let path = path.display();
    CliError::failure(format!(
        "cannot {verb} ({error}), {path}: check the path and its rights"
    ))
}

/// A failure to read: of the file, or of what is in it.
fn unread(path: &Path, error: &io::Error) -> CliError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData => {
            let path = path.display();
            CliError::failure(format!(
                "not length-delimited protobuf ({error}), {path}: check --input, and that the file is whole"
            ))
        }
        _ => cannot("read", path, error),
    }
}

/// What comes out of a message is written in portions of about this size.
const PORTION_BYTES: usize = 1 << 20;

/// The core and its two outputs.
struct Pipe<W: Write> {
    settings: Settings,
    now_ms: Option<i64>,
    workspace: Workspace,
    emitted: Emitted,
    /// That of lines.
    look: Option<Look>,
    sink: Sink<W>,
}

/// What is written of what comes out.
enum Form {
    /// Events, one a line.
    Lines,
    /// Events, each after its length.
    Delimited,
    /// A table of each message's events.
    Table(Box<Table>),
    /// How it came about.
    Words(Words),
}

/// How words are laid out.
#[derive(Clone, Copy)]
struct Words {
    paint: Paint,
    /// Columns of the screen, where there is one.
    width: Option<usize>,
}

impl Words {
    fn of(stream: &io::Stdout) -> Self {
        Self {
            paint: Paint::of(stream),
            width: terminal::columns(stream),
        }
    }
}

/// Where events and rejects go.
struct Sink<W: Write> {
    form: Form,
    output: W,
    rejects: Box<dyn Write>,
}

impl<W: Write> Pipe<W> {
    fn read_all(&mut self, args: &Args) -> Result<(), Stop> {
        let framing = match (args.raw, args.input) {
            (true, _) => Framing::Whole,
            (false, InputFormat::Json) => Framing::Lines,
            (false, InputFormat::Protobuf) => Framing::Delimited,
        };
        let stdin = [PathBuf::from("-")];
        let files = if args.files.is_empty() {
            &stdin[..]
        } else {
            &args.files
        };
        let progress = progress(args, files);
        for path in files {
            let failed = |error: &io::Error| Stop::Failed(cannot("read", path, error));
            if path.as_os_str() == "-" {
                if io::stdin().is_terminal() && may_be_told(args) {
                    eprintln!("netsieve: {}", told::invitation(framing));
                }
                self.read(Box::new(io::stdin()), "stdin", framing, path)?;
                continue;
            }
            let file = File::open(path).map_err(|error| failed(&error))?;
            let name = path
                .file_name()
                .unwrap_or(path.as_os_str())
                .to_string_lossy();
            let file: Box<dyn Read> = match &progress {
                Some(bar) => Box::new(bar.wrap_read(file)),
                None => Box::new(file),
            };
            self.read(file, &name, framing, path)?;
        }
        if let Some(bar) = progress {
            bar.finish_and_clear();
        }
        Ok(())
    }

    /// Reads one file to its end; its messages count from 0.
    fn read(
        &mut self,
        input: Box<dyn Read>,
        topic: &str,
        framing: Framing,
        path: &Path,
    ) -> Result<(), Stop> {
        let mut input = BufReader::with_capacity(1 << 16, input);
        let mut message = Vec::new();
        // One byte more than is allowed, for the core to see that it is too much.
        let max_bytes = self.settings.limits.max_message_bytes.saturating_add(1);
        for offset in 0.. {
            if input.buffer().is_empty() {
                // What comes next may be long in coming; nobody shall wait for what is done.
                self.sink.flush()?;
            }
            let size = framing::next(&mut input, framing, max_bytes, &mut message)
                .map_err(|error| Stop::Failed(unread(path, &error)))?;
            let Some(size) = size else { break };
            if framing == Framing::Lines && self.look.is_none() {
                self.look = Look::of(&message);
            }
            self.process(&message, size, topic, offset)?;
            if framing == Framing::Whole {
                break;
            }
        }
        Ok(())
    }

    fn process(&mut self, value: &[u8], size: u64, topic: &str, offset: i64) -> Result<(), Stop> {
        let mut input = Input {
            value,
            key: None,
            headers: &[],
            topic,
            partition: 0,
            offset,
            timestamp_ms: None,
        };
        input.timestamp_ms = match self.now_ms {
            None => pipeline::message_timestamp_ms(&input, &self.settings),
            now => now,
        };
        let cut_from = (size > value.len() as u64).then_some(size);
        let (settings, sink) = (&self.settings, &mut self.sink);
        if let Form::Words(words) = sink.form {
            return sink.explain(
                &input,
                settings,
                &mut self.workspace,
                &mut self.emitted,
                words,
            );
        }
        let mut written = Ok(());
        let mut write = |emitted: &Emitted| {
            written = sink.write(emitted, cut_from);
            written.is_ok()
        };
        let (workspace, emitted) = (&mut self.workspace, &mut self.emitted);
        let goes_on = pipeline::process_in_portions(
            &input,
            settings,
            workspace,
            emitted,
            PORTION_BYTES,
            &mut write,
        );
        if goes_on {
            sink.write(emitted, cut_from)
        } else {
            written
        }
    }
}

impl<W: Write> Sink<W> {
    fn explain(
        &mut self,
        input: &Input<'_>,
        settings: &Settings,
        workspace: &mut Workspace,
        emitted: &mut Emitted,
        words: Words,
    ) -> Result<(), Stop> {
        let mut written = Ok(());
        let mut show = |explanation: &Explanation| {
            let text = terminal::explanation(explanation, words.paint, words.width);
            written = self.output.write_all(text.as_bytes());
            written.is_ok()
        };
        explain::message(input, settings, workspace, emitted, &mut show);
        written.map_err(|error| Stop::of_write("explanations", &error))
    }

    fn write(&mut self, emitted: &Emitted, cut_from: Option<u64>) -> Result<(), Stop> {
        self.write_events(emitted)
            .map_err(|error| Stop::of_write("events", &error))?;
        for letter in emitted.dead_letters() {
            let raw = emitted.dead_letter_value(letter);
            let mut line = reject_line(letter, raw, cut_from);
            line.push('\n');
            self.rejects
                .write_all(line.as_bytes())
                .map_err(|error| Stop::of_write("rejects", &error))?;
        }
        Ok(())
    }

    fn write_events(&mut self, emitted: &Emitted) -> io::Result<()> {
        for event in emitted.events() {
            match &mut self.form {
                Form::Table(table) => self.output.write_all(table.add(event.value).as_bytes())?,
                Form::Delimited => framing::write(&mut self.output, event.value, true)?,
                Form::Lines | Form::Words(_) => {
                    framing::write(&mut self.output, event.value, false)?;
                }
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Stop> {
        let table = match &mut self.form {
            Form::Table(table) => table.finish(),
            _ => String::new(),
        };
        let events = self.output.write_all(table.as_bytes());
        let events = events.and_then(|()| self.output.flush());
        events.map_err(|error| Stop::of_write("events", &error))?;
        let rejects = self.rejects.flush();
        rejects.map_err(|error| Stop::of_write("rejects", &error))
    }
}

/// A reject as `pipe` shows it.
#[derive(Serialize)]
struct RejectLine<'a> {
    level: &'static str,
    reason: &'static str,
    stage: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'static str>,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    record_index: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw_base64: Option<String>,
    /// The size of the message where only the beginning of it is in `raw`.
    #[serde(skip_serializing_if = "Option::is_none")]
    truncated: Option<u64>,
}

fn reject_line(letter: &DeadLetter, raw: &[u8], cut_from: Option<u64>) -> String {
    let level = match letter.record {
        Some(_) => Level::Record,
        None => Level::Message,
    };
    let text = std::str::from_utf8(raw).ok();
    let line = RejectLine {
        level: level.name(),
        reason: letter.reject.reason.name(),
        stage: letter.reject.reason.stage().name(),
        field: letter.reject.field,
        message: &letter.reject.message,
        record_index: letter.record.map(|record| record.index),
        raw: text,
        raw_base64: text.is_none().then(|| BASE64.encode(raw)),
        truncated: cut_from,
    };
    serde_json::to_string(&line).unwrap_or_default()
}

/// A bar over the bytes of all files, where there is somebody to see it and nothing that it
/// would disturb.
fn progress(args: &Args, files: &[PathBuf]) -> Option<ProgressBar> {
    let quiet = io::stderr().is_terminal() && !io::stdout().is_terminal();
    if !quiet || args.dead_letters.is_none() {
        return None;
    }
    let size = |path: &PathBuf| path.metadata().ok().map(|file| file.len());
    let total: u64 = files.iter().map(size).sum::<Option<u64>>()?;
    let style = "{bar:30} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta}";
    let style = ProgressStyle::with_template(style).ok()?;
    Some(ProgressBar::new(total).with_style(style))
}
