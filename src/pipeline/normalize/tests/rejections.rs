//! Rows that are rejected: the order of the faults, the limit of every field, and the sentences.

use proptest::prelude::*;

use super::*;

/// Each fault, in the order in which the codes are listed; a row with all of them from one on
/// is rejected for that one.
#[test]
fn the_first_rejection_decides() {
    let long = "x".repeat(40_000);
    let bad_list = "80,1.2.3.4,x";
    let invalid = ProcessId::Invalid("-5");
    let all = Row {
        state: &long,
        process_id: invalid,
        ..row("", "", "1.2.3.4:x y", "")
    };
    let arena = Bump::new();
    let rows = [
        ("missing_local_address", all),
        (
            "missing_protocol",
            Row {
                local_address: "x y",
                ..all
            },
        ),
        (
            "invalid_protocol",
            Row {
                protocol: "tcp,",
                local_address: "x y",
                ..all
            },
        ),
        (
            "invalid_local_address",
            Row {
                protocol: "tcp,ipv4",
                local_address: "x y",
                ..all
            },
        ),
        (
            "invalid_remote_address",
            Row {
                protocol: "tcp,ipv4",
                local_address: bad_list,
                ..all
            },
        ),
        (
            "address_protocol_mismatch",
            Row {
                protocol: "tcp,ipv4",
                local_address: bad_list,
                remote_address: "",
                ..all
            },
        ),
        (
            "invalid_process_id",
            Row {
                process_id: invalid,
                state: &long,
                ..row("tcp", "1.2.3.4:1", "", "")
            },
        ),
        ("field_too_long", row("tcp", "1.2.3.4:1", "", &long)),
    ];
    let mut order = Vec::new();
    for (code, row) in rows {
        let reject = read(row, &arena).unwrap_err();
        assert_eq!(reject.reason.name(), code);
        order.push(Rejection::from_name(code).unwrap());
    }
    assert!(order.is_sorted());
}

#[test]
fn every_field_has_the_limit() {
    let arena = Bump::new();
    let limits = Limits {
        max_field_bytes: 20,
        ..Limits::default()
    };
    let fits = "x".repeat(20);
    let long = "x".repeat(21);
    let good = row("tcp,ipv4,unknown", "1.2.3.4:80", "5.6.7.8:80", &fits);
    assert!(record(0, good, &limits, &arena).is_ok());
    for (field, row) in [
        (
            "local_address",
            Row {
                local_address: "a.very.long.host.name:80",
                ..good
            },
        ),
        (
            "remote_address",
            Row {
                remote_address: "a.very.long.host.name:80",
                ..good
            },
        ),
        (
            "protocol",
            Row {
                protocol: "tcp,ipv4,and-a-long-one",
                ..good
            },
        ),
        (
            "state",
            Row {
                state: &long,
                ..good
            },
        ),
        (
            "process_name",
            Row {
                process_name: &long,
                ..good
            },
        ),
        (
            "service",
            Row {
                service: &long,
                ..good
            },
        ),
    ] {
        let reject = record(0, row, &limits, &arena).unwrap_err();
        assert_eq!(reject.reason, Rejection::FieldTooLong.into(), "{field}");
        assert_eq!(reject.field, Some(field));
    }
}

#[test]
fn sentences_name_the_field_and_the_value() {
    let arena = Bump::new();
    for (row, sentence) in [
        (
            row("tcp", "1.2.3.4:70000", "", ""),
            "local_address has a port that is no number up to 65535, `*` or service name: \"1.2.3.4:70000\"",
        ),
        (
            row("tcp", "1.2.3.4:1", "fe80::x\0", ""),
            "remote_address is not a valid IPv6 address: \"fe80::x\\u{0}\"",
        ),
        (
            row("tcp,,ipv4", "1.2.3.4:1", "", ""),
            "protocol has an empty element: \"tcp,,ipv4\"",
        ),
    ] {
        assert_eq!(read(row, &arena).unwrap_err().message, sentence);
    }
}

proptest! {
    #[test]
    fn any_row_is_a_record_or_a_rejection(
        protocol in "\\PC*|(tcp|udp|raw|ipv4|ipv6|ethernet|p_raw|x|,){0,6}",
        local in "\\PC*|[0-9a-fA-F:.%*,\\[\\]\\-]{0,40}",
        remote in "\\PC*|[0-9a-fA-F:.%*,\\[\\]\\-]{0,40}",
        state in "\\PC*",
    ) {
        let arena = Bump::new();
        let row = row(&protocol, &local, &remote, &state);
        match read(row, &arena) {
            Ok(record) => prop_assert!(!record.protocols.is_empty()),
            Err(reject) => prop_assert!(reject.field.is_some() && !reject.message.is_empty()),
        }
    }
}
