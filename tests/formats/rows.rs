//! What becomes of a row in both formats.

use netsieve::pipeline::settings::Format;
use serde_json::{Value, json};

use crate::common::formats::{self, Triple};
use crate::common::{input, settings};
use crate::{changed, connection, event, events, shown};

#[test]
fn an_outbound_connection() {
    insta::assert_snapshot!(shown(&event(&connection())));
}

#[test]
fn an_inbound_connection_and_its_listener() {
    let rows = [
        json!({ "local_address": "*:443", "protocol": "tcp", "state": "LISTEN", "process_id": 9,
            "process_name": "nginx: master process" }),
        json!({ "local_address": "[fe80::1%eth0]:443", "remote_address": "[fe80::2%eth0]:50000",
            "protocol": "tcp", "state": "SYN-RECV" }),
    ];
    let shown: Vec<_> = events(&rows).iter().map(shown).collect();
    insta::assert_snapshot!(shown.join("\n\n"));
}

#[test]
fn ends_by_role() {
    let ends = |triple: &Triple| {
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        let is_known = &triple.ocsf["is_src_dst_assignment_known"];
        format!(
            "{} -> {}, {} {} {} {is_known} {}",
            text(&triple.ecs["source"]["ip"]),
            text(&triple.ecs["destination"]["ip"]),
            text(&triple.ecs["network"]["direction"]),
            text(&triple.ocsf["connection_info"]["direction"]),
            text(&triple.ocsf["connection_info"]["boundary"]),
            text(&triple.ocsf["observation_point"]),
        )
    };
    for (local, remote, state, expected) in [
        (
            "10.0.0.5:1",
            "8.8.8.8:2",
            "SYN_SENT",
            "10.0.0.5 -> 8.8.8.8, egress Outbound External true Source",
        ),
        (
            "10.0.0.5:1",
            "8.8.8.8:2",
            "SYN_RECV",
            "8.8.8.8 -> 10.0.0.5, ingress Inbound External true Destination",
        ),
        (
            "10.0.0.5:1",
            "10.0.0.9:2",
            "SYN_RECV",
            "10.0.0.9 -> 10.0.0.5, ingress Lateral Internal true Destination",
        ),
        (
            "8.8.8.8:1",
            "9.9.9.9:2",
            "SYN_SENT",
            "8.8.8.8 -> 9.9.9.9, egress external External true Source",
        ),
        (
            "10.0.0.5:1",
            "8.8.8.8:2",
            "ESTAB",
            "10.0.0.5 -> 8.8.8.8, unknown Unknown Unknown false Source",
        ),
        (
            "10.0.0.5:1",
            "10.0.0.9:2",
            "ESTAB",
            "10.0.0.5 -> 10.0.0.9, unknown Lateral Internal false Source",
        ),
        (
            "127.0.0.1:1",
            "127.0.0.2:2",
            "SYN_RECV",
            "127.0.0.2 -> 127.0.0.1, internal Local Localhost true Both",
        ),
        (
            "127.0.0.1:1",
            "127.0.0.2:2",
            "ESTAB",
            "127.0.0.1 -> 127.0.0.2, internal Local Localhost false Both",
        ),
        (
            "10.0.0.5:1",
            "8.8.8.8:2",
            "LISTEN",
            "10.0.0.5 -> 8.8.8.8, - Unknown Unknown false Source",
        ),
        (
            "10.0.0.5:1",
            "",
            "CLOSED",
            "10.0.0.5 -> -, - Unknown Unknown false Source",
        ),
    ] {
        let row = json!({ "local_address": local, "remote_address": remote, "state": state,
            "protocol": "tcp" });
        assert_eq!(ends(&event(&row)), expected, "{local} {remote} {state}");
    }
}

#[test]
fn life_of_a_connection() {
    for (state, types, activity) in [
        ("SYN_SENT", json!(["connection", "start"]), "Open"),
        ("SYN_RECV", json!(["connection", "start"]), "Open"),
        ("ESTABLISHED", json!(["connection"]), "Traffic"),
        ("FIN_WAIT1", json!(["connection", "end"]), "Close"),
        ("FIN_WAIT2", json!(["connection", "end"]), "Close"),
        ("TIME_WAIT", json!(["connection", "end"]), "Close"),
        ("CLOSED", json!(["connection", "end"]), "Close"),
        ("CLOSE_WAIT", json!(["connection", "end"]), "Close"),
        ("LAST_ACK", json!(["connection", "end"]), "Close"),
        ("CLOSING", json!(["connection", "end"]), "Close"),
        ("LISTEN", json!(["info"]), "Listen"),
        ("???", json!(["connection"]), "Unknown"),
        ("", json!(["connection"]), "Unknown"),
    ] {
        let triple = event(&changed(connection(), json!({ "state": state })));
        assert_eq!(triple.ecs["event"]["type"], types, "{state}");
        assert_eq!(triple.ocsf["activity_name"], activity, "{state}");
        let name = format!("Network Activity: {activity}");
        assert_eq!(triple.ocsf["type_name"], name.as_str());
    }
    let idle = event(&changed(
        connection(),
        json!({ "remote_address": "", "state": "" }),
    ));
    assert_eq!(idle.ecs["event"]["type"], json!(["info"]));
    assert_eq!(idle.ocsf["activity_id"], 0);
}

#[test]
fn odd_rows_are_valid_too() {
    let unix = event(&json!({ "protocol": "unix", "local_address": "/run/a \"b\".sock" }));
    assert_eq!(
        unix.ecs["source"],
        json!({ "address": "/run/a \"b\".sock" })
    );
    assert_eq!(
        unix.ocsf["src_endpoint"],
        json!({ "name": "/run/a \"b\".sock" })
    );
    assert!(unix.ecs["network"].is_null() && unix.ecs["related"]["ip"].is_null());

    let mac = event(&json!({ "protocol": "ethernet", "local_address": "000d.3a13.e369" }));
    assert_eq!(mac.ecs["source"]["mac"], "00-0D-3A-13-E3-69");
    assert_eq!(mac.ocsf["src_endpoint"]["name"], "000d.3a13.e369");

    let named = event(&changed(
        connection(),
        json!({ "remote_address": "dc01.corp.example:ldap" }),
    ));
    assert_eq!(named.ecs["destination"]["domain"], "dc01.corp.example");
    assert_eq!(named.ocsf["dst_endpoint"]["name"], "dc01.corp.example");

    let stack = json!({ "protocol": "TLS,tcp,ipv4,ethernet",
        "local_address": "x,443,10.0.0.5,00-0D-3A-13-E3-69" });
    let stack = event(&stack);
    assert_eq!(stack.ecs["network"]["protocol"], "tls");
    assert_eq!(stack.ecs["labels"]["protocols"], "TLS,tcp,ipv4,ethernet");
    // `x` is what stands at the layer that is not known, kept in the place of a name.
    assert_eq!(stack.ecs["source"]["domain"], "x");

    let before_1970 = br#"{"metadata":{"agent_id":"a","project":"p",
        "timestamp":"1969-12-31T23:59:58.5Z"},"data":{"local_address":"h:1","protocol":"tcp"}}"#;
    let triples = formats::judge(&input(before_1970, &[]), &settings(Format::Json));
    assert_eq!(triples[0].ocsf["time"], -1_500);
    assert!(triples[0].ecs["host"].is_null());
}

#[test]
fn protocols_have_the_names_that_sensors_give_them() {
    let of = |protocol: &str, local: &str, remote: &str, state: &str| {
        let row = json!({ "protocol": protocol, "local_address": local, "remote_address": remote,
            "state": state });
        let ecs = event(&row).ecs;
        let label = |name: &str| ecs["labels"][name].as_str().unwrap_or("-").to_owned();
        let protocol = ecs["network"]["protocol"].as_str().unwrap_or("-");
        format!(
            "{protocol} {} {} {}",
            label("network_protocol_basis"),
            label("local_service"),
            label("remote_service")
        )
    };
    let here = "10.0.0.5:50000";
    for (protocol, local, remote, state, expected) in [
        ("udp", here, "8.8.8.8:53", "", "dns port - domain"),
        ("tcp", here, "10.0.0.9:445", "", "smb port - microsoft-ds"),
        ("tcp", here, "8.8.8.8:443", "", "tls port - https"),
        ("udp", here, "8.8.8.8:443", "", "quic port - https"),
        ("tcp", "10.0.0.5:22", "", "LISTEN", "ssh port ssh -"),
        (
            "dccp",
            "10.0.0.5:6514",
            "",
            "LISTEN",
            "syslog-tls port syslog-tls -",
        ),
        (
            "tcp",
            "10.0.0.5:3389",
            "8.8.8.8:50000",
            "SYN_RECV",
            "rdp port ms-wbt-server -",
        ),
        (
            "tcp",
            "10.0.0.5:445",
            "8.8.8.8:139",
            "",
            "- - microsoft-ds netbios-ssn",
        ),
        ("tcp", here, "8.8.8.8:50001", "SYN_SENT", "- - - -"),
        (
            "HTTP,tcp,ipv4",
            "x,8443,10.0.0.5",
            "",
            "LISTEN",
            "http stack pcsync-https -",
        ),
    ] {
        assert_eq!(
            of(protocol, local, remote, state),
            expected,
            "{local} {remote}"
        );
    }
}

#[test]
fn hosts_and_addresses_to_search_by() {
    let related = |changes: Value| event(&changed(connection(), changes)).ecs["related"].clone();
    let addresses = json!(["10.0.0.5", "8.8.8.8"]);
    assert_eq!(
        related(json!({})),
        json!({ "ip": addresses, "hosts": ["DC"] })
    );
    let named = json!({ "local_address": "DC:50000", "remote_address": "dc01.corp.example:389" });
    assert_eq!(
        related(named),
        json!({ "hosts": ["DC", "dc01.corp.example"] })
    );
    let listener =
        json!({ "local_address": "0.0.0.0:80", "remote_address": "", "state": "LISTEN" });
    assert_eq!(related(listener), json!({ "hosts": ["DC"] }));
    let translated = json!({ "remote_address": "[64:ff9b::808:808]:443", "protocol": "tcp" });
    assert_eq!(
        related(translated)["ip"],
        json!(["10.0.0.5", "64:ff9b::808:808", "8.8.8.8"])
    );
}

#[test]
fn processes() {
    let of = |name: &str, pid: u32| {
        let row = changed(
            connection(),
            json!({ "process_name": name, "process_id": pid }),
        );
        let triple = event(&row);
        (
            triple.ecs["process"].clone(),
            triple.ecs["labels"]["origin_process_name"].clone(),
            triple.ocsf["actor"].clone(),
        )
    };
    let command = r"C:\Tools\Agent.exe --run";
    let path = r"C:\Tools\Agent.exe";
    assert_eq!(
        of(command, 7),
        (
            json!({ "pid": 7, "name": "agent.exe", "executable": path, "command_line": command }),
            Value::Null,
            json!({ "process": { "pid": 7, "name": "agent.exe", "path": path, "cmd_line": command } }),
        )
    );
    assert_eq!(
        of("Agent.exe", 0),
        (
            json!({ "name": "agent.exe" }),
            "Agent.exe".into(),
            json!({ "app_name": "agent.exe" }),
        )
    );
    let title = "nginx: worker process";
    assert_eq!(
        of(title, 7),
        (
            json!({ "pid": 7, "name": "nginx", "title": title }),
            Value::Null,
            json!({ "process": { "pid": 7, "name": "nginx" } }),
        )
    );
    let thread = "[kworker/0:1]";
    assert_eq!(
        of(thread, 7),
        (
            json!({ "pid": 7 }),
            thread.into(),
            json!({ "process": { "pid": 7, "name": thread } }),
        )
    );
    assert_eq!(of(" ", 0), (Value::Null, " ".into(), Value::Null));
}
