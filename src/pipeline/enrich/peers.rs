//! Connections within the host: two rows of a message that mirror each other show both processes.

use bumpalo::Bump;

use super::internal::mapped;
use super::{Facts, Process};
use crate::pipeline::record::{Endpoint, Record};

/// The rows of a message that are within the host; the memory is reused.
#[derive(Debug, Default)]
pub(super) struct Peers {
    rows: Vec<Row>,
}

/// One end of a flow within the host.
#[derive(Clone, Copy, Debug)]
struct Row {
    flow: Flow,
    /// Whether the row's local end is the higher one.
    high: bool,
    /// Where its record stands in the message.
    record: u32,
}

/// A flow, the same from both ends: transport, and the lower and the higher end. The ports come
/// first, since they tell most flows apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Flow {
    ports: [u16; 2],
    transport: u8,
    ips: [u128; 2],
}

impl Peers {
    pub(super) fn clear(&mut self) {
        self.rows.clear();
    }

    /// Notes a row within the host. One without ports has no mirror that could be told.
    pub(super) fn add(&mut self, at: u32, record: &Record<'_>) {
        if let Some((flow, high)) = flow(record) {
            self.rows.push(Row {
                flow,
                high,
                record: at,
            });
        }
    }

    /// The rows that show a record's flow from its other end, by their places in the message;
    /// after the rows have been joined.
    pub(super) fn mirrors(&self, record: &Record<'_>) -> impl Iterator<Item = u32> {
        let wanted = flow(record).map(|(flow, high)| (flow, !high));
        let start = self
            .rows
            .partition_point(|row| Some((row.flow, row.high)) < wanted);
        let rows = self.rows.get(start..).unwrap_or_default();
        rows.iter()
            .take_while(move |row| Some((row.flow, row.high)) == wanted)
            .map(|row| row.record)
    }

    /// Gives each noted row the process at the other end.
    pub(super) fn join<'a>(
        &mut self,
        records: &[Record<'_>],
        facts: &mut [Facts<'a>],
        arena: &'a Bump,
    ) {
        self.rows.sort_unstable_by_key(|row| (row.flow, row.high));
        for flow in self.rows.chunk_by(|a, b| a.flow == b.flow) {
            let (low, high) = flow.split_at(flow.partition_point(|row| !row.high));
            if low.is_empty() || high.is_empty() || !zones_agree(flow, records) {
                continue;
            }
            for (rows, others) in [(low, high), (high, low)] {
                let Some(process) = shared_process(others, facts) else {
                    continue;
                };
                let process = &*arena.alloc(process);
                for row in rows {
                    if let Some(facts) = facts.get_mut(row.record as usize) {
                        facts.peer_process = Some(process);
                    }
                }
            }
        }
    }
}

/// A record's flow, and whether its local end is the higher one. A socket that is connected to
/// itself has no other end.
fn flow(record: &Record<'_>) -> Option<(Flow, bool)> {
    let end = |end: &Endpoint<'_>| Some((mapped(end.ip?), end.port?));
    let transport = record.transport?.number?;
    let (local, remote) = (end(&record.local)?, end(record.remote.as_ref()?)?);
    let high = local > remote;
    let [low_end, high_end] = if high {
        [remote, local]
    } else {
        [local, remote]
    };
    let flow = Flow {
        ports: [low_end.1, high_end.1],
        transport,
        ips: [low_end.0, high_end.0],
    };
    (local != remote).then_some((flow, high))
}

/// The process of rows that show one end of a flow, if they all show the same.
fn shared_process<'a>(rows: &[Row], facts: &[Facts<'a>]) -> Option<Process<'a>> {
    let mut processes = rows
        .iter()
        .filter_map(|row| Some(facts.get(row.record as usize)?.process));
    let first = processes.next()?;
    (!first.is_unknown() && processes.all(|process| process == first)).then_some(first)
}

/// Whether no two rows of a flow name different zones for one of its ends.
fn zones_agree(flow: &[Row], records: &[Record<'_>]) -> bool {
    let mut seen: [Option<&str>; 2] = [None; 2];
    for row in flow {
        let Some(record) = records.get(row.record as usize) else {
            continue;
        };
        let remote = record.remote.as_ref().and_then(|remote| remote.zone);
        let zones = if row.high {
            [remote, record.local.zone]
        } else {
            [record.local.zone, remote]
        };
        for (seen, zone) in seen.iter_mut().zip(zones) {
            if zone.is_some() && seen.is_some() && *seen != zone {
                return false;
            }
            *seen = seen.or(zone);
        }
    }
    true
}
