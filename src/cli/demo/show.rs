//! How the demo shows events and rejects: what happened and between whom, and below it whose
//! socket it is and how the answer was reached.

use crate::cli::terminal::{Paint, column, shorten, wrapped};
use crate::pipeline::enrich::direction::{Basis, Confidence, Initiator, Perimeter};
use crate::pipeline::enrich::listener::Exposure;
use crate::pipeline::enrich::process::Category;
use crate::pipeline::record::{Kind, State, host_and_port};
use crate::proto::v1;

use super::rows::Row;

/// Where text begins that belongs to the line above it.
const INDENT: usize = 10;

/// How text is laid out.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    pub(super) paint: Paint,
    /// Columns of a line.
    pub(super) width: usize,
}

/// The name of a number of the schema, "" where it has none.
macro_rules! name {
    ($kind:ident, $number:expr) => {
        $kind::ALL
            .iter()
            .find(|known| **known as i32 == $number)
            .map_or("", |known| known.name())
    };
}
pub(super) use name;

impl Layout {
    /// Columns of an end.
    fn end_width(self) -> usize {
        (self.width - INDENT - 5) / 2
    }

    /// The heads of an event's columns.
    pub(super) fn heads(self) -> String {
        format!(
            "{} {} {:5}REMOTE END",
            column("WHAT", INDENT - 1),
            column("HOST'S END", self.end_width()),
            ""
        )
    }

    /// An event in two lines.
    pub(super) fn event(self, event: &v1::Event) -> String {
        let (what, between) = match (&event.direction, &event.remote) {
            (Some(direction), Some(remote)) => (
                name!(Perimeter, direction.perimeter),
                self.between(event, *direction, remote),
            ),
            _ => (name!(Kind, event.kind), self.bound(event)),
        };
        let is_open = event.listener.is_some_and(|listener| is_open(&listener));
        let what = column(what, INDENT - 1);
        let what = match (is_open, what.trim_end()) {
            (true, _) | (_, "inbound") => self.paint.yellow(&what),
            _ => self.paint.green(&what),
        };
        let mut text = format!("{what} {}", between.trim_end());
        text.push_str(&self.below(&about(event)));
        if !event.warnings.is_empty() {
            let warnings = format!("warnings: {}", event.warnings.join(", "));
            text.push_str(&self.below(&warnings));
        }
        text
    }

    /// Who called whom.
    fn between(self, event: &v1::Event, direction: v1::Direction, remote: &v1::Endpoint) -> String {
        let arrow = match direction.initiator {
            initiator if initiator == Initiator::Local as i32 => "──▶",
            initiator if initiator == Initiator::Remote as i32 => "◀──",
            _ => "───",
        };
        let local = column(&self.local(event), self.end_width());
        let remote = self.end(remote);
        format!("{local} {} {remote}", self.paint.bold(arrow))
    }

    /// What a socket without a peer is bound to, and for whom it is open.
    fn bound(self, event: &v1::Event) -> String {
        let local = column(&self.local(event), self.end_width());
        let Some(listener) = &event.listener else {
            return local;
        };
        let exposure = name!(Exposure, listener.exposure);
        let exposure = match exposure {
            "" => "exposure not known".to_owned(),
            _ if is_open(listener) => self.paint.yellow(&format!("exposure {exposure}")),
            _ => format!("exposure {exposure}"),
        };
        format!("{local}     {exposure}")
    }

    fn local(self, event: &v1::Event) -> String {
        let local = event.local.as_ref();
        local.map_or_else(String::new, |local| self.end(local))
    }

    /// An end with its service, where there is room for both: "172.16.111.22:443 https".
    fn end(self, end: &v1::Endpoint) -> String {
        let socket = socket(end);
        let with_service = format!("{socket} {}", end.service);
        if end.service.is_empty() || with_service.chars().count() > self.end_width() {
            return shorten(&socket, self.end_width());
        }
        with_service
    }

    /// A reject in one line, and the sentence below.
    pub(super) fn reject(self, reason: &str, sentence: &str) -> String {
        let what = self.paint.red(&column("rejected", INDENT - 1));
        format!("{what} {reason}{}", self.below(sentence))
    }

    /// A row as its tool printed it.
    pub(super) fn row(self, row: &Row) -> String {
        let parts = [row.local, row.remote, row.protocol, row.state];
        let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        let text = format!("{}: {}", row.tool, parts.join("  "));
        self.paint.dim(&shorten(&text, self.width))
    }

    fn below(self, text: &str) -> String {
        let lines = wrapped(text, self.width - INDENT).into_iter();
        let lines = lines.map(|line| format!("\n{:INDENT$}{}", "", self.paint.dim(&line)));
        lines.collect()
    }
}

/// Whether hosts elsewhere reach a listener wherever they are routed from.
pub(super) fn is_open(listener: &v1::Listener) -> bool {
    [Exposure::Any, Exposure::Global]
        .iter()
        .any(|open| *open as i32 == listener.exposure)
}

/// State, process, what is special of a listener, and the rule that told who called.
fn about(event: &v1::Event) -> String {
    let mut parts = Vec::new();
    let state = name!(State, event.state);
    parts.push(
        if state.is_empty() {
            &*event.transport
        } else {
            state
        }
        .to_owned(),
    );
    if let Some(process) = &event.process {
        let mut text = program(process);
        if process.pid_inferred {
            text.push_str(", pid by its listener");
        }
        parts.push(text);
    }
    if let Some(peer) = &event.peer_process {
        parts.push(format!("peer {}", program(peer)));
    }
    if let Some(listener) = &event.listener {
        let flags = [
            (listener.dual_stack, "both families"),
            (listener.ephemeral, "likely a client's"),
        ];
        let flags = flags.into_iter().filter(|(holds, _)| *holds);
        parts.extend(flags.map(|(_, text)| text.to_owned()));
        match listener.established_peers {
            0 => {}
            1 => parts.push("1 peer".to_owned()),
            many => parts.push(format!("{many} peers")),
        }
    }
    if let Some(direction) = &event.direction {
        let basis = name!(Basis, direction.basis);
        let confidence = name!(Confidence, direction.confidence);
        parts.push(match confidence {
            "" => format!("by {basis}"),
            _ => format!("by {basis}, {confidence}"),
        });
    }
    parts.retain(|part| !part.is_empty());
    parts.join(" · ")
}

/// "nginx, infrastructure".
pub(super) fn program(process: &v1::Process) -> String {
    let name = [&process.executable, &process.name]
        .into_iter()
        .find(|name| !name.is_empty());
    let pid = process
        .pid
        .map_or_else(String::new, |pid| format!("pid {pid}"));
    let name = name.cloned().unwrap_or(pid);
    match name!(Category, process.category) {
        "" => name,
        category => format!("{name}, {category}"),
    }
}

/// An end without its service.
fn socket(end: &v1::Endpoint) -> String {
    let host = [&end.ip, &end.name, &end.mac]
        .into_iter()
        .find(|text| !text.is_empty());
    host_and_port(host.map_or("?", String::as_str), &end.zone, end.port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(width: usize) -> Layout {
        Layout {
            paint: Paint::of(&std::fs::File::open("Cargo.toml").unwrap()),
            width,
        }
    }

    fn connection() -> v1::Event {
        v1::Event {
            kind: Kind::Connection as i32,
            state: State::Established as i32,
            local: Some(v1::Endpoint {
                ip: "172.16.111.22".to_owned(),
                port: Some(443),
                service: "https".to_owned(),
                ..v1::Endpoint::default()
            }),
            remote: Some(v1::Endpoint {
                ip: "2001:db8::1".to_owned(),
                port: Some(50_000),
                ..v1::Endpoint::default()
            }),
            direction: Some(v1::Direction {
                perimeter: Perimeter::Inbound as i32,
                initiator: Initiator::Remote as i32,
                basis: Basis::ListenerWildcard as i32,
                confidence: Confidence::High as i32,
                ..v1::Direction::default()
            }),
            process: Some(v1::Process {
                executable: "nginx".to_owned(),
                category: Category::Infrastructure as i32,
                ..v1::Process::default()
            }),
            ..v1::Event::default()
        }
    }

    #[test]
    fn an_event_says_who_called_whom_and_why() {
        assert_eq!(
            layout(80).event(&connection()),
            "inbound   172.16.111.22:443 https          ◀── [2001:db8::1]:50000\n          \
             ESTABLISHED · nginx, infrastructure · by listener_wildcard, high"
        );
    }

    #[test]
    fn a_listener_says_for_whom_it_is_open() {
        let listener = v1::Event {
            kind: Kind::Listener as i32,
            state: State::Listen as i32,
            remote: None,
            direction: None,
            listener: Some(v1::Listener {
                exposure: Exposure::Any as i32,
                dual_stack: true,
                established_peers: 2,
                ..v1::Listener::default()
            }),
            ..connection()
        };
        assert_eq!(
            layout(80).event(&listener),
            "listener  172.16.111.22:443 https              exposure any\n          \
             LISTEN · nginx, infrastructure · both families · 2 peers"
        );
    }

    #[test]
    fn every_line_fits_the_screen_and_has_no_colour_without_a_terminal() {
        let mut long = connection();
        for end in [&mut long.local, &mut long.remote] {
            end.as_mut().unwrap().ip = "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff".to_owned();
        }
        long.process.as_mut().unwrap().executable = "a-very-long-name-of-a-process".repeat(4);
        long.warnings = vec!["address_not_numeric".to_owned(); 9];
        for width in [80, 120] {
            let layout = layout(width);
            let texts = [
                layout.heads(),
                layout.event(&long),
                layout.reject("missing_protocol", &"x".repeat(300)),
                layout.row(&super::super::rows::ROWS[7]),
            ];
            for line in texts.iter().flat_map(|text| text.lines()) {
                assert!(line.chars().count() <= width, "{line}");
                assert!(!line.contains('\x1b'));
            }
            assert!(texts[1].contains("[2001:db8"));
        }
    }
}
