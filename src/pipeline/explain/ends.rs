//! The two ends: how each was read, and what its address and its port are for.

use super::super::encode::push_mac;
use super::super::enrich::{EndFacts, Enrichment};
use super::super::record::{Endpoint, Record, host_and_port};
use super::{Explained, quoted, sentence};

/// Both ends, and why there is no remote one.
pub(super) fn push(of: &Explained<'_, '_>, answers: &mut Vec<(&'static str, String)>) {
    let (record, row) = (of.record, &of.record.row);
    answers.push((
        "local",
        end(of, &record.local, &of.facts.local, row.local_address),
    ));
    let remote = match &record.remote {
        Some(remote) => end(of, remote, &of.facts.remote, row.remote_address),
        None if row.remote_address.trim_ascii().is_empty() => "none was sent".to_owned(),
        None => format!(
            "none: \"{}\" means that there is none",
            quoted(row.remote_address)
        ),
    };
    answers.push(("remote", remote));
}

/// An end in the usual notation, by its address, its name or its MAC address.
pub(super) fn text(end: &Endpoint<'_>) -> String {
    let host = match (end.ip, end.name, end.mac) {
        (Some(ip), _, _) => ip.to_string(),
        (None, Some(name), _) => quoted(name),
        (None, None, Some(mac)) => {
            let mut text = Vec::new();
            push_mac(&mut text, mac);
            String::from_utf8_lossy(&text).into_owned()
        }
        (None, None, None) => "?".to_owned(),
    };
    let zone = end.zone.map(quoted).unwrap_or_default();
    host_and_port(&host, &zone, end.port)
}

fn end(of: &Explained<'_, '_>, end: &Endpoint<'_>, facts: &EndFacts<'_>, sent: &str) -> String {
    let read = text(end);
    let mut parts = vec![if read == sent {
        read
    } else {
        format!("{read}, read from \"{}\"", quoted(sent))
    }];
    if let Some(scope) = facts.scope {
        let global = match scope.global() {
            Some(true) => "globally reachable",
            Some(false) => "not globally reachable",
            None => "global reachability does not apply",
        };
        let (name, meaning) = (scope.name(), sentence(scope.meaning()));
        parts.push(format!("scope {name}: {meaning}, {global}"));
    }
    parts.extend(facts.embedded_ipv4.map(|ip| format!("it carries {ip}")));
    parts.extend(port(of.record, end, facts).filter(|_| of.is_on(Enrichment::Service)));
    push_lookups(facts, &mut parts);
    parts.join("; ")
}

/// "port 445 is microsoft-ds on tcp".
fn port(record: &Record<'_>, end: &Endpoint<'_>, facts: &EndFacts<'_>) -> Option<String> {
    let transport = record
        .transport
        .filter(|transport| transport.has_ports)?
        .name;
    let port = end.port?;
    Some(match facts.service {
        Some(service) => format!("port {port} is {service} on {transport}"),
        None => format!("port {port} has no service on {transport}"),
    })
}

/// What the operator's tables say.
fn push_lookups(facts: &EndFacts<'_>, parts: &mut Vec<String>) {
    let vendor = facts.mac_vendor.map(quoted);
    parts.extend(vendor.map(|vendor| format!("made by {vendor}")));
    if let Some(label) = facts.network {
        let (name, prefix) = (quoted(label.name), label.prefix);
        parts.push(format!("network {name}, by {prefix}"));
    }
    let words = |words: &[Option<String>], between| {
        let words: Vec<_> = words.iter().flatten().cloned().collect();
        words.join(between)
    };
    if let Some(system) = facts.autonomous_system {
        let number = system.number.map(|number| format!("AS{number}"));
        parts.push(words(&[number, system.organization.map(quoted)], " "));
    }
    if let Some(geo) = facts.geo {
        let country = geo.country_name.or(geo.country_iso_code);
        let places = [geo.city_name, geo.region_name, country];
        let places = words(&places.map(|place| place.map(quoted)), ", ");
        parts.push(format!("in {places}"));
    }
}
