//! What was sent and has not come out yet, and whether what comes out is what must.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::generate::{Expected, ExpectedEvent, MessageOutcome, RecordOutcome};
use crate::proto::v1;

use super::rows;

/// How many differences are told; a broken pipeline would give millions.
const MAX_DIFFERENCES: usize = 3;

/// What must come of a record.
enum Due {
    /// An event; this one, where that is foretold.
    Event(Option<Box<ExpectedEvent>>),
    /// A rejection with this code.
    Reject(String),
}

/// A message of which something is still to come.
struct Open {
    sent: Instant,
    bytes: usize,
    /// By record; the whole message's rejection is the last.
    due: Vec<Option<Due>>,
    left: usize,
}

/// The books of a demo.
#[derive(Default)]
pub(super) struct Ledger {
    open: HashMap<u64, Open>,
    sequences: HashMap<String, u64>,
    /// Messages sent.
    pub(super) messages: u64,
    /// Bytes of their values.
    pub(super) bytes: u64,
    /// Bytes of messages that are still open.
    pub(super) open_bytes: usize,
    /// Records of messages that were not to be rejected as a whole.
    pub(super) records: u64,
    /// Messages to be rejected as a whole.
    pub(super) bad_messages: u64,
    /// Events that came out as they must.
    pub(super) events: u64,
    /// Rejects that came out as they must, by code.
    pub(super) rejects: HashMap<String, u64>,
    /// What came again, as at least once allows.
    pub(super) repeated: u64,
    /// What came out otherwise than it must.
    pub(super) wrong: u64,
    differences: Vec<String>,
    latencies: Vec<Duration>,
}

impl Ledger {
    /// Enters a message that was sent.
    pub(super) fn send(&mut self, expected: &Expected, bytes: usize) {
        let due: Vec<_> = match &expected.outcome {
            MessageOutcome::Reject(code) => vec![Due::Reject(code.clone())],
            MessageOutcome::Records(records) => records
                .iter()
                .map(|record| match record {
                    RecordOutcome::Reject(code) => Due::Reject(code.clone()),
                    RecordOutcome::Event(event) => Due::Event(Some(event.clone())),
                })
                .collect(),
        };
        match expected.outcome {
            MessageOutcome::Reject(_) => self.bad_messages += 1,
            MessageOutcome::Records(_) => self.records += due.len() as u64,
        }
        self.sequences
            .insert(expected.message_id.clone(), expected.sequence);
        self.enter(expected.sequence, due, bytes);
    }

    /// Enters the message of built-in rows.
    pub(super) fn send_rows(&mut self, bytes: usize) {
        let due = rows::ROWS.iter().map(|row| match row.rejected {
            Some(code) => Due::Reject(code.to_owned()),
            None => Due::Event(None),
        });
        let due: Vec<_> = due.collect();
        self.records += due.len() as u64;
        self.sequences.insert("demo".to_owned(), rows::SEQUENCE);
        self.enter(rows::SEQUENCE, due, bytes);
    }

    fn enter(&mut self, sequence: u64, due: Vec<Due>, bytes: usize) {
        self.messages += 1;
        self.bytes += bytes as u64;
        if due.is_empty() {
            return;
        }
        self.open_bytes += bytes;
        let open = Open {
            sent: Instant::now(),
            bytes,
            left: due.len(),
            due: due.into_iter().map(Some).collect(),
        };
        self.open.insert(sequence, open);
    }

    /// Whether everything that was due has come.
    pub(super) fn is_settled(&self) -> bool {
        self.open.is_empty()
    }

    /// How many messages have something still to come.
    pub(super) fn open(&self) -> usize {
        self.open.len()
    }

    /// Takes an event that came out.
    pub(super) fn event(&mut self, event: &v1::Event) {
        let sequence = self.sequences.get(&event.message_id).copied();
        let index = event
            .ingest
            .as_ref()
            .map_or(0, |ingest| ingest.record_index);
        match self.take(sequence, Some(index)) {
            Taken::Due(Due::Event(None)) => self.events += 1,
            Taken::Due(Due::Event(Some(expected))) => {
                let found = ExpectedEvent::from(event);
                if found == *expected {
                    self.events += 1;
                } else {
                    self.differ(|| format!("expected {expected:?}, found {found:?}"));
                }
            }
            Taken::Due(Due::Reject(code)) => {
                self.differ(|| format!("expected the reject {code}, found an event"));
            }
            Taken::Before => self.repeated += 1,
            Taken::Unknown => self.differ(|| "an event of a message that was not sent".to_owned()),
        }
    }

    /// Takes a dead letter that came out: of a record, or of a whole message.
    pub(super) fn reject(&mut self, sequence: Option<u64>, index: Option<u32>, code: &str) {
        match self.take(sequence, index) {
            Taken::Due(Due::Reject(expected)) if expected == code => {
                *self.rejects.entry(expected).or_default() += 1;
            }
            Taken::Due(Due::Reject(expected)) => {
                self.differ(|| format!("expected the reject {expected}, found {code}"));
            }
            Taken::Due(Due::Event(_)) => {
                self.differ(|| format!("expected an event, found the reject {code}"));
            }
            Taken::Before => self.repeated += 1,
            Taken::Unknown => self.differ(|| "a reject of a message that was not sent".to_owned()),
        }
    }

    fn take(&mut self, sequence: Option<u64>, index: Option<u32>) -> Taken {
        let Some(sequence) = sequence else {
            return Taken::Unknown;
        };
        let Some(open) = self.open.get_mut(&sequence) else {
            return Taken::Before;
        };
        let index = index.unwrap_or(0) as usize;
        let Some(place) = open.due.get_mut(index) else {
            return Taken::Unknown;
        };
        let Some(due) = place.take() else {
            return Taken::Before;
        };
        self.latencies.push(open.sent.elapsed());
        open.left -= 1;
        if open.left == 0 {
            self.open_bytes -= open.bytes;
            self.open.remove(&sequence);
        }
        Taken::Due(due)
    }

    fn differ(&mut self, difference: impl FnOnce() -> String) {
        self.wrong += 1;
        if self.differences.len() < MAX_DIFFERENCES {
            self.differences.push(difference());
        }
    }

    /// Rejects of all codes.
    pub(super) fn rejected(&self) -> u64 {
        self.rejects.values().sum()
    }

    /// Whether what went in equals what came out; else what differs, in one line.
    pub(super) fn balance(&self) -> Result<(), String> {
        if let Some(first) = self.differences.first() {
            return Err(format!("{} came out wrong, the first: {first}", self.wrong));
        }
        if !self.is_settled() {
            return Err(format!("of {} messages not all came out", self.open()));
        }
        let (into, out) = (
            self.records + self.bad_messages,
            self.events + self.rejected(),
        );
        if into == out {
            Ok(())
        } else {
            Err(format!("{into} went in and {out} came out"))
        }
    }

    /// The latency that such a share of all stayed within; nothing before anything came.
    pub(super) fn latency(&mut self, share: f64) -> Option<Duration> {
        self.latencies.sort_unstable();
        let last = self.latencies.len().checked_sub(1)?;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let place = (last as f64 * share).round() as usize;
        self.latencies.get(place).copied()
    }
}

/// What the books have for something that came.
enum Taken {
    Due(Due),
    /// It came before.
    Before,
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent() -> Ledger {
        let mut ledger = Ledger::default();
        let event = ExpectedEvent {
            pid: Some(7),
            ..ExpectedEvent::default()
        };
        let records = vec![
            RecordOutcome::Event(Box::new(event)),
            RecordOutcome::Reject("missing_protocol".to_owned()),
        ];
        let expected = Expected {
            sequence: 3,
            key: "a".to_owned(),
            message_id: "m".to_owned(),
            encoding: "json".to_owned(),
            outcome: MessageOutcome::Records(records),
        };
        ledger.send(&expected, 100);
        ledger
    }

    fn event(pid: u32) -> v1::Event {
        v1::Event {
            message_id: "m".to_owned(),
            process: Some(v1::Process {
                pid: Some(pid),
                ..v1::Process::default()
            }),
            ..v1::Event::default()
        }
    }

    #[test]
    fn books_balance_when_everything_came_once() {
        let mut ledger = sent();
        ledger.event(&event(7));
        assert!(ledger.balance().unwrap_err().contains("not all"));
        ledger.reject(Some(3), Some(1), "missing_protocol");
        assert_eq!(ledger.balance(), Ok(()));
        assert_eq!(ledger.open_bytes, 0);
        ledger.event(&event(7));
        assert_eq!((ledger.repeated, ledger.balance()), (1, Ok(())));
    }

    #[test]
    fn another_event_or_code_is_a_difference() {
        let mut other = sent();
        other.event(&event(8));
        assert!(other.balance().unwrap_err().contains("Some(8)"));
        let mut ledger = sent();
        ledger.reject(Some(3), Some(1), "invalid_protocol");
        assert!(ledger.balance().is_err());
        let mut ledger = sent();
        ledger.reject(Some(4), None, "empty_message");
        assert_eq!(ledger.repeated, 1);
    }
}
