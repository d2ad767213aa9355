//! `demo --live`: this host's own sockets through the embedded broker, and what comes out as a
//! table.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::reader::CameAsJson;
use super::{Demo, Stop};
use crate::cli::CliError;
use crate::cli::submit::{feed_message, host_name, now_ms};
use crate::cli::table::Table;
use crate::intake::{self, Message, Metadata};
use crate::pipeline::settings::Limits;

/// Largest message: producers take 1 MB unless they are told otherwise, and the embedded broker
/// keeps 5 MiB of a partition.
const MAX_MESSAGE_BYTES: usize = 900_000;
/// How long nothing may come while something is due.
const PATIENCE: Duration = Duration::from_secs(5);

/// This host's sockets as messages; more than one only on hosts with thousands of them.
pub(super) fn messages() -> Result<Vec<Message>, CliError> {
    let reading = intake::live().map_err(CliError::failure)?;
    let metadata = Metadata {
        project: "DEMO".to_owned(),
        agent_id: None,
        agent_type: None,
        source: None,
        timestamp: None,
        expiration: None,
        host: host_name(),
        now: now_ms(),
    };
    let limits = Limits {
        max_message_bytes: MAX_MESSAGE_BYTES,
        ..Limits::default()
    };
    let snapshots = reading.snapshots.iter();
    let messages = snapshots.flat_map(|snapshot| intake::messages(snapshot, &metadata, &limits));
    let messages: Vec<_> = messages.collect();
    if messages.is_empty() {
        let what = "this host has no sockets, --live: leave it out for generated messages";
        return Err(CliError::failure(what));
    }
    Ok(messages)
}

impl Demo {
    /// Sends the messages, shows what becomes of them, and ends the processor.
    pub(super) fn play_live(mut self, messages: Vec<Message>) -> Result<(), CliError> {
        match self.show_live(messages) {
            Ok(()) => {
                self.feed.finish()?;
                self.processor.stop()?;
                Ok(())
            }
            Err(stop) => self.stopped(stop),
        }
    }

    fn show_live(&mut self, messages: Vec<Message>) -> Result<(), Stop> {
        self.join()?;
        let records: usize = messages.iter().map(|message| message.records).sum();
        let parts = messages.len();
        for message in messages {
            self.feed.send(&feed_message(message))?;
        }
        let (mut events, mut rejects) = (BTreeMap::new(), Vec::new());
        let mut last = Instant::now();
        while events.len() + rejects.len() < records {
            self.check_processor()?;
            match self.reader.next_as_json(Duration::from_millis(20))? {
                Some(CameAsJson::Event(event)) => {
                    // In the order of the rows; what comes again is the same.
                    events.insert(place(&event), event);
                }
                Some(CameAsJson::Reject(reject)) => rejects.push(reject),
                None if last.elapsed() > PATIENCE => return Err(missing(records, &events).into()),
                None => continue,
            }
            last = Instant::now();
        }
        let mut table = Table::of(&io::stdout());
        let mut text: String = events.values().map(|event| table.add(event)).collect();
        text.push_str(&table.finish());
        self.screen.say("");
        self.screen.say(text.trim_end());
        for reject in &rejects {
            self.screen.reject(&reject.reason, &reject.sentence);
        }
        self.screen.live_verdict(records, parts, events.len());
        Ok(())
    }
}

/// Where an event's row stood: offset and position in the message.
fn place(event: &[u8]) -> (i64, u64) {
    let event: Value = serde_json::from_slice(event).unwrap_or_default();
    let ingest = &event["ingest"];
    let offset = ingest["offset"].as_i64().unwrap_or_default();
    (offset, ingest["record_index"].as_u64().unwrap_or_default())
}

fn missing(records: usize, events: &BTreeMap<(i64, u64), Vec<u8>>) -> CliError {
    let count = events.len();
    CliError::failure(format!(
        "{count} of {records} sockets came out, the demo: try again"
    ))
}
