use super::*;
use crate::pipeline::code::Reason;

fn code(reject: &Reject) -> (&'static str, Option<&'static str>) {
    (reject.reason.name(), reject.field)
}

fn row_of<T>(text: &str, use_row: impl FnOnce(Result<Row<'_>, Reject>) -> T) -> T {
    let arena = Bump::new();
    use_row(row(text.as_bytes(), &arena))
}

/// The one thing that a record holds, or why it is none.
fn rejected(text: &str) -> (Reason, Option<&'static str>) {
    row_of(text, |row| {
        let reject = row.map(|_| ()).unwrap_err();
        assert!(!reject.message.is_empty());
        (reject.reason, reject.field)
    })
}

#[test]
fn a_record_in_either_naming() {
    let expected = Row {
        local_address: "172.16.111.218:52279",
        remote_address: "172.16.111.171:80",
        protocol: "tcp,ipv4",
        state: "ESTABLISHED",
        process_id: ProcessId::Number(1260),
        process_name: "program.exe",
        service: "web",
        unknown_fields: false,
    };
    let snake = r#"{"local_address":"172.16.111.218:52279","remote_address":
        "172.16.111.171:80","protocol":"tcp,ipv4","state":"ESTABLISHED","process_id":1260,
        "process_name":"program.exe","service":"web"}"#;
    let camel = r#" {"localAddress":"172.16.111.218:52279","remoteAddress":
        "172.16.111.171:80","protocol":"tcp,ipv4","state":"ESTABLISHED","processId":"1260",
        "processName":"program\u002eexe","serv\u0069ce":"web"} "#;
    for text in [snake, camel] {
        row_of(text, |row| assert_eq!(row.unwrap(), expected));
    }
}

#[test]
fn null_and_nothing_are_absent() {
    row_of("{}", |row| assert_eq!(row.unwrap(), Row::default()));
    let nulls = r#"{"local_address":null,"remote_address":null,"protocol":null,"state":null,
        "process_id":null,"process_name":null,"service":null}"#;
    row_of(nulls, |row| assert_eq!(row.unwrap(), Row::default()));
}

#[test]
fn unknown_fields_are_told_and_the_last_duplicate_wins() {
    row_of(r#"{"state":"LISTEN","extra":{"deep":[1]}}"#, |row| {
        let row = row.unwrap();
        assert!(row.unknown_fields);
        assert_eq!(row.state, "LISTEN");
    });
    let twice =
        r#"{"state":5,"state":"\ud800","localAddress":"a","local_address":"b","state":"c"}"#;
    row_of(twice, |row| {
        let row = row.unwrap();
        assert_eq!((row.state, row.local_address), ("c", "b"));
        assert!(!row.unknown_fields);
    });
    row_of(r#"{"state":"a","state":null}"#, |row| {
        assert_eq!(row.unwrap().state, "");
    });
}

#[test]
fn a_value_of_the_wrong_type_names_its_field() {
    let code = Reason::Rejection(Rejection::MalformedRecord);
    for field in [
        "local_address",
        "remote_address",
        "protocol",
        "state",
        "process_name",
        "service",
    ] {
        for value in ["1", "true", "[]", "{}", r#""\udfff""#] {
            let text = format!("{{\"{field}\":{value}}}");
            assert_eq!(rejected(&text), (code, Some(field)), "{text}");
        }
    }
    for value in ["true", "[]", "{}"] {
        let text = format!("{{\"process_id\":{value}}}");
        assert_eq!(rejected(&text), (code, Some("process_id")), "{text}");
    }
    for text in [
        "null",
        "1",
        "\"text\"",
        "[]",
        "true",
        "",
        "{",
        "{} {}",
        "{\"\\ud800\":1}",
    ] {
        assert_eq!(rejected(text), (code, None), "{text}");
    }
    let arena = Bump::new();
    assert!(row(b"{\"state\":\"\xFF\"}", &arena).is_err());
}

#[test]
fn a_record_is_nested_to_a_bound() {
    let nested = |depth| format!("{{\"x\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    row_of(&nested(MAX_DEPTH), |row| {
        assert!(row.unwrap().unknown_fields);
    });
    let code = Reason::Rejection(Rejection::MalformedRecord);
    assert_eq!(rejected(&nested(MAX_DEPTH + 1)), (code, None));
    assert_eq!(rejected(&nested(100_000)), (code, None));
}

#[test]
fn process_ids_in_every_spelling() {
    let max = ProcessId::Number(u32::MAX);
    for (value, expected) in [
        ("0", ProcessId::Number(0)),
        ("-0", ProcessId::Number(0)),
        ("1260", ProcessId::Number(1260)),
        ("1260.0", ProcessId::Number(1260)),
        ("1e3", ProcessId::Number(1000)),
        ("4294967295", max),
        (r#""4294967295""#, max),
        (r#""0""#, ProcessId::Number(0)),
        (r#""1260""#, ProcessId::Number(1260)),
        (r#"" 1260 ""#, ProcessId::Number(1260)),
        (r#""\u0031""#, ProcessId::Number(1)),
        ("null", ProcessId::Absent),
        ("-1", ProcessId::Absent),
        ("-1.0", ProcessId::Absent),
        (r#""-1""#, ProcessId::Absent),
        (r#""""#, ProcessId::Absent),
        (r#"" \t""#, ProcessId::Absent),
        ("-2", ProcessId::Invalid("-2")),
        ("4294967296", ProcessId::Invalid("4294967296")),
        ("0.5", ProcessId::Invalid("0.5")),
        ("1e999", ProcessId::Invalid("1e999")),
        (r#""4294967296""#, ProcessId::Invalid("4294967296")),
        (r#""abc""#, ProcessId::Invalid("abc")),
        (r#""0x10""#, ProcessId::Invalid("0x10")),
        (r#""+5""#, ProcessId::Invalid("+5")),
        (r#"" 1.5 ""#, ProcessId::Invalid(" 1.5 ")),
    ] {
        row_of(&format!("{{\"process_id\":{value}}}"), |row| {
            assert_eq!(row.unwrap().process_id, expected, "{value}");
        });
    }
}

fn contents_of<T>(text: &str, judge: impl FnOnce(Result<Contents<'_>, Reject>) -> T) -> T {
    let arena = Bump::new();
    judge(contents(text.as_bytes(), 1000, &arena))
}

#[test]
fn data_in_every_form() {
    for (text, records) in [
        (r"{}", &[][..]),
        (r#"{"data":null}"#, &[]),
        (r#"{"data":[]}"#, &[]),
        (r#"{"data":[ ]}"#, &[]),
        (r#"{"data":{"state":"a"} }"#, &[r#"{"state":"a"}"#]),
        (
            r#"{"data":[ {"a":[1,{}]} ,1, null,"]",[[]] ]}"#,
            &[r#"{"a":[1,{}]}"#, "1", "null", r#""]""#, "[[]]"],
        ),
        (r#"{"data":[1,2],"data":[3]}"#, &["3"]),
        (r#"{"data":[1,2],"data":null}"#, &[]),
        (r#"{"data":5,"data":[3]}"#, &["3"]),
        (r#"{"d\u0061ta":[3]}"#, &["3"]),
        ("\u{FEFF}\n{\"data\":[3]}\n", &["3"]),
    ] {
        contents_of(text, |contents| {
            let contents = contents.unwrap();
            let expected: Vec<_> = records.iter().map(|record| record.as_bytes()).collect();
            assert_eq!(contents.records, expected, "{text}");
            assert_eq!(contents.record_count, records.len(), "{text}");
            assert!(!contents.unknown_fields, "{text}");
        });
    }
}

#[test]
fn records_beyond_the_limit_are_counted_and_not_kept() {
    let arena = Bump::new();
    let contents = contents(br#"{"data":[1,2,3,4,5]}"#, 2, &arena).unwrap();
    assert_eq!((contents.records.len(), contents.record_count), (2, 5));
}

#[test]
fn metadata_in_either_naming() {
    let snake = r#"{"agent_id":"a","agent_type":"t","automated":1,"data_type":"d",
        "source":"s","project":"p","timestamp":"2022","expiration":"2023","message_id":"m"}"#;
    let camel = r#"{"agentId":"a","agentType":"t","automated":"TRUE","dataType":"d",
        "source":"s","project":"\u0070","timestamp":"2022","expiration":"2023",
        "messageId":"m"}"#;
    for raw in [snake, camel] {
        contents_of(&format!("{{\"metadata\":{raw}}}"), |contents| {
            let contents = contents.unwrap();
            let metadata = contents.metadata.unwrap();
            assert_eq!(metadata.raw, [raw.as_bytes()]);
            assert_eq!(metadata.agent_id, "a");
            assert_eq!(metadata.agent_type, "t");
            assert!(metadata.automated);
            assert_eq!(metadata.data_type, "d");
            assert_eq!(metadata.source, "s");
            assert_eq!(metadata.project, "p");
            assert!(matches!(metadata.timestamp, RawTime::Text("2022")));
            assert!(matches!(metadata.expiration, RawTime::Text("2023")));
            assert_eq!(metadata.message_id, "m");
            assert!(!contents.unknown_fields);
        });
    }
}

#[test]
fn metadata_absent_null_and_given_twice() {
    for text in [
        "{}",
        r#"{"metadata":null}"#,
        r#"{"metadata":{},"metadata":null}"#,
    ] {
        contents_of(text, |contents| {
            assert!(contents.unwrap().metadata.is_none(), "{text}");
        });
    }
    let twice = r#"{"metadata":{"project":5,"x":1},"metadata":{"project":"p","project":"q"}}"#;
    contents_of(twice, |contents| {
        let contents = contents.unwrap();
        let metadata = contents.metadata.unwrap();
        assert_eq!(metadata.project, "q");
        assert_eq!(
            metadata.raw,
            [br#"{"project":"p","project":"q"}"#.as_slice()]
        );
        assert!(!contents.unknown_fields, "the first was not the last");
    });
    let null = r#"{"metadata":{"project":null,"timestamp":null,"automated":null}}"#;
    contents_of(null, |contents| {
        let metadata = contents.unwrap().metadata.unwrap();
        assert_eq!((metadata.project, metadata.automated), ("", false));
        assert!(matches!(metadata.timestamp, RawTime::Absent));
    });
}

#[test]
fn unknown_fields_outside_of_records() {
    for (text, unknown_fields) in [
        (r#"{"metadata":{"project":"p"},"data":[{"x":1}]}"#, false),
        (r#"{"metadata":{"project":"p"},"Data":[]}"#, true),
        (r#"{"metadata":{"project":"p","x":[{}]}}"#, true),
    ] {
        contents_of(text, |contents| {
            assert_eq!(contents.unwrap().unknown_fields, unknown_fields, "{text}");
        });
    }
}

#[test]
fn automated_in_every_spelling() {
    for (value, expected) in [
        ("true", Some(true)),
        ("false", Some(false)),
        ("1", Some(true)),
        ("0", Some(false)),
        (r#""true""#, Some(true)),
        (r#""False""#, Some(false)),
        (r#""""#, Some(false)),
        ("null", Some(false)),
        ("2", None),
        ("-1", None),
        (r#""yes""#, None),
        ("[]", None),
        ("{}", None),
    ] {
        contents_of(
            &format!("{{\"metadata\":{{\"automated\":{value}}}}}"),
            |it| match (it, expected) {
                (Ok(contents), Some(expected)) => {
                    assert_eq!(contents.metadata.unwrap().automated, expected, "{value}");
                }
                (Err(reject), None) => assert_eq!(
                    code(&reject),
                    ("malformed_json", Some("metadata.automated"))
                ),
                (other, _) => panic!("{value}: {other:?}"),
            },
        );
    }
}

#[test]
fn what_is_no_message() {
    let deep = format!("{{\"x\":{}", "[".repeat(100_000));
    let wide = format!("{{\"x\":{}0{}}}", "[".repeat(200), "]".repeat(200));
    for (text, field) in [
        ("", None),
        ("[]", None),
        ("\"a\"", None),
        ("{", None),
        ("{}}", None),
        ("{}\0", None),
        (r#"{"data":[{"a":tru}]}"#, None),
        (r#"{"data":[{}"#, None),
        (r#"{"data":[{}],}"#, None),
        (r#"{"\ud800":1}"#, None),
        (deep.as_str(), None),
        (wide.as_str(), None),
        (r#"{"data":5}"#, Some("data")),
        (r#"{"data":"a"}"#, Some("data")),
        (r#"{"data":true}"#, Some("data")),
        (r#"{"metadata":[]}"#, Some("metadata")),
        (r#"{"metadata":"a"}"#, Some("metadata")),
        (r#"{"metadata":{"agent_id":5}}"#, Some("metadata.agent_id")),
        (
            r#"{"metadata":{"timestamp":1659394295}}"#,
            Some("metadata.timestamp"),
        ),
        (
            r#"{"metadata":{"expiration":{}}}"#,
            Some("metadata.expiration"),
        ),
        (
            r#"{"metadata":{"project":"\ud800"}}"#,
            Some("metadata.project"),
        ),
    ] {
        contents_of(text, |contents| {
            let reject = contents.map(|_| ()).unwrap_err();
            assert_eq!(code(&reject), ("malformed_json", field), "{reject:?}");
        });
    }
    let arena = Bump::new();
    let reject = contents(b"{\"data\":[\"\xC3\x28\"]}", 9, &arena).map(|_| ());
    assert!(
        reject
            .unwrap_err()
            .message
            .contains("not UTF-8, at byte 10")
    );
}
