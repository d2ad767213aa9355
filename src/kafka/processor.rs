//! One consumed message through the core.

use rdkafka::Message;
use rdkafka::message::{BorrowedMessage, Headers};

use super::quiet;
use crate::observe::metrics as names;
use crate::pipeline::emit::Emitted;
use crate::pipeline::message::{Header, Input};
use crate::pipeline::settings::Settings;
use crate::pipeline::{self, Workspace};

/// The core with its settings and the memory that it reuses from message to message.
pub(super) struct Processor {
    /// The core's settings; the limits of topics may shrink while a worker runs.
    pub(super) settings: Settings,
    /// What came of the last message.
    pub(super) emitted: Emitted,
    workspace: Workspace,
}

impl Processor {
    /// A processor that has seen nothing.
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings,
            emitted: Emitted::default(),
            workspace: Workspace::default(),
        }
    }

    /// Turns a message into `emitted`.
    pub(super) fn process(&mut self, input: &Input<'_>) {
        pipeline::process(
            input,
            &self.settings,
            &mut self.workspace,
            &mut self.emitted,
        );
    }

    /// How many records of the last message were rejected, and how many it had; a message that
    /// was rejected as a whole counts as one of one.
    pub(super) fn rejected_share(&self) -> (usize, usize) {
        let mut letters = self.emitted.dead_letters();
        let rejected = letters.len();
        match letters.next() {
            None => (0, 1),
            Some(letter) => match letter.record {
                None => (1, 1),
                Some(record) => (rejected, record.count as usize),
            },
        }
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
