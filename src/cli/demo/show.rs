//! How the demo shows events and rejects, in 80 columns.

use crate::cli::terminal::{Paint, column, shorten, wrapped};
use crate::pipeline::record::{Kind, State};
use crate::proto::v1;

use super::rows::Row;

/// Columns of a screen.
const WIDTH: usize = 80;
/// Where text begins that belongs to the line above it.
const INDENT: usize = 11;

/// The heads of an event's columns.
pub(super) fn event_heads() -> String {
    format!(
        "{} {} {} {} PROCESS",
        column("KIND", 10),
        column("LOCAL", 23),
        column("REMOTE", 21),
        column("STATE", 11)
    )
}

/// An event in one line, and its warnings below.
pub(super) fn event(event: &v1::Event, paint: Paint) -> String {
    let kind = Kind::ALL.iter().find(|kind| **kind as i32 == event.kind);
    let state = State::ALL
        .iter()
        .find(|state| **state as i32 == event.state);
    let process = event
        .process
        .as_ref()
        .map_or("", |process| process.name.as_str());
    let remote = event.remote.as_ref().map_or_else(String::new, end);
    let line = format!(
        "{} {} {} {} {}",
        paint.green(&column(kind.map_or("", |kind| kind.name()), 10)),
        column(&event.local.as_ref().map_or_else(String::new, end), 23),
        column(&remote, 21),
        column(state.map_or(&*event.transport, |state| state.name()), 11),
        shorten(base_name(process), 11),
    );
    let mut text = line.trim_end().to_owned();
    if !event.warnings.is_empty() {
        let warnings = format!("warnings: {}", event.warnings.join(", "));
        text.push_str(&continued(&warnings, paint));
    }
    text
}

/// A reject in one line, and the sentence below.
pub(super) fn reject(reason: &str, sentence: &str, paint: Paint) -> String {
    let line = format!("{} {reason}", paint.red(&column("rejected", 10)));
    line + &continued(sentence, paint)
}

/// A row as its tool printed it.
pub(super) fn row(row: &Row, paint: Paint) -> String {
    let parts = [row.local, row.remote, row.protocol, row.state];
    let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    let tool = shorten(row.tool, WIDTH);
    let raw = shorten(&parts.join("  "), WIDTH - 2);
    paint.dim(&format!("{tool}:\n  {raw}"))
}

fn continued(text: &str, paint: Paint) -> String {
    let lines = wrapped(text, WIDTH - INDENT).into_iter();
    let lines = lines.map(|line| format!("\n{:INDENT$}{}", "", paint.dim(&line)));
    lines.collect()
}

fn end(end: &v1::Endpoint) -> String {
    let host = [&end.ip, &end.name, &end.mac]
        .into_iter()
        .find(|text| !text.is_empty());
    let mut text = host.map_or("?", String::as_str).to_owned();
    if !end.zone.is_empty() {
        text.push('%');
        text.push_str(&end.zone);
    }
    match end.port {
        Some(port) if text.contains(':') => format!("[{text}]:{port}"),
        Some(port) => format!("{text}:{port}"),
        None => text,
    }
}

/// The last part of a path, without its flags.
fn base_name(process: &str) -> &str {
    let path = process.split(" -").next().unwrap_or(process);
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    name.trim_end_matches('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_shown_by_its_last_name() {
        assert_eq!(base_name("sshd"), "sshd");
        assert_eq!(base_name("/usr/lib/postgres -D /var/lib/main"), "postgres");
        assert_eq!(
            base_name("\"C:\\SQL Server\\sqlservr.exe\" -sM"),
            "sqlservr.exe"
        );
    }

    #[test]
    fn every_line_fits_the_screen_and_has_no_colour_without_a_terminal() {
        let paint = Paint::of(&std::fs::File::open("Cargo.toml").unwrap());
        let long = v1::Event {
            kind: Kind::Connection as i32,
            state: State::Established as i32,
            local: Some(v1::Endpoint {
                ip: "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff".to_owned(),
                port: Some(65_535),
                ..v1::Endpoint::default()
            }),
            process: Some(v1::Process {
                name: "/usr/lib/a-very-long-name-of-a-process".to_owned(),
                ..v1::Process::default()
            }),
            warnings: vec!["address_not_numeric".to_owned(); 6],
            ..v1::Event::default()
        };
        let texts = [
            event_heads(),
            event(&long, paint),
            reject("missing_protocol", &"x".repeat(200), paint),
            row(&super::super::rows::ROWS[7], paint),
        ];
        for line in texts.iter().flat_map(|text| text.lines()) {
            assert!(line.chars().count() <= WIDTH, "{line}");
            assert!(!line.contains('\x1b'));
        }
        assert!(texts[1].contains("[2001:db8"));
    }
}
