//! Prometheus' own view, through its HTTP API.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

const ANSWER: Duration = Duration::from_secs(10);

/// A Prometheus on a port of this machine.
pub(crate) struct Prometheus(pub(crate) u16);

impl Prometheus {
    /// The data of an answer, once there is one.
    pub(crate) fn get(&self, path: &str) -> Option<Value> {
        let (status, body) = page(self.0, &format!("/api/v1/{path}"))?;
        let answer: Value = serde_json::from_str(&body).ok()?;
        assert_eq!(
            (status, &answer["status"]),
            (200, &"success".into()),
            "{body}"
        );
        Some(answer["data"].clone())
    }

    /// What an expression gives, by the value of one label.
    pub(crate) fn by(&self, label: &str, expression: &str) -> BTreeMap<String, f64> {
        let mut path = "query?query=".to_owned();
        for byte in expression.bytes() {
            let _ = write!(path, "%{byte:02X}");
        }
        let data = self.get(&path).unwrap_or_default();
        let samples = data["result"].as_array().into_iter().flatten();
        let pairs = samples.map(|sample| {
            let name = sample["metric"][label].as_str().unwrap_or_default();
            let value = sample["value"][1].as_str().unwrap();
            (name.to_owned(), value.parse().unwrap())
        });
        pairs.collect()
    }

    /// The one value that an expression gives.
    pub(crate) fn number(&self, expression: &str) -> Option<f64> {
        self.by("", expression).into_values().next()
    }

    /// The state of every alert, by its name: `inactive`, `pending` or `firing`.
    pub(crate) fn alerts(&self) -> BTreeMap<String, String> {
        let data = self.get("rules?type=alert").unwrap_or_default();
        let groups = data["groups"].as_array().into_iter().flatten();
        let rules = groups.flat_map(|group| group["rules"].as_array().unwrap());
        let states = rules.map(|rule| {
            assert_eq!(rule["health"], "ok", "{rule}");
            let text = |name: &str| rule[name].as_str().unwrap().to_owned();
            (text("name"), text("state"))
        });
        states.collect()
    }
}

/// Status and body of a page, where somebody serves it.
pub(crate) fn page(port: u16, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(ANSWER)).unwrap();
    // The old version, so that the body comes in one piece.
    let request = format!("GET {path} HTTP/1.0\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}
