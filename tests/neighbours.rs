//! What the rows of a message tell about each other, against rules written down plainly: every
//! row is compared with every other, which is slow and easy to check.

mod common;

use common::{formats, input, run, settings};
use netsieve::pipeline::settings::Format;
use netsieve::proto::v1::direction::{Basis, Confidence, Host, Initiator};
use netsieve::proto::v1::{Endpoint, Event, Kind, Process, State};
use netsieve::proto::{server, v1};
use proptest::prelude::*;
use prost::Message;

type Row = server::NetworkConnectionIngestion;

/// Few addresses and ports, so that rows meet.
fn end() -> impl Strategy<Value = String> {
    let ip = prop::sample::select(vec![
        "10.0.0.1",
        "10.0.0.2",
        "127.0.0.1",
        "127.0.0.2",
        "8.8.8.8",
        "[::1]",
        "[2001:db8::1]",
        "[::ffff:10.0.0.1]",
        "[fe80::1%a]",
        "[fe80::1%b]",
        "[fe80::1]",
    ]);
    let port = prop::sample::select(vec![53_u16, 80, 631, 7000, 7001, 33_000, 50_000, 50_001]);
    (ip, port).prop_map(|(ip, port)| format!("{ip}:{port}"))
}

fn bound() -> impl Strategy<Value = String> {
    let wildcard = prop::sample::select(vec!["0.0.0.0", "[::]", "*", "[::%a]", "0.0.0.0%b"]);
    let port = prop::sample::select(vec![53_u16, 80, 631, 7000, 7001, 33_000, 50_000]);
    prop_oneof![
        1 => end(),
        2 => (wildcard, port).prop_map(|(ip, port)| format!("{ip}:{port}")),
    ]
}

fn process() -> impl Strategy<Value = (u32, String)> {
    let name = prop::sample::select(vec!["", "nginx", "/usr/sbin/nginx", "sshd"]);
    (0..4_u32, name.prop_map(str::to_owned))
}

fn row(protocol: &str, local: String, remote: String, state: &str, owner: (u32, String)) -> Row {
    Row {
        local_address: local,
        remote_address: remote,
        protocol: protocol.to_owned(),
        state: state.to_owned(),
        process_id: owner.0,
        process_name: owner.1,
        service: String::new(),
    }
}

fn connection() -> impl Strategy<Value = Row> {
    let state = prop::sample::select(vec![
        "ESTABLISHED",
        "ESTABLISHED",
        "TIME_WAIT",
        "SYN_SENT",
        "SYN_RECV",
        "",
    ]);
    (any::<bool>(), end(), end(), state, process()).prop_map(
        |(tcp, local, remote, state, owner)| {
            let (protocol, state) = if tcp { ("tcp", state) } else { ("udp", "") };
            row(protocol, local, remote, state, owner)
        },
    )
}

fn listener() -> impl Strategy<Value = Row> {
    (any::<bool>(), bound(), process()).prop_map(|(tcp, local, owner)| {
        let (protocol, state) = if tcp { ("tcp", "LISTEN") } else { ("udp", "") };
        row(protocol, local, String::new(), state, owner)
    })
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let connections = prop::collection::vec(connection(), 1..10);
    let listeners = prop::collection::vec(listener(), 0..8);
    // Some connections are mirrored.
    let mirrored = prop::collection::vec(any::<bool>(), 10);
    (connections, listeners, mirrored, process()).prop_map(
        |(connections, listeners, mirrored, owner)| {
            let is_mirrored = connections
                .iter()
                .zip(mirrored)
                .filter(|(_, mirrored)| *mirrored);
            let mirrors: Vec<_> = is_mirrored
                .map(|(row, _)| Row {
                    process_id: owner.0,
                    process_name: owner.1.clone(),
                    ..mirror(row)
                })
                .collect();
            [connections, mirrors, listeners].concat()
        },
    )
}

/// The row as the other end has it.
fn mirror(row: &Row) -> Row {
    let state = match row.state.as_str() {
        "SYN_SENT" => "SYN_RECV",
        "SYN_RECV" => "SYN_SENT",
        other => other,
    };
    Row {
        local_address: row.remote_address.clone(),
        remote_address: row.local_address.clone(),
        state: state.to_owned(),
        ..row.clone()
    }
}

/// The bytes of a message of these rows.
fn message(rows: &[Row]) -> Vec<u8> {
    let message = server::NetworkConnectionIngestionMessage {
        metadata: Some(server::Metadata {
            agent_id: "a".to_owned(),
            project: "p".to_owned(),
            timestamp: Some(prost_types::Timestamp::default()),
            ..server::Metadata::default()
        }),
        data: rows.to_vec(),
    };
    message.encode_to_vec()
}

/// The events of one message, in the order of the rows.
fn events(rows: &[Row]) -> Vec<Event> {
    let value = message(rows);
    let outcome = run(&input(&value, &[]), &settings(Format::Protobuf));
    assert!(outcome.letters.is_empty(), "every row is valid");
    let events = outcome.events.iter().map(|event| Event::decode(&event[..]));
    events.collect::<Result<_, _>>().expect("events are valid")
}

fn local(event: &Event) -> &Endpoint {
    event.local.as_ref().expect("every event has a local end")
}

fn is_datagram(event: &Event) -> bool {
    event.transport == "udp"
}

fn zones_differ(one: &Endpoint, other: &Endpoint) -> bool {
    !one.zone.is_empty() && !other.zone.is_empty() && one.zone != other.zone
}

fn is_wildcard(end: &Endpoint) -> bool {
    end.ip == "0.0.0.0" || end.ip == "::"
}

/// How well a listener fits an end: 3 the address, 2 a wildcard of the family, 1 of both.
fn fit(listener: &Event, transport: &str, end: &Endpoint) -> u8 {
    let at = local(listener);
    let facts = listener.listener.as_ref();
    let serves = facts.is_some_and(|facts| !facts.ephemeral);
    if !serves || listener.transport != transport || at.port != end.port || zones_differ(at, end) {
        return 0;
    }
    let says_both = listener
        .origin
        .as_ref()
        .unwrap()
        .local_address
        .starts_with('*');
    let dual_stack = facts.is_some_and(|facts| facts.dual_stack);
    match (at.ip.contains(':'), end.ip.contains(':')) {
        _ if at.ip == end.ip => 3,
        _ if !is_wildcard(at) => 0,
        (of, wanted) if of == wanted && !says_both => 2,
        _ => u8::from(dual_stack),
    }
}

/// The best listeners for an end, and how well they fit.
fn best<'e>(events: &'e [Event], transport: &str, end: &Endpoint) -> (u8, Vec<&'e Event>) {
    let fits = || {
        events
            .iter()
            .map(|event| (fit(event, transport, end), event))
    };
    let most = fits().map(|(fit, _)| fit).max().unwrap_or(0);
    let equal = fits().filter(|(fit, _)| most > 0 && *fit == most);
    (most, equal.map(|(_, event)| event).collect())
}

fn is_within_host(event: &Event) -> bool {
    let (local, remote) = (local(event), event.remote.as_ref().unwrap());
    let loopback = |end: &Endpoint| end.ip == "::1" || end.ip.starts_with("127.");
    (loopback(local) && loopback(remote)) || (local.ip == remote.ip && !zones_differ(local, remote))
}

fn has_service(event: &Event, end: &Endpoint) -> bool {
    netsieve::pipeline::enrich::service::name(
        u8::try_from(event.iana_number.unwrap()).unwrap(),
        u16::try_from(end.port.unwrap()).unwrap(),
    )
    .is_some()
}

/// Rule 5.
fn by_ports(event: &Event) -> Option<Initiator> {
    let (local, remote) = (local(event), event.remote.as_ref().unwrap());
    let (here, there) = (local.port.unwrap(), remote.port.unwrap());
    let tests = [
        (here < 1024, there < 1024),
        (
            has_service(event, local) && there >= 32_768,
            has_service(event, remote) && here >= 32_768,
        ),
        (here < 32_768, there < 32_768),
    ];
    tests
        .into_iter()
        .find_map(|(local, remote)| match (local, remote) {
            (true, false) => Some(Initiator::Remote),
            (false, true) => Some(Initiator::Local),
            _ => None,
        })
}

/// Rules 1 to 6.
fn answer(event: &Event, events: &[Event]) -> (Initiator, Basis, Confidence) {
    let at_most = if is_datagram(event) {
        Confidence::Medium
    } else {
        Confidence::High
    };
    match event.state() {
        State::SynSent => return (Initiator::Local, Basis::SynSent, Confidence::High),
        State::SynRecv => return (Initiator::Remote, Basis::SynRecv, Confidence::High),
        _ => {}
    }
    let here = match best(events, &event.transport, local(event)).0 {
        3 => Some((Initiator::Remote, Basis::ListenerExact, at_most)),
        2 => Some((Initiator::Remote, Basis::ListenerWildcard, at_most)),
        1 => Some((
            Initiator::Remote,
            Basis::ListenerDualStack,
            Confidence::Medium,
        )),
        _ => None,
    };
    let there = best(events, &event.transport, event.remote.as_ref().unwrap()).0;
    let there = (is_within_host(event) && there > 0).then_some((
        Initiator::Local,
        Basis::PeerListener,
        at_most,
    ));
    match (here, there) {
        (Some(here), Some(there)) => return if there.2 > here.2 { there } else { here },
        (Some(answer), None) | (None, Some(answer)) => return answer,
        (None, None) => {}
    }
    let listens = |other: &Event| {
        let serves = other
            .listener
            .as_ref()
            .is_some_and(|facts| !facts.ephemeral);
        serves && other.transport == event.transport
    };
    let by_ports = by_ports(event);
    if !is_within_host(event) && events.iter().any(listens) && by_ports != Some(Initiator::Remote) {
        return (Initiator::Local, Basis::NoListener, Confidence::Medium);
    }
    match by_ports {
        Some(initiator) => (initiator, Basis::Ports, Confidence::Low),
        None => (Initiator::Unknown, Basis::None, Confidence::Unspecified),
    }
}

fn own_pid(event: &Event) -> Option<u32> {
    let process = event
        .process
        .as_ref()
        .filter(|process| !process.pid_inferred)?;
    process.pid
}

/// The pid of a connection's listeners, where its own is not known.
fn inferred_pid(event: &Event, events: &[Event]) -> Option<u32> {
    let (_, listeners) = best(events, &event.transport, local(event));
    let pid = own_pid(listeners.first()?)?;
    listeners
        .iter()
        .all(|listener| own_pid(listener) == Some(pid))
        .then_some(pid)
}

/// The process of the rows that mirror this one, where they are of one mind.
fn peer_process(event: &Event, events: &[Event]) -> Option<Process> {
    let mirrors = |other: &&Event| {
        let ends = |end: &Endpoint| (end.ip.clone(), end.port);
        other.kind() == Kind::Connection
            && is_within_host(other)
            && other.transport == event.transport
            && ends(local(other)) == ends(event.remote.as_ref().unwrap())
            && ends(other.remote.as_ref().unwrap()) == ends(local(event))
    };
    let mut processes = events
        .iter()
        .filter(mirrors)
        .map(|other| other.process.clone());
    let first = processes.next()?;
    processes.all(|process| process == first).then_some(first)?
}

fn has_zone(event: &Event) -> bool {
    let remote = event
        .remote
        .as_ref()
        .is_some_and(|remote| !remote.zone.is_empty());
    remote || !local(event).zone.is_empty()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn every_answer_is_that_of_the_rules(rows in rows()) {
        let events = events(&rows);
        let judged = formats::judge(&input(&message(&rows), &[]), &settings(Format::Json));
        prop_assert_eq!(judged.len(), events.len());
        for event in events.iter().filter(|event| event.kind() == Kind::Connection) {
            let direction = event.direction.unwrap();
            let told = (direction.initiator(), direction.basis(), direction.confidence());
            prop_assert_eq!(told, answer(event, &events), "{:?}", event.origin);
            let host = match direction.initiator() {
                _ if is_within_host(event) => Host::Local,
                Initiator::Local => Host::Egress,
                Initiator::Remote => Host::Ingress,
                _ => Host::Unknown,
            };
            prop_assert_eq!(direction.host(), host);
            if own_pid(event).is_none() {
                let pid = event.process.as_ref().and_then(|process| process.pid);
                prop_assert_eq!(pid, inferred_pid(event, &events), "{:?}", event.origin);
            }
            let is_own_mirror = local(event).ip == event.remote.as_ref().unwrap().ip
                && local(event).port == event.remote.as_ref().unwrap().port;
            // Flows of several zones are told apart by tables of cases.
            if is_within_host(event) && !is_own_mirror && !has_zone(event) {
                prop_assert_eq!(&event.peer_process, &peer_process(event, &events));
            }
        }
    }

    #[test]
    fn listeners_count_the_peers_they_fit_best(rows in rows()) {
        let events = events(&rows);
        for listener in events.iter().filter(|event| event.kind() == Kind::Listener) {
            let came_by = |event: &&Event| {
                event.kind() == Kind::Connection
                    && (is_datagram(event) || event.state() == State::Established)
                    && best(&events, &event.transport, local(event)).1.contains(&listener)
            };
            let facts = listener.listener.unwrap();
            let peers = u32::try_from(events.iter().filter(came_by).count()).unwrap();
            prop_assert_eq!(facts.established_peers, peers, "{:?}", listener.origin);
            let at = local(listener);
            let v4_beside = |other: &Event| {
                let end = local(other);
                other.kind() == Kind::Listener && other.transport == listener.transport
                    && end.port == at.port && end.ip == "0.0.0.0"
            };
            let says_both = listener.origin.as_ref().unwrap().local_address.starts_with('*');
            let dual_stack = at.ip == "::" && (says_both || !events.iter().any(v4_beside));
            prop_assert_eq!(facts.dual_stack, dual_stack, "{:?}", listener.origin);
        }
    }

    #[test]
    fn the_order_of_rows_changes_nothing(
        (rows, shuffled) in rows().prop_flat_map(|rows| {
            let indices: Vec<_> = (0..rows.len()).collect();
            (Just(rows), Just(indices).prop_shuffle())
        }),
    ) {
        let told = events(&rows);
        let reordered: Vec<_> = shuffled.iter().map(|index| rows[*index].clone()).collect();
        // Equal rows have ordinals, which are in their ids; the rest is the same.
        let plain = |event: &Event| Event {
            event_id: String::new(),
            ingest: None,
            ..event.clone()
        };
        for (event, index) in events(&reordered).iter().zip(&shuffled) {
            prop_assert_eq!(plain(event), plain(&told[*index]));
        }
    }

    #[test]
    fn without_listeners_the_mirror_says_the_mirror(
        rows in prop::collection::vec(connection(), 1..8),
    ) {
        let mirrored: Vec<_> = rows.iter().map(mirror).collect();
        for (event, mirrored) in events(&rows).iter().zip(&events(&mirrored)) {
            let (one, other) = (event.direction.unwrap(), mirrored.direction.unwrap());
            let initiator = match one.initiator() {
                Initiator::Local => Initiator::Remote,
                Initiator::Remote => Initiator::Local,
                same => same,
            };
            let host = match one.host() {
                Host::Egress => Host::Ingress,
                Host::Ingress => Host::Egress,
                same => same,
            };
            let basis = match one.basis() {
                Basis::SynSent => Basis::SynRecv,
                Basis::SynRecv => Basis::SynSent,
                same => same,
            };
            prop_assert_eq!(
                (initiator, host, basis, one.perimeter(), one.confidence()),
                (other.initiator(), other.host(), other.basis(), other.perimeter(), other.confidence())
            );
            prop_assert_eq!(&event.community_id, &mirrored.community_id);
        }
    }

    #[test]
    fn taking_a_listener_away_never_raises_a_confidence(
        rows in rows(),
        away in any::<prop::sample::Index>(),
    ) {
        let listens = |row: &Row| row.remote_address.is_empty();
        let listeners: Vec<_> = (0..rows.len()).filter(|index| listens(&rows[*index])).collect();
        prop_assume!(!listeners.is_empty());
        let away = listeners[away.index(listeners.len())];
        let before = events(&rows);
        let mut fewer = rows.clone();
        fewer.remove(away);
        let confidence = |event: &Event| event.direction.map(|direction| direction.confidence);
        let kept = before.iter().enumerate().filter(|(index, _)| *index != away);
        for ((_, before), after) in kept.zip(&events(&fewer)) {
            prop_assert!(confidence(after) <= confidence(before), "{:?}", before.origin);
        }
    }
}

#[test]
fn a_mapped_address_is_the_one_that_it_maps() {
    let rows = [
        row(
            "tcp,ipv6",
            "[::ffff:10.0.0.1]:443".to_owned(),
            "[::ffff:8.8.8.8]:50000".to_owned(),
            "ESTABLISHED",
            (0, String::new()),
        ),
        row(
            "tcp,ipv4",
            "0.0.0.0:443".to_owned(),
            String::new(),
            "LISTEN",
            (7, "nginx".to_owned()),
        ),
        row(
            "udp,ipv4",
            "0.0.0.0:443".to_owned(),
            String::new(),
            String::new().as_str(),
            (8, "quic".to_owned()),
        ),
    ];
    let events = events(&rows);
    let direction = events[0].direction.unwrap();
    assert_eq!(direction.basis(), Basis::ListenerWildcard);
    assert_eq!(direction.perimeter(), v1::direction::Perimeter::Inbound);
    let process = events[0].process.as_ref().unwrap();
    assert_eq!(
        (
            process.pid,
            process.executable.as_str(),
            process.pid_inferred
        ),
        (Some(7), "nginx", true)
    );
    assert_eq!(events[1].listener.unwrap().established_peers, 1);
    assert_eq!(events[2].listener.unwrap().established_peers, 0);
}
