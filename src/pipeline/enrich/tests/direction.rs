//! Who called whom: every rule of direction, both families.

use super::super::direction::{Basis, Confidence, Host, Initiator, Perimeter};
use super::super::rows::{connects, listens, tcp, udp};
use super::super::*;
use super::told;

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
