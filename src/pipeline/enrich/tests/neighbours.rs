//! What listeners tell of their connections and one another, and mirrored rows of their peers.

use super::super::rows::{connects, listens, owned, tcp, udp};
use super::super::*;
use super::told;

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
