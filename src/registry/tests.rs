use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;

use super::*;
use crate::config::{Environment, Sources, load};

/// A registry on the loopback interface that gives one answer after the other, each to a
/// connection of its own; then it gives the requests, as they were sent.
fn registry(answers: &'static [(&'static str, &'static str)]) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let answers = answers.iter().map(|(status, body)| {
            let (mut stream, _) = listener.accept().unwrap();
            stream
                .set_read_timeout(Some(Duration::from_secs(10)))
                .unwrap();
            let request = read_request(&mut stream);
            let length = body.len();
            write!(
                stream,
                "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
            )
            .unwrap();
            request
        });
        answers.collect()
    });
    (url, server)
}

fn read_request(stream: &mut impl Read) -> String {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let length = stream.read(&mut buffer).unwrap();
        request.extend_from_slice(&buffer[..length]);
        let text = String::from_utf8_lossy(&request);
        let whole = text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
            let head = head.to_lowercase();
            let length = head
                .lines()
                .find_map(|of| of.strip_prefix("content-length: "));
            length.is_some_and(|length| body.len() >= length.parse().unwrap())
        });
        if whole || length == 0 {
            return text.into_owned();
        }
    }
}

/// The settings of a registry, as a configuration gives them.
fn settings(url: &str, more: &[&str]) -> RegistrySettings {
    let set = [format!("schema_registry.url={url}")];
    let set = set.into_iter().chain(more.iter().map(ToString::to_string));
    let sources = Sources {
        set: set.collect(),
        environment: [("PASSWORD", "pass")].into_iter().collect::<Environment>(),
        ..Sources::default()
    };
    load(&sources).unwrap().config.schema_registry.unwrap()
}

fn framed(format: Format) -> Framed {
    Framed {
        subject: "t-value".to_owned(),
        format,
    }
}

type Answer = Result<Option<Vec<Vec<u8>>>, RegistryError>;

/// What comes of asking for those outputs, and what it had to wait for.
fn ask(outputs: &[Option<Framed>], settings: &RegistrySettings) -> (Answer, Vec<String>) {
    let waits = RefCell::new(Vec::new());
    let waiting = |error: &RegistryError| waits.borrow_mut().push(error.to_string());
    let give_up = || waits.borrow().len() > 2;
    let result = prefixes(outputs, settings, &give_up, &waiting);
    (result, waits.into_inner())
}

#[test]
fn schemas_are_registered_with_credentials_and_give_the_prefixes() {
    let answers = &[
        ("200 OK", r#"{"id":7}"#),
        ("200 OK", r#"{"id":258,"version":1}"#),
    ];
    let (url, server) = registry(answers);
    let more = [
        "schema_registry.username=user",
        "schema_registry.password=${env:PASSWORD}",
    ];
    let outputs = [
        Some(framed(Format::Json)),
        None,
        Some(framed(Format::Protobuf)),
    ];
    let (result, waits) = ask(&outputs, &settings(&url, &more));
    let expected = vec![vec![0, 0, 0, 0, 7], vec![], vec![0, 0, 0, 1, 2, 0]];
    assert_eq!(result, Ok(Some(expected)));
    assert_eq!(waits, [""; 0]);
    let requests = server.join().unwrap();
    for (request, format) in requests.iter().zip([Format::Json, Format::Protobuf]) {
        assert!(
            request.starts_with("POST /subjects/t-value/versions HTTP/1.1\r\n"),
            "{request}"
        );
        assert!(
            request.contains("authorization: Basic dXNlcjpwYXNz\r\n"),
            "{request}"
        );
        let (_, body) = request.split_once("\r\n\r\n").unwrap();
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        let schema = Schema::of(format);
        assert_eq!(body["schemaType"], schema.language);
        assert_eq!(body["schema"], schema.text);
    }
}

#[test]
fn a_registry_that_fails_is_asked_again() {
    let (url, server) = registry(&[
        ("503 Service Unavailable", "no JSON"),
        ("200 OK", r#"{"id":1}"#),
    ]);
    let more = ["schema_registry.register=false"];
    let (result, waits) = ask(&[Some(framed(Format::Json))], &settings(&url, &more));
    assert_eq!(result, Ok(Some(vec![vec![0, 0, 0, 0, 1]])));
    let wait = format!(
        "no id for the schema of subject t-value (503 Service Unavailable), {url}: see that the schema registry runs there"
    );
    assert_eq!(waits, [wait]);
    let requests = server.join().unwrap();
    assert!(requests[1].starts_with("POST /subjects/t-value HTTP/1.1\r\n"));
}

#[test]
fn a_registry_that_is_not_there_is_waited_for_until_the_end_is_asked_for() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let (result, waits) = ask(&[Some(framed(Format::Json))], &settings(&url, &[]));
    assert_eq!(result, Ok(None));
    assert_eq!(waits.len(), 3);
}

#[test]
fn what_would_be_said_again_ends_it() {
    let refused: &[(&'static [(&str, &str)], &str)] = &[
        (
            &[(
                "404 Not Found",
                r#"{"error_code":40401,"message":"Subject 't-value'\nnot found."}"#,
            )],
            "(404 Not Found: Subject 't-value' not found.), URL: register the schema, or set schema_registry.register",
        ),
        (
            &[("401 Unauthorized", "")],
            "(401 Unauthorized), URL: check schema_registry.username, its password and its rights",
        ),
        (
            &[("200 OK", "<html>")],
            "(its answer has no id), URL: check that it has Confluent's API there",
        ),
    ];
    for (answers, expected) in refused {
        let (url, server) = registry(answers);
        let more = ["schema_registry.register=false"];
        let (result, waits) = ask(&[Some(framed(Format::Json))], &settings(&url, &more));
        let line = result.unwrap_err().to_string().replace(&url, "URL");
        assert_eq!(
            line,
            format!("no id for the schema of subject t-value {expected}")
        );
        assert_eq!(waits, [""; 0]);
        server.join().unwrap();
    }
}

/// What a start would find, a line each, and the requests' first lines.
fn examined(
    answers: &'static [(&'static str, &'static str)],
    outputs: &[Option<Framed>],
    more: &[&str],
) -> (Vec<Result<String, String>>, Vec<String>) {
    let (url, server) = registry(answers);
    let findings = examine(outputs, &settings(&url, more), Duration::from_secs(10));
    let line = |error: RegistryError| error.to_string().replace(&url, "URL");
    let findings = findings.into_iter().map(|of| of.map_err(line)).collect();
    let requests = server.join().unwrap();
    let first = |request: &String| request.lines().next().unwrap().to_owned();
    (findings, requests.iter().map(first).collect())
}

const NO_SUBJECT: (&str, &str) = (
    "404 Not Found",
    r#"{"error_code":40401,"message":"no such subject"}"#,
);
const NO_SCHEMA: (&str, &str) = (
    "404 Not Found",
    r#"{"error_code":40403,"message":"no such schema"}"#,
);
const LOOK_UP: &str = "POST /subjects/t-value HTTP/1.1";
const COMPARE: &str = "POST /compatibility/subjects/t-value/versions/latest HTTP/1.1";

/// Answers, more settings, what is found, and what was asked.
type Case<'a> = (
    &'static [(&'static str, &'static str)],
    &'a [&'a str],
    Result<&'a str, &'a str>,
    &'a [&'a str],
);

#[test]
fn nothing_is_registered_to_see_whether_it_could_be() {
    let failed = "no id for the schema of subject t-value";
    let (not_found, look_up) = (["schema_registry.register=false"], [LOOK_UP]);
    let known: &[(&str, &str)] = &[("200 OK", r#"{"id":7,"version":1}"#)];
    let compatible: &[(&str, &str)] = &[NO_SCHEMA, ("200 OK", r#"{"is_compatible":true}"#)];
    let other: &[(&str, &str)] = &[NO_SCHEMA, ("200 OK", r#"{"is_compatible":false}"#)];
    let cases: [Case<'_>; 8] = [
        (
            known,
            &[],
            Ok("subject t-value has the schema, id 7"),
            &look_up,
        ),
        (
            known,
            &not_found,
            Ok("subject t-value has the schema, id 7"),
            &look_up,
        ),
        (
            &[NO_SUBJECT],
            &[],
            Ok("subject t-value is new: run registers it"),
            &look_up,
        ),
        (
            &[NO_SUBJECT],
            &not_found,
            Err(
                " (404 Not Found: no such subject), URL: register the schema, or set schema_registry.register",
            ),
            &look_up,
        ),
        (
            compatible,
            &[],
            Ok("subject t-value takes the schema as a new version: run registers it"),
            &[LOOK_UP, COMPARE],
        ),
        (
            other,
            &[],
            Err(
                " (it is not compatible with the subject's latest one), URL: see what the subject holds, or choose other subjects by outputs[].subject",
            ),
            &[LOOK_UP, COMPARE],
        ),
        (
            &[("401 Unauthorized", "")],
            &[],
            Err(
                " (401 Unauthorized), URL: check schema_registry.username, its password and its rights",
            ),
            &look_up,
        ),
        // Some other server, which has no such page.
        (
            &[("404 Not Found", "<html>")],
            &[],
            Err(" (404 Not Found), URL: check schema_registry.url and what the registry takes"),
            &look_up,
        ),
    ];
    for (answers, more, expected, paths) in cases {
        let (findings, requests) = examined(answers, &[Some(framed(Format::Json))], more);
        let expected = expected.map(str::to_owned);
        let expected = expected.map_err(|of| format!("{failed}{of}"));
        assert_eq!(findings, [expected], "{answers:?} {more:?}");
        assert_eq!(requests, paths, "{answers:?} {more:?}");
    }
}

#[test]
fn each_schema_is_looked_for_once_until_the_registry_is_gone() {
    let other = Framed {
        subject: "u-value".to_owned(),
        format: Format::Json,
    };
    let outputs = [
        Some(framed(Format::Json)),
        None,
        Some(framed(Format::Json)),
        Some(other.clone()),
        Some(Framed {
            subject: "v-value".to_owned(),
            ..other
        }),
    ];
    let answers = &[("403 Forbidden", ""), ("503 Service Unavailable", "")];
    let (findings, requests) = examined(answers, &outputs, &[]);
    assert_eq!(findings.len(), 2, "{findings:?}");
    assert_eq!(requests, [LOOK_UP, "POST /subjects/u-value HTTP/1.1"]);
}

#[test]
fn a_registry_that_never_answers_is_not_waited_for() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let settings = settings(&url, &["schema_registry.timeout=60s"]);
    let outputs = [Some(framed(Format::Json))];
    let findings = examine(&outputs, &settings, Duration::from_millis(100));
    let unreachable = |of: &Result<_, _>| matches!(of, Err(RegistryError::Unreachable { .. }));
    assert!(findings.iter().all(unreachable), "{findings:?}");
    assert_eq!(findings.len(), 1);
}
