//! Whole messages: every rule of direction, both families, and what listeners and mirrors tell.

use bumpalo::Bump;

use super::direction::{Basis, Confidence, Host, Initiator, Perimeter};
use super::rows::{connects, listens, owned, tcp, udp};
use super::*;

/// The facts of each record, printed short by `show`.
fn told<T>(records: &[Record<'static>], show: impl Fn(&Facts<'_>) -> T) -> Vec<T> {
    let arena = Bump::new();
    let settings = Enrich::default();
    let facts = message(records, &settings, &mut Tables::default(), &arena);
    facts.iter().map(show).collect()
}

/// The direction of the first record, in a message with the others, whatever their order.
fn direction_of(first: Record<'static>, others: &[Record<'static>]) -> Direction {
    let mut records = vec![first];
    records.extend_from_slice(others);
    let directions = told(&records, |facts| facts.direction);
    records.reverse();
    let reversed = told(&records, |facts| facts.direction);
    assert_eq!(
        directions.first(),
        reversed.last(),
        "the order of rows does not count"
    );
    directions[0].expect("a connection has a direction")
}

fn answer_of(
    first: Record<'static>,
    others: &[Record<'static>],
) -> (Initiator, Basis, Option<Confidence>) {
    let direction = direction_of(first, others);
    (direction.initiator, direction.basis, direction.confidence)
}

const LOW: Option<Confidence> = Some(Confidence::Low);
const MEDIUM: Option<Confidence> = Some(Confidence::Medium);
const HIGH: Option<Confidence> = Some(Confidence::High);

#[test]
fn handshakes_tell_before_listeners_and_ports() {
    let syn = |state| tcp("10.0.0.1:443", "10.0.0.2:50000", Some(state));
    let listener = [listens("10.0.0.1:443")];
    let expected = (Initiator::Local, Basis::SynSent, HIGH);
    assert_eq!(answer_of(syn(State::SynSent), &listener), expected);
    let expected = (Initiator::Remote, Basis::SynRecv, HIGH);
    assert_eq!(answer_of(syn(State::SynRecv), &[]), expected);
}

#[test]
fn listeners_on_the_local_end() {
    use Basis::{ListenerDualStack, ListenerExact, ListenerWildcard};
    let v4 = || connects("10.0.0.1:7000", "198.51.100.9:7000");
    let v6 = || connects("[2001:db8::1]:7000", "[2001:db8::2]:7000");
    let zoned = || connects("[fe80::1%eth0]:7000", "[fe80::2%eth0]:7000");
    for (connection, listeners, expected) in [
        (v4(), vec!["10.0.0.1:7000"], Some((ListenerExact, HIGH))),
        (v4(), vec!["0.0.0.0:7000"], Some((ListenerWildcard, HIGH))),
        (v4(), vec!["[::]:7000"], Some((ListenerDualStack, MEDIUM))),
        (v4(), vec!["*:7000"], Some((ListenerDualStack, MEDIUM))),
        (
            v4(),
            vec!["*:7000", "0.0.0.0:7000"],
            Some((ListenerWildcard, HIGH)),
        ),
        (
            v4(),
            vec!["[::]:7000", "0.0.0.0:7000"],
            Some((ListenerWildcard, HIGH)),
        ),
        (
            v4(),
            vec!["[::]:7000", "10.0.0.1:7000"],
            Some((ListenerExact, HIGH)),
        ),
        (v4(), vec!["0.0.0.0:7001"], None),
        (v4(), vec!["10.0.0.2:7000"], None),
        (v4(), vec!["10.0.0.1"], None),
        (
            v6(),
            vec!["[2001:db8::1]:7000"],
            Some((ListenerExact, HIGH)),
        ),
        (v6(), vec!["[::]:7000"], Some((ListenerWildcard, HIGH))),
        (
            v6(),
            vec!["[::]:7000", "0.0.0.0:7000"],
            Some((ListenerWildcard, HIGH)),
        ),
        (v6(), vec!["*:7000"], Some((ListenerDualStack, MEDIUM))),
        (
            v6(),
            vec!["*:7000", "[::]:7000"],
            Some((ListenerWildcard, HIGH)),
        ),
        (v6(), vec!["0.0.0.0:7000"], None),
        (v6(), vec!["[2001:db8::2]:7000"], None),
        (
            zoned(),
            vec!["[fe80::1%eth0]:7000"],
            Some((ListenerExact, HIGH)),
        ),
        (zoned(), vec!["[fe80::1]:7000"], Some((ListenerExact, HIGH))),
        (zoned(), vec!["[fe80::1%eth1]:7000"], None),
        (
            zoned(),
            vec!["[fe80::1%eth1]:7000", "[::]:7000"],
            Some((ListenerWildcard, HIGH)),
        ),
        (
            zoned(),
            vec!["[::%eth0]:7000"],
            Some((ListenerWildcard, HIGH)),
        ),
        (zoned(), vec!["[::%eth1]:7000"], None),
        (
            connects("[fe80::1]:7000", "[fe80::2]:7000"),
            vec!["[fe80::1%eth1]:7000"],
            Some((ListenerExact, HIGH)),
        ),
        (
            v4(),
            vec!["0.0.0.0%eth1:7000"],
            Some((ListenerWildcard, HIGH)),
        ),
        // A name is no address, but the family is known and so are wildcards of it.
        (
            Record {
                network: Some(crate::pipeline::record::Network::Ipv4),
                ..connects("localhost:7000", "10.0.0.1:7000")
            },
            vec!["0.0.0.0:7000"],
            Some((ListenerWildcard, HIGH)),
        ),
    ] {
        let listeners: Vec<_> = listeners.into_iter().map(listens).collect();
        let expected = match expected {
            Some((basis, confidence)) => (Initiator::Remote, basis, confidence),
            None => (Initiator::Local, Basis::NoListener, MEDIUM),
        };
        assert_eq!(answer_of(connection, &listeners), expected, "{listeners:?}");
    }
}

#[test]
fn a_listener_of_another_transport_is_none() {
    let connection = || connects("10.0.0.1:7000", "198.51.100.9:7000");
    let none = (Initiator::Unknown, Basis::None, None);
    assert_eq!(answer_of(connection(), &[udp("0.0.0.0:7000", "")]), none);
    let both = [udp("0.0.0.0:7000", ""), listens("0.0.0.0:7001")];
    assert_eq!(
        answer_of(connection(), &both),
        (Initiator::Local, Basis::NoListener, MEDIUM)
    );
}

#[test]
fn datagram_listeners_prove_less() {
    let peer = || udp("10.0.0.1:5353", "10.0.0.2:5353");
    for (listener, basis) in [
        ("10.0.0.1:5353", Basis::ListenerExact),
        ("0.0.0.0:5353", Basis::ListenerWildcard),
        ("[::]:5353", Basis::ListenerDualStack),
    ] {
        let expected = (Initiator::Remote, basis, MEDIUM);
        assert_eq!(answer_of(peer(), &[udp(listener, "")]), expected);
    }
    // A client's socket serves neither rule 3 nor rule 4.
    let ephemeral = [udp("0.0.0.0:50000", "")];
    let none = (Initiator::Unknown, Basis::None, None);
    assert_eq!(
        answer_of(udp("10.0.0.1:50000", "10.0.0.2:50000"), &ephemeral),
        none
    );
    assert_eq!(
        answer_of(udp("10.0.0.1:50001", "10.0.0.2:50001"), &ephemeral),
        none
    );
    // A low port serves, and so does its absence.
    let expected = (Initiator::Local, Basis::NoListener, MEDIUM);
    assert_eq!(
        answer_of(
            udp("10.0.0.1:50001", "10.0.0.2:50001"),
            &[udp("0.0.0.0:53", "")]
        ),
        expected
    );
}

#[test]
fn without_a_fitting_listener_the_local_end_called_unless_ports_say_otherwise() {
    let elsewhere = [listens("0.0.0.0:22")];
    for (local, remote, expected) in [
        (
            "10.0.0.1:50000",
            "10.0.0.2:443",
            (Initiator::Local, Basis::NoListener, MEDIUM),
        ),
        (
            "10.0.0.1:50000",
            "10.0.0.2:50000",
            (Initiator::Local, Basis::NoListener, MEDIUM),
        ),
        (
            "10.0.0.1:443",
            "10.0.0.2:50000",
            (Initiator::Remote, Basis::Ports, LOW),
        ),
        // Nobody knows whether one listens on a port that is not known.
        (
            "10.0.0.1",
            "10.0.0.2:50000",
            (Initiator::Unknown, Basis::None, None),
        ),
    ] {
        assert_eq!(
            answer_of(connects(local, remote), &elsewhere),
            expected,
            "{local} {remote}"
        );
    }
}

#[test]
fn ports_tell_servers_from_clients_when_they_hold_one_way_round() {
    for (one, other, holds) in [
        // Below 1024, and not.
        (443, 50_000, true),
        (443, 1024, true),
        (443, 22, false),
        // A service, and at or above 32768; 8443 is pcsync-https, 5900 rfb, 7777 cbt.
        (8443, 32_768, true),
        (5900, 60_000, true),
        (5900, 7777, false),
        // Below 32768, and not: 29999 has no service.
        (29_999, 32_768, true),
        (29_999, 29_998, false),
        (50_000, 50_001, false),
        // No port.
        (0, 50_000, false),
    ] {
        for (family_one, family_other) in [("10.0.0.1", "10.0.0.2"), ("[fd00::1]", "[fd00::2]")] {
            let (one, other) = (
                format!("{family_one}:{one}"),
                format!("{family_other}:{other}"),
            );
            let (remote, local) = if holds {
                (
                    (Initiator::Remote, Basis::Ports, LOW),
                    (Initiator::Local, Basis::Ports, LOW),
                )
            } else {
                let none = (Initiator::Unknown, Basis::None, None);
                (none, none)
            };
            assert_eq!(
                answer_of(connects(&one, &other), &[]),
                remote,
                "{one} {other}"
            );
            assert_eq!(
                answer_of(connects(&other, &one), &[]),
                local,
                "{other} {one}"
            );
        }
    }
    // 32768 is filenet-tms: each end has a service and is high enough for the other's.
    let both = connects("10.0.0.1:32768", "10.0.0.2:32769");
    assert_eq!(
        answer_of(both, &[]),
        (Initiator::Unknown, Basis::None, None)
    );
}

#[test]
fn within_the_host_either_end_may_show_its_listener() {
    use Basis::{
        ListenerDualStack, ListenerExact, ListenerWildcard, NoListener, PeerListener, Ports,
    };
    let client = || connects("127.0.0.1:7001", "127.0.0.1:7000");
    for (connection, listeners, expected) in [
        (
            client(),
            vec!["127.0.0.1:7000"],
            (Initiator::Local, PeerListener, HIGH),
        ),
        (
            client(),
            vec!["*:7000"],
            (Initiator::Local, PeerListener, HIGH),
        ),
        (
            client(),
            vec!["127.0.0.1:7001"],
            (Initiator::Remote, ListenerExact, HIGH),
        ),
        (
            client(),
            vec!["0.0.0.0:7001", "0.0.0.0:7000"],
            (Initiator::Remote, ListenerWildcard, HIGH),
        ),
        (
            client(),
            vec!["[::]:7001"],
            (Initiator::Remote, ListenerDualStack, MEDIUM),
        ),
        (
            client(),
            vec!["[::]:7001", "0.0.0.0:7000"],
            (Initiator::Local, PeerListener, HIGH),
        ),
        // Rule 4 never applies.
        (
            client(),
            vec!["0.0.0.0:22"],
            (Initiator::Unknown, Basis::None, None),
        ),
        (
            connects("127.0.0.1:50000", "127.0.0.2:631"),
            vec![],
            (Initiator::Local, Ports, LOW),
        ),
        (
            connects("[::1]:7001", "[::1]:7000"),
            vec!["[::]:7000"],
            (Initiator::Local, PeerListener, HIGH),
        ),
        (
            connects("192.0.2.7:7001", "192.0.2.7:7000"),
            vec!["0.0.0.0:7000"],
            (Initiator::Local, PeerListener, HIGH),
        ),
    ] {
        let listeners: Vec<_> = listeners.into_iter().map(listens).collect();
        assert_ne!(expected.1, NoListener);
        let direction = direction_of(connection, &listeners);
        assert_eq!(
            (direction.initiator, direction.basis, direction.confidence),
            expected,
            "{listeners:?}"
        );
        assert_eq!(direction.host, Host::Local, "{listeners:?}");
    }
    let datagram = direction_of(
        udp("127.0.0.1:50000", "127.0.0.1:53"),
        &[udp("127.0.0.1:53", "")],
    );
    assert_eq!(
        (datagram.basis, datagram.confidence),
        (PeerListener, MEDIUM)
    );
    // One address in two zones is two hosts.
    let apart = direction_of(connects("[fe80::1%a]:7001", "[fe80::1%b]:7000"), &[]);
    assert_eq!(apart.host, Host::Unknown);
    let one = direction_of(connects("[fe80::1%a]:7001", "[fe80::1]:7000"), &[]);
    assert_eq!(one.host, Host::Local);
}

#[test]
fn perimeter_by_the_internal_networks_and_the_initiator() {
    use Perimeter::{External, Inbound, Internal, Outbound, Unknown};
    let (inside, outside) = ("10.0.0.1", "8.8.8.8");
    for (local, remote, state, host, perimeter) in [
        (inside, outside, State::SynSent, Host::Egress, Outbound),
        (inside, outside, State::SynRecv, Host::Ingress, Inbound),
        (outside, inside, State::SynSent, Host::Egress, Inbound),
        (outside, inside, State::SynRecv, Host::Ingress, Outbound),
        (inside, "10.9.9.9", State::SynSent, Host::Egress, Internal),
        (
            inside,
            "10.9.9.9",
            State::Established,
            Host::Unknown,
            Internal,
        ),
        (outside, "9.9.9.9", State::SynRecv, Host::Ingress, External),
        (
            outside,
            "9.9.9.9",
            State::Established,
            Host::Unknown,
            External,
        ),
        (inside, outside, State::Established, Host::Unknown, Unknown),
        ("dc01", inside, State::SynSent, Host::Egress, Unknown),
        (inside, "dc01", State::SynSent, Host::Egress, Unknown),
    ] {
        let record = tcp(
            &format!("{local}:7000"),
            &format!("{remote}:7000"),
            Some(state),
        );
        let direction = direction_of(record, &[]);
        assert_eq!(
            (direction.host, direction.perimeter),
            (host, perimeter),
            "{local} {remote}"
        );
    }
}

#[test]
fn only_connections_have_a_direction() {
    let records = [
        listens("0.0.0.0:80"),
        tcp("10.0.0.1:80", "10.0.0.2:5000", Some(State::Listen)),
        udp("0.0.0.0:53", ""),
        tcp("10.0.0.1:80", "", Some(State::Closed)),
    ];
    assert!(
        told(&records, |facts| facts.direction)
            .iter()
            .all(Option::is_none)
    );
}

#[test]
fn dual_stack_by_what_else_listens() {
    let dual = |listeners: &[&str]| {
        let records: Vec<_> = listeners.iter().map(|listener| listens(listener)).collect();
        told(&records, |facts| facts.listener.unwrap().dual_stack)
    };
    assert_eq!(dual(&["[::]:80"]), [true]);
    assert_eq!(dual(&["[::]:80", "0.0.0.0:80"]), [false, false]);
    assert_eq!(
        dual(&["0.0.0.0:80", "[::]:80", "*:80"]),
        [false, false, true]
    );
    assert_eq!(
        dual(&["[::]:80", "0.0.0.0:81", "127.0.0.1:80"]),
        [true, false, false]
    );
    assert_eq!(dual(&["[::1]:80", "[::]"]), [false, true]);
    let mixed = [
        listens("[::]:53"),
        udp("0.0.0.0:53", ""),
        udp("[::]:50000", ""),
        udp("0.0.0.0:50000", ""),
    ];
    let dual = told(&mixed, |facts| facts.listener.unwrap().dual_stack);
    assert_eq!(dual, [true, false, false, false]);
}

#[test]
fn established_peers_of_the_best_listeners() {
    let peers = |records: &[Record<'static>]| -> Vec<_> {
        let peers = told(records, |facts| {
            facts.listener.map(|listener| listener.established_peers)
        });
        peers.into_iter().flatten().collect()
    };
    let from = |local: &str| connects(local, "198.51.100.9:5000");
    let two = [from("10.0.0.1:80"), from("10.0.0.2:80")];
    let with = |listeners: &[&str]| {
        let mut records: Vec<_> = listeners.iter().map(|listener| listens(listener)).collect();
        records.extend(two.iter().cloned());
        peers(&records)
    };
    assert_eq!(with(&["0.0.0.0:80"]), [2]);
    assert_eq!(with(&["0.0.0.0:80", "10.0.0.1:80"]), [1, 1]);
    assert_eq!(
        with(&["0.0.0.0:80", "0.0.0.0:80"]),
        [2, 2],
        "each of several equal ones"
    );
    assert_eq!(with(&["[::]:80", "*:80", "0.0.0.0:81"]), [2, 2, 0]);
    assert_eq!(with(&["0.0.0.0%a:80", "0.0.0.0:80"]), [2, 2]);
    let zoned = [
        listens("[fe80::1%a]:80"),
        listens("[fe80::1%b]:80"),
        listens("[fe80::1]:80"),
        connects("[fe80::1%a]:80", "[fe80::9%a]:5000"),
        connects("[fe80::1]:80", "[fe80::9]:5001"),
    ];
    assert_eq!(peers(&zoned), [2, 1, 2]);
    let states = [
        listens("0.0.0.0:80"),
        tcp("10.0.0.1:80", "198.51.100.9:1", Some(State::SynRecv)),
        tcp("10.0.0.1:80", "198.51.100.9:2", Some(State::TimeWait)),
        tcp("10.0.0.1:80", "198.51.100.9:3", None),
    ];
    assert_eq!(peers(&states), [0]);
    let datagrams = [
        udp("0.0.0.0:53", ""),
        udp("10.0.0.1:53", "10.0.0.2:5000"),
        udp("0.0.0.0:50000", ""),
        udp("10.0.0.1:50000", "10.0.0.2:53"),
    ];
    assert_eq!(peers(&datagrams), [1, 0], "an ephemeral one serves nobody");
}

/// Pid, name, executable, category and whether the pid is inferred.
type Shown = (
    Option<u32>,
    Option<String>,
    Option<String>,
    Option<Category>,
    bool,
);

fn shown(process: &Process<'_>) -> Shown {
    let owned = |text: Option<&str>| text.map(str::to_owned);
    (
        process.pid,
        owned(process.name),
        owned(process.executable),
        process.category,
        process.pid_inferred,
    )
}

fn inferred(pid: u32, executable: Option<&str>, category: Option<Category>) -> Shown {
    (
        Some(pid),
        None,
        executable.map(str::to_owned),
        category,
        true,
    )
}

#[test]
fn a_row_without_pid_takes_that_of_its_listeners() {
    let nginx = r"C:\nginx\nginx.exe -g x";
    let at = |listener: &str, pid, name| owned(listens(listener), pid, name);
    let web = Some(Category::Infrastructure);
    for (listeners, expected) in [
        (
            vec![at("0.0.0.0:80", 7, nginx)],
            inferred(7, Some("nginx.exe"), None),
        ),
        (
            vec![at("0.0.0.0:80", 7, "nginx"), at("10.0.0.1:80", 8, "sshd")],
            inferred(8, Some("sshd"), Some(Category::RemoteAccess)),
        ),
        (
            vec![at("0.0.0.0:80", 7, "nginx"), at("0.0.0.0:80", 7, "")],
            inferred(7, Some("nginx"), web),
        ),
        (
            vec![
                at("0.0.0.0:80", 7, "nginx"),
                at("0.0.0.0:80", 7, "/usr/sbin/nginx"),
            ],
            inferred(7, Some("nginx"), web),
        ),
        (
            vec![at("0.0.0.0:80", 7, "nginx"), at("0.0.0.0:80", 7, "caddy")],
            inferred(7, None, None),
        ),
        (
            vec![at("*:80", 7, "nginx"), at("[::]:80", 7, "nginx")],
            inferred(7, Some("nginx"), web),
        ),
        (
            vec![at("*:80", 7, "nginx"), at("[::]:80", 8, "nginx")],
            (None, None, None, None, false),
        ),
        (
            vec![at("0.0.0.0:80", 7, "nginx"), at("0.0.0.0:80", 8, "nginx")],
            (None, None, None, None, false),
        ),
        (
            vec![at("0.0.0.0:80", 7, "nginx"), at("0.0.0.0:80", 0, "nginx")],
            (None, None, None, None, false),
        ),
        (
            vec![at("0.0.0.0:80", 0, "nginx")],
            (None, None, None, None, false),
        ),
        (
            vec![at("0.0.0.0:81", 7, "nginx")],
            (None, None, None, None, false),
        ),
        (vec![], (None, None, None, None, false)),
    ] {
        let expected = match expected {
            // The category of nginx.exe is the table's.
            (pid, name, Some(executable), None, true) => {
                let category = process::category(&executable);
                (pid, name, Some(executable), category, true)
            }
            known => known,
        };
        let mut records = vec![tcp(
            "10.0.0.1:80",
            "198.51.100.9:5000",
            Some(State::TimeWait),
        )];
        records.extend(listeners);
        let forward = told(&records, |facts| shown(&facts.process));
        records.reverse();
        let backward = told(&records, |facts| shown(&facts.process));
        assert_eq!(forward.first(), Some(&expected), "{records:?}");
        assert_eq!(backward.last(), Some(&expected), "{records:?}");
    }
    // What the row says itself stays.
    let named = owned(connects("10.0.0.1:80", "198.51.100.9:5000"), 0, "worker");
    let records = [named, at("0.0.0.0:80", 7, "nginx")];
    let processes = told(&records, |facts| shown(&facts.process));
    assert_eq!(
        processes[0],
        (
            Some(7),
            Some("worker".to_owned()),
            Some("worker".to_owned()),
            None,
            true
        )
    );
    let with_pid = owned(connects("10.0.0.1:80", "198.51.100.9:5000"), 9, "");
    let processes = told(&[with_pid, at("0.0.0.0:80", 7, "nginx")], |facts| {
        shown(&facts.process)
    });
    assert_eq!(processes[0], (Some(9), None, None, None, false));
}

#[test]
fn mirrored_rows_show_the_process_at_the_other_end() {
    let peers = |records: &[Record<'static>]| {
        told(records, |facts| {
            facts.peer_process.and_then(|process| process.pid)
        })
    };
    let row = |local: &str, remote: &str, pid| owned(connects(local, remote), pid, "x");
    let (client, server) = ("127.0.0.1:50000", "127.0.0.1:631");
    assert_eq!(
        peers(&[row(client, server, 1), row(server, client, 2)]),
        [Some(2), Some(1)]
    );
    assert_eq!(
        peers(&[row(server, client, 2), row(client, server, 1)]),
        [Some(1), Some(2)]
    );
    let (client6, server6) = ("[fd00::1]:50000", "[fd00::1]:631");
    assert_eq!(
        peers(&[row(client6, server6, 1), row(server6, client6, 2)]),
        [Some(2), Some(1)]
    );
    // The same ports on another loopback address are another flow.
    assert_eq!(
        peers(&[row(client, server, 1), row("127.0.0.2:631", client, 2)]),
        [None, None]
    );
    // Not within the host.
    let (here, there) = ("10.0.0.1:50000", "10.0.0.2:631");
    assert_eq!(
        peers(&[row(here, there, 1), row(there, here, 2)]),
        [None, None]
    );
    // Several rows of an end count when they agree.
    let agreeing = [
        row(client, server, 1),
        row(server, client, 2),
        row(server, client, 2),
    ];
    assert_eq!(peers(&agreeing), [Some(2), Some(1), Some(1)]);
    let disagreeing = [
        row(client, server, 1),
        row(server, client, 2),
        row(server, client, 3),
    ];
    assert_eq!(peers(&disagreeing), [None, Some(1), Some(1)]);
    // A socket that is connected to itself, and transports that differ.
    assert_eq!(
        peers(&[row(client, client, 1), row(client, client, 1)]),
        [None, None]
    );
    assert_eq!(
        peers(&[row(client, server, 1), owned(udp(server, client), 2, "x")]),
        [None, None]
    );
    // Zones: ss names the local end's alone.
    let zoned = [
        row("[fe80::1%a]:50000", "[fe80::1]:631", 1),
        row("[fe80::1%a]:631", "[fe80::1]:50000", 2),
    ];
    assert_eq!(peers(&zoned), [Some(2), Some(1)]);
    let apart = [
        row("[fe80::1%a]:50000", "[fe80::1]:631", 1),
        row("[fe80::1%a]:631", "[fe80::1]:50000", 2),
        row("[fe80::1%b]:631", "[fe80::1]:50000", 3),
    ];
    assert_eq!(peers(&apart), [None, None, None]);
    // The mirror of a row without pid is found by its listener.
    let inferred = [
        row(client, server, 1),
        tcp(server, client, Some(State::TimeWait)),
        owned(listens("127.0.0.1:631"), 2, "cupsd"),
    ];
    let processes = told(&inferred, |facts| facts.peer_process.map(shown));
    assert_eq!(
        processes[0].as_ref().map(|process| process.0),
        Some(Some(2))
    );
    assert!(processes[0].as_ref().is_some_and(|process| process.4));
}

#[test]
fn what_is_switched_off_is_absent_and_the_rest_is_as_before() {
    let records = [
        owned(listens("0.0.0.0:631"), 2, "cupsd"),
        owned(connects("127.0.0.1:50000", "127.0.0.1:631"), 1, "x"),
        owned(connects("127.0.0.1:631", "127.0.0.1:50000"), 0, ""),
        udp("[::]:50000", ""),
        connects("10.0.0.1:50000", "81.2.69.1:443"),
        Record {
            local: Endpoint {
                mac: Some([0x00, 0x0D, 0x3A, 0, 0, 1]),
                ..Endpoint::default()
            },
            ..udp("[::]:50001", "")
        },
    ];
    let arena = Bump::new();
    let mut tables = Tables::default();
    let reference = Arc::new(every_table());
    let mut find = |enabled| {
        let settings = arena.alloc(Enrich {
            enabled,
            reference: Arc::clone(&reference),
            ..Enrich::default()
        });
        message(&records, settings, &mut tables, &arena)
    };
    let all = find(Enrichments::ALL);
    let none = find(Enrichments::NONE);
    for (facts, record) in none.iter().zip(&records) {
        assert!(facts.success.is_empty());
        assert_eq!(
            (facts.local, facts.remote),
            (EndFacts::default(), EndFacts::default())
        );
        assert_eq!(facts.process.executable, None);
        assert_eq!(facts.process.pid, record.process_id());
        assert_eq!(
            (
                facts.direction,
                facts.community_id,
                facts.listener,
                facts.peer_process
            ),
            (None, None, None, None)
        );
    }
    for off in Enrichment::ALL {
        let mut enabled = Enrichments::ALL;
        enabled.remove(*off);
        for (facts, all) in find(enabled).iter().zip(&all) {
            assert!(!facts.success.has(*off));
            let mut rest = all.success;
            rest.remove(*off);
            assert_eq!(facts.success, rest);
            if *off != Enrichment::Direction {
                assert_eq!(facts.direction, all.direction, "{}", off.name());
            }
            if *off != Enrichment::Listener {
                assert_eq!(facts.listener, all.listener, "{}", off.name());
            }
            if *off != Enrichment::Scope {
                assert_eq!(facts.local.scope, all.local.scope);
            }
        }
        assert!(
            all.iter().any(|facts| facts.success.has(*off)),
            "{} ran",
            off.name()
        );
    }
}

#[test]
fn tables_forget_the_message_before() {
    let arena = Bump::new();
    let settings = Enrich::default();
    let mut tables = Tables::default();
    let first = [
        listens("0.0.0.0:7000"),
        listens("10.0.0.1:7001"),
        connects("127.0.0.1:1", "127.0.0.1:2"),
    ];
    message(&first, &settings, &mut tables, &arena);
    let second = [
        connects("10.0.0.1:7000", "10.0.0.2:7000"),
        connects("127.0.0.1:2", "127.0.0.1:1"),
    ];
    let fresh = message(&second, &settings, &mut Tables::default(), &arena);
    let reused = message(&second, &settings, &mut tables, &arena);
    assert_eq!(fresh, reused);
    assert_eq!(
        reused[0].direction.map(|direction| direction.basis),
        Some(Basis::None)
    );
}

/// One of each of the operator's tables; that of places has a damaged record.
fn every_table() -> Reference {
    use maxmind::mmdb::{Value, Writer, asn, city};
    let mut labels = labels::Builder::default();
    let label = labels::Label {
        name: "lan",
        ..labels::Label::default()
    };
    let lan = prefix::Prefix::parse("10.0.0.0/8").unwrap();
    labels.add(lan, label).unwrap();
    let mut vendors = vendors::Builder::default();
    vendors.add(vendors::Block::parse("000D3A").unwrap(), "Maker");
    let mut places = Writer::new("GeoLite2-City");
    let berlin = city(["DE", "Germany"], ["BE", "?"], "Berlin", (52.5, 13.4));
    places.add("81.2.69.0/24", &berlin);
    places.add("81.2.70.0/24", &Value::Map(vec![("city", 5_u32.into())]));
    let mut systems = Writer::new("GeoLite2-ASN");
    systems.add("81.2.0.0/16", &asn(64_496, "Example Networks"));
    let database =
        |writer: &Writer| vec![Arc::new(maxmind::Database::new(writer.finish()).unwrap())];
    Reference {
        labels: Some(Arc::new(labels.finish().unwrap())),
        categories: Some(Arc::new(process::Categories::over_built_in([(
            "x",
            Some(Category::Security),
        )]))),
        geo: database(&places),
        asn: database(&systems),
        vendors: Some(Arc::new(vendors.finish())),
    }
}

#[test]
fn tables_are_asked_for_what_they_know() {
    let arena = Bump::new();
    let settings = Enrich {
        reference: Arc::new(every_table()),
        ..Enrich::default()
    };
    let records = [
        owned(connects("10.0.0.1:50000", "81.2.69.1:443"), 1, "X"),
        connects("10.0.0.1:50000", "81.2.70.1:443"),
        connects("81.2.69.1:50000", "81.2.70.1:443"),
        connects("10.0.0.1:50000", "10.0.0.2:443"),
    ];
    let facts = message(&records, &settings, &mut Tables::default(), &arena);
    let city = |facts: &EndFacts<'_>| facts.geo.and_then(|geo| geo.city_name.map(str::to_owned));
    let number = |facts: &EndFacts<'_>| facts.autonomous_system.and_then(|of| of.number);

    let [found, damaged, half, neither] = &facts[..] else {
        panic!("{facts:?}");
    };
    assert_eq!(found.local.network.unwrap().name, "lan");
    assert_eq!(found.remote.network, None);
    assert_eq!(city(&found.remote).as_deref(), Some("Berlin"));
    assert_eq!(number(&found.remote), Some(64_496));
    assert_eq!(found.process.category, Some(Category::Security));
    assert!(found.failure.is_empty());

    // A damaged row is named, and costs nothing but its own answer.
    assert_eq!(damaged.remote.geo, None);
    assert_eq!(number(&damaged.remote), Some(64_496));
    let failed: Vec<_> = damaged.failure.iter().collect();
    assert_eq!(failed, [Enrichment::Geo]);
    assert!(!damaged.success.has(Enrichment::Geo) && damaged.success.has(Enrichment::As));
    assert!(half.failure.has(Enrichment::Geo) && !half.success.has(Enrichment::Geo));
    assert_eq!(city(&half.local).as_deref(), Some("Berlin"));

    // Only what is globally reachable is somewhere.
    assert!(!neither.success.has(Enrichment::Geo) && !neither.success.has(Enrichment::As));
    assert!(neither.success.has(Enrichment::NetworkLabel));
}

#[test]
fn what_is_kept_is_of_the_generation_that_is_asked() {
    use maxmind::mmdb::{Writer, asn};
    let arena = Bump::new();
    let mut tables = Tables::default();
    let records = [connects("10.0.0.1:50000", "81.2.69.1:443")];
    for number in [1, 2, 3] {
        // Records of different content at the same place of the file.
        let mut systems = Writer::new("GeoLite2-ASN");
        systems.add("81.2.0.0/16", &asn(number, "?"));
        let database = maxmind::Database::new(systems.finish()).unwrap();
        let settings = arena.alloc(Enrich {
            reference: Arc::new(Reference {
                asn: vec![Arc::new(database)],
                ..Reference::default()
            }),
            ..Enrich::default()
        });
        for _ in 0..2 {
            let facts = message(&records, settings, &mut tables, &arena);
            let system = facts[0].remote.autonomous_system.unwrap();
            assert_eq!(system.number, Some(number));
        }
    }
}
