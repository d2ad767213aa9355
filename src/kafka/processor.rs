//! One consumed message through the core.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::Message;
use rdkafka::message::{BorrowedMessage, Headers};

use super::quiet;
use crate::observe::metrics as names;
use crate::pipeline::emit::{Emitted, Tally};
use crate::pipeline::message::{Header, Input};
use crate::pipeline::settings::Settings;
use crate::pipeline::{self, Workspace};
use crate::reference::Reader;

/// What comes out of a message is handed on in portions of about this size, so that a message
/// that repeats much does not have to be held whole.
const PORTION_BYTES: usize = 1 << 20;

/// The core with its settings and the memory that it reuses from message to message.
pub(super) struct Processor {
    /// The core's settings; the limits of topics may shrink while a worker runs.
    pub(super) settings: Settings,
    /// The last portion of what came of the last message, and the tally of all.
    pub(super) emitted: Emitted,
    workspace: Workspace,
    tables: Reader,
}

/// What came of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    /// Whether all of it was handed on.
    pub(super) is_whole: bool,
    /// Records in it; a message that was rejected as a whole counts as one.
    pub(super) records: usize,
    /// Dead letters that came of it.
    pub(super) rejected: usize,
    /// Time that the core took.
    pub(super) core: Duration,
}

impl Processor {
    /// A processor that has seen nothing.
    pub(super) fn new(settings: Settings, tables: Reader) -> Self {
        Self {
            settings,
            emitted: Emitted::default(),
            workspace: Workspace::default(),
            tables,
        }
    }

    /// Turns a message into events and dead letters, and gives them to `hand_on`, portion by
    /// portion, until that says false or fails.
    pub(super) fn process<E>(
        &mut self,
        input: &Input<'_>,
        mut hand_on: impl FnMut(&Settings, &Emitted) -> Result<bool, E>,
    ) -> Result<Outcome, E> {
        // Between two messages: none is enriched from two generations of a table.
        let tables = self.tables.current();
        if !Arc::ptr_eq(tables, &self.settings.enrich.reference) {
            self.settings.enrich.reference = Arc::clone(tables);
        }
        let counted = |tally: &Tally| {
            (
                tally.records,
                tally.rejected_messages + tally.rejected_records,
            )
        };
        let before = counted(&self.emitted.tally);
        let since = Instant::now();
        let (settings, mut handing) = (&self.settings, Duration::ZERO);
        let mut last = Ok(true);
        let mut take = |emitted: &Emitted| {
            let since = Instant::now();
            last = hand_on(settings, emitted);
            handing += since.elapsed();
            matches!(last, Ok(true))
        };
        let (workspace, emitted) = (&mut self.workspace, &mut self.emitted);
        let goes_on = pipeline::process_in_portions(
            input,
            settings,
            workspace,
            emitted,
            PORTION_BYTES,
            &mut take,
        );
        let core = since.elapsed().saturating_sub(handing);
        let is_whole = if goes_on {
            hand_on(settings, emitted)?
        } else {
            last?
        };
        let after = counted(&emitted.tally);
        let since_before = |after: u64, before: u64| usize::try_from(after - before).unwrap_or(0);
        Ok(Outcome {
            is_whole,
            records: since_before(after.0, before.0).max(1),
            rejected: since_before(after.1, before.1),
            core,
        })
    }
}

/// The message as the core takes it.
pub(super) fn input<'m>(message: &'m BorrowedMessage<'_>, headers: &'m [Header<'m>]) -> Input<'m> {
    Input {
        key: message.key(),
        value: message.payload().unwrap_or_default(),
        headers,
        topic: message.topic(),
        partition: message.partition(),
        offset: message.offset(),
        timestamp_ms: message.timestamp().to_millis(),
    }
}

/// The message's headers in order. A header whose name is no UTF-8 is left out and counted.
pub(super) fn headers<'m>(message: &'m BorrowedMessage<'_>) -> Vec<Header<'m>> {
    let Some(headers) = message.headers() else {
        return Vec::new();
    };
    let read = |index| {
        // rust-rdkafka panics on a name that is no UTF-8, and anyone may send one.
        let header = quiet::unless_it_panics(|| headers.try_get(index));
        if header.is_none() {
            metrics::counter!(names::HEADERS_LEFT_OUT).increment(1);
        }
        header.flatten()
    };
    (0..headers.count())
        .filter_map(read)
        .map(|header| (header.key, header.value))
        .collect()
}
