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
