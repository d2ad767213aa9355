//! The process, the flow's id, and what only a listener has.

use super::super::enrich::community_id::NoFlow;
use super::super::enrich::listener::Listener;
use super::super::enrich::{Enrichment, Process};
use super::super::record::{Kind, Network};
use super::{Explained, ends, quoted, sentence};

/// Process, peer, Community ID and the facts of a listener, where the record has them.
pub(super) fn push(of: &Explained<'_, '_>, answers: &mut Vec<(&'static str, String)>) {
    if let Some(text) = process(of) {
        answers.push(("process", text));
    }
    if let Some(text) = peer(of) {
        answers.push(("peer", text));
    }
    if let Some(service) = of.record.service() {
        answers.push(("service", format!("{}, as sent", quoted(service))));
    }
    if let Some(text) = community_id(of) {
        answers.push(("flow", text));
    }
    if let Some(listener) = of.facts.listener {
        push_listener(of, listener, answers);
    }
}

fn process(of: &Explained<'_, '_>) -> Option<String> {
    let process = &of.facts.process;
    let listeners = &of.evidence.listeners;
    let pid = match process.pid {
        Some(pid) if process.pid_inferred => {
            let rows = of.rows(listeners);
            format!("pid {pid}, inferred: the listeners that it came in by have it ({rows})")
        }
        Some(pid) => format!("pid {pid}, as sent"),
        None if of.facts.kind == Kind::Connection && of.is_on(Enrichment::PidInference) => {
            if listeners.first.is_empty() {
                "no pid was sent, and no listener fits to infer one".to_owned()
            } else {
                let rows = of.rows(listeners);
                format!("no pid was sent, and the listeners that fit do not agree on one ({rows})")
            }
        }
        None if process.name.is_none() => return None,
        None => "no pid was sent".to_owned(),
    };
    Some(format!(
        "{pid}{}",
        program(process, of.is_on(Enrichment::Process))
    ))
}

fn program(process: &Process<'_>, is_on: bool) -> String {
    let category = process.category.map_or_else(
        || "in no category".to_owned(),
        |category| format!("category {}", category.name()),
    );
    match (process.name, process.executable) {
        (None, None) => String::new(),
        (None, Some(executable)) => {
            format!("; their program {}, {category}", quoted(executable))
        }
        (Some(name), Some(executable)) if name == executable => {
            format!("; program {}, {category}", quoted(executable))
        }
        (Some(name), Some(executable)) => format!(
            "; program {} of {}, {category}",
            quoted(executable),
            in_quotes(name)
        ),
        (Some(name), None) if is_on => format!("; {} names no program", in_quotes(name)),
        (Some(name), None) => format!("; {}", in_quotes(name)),
    }
}

/// In quotes, where it does not begin with one itself.
fn in_quotes(name: &str) -> String {
    let name = quoted(name);
    if name.starts_with('"') {
        return name;
    }
    format!("\"{name}\"")
}

/// The process at the other end of a connection within the host.
fn peer(of: &Explained<'_, '_>) -> Option<String> {
    if of.evidence.within_host.is_none() || !of.is_on(Enrichment::PeerProcess) {
        return None;
    }
    let mirrors = &of.evidence.mirrors;
    if mirrors.first.is_empty() {
        return Some("not known: no record of the message is the other end's".to_owned());
    }
    let rows = of.rows(mirrors);
    let Some(process) = of.facts.peer_process else {
        return Some(format!(
            "not known: no one process is told by the other end's {rows}"
        ));
    };
    let pid = process.pid.map(|pid| format!("pid {pid}"));
    let parts = [pid, process.executable.or(process.name).map(quoted)];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    Some(format!("{}, by the other end's {rows}", parts.join(" ")))
}

fn community_id(of: &Explained<'_, '_>) -> Option<String> {
    if !of.is_on(Enrichment::CommunityId) || of.facts.kind != Kind::Connection {
        return None;
    }
    let why_not = match of.evidence.no_flow {
        None => return id(of),
        Some(NoFlow::NoPeer) => "there is no other end",
        Some(NoFlow::NoProtocol) => "the protocol has no number",
        Some(NoFlow::Icmp) => "of ICMP the type and code would be needed",
        Some(NoFlow::NoAddress) => "an end has no address of its own",
        Some(NoFlow::NoPort) => "a port is not known",
        Some(NoFlow::Families) => "the ends are of different families",
    };
    Some(format!("no Community ID: {why_not}"))
}

/// The id and what it is made of.
fn id(of: &Explained<'_, '_>) -> Option<String> {
    let id = of.facts.community_id?;
    let id = String::from_utf8_lossy(id.as_bytes());
    let transport = of.record.transport?;
    let (number, name) = (transport.number?, transport.name);
    let ports = if transport.has_ports {
        "both addresses and ports"
    } else {
        "both addresses"
    };
    let seed = of.settings.enrich.community_id_seed;
    Some(format!(
        "{id}, Community ID of {ports}, protocol {number} ({name}) and seed {seed}"
    ))
}

fn push_listener(
    of: &Explained<'_, '_>,
    listener: Listener,
    answers: &mut Vec<(&'static str, String)>,
) {
    let bound = ends::text(&of.record.local);
    answers.push((
        "exposure",
        match listener.exposure {
            Some(exposure) => format!(
                "{}: bound to {bound}, reachable {}",
                exposure.name(),
                lower_first(sentence(exposure.meaning()))
            ),
            None => format!("not known: {bound} has no address"),
        },
    ));
    answers.push(("families", families(of, listener)));
    if listener.ephemeral {
        answers.push((
            "ephemeral",
            "a datagram socket on a port that systems hand out, without a service: most likely \
             a client's, and no listener to the rules"
                .to_owned(),
        ));
    }
    let peers = match listener.established_peers {
        0 => "no connection of the message came in by it".to_owned(),
        1 => "1 established connection of the message came in by it".to_owned(),
        many => format!("{many} established connections of the message came in by it"),
    };
    answers.push(("peers", peers));
}

fn families(of: &Explained<'_, '_>, listener: Listener) -> String {
    let record = of.record;
    if listener.dual_stack {
        let why = if record.both_families {
            "the record says so"
        } else {
            "it is on :: and the message has no listener on 0.0.0.0 of the same port"
        };
        return format!("both: {why}");
    }
    let beside = of.evidence.v4_beside.and_then(|place| of.at(place));
    match (record.network, beside) {
        (_, Some(v4)) => format!(
            "ipv6 alone: a listener on {} is beside it (record {})",
            ends::text(&v4.local),
            v4.index
        ),
        (Some(network), None) => {
            let from = match record.local.ip {
                Some(_) => "that of its address",
                None => "the only one that its protocols name",
            };
            format!("{} alone, {from}", Network::name(network))
        }
        (None, None) => "not known".to_owned(),
    }
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(chars).collect()
}
