//! What an analyst asks of a load first: who calls whom over the border, and what is open.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::cli::terminal::{column, grouped, wrapped};
use crate::pipeline::enrich::direction::{Confidence, Perimeter};
use crate::pipeline::enrich::listener::Exposure;
use crate::proto::v1;

use super::show::{is_open, name};

/// How many open services are named.
const MAX_SERVICES: usize = 6;
/// Columns of the heads of the lines.
const HEAD: usize = 9;

/// Counts over the events.
#[derive(Default)]
pub(super) struct Findings {
    perimeter: BTreeMap<&'static str, u64>,
    confidence: BTreeMap<&'static str, u64>,
    /// Sockets by their connection keys: a listener is in every snapshot of its host.
    listeners: HashSet<String>,
    exposure: BTreeMap<&'static str, u64>,
    /// Hosts by service and program that are open to all.
    open: BTreeMap<(String, String), BTreeSet<String>>,
}

impl Findings {
    /// Takes an event in.
    pub(super) fn add(&mut self, event: &v1::Event) {
        if let Some(direction) = &event.direction {
            let perimeter = name!(Perimeter, direction.perimeter);
            *self.perimeter.entry(perimeter).or_default() += 1;
            let confidence = name!(Confidence, direction.confidence);
            *self.confidence.entry(confidence).or_default() += 1;
        }
        let Some(listener) = event.listener.filter(|listener| !listener.ephemeral) else {
            return;
        };
        // Without a source the same socket has another key.
        if event.source.is_empty() || !self.listeners.insert(event.connection_key.clone()) {
            return;
        }
        let exposure = name!(Exposure, listener.exposure);
        *self.exposure.entry(exposure).or_default() += 1;
        let service = event.local.as_ref().map(|local| local.service.clone());
        if let (true, Some(service)) = (is_open(&listener), service)
            && !service.is_empty()
        {
            let program = event.process.as_ref();
            let program = program.map(|process| process.executable.clone());
            let hosts = self.open.entry((service, program.unwrap_or_default()));
            hosts.or_default().insert(event.source.clone());
        }
    }

    /// The findings in lines of at most that width.
    pub(super) fn lines(&self, width: usize) -> Vec<String> {
        let perimeter = counted(&self.perimeter, Perimeter::ALL.iter().map(|it| it.name()));
        let exposure = counted(
            &self.exposure,
            Exposure::ALL.iter().rev().map(|it| it.name()),
        );
        let mut lines = vec![
            ("perimeter", perimeter),
            ("sure", self.shares()),
            ("listeners", exposure),
        ];
        let mut open: Vec<_> = self.open.iter().collect();
        open.sort_by_key(|(_, hosts)| std::cmp::Reverse(hosts.len()));
        for (place, ((service, program), hosts)) in open.into_iter().take(MAX_SERVICES).enumerate()
        {
            let head = if place == 0 { "open" } else { "" };
            let program = match program.as_str() {
                "" => "a program that is not told",
                program => program,
            };
            let count = match hosts.len() {
                1 => "1 host".to_owned(),
                many => format!("{many} hosts"),
            };
            let names: Vec<_> = hosts.iter().take(3).map(String::as_str).collect();
            let more = if hosts.len() > 3 { ", …" } else { "" };
            let names = names.join(", ");
            lines.push((
                head,
                format!("{service} by {program} on {count}: {names}{more}"),
            ));
        }
        let laid_out = |(head, text): (&str, String)| {
            let heads = std::iter::once(head).chain(std::iter::repeat(""));
            let texts = wrapped(&text, width - HEAD - 2);
            let lines = heads.zip(texts);
            lines
                .map(|(head, text)| format!("{}  {text}", column(head, HEAD)))
                .collect::<Vec<_>>()
        };
        lines.into_iter().flat_map(laid_out).collect()
    }

    /// How sure the directions are, in per cent.
    fn shares(&self) -> String {
        let all: u64 = self.confidence.values().sum();
        let share = |count: u64| (count * 100 + all / 2) / all.max(1);
        let names = Confidence::ALL.iter().rev().map(|it| it.name());
        let names: Vec<_> = names.chain([""]).collect();
        let shares = names.into_iter().map(|name| {
            let count = self.confidence.get(name).copied().unwrap_or_default();
            let name = if name.is_empty() { "not known" } else { name };
            format!("{name} {} %", share(count))
        });
        shares.collect::<Vec<_>>().join(" · ")
    }
}

/// "inbound 120 · outbound 3,400", in that order.
fn counted(
    counts: &BTreeMap<&'static str, u64>,
    order: impl Iterator<Item = &'static str>,
) -> String {
    let there = order.filter_map(|name| Some((name, *counts.get(name)?)));
    let texts = there.map(|(name, count)| format!("{name} {}", grouped(count)));
    texts.collect::<Vec<_>>().join(" · ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listener(key: &str, source: &str, exposure: Exposure) -> v1::Event {
        v1::Event {
            connection_key: key.to_owned(),
            source: source.to_owned(),
            local: Some(v1::Endpoint {
                service: "ssh".to_owned(),
                ..v1::Endpoint::default()
            }),
            listener: Some(v1::Listener {
                exposure: exposure as i32,
                ..v1::Listener::default()
            }),
            ..v1::Event::default()
        }
    }

    fn connection(perimeter: Perimeter, confidence: Option<Confidence>) -> v1::Event {
        v1::Event {
            direction: Some(v1::Direction {
                perimeter: perimeter as i32,
                confidence: confidence.map_or(0, |confidence| confidence as i32),
                ..v1::Direction::default()
            }),
            ..v1::Event::default()
        }
    }

    #[test]
    fn a_socket_counts_once_and_a_connection_each_time() {
        let mut findings = Findings::default();
        for event in [
            listener("1", "web01", Exposure::Any),
            listener("1", "web01", Exposure::Any),
            listener("2", "web02", Exposure::Any),
            listener("3", "web02", Exposure::Loopback),
            connection(Perimeter::Inbound, Some(Confidence::High)),
            connection(Perimeter::Inbound, Some(Confidence::High)),
            connection(Perimeter::Unknown, None),
        ] {
            findings.add(&event);
        }
        let expected = [
            "perimeter  inbound 2 · unknown 1",
            "sure       high 67 % · medium 0 % · low 0 % · not known 33 %",
            "listeners  any 2 · loopback 1",
            "open       ssh by a program that is not told on 2 hosts: web01, web02",
        ];
        assert_eq!(findings.lines(80), expected);
    }
}
