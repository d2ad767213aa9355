//! Sysmon: events 3, network connection, as JSON of Winlogbeat (`winlog.event_data`), of
//! `evtx_dump` (`Event.EventData`), of Windows' XML turned into JSON (`EventData.Data`, a list
//! of names and texts), or with the fields flat, as NXLog and public data sets have them.
//!
//! Sysmon names a source and a destination, and in `Initiated` whether the process here called.
//! The data type has a local and a remote end: the source is local where the process called,
//! else the destination. That the initiator was known is lost; the core finds it again where
//! ports or a listener show it. There is no state: an event tells that a connection began, not
//! what became of it. `SourceHostname` and the like are left out, as are all other events.
//!
//! `Computer` names the host, and each host's events become messages of their own. They are no
//! snapshot: rows of one message may be hours apart.

use serde_json::{Map, Value};

use super::Reading;
use super::json::{self, Object};
use super::row::{Row, join};

/// Where an event's own fields may be, and where those around them.
const PLACES: &[(&[&str], &[&str])] = &[
    (&["Event", "EventData"], &["Event", "System"]),
    (&["winlog", "event_data"], &["winlog"]),
    (&["EventData"], &["System"]),
    (&["event_data"], &[]),
    (&[], &[]),
];

/// The number of a network connection's event.
const NETWORK_CONNECTION: &str = "3";

/// Whether an object is of this kind.
pub(super) fn fits(fields: &Map<String, Value>) -> bool {
    event(fields).is_some_and(|event| {
        !event.text("SourceIp").is_empty() && !event.text("DestinationIp").is_empty()
    })
}

/// An event: its own fields, and those around them.
struct Event<'a> {
    data: &'a Map<String, Value>,
    around: &'a Map<String, Value>,
}

fn event(fields: &Map<String, Value>) -> Option<Event<'_>> {
    PLACES.iter().find_map(|(data, around)| {
        let data = json::at(fields, data)?;
        let around = json::at(fields, around).unwrap_or(fields);
        Some(Event { data, around })
    })
}

impl Event<'_> {
    /// A field of the event, in an object or in a list of names and texts.
    fn text(&self, name: &str) -> String {
        let Some(list) = self.data.get("Data").and_then(Value::as_array) else {
            return json::text(self.data.get(name));
        };
        let named = |item: &&Map<String, Value>| {
            json::first_text(item, &["@Name", "Name", "_Name"]) == name
        };
        let found = list.iter().filter_map(Value::as_object).find(named);
        found.map_or_else(String::new, |item| {
            json::first_text(item, &["#text", "text", "__text", "Value"])
        })
    }

    fn id(&self) -> String {
        let names = ["EventID", "event_id", "EventId", "Id"];
        let value = names.iter().find_map(|name| self.around.get(*name));
        match value {
            Some(Value::Object(id)) => json::first_text(id, &["#text", "text", "Value"]),
            value => json::text(value),
        }
    }

    fn host(&self) -> String {
        json::first_text(
            self.around,
            &["Computer", "computer_name", "ComputerName", "Hostname"],
        )
    }
}

/// Reads an object.
pub(super) fn read(object: &Object, reading: &mut Reading) {
    let Some(event) = event(&object.fields) else {
        return reading.unread(object.line, "has no event in it");
    };
    let id = event.id();
    if !id.is_empty() && id != NETWORK_CONNECTION {
        return reading.leave_out("other events");
    }
    let end = |name: &str| {
        let ip = event.text(&format!("{name}Ip"));
        join(&ip, &event.text(&format!("{name}Port")))
    };
    let (source, destination) = (end("Source"), end("Destination"));
    if source.is_empty() || destination.is_empty() {
        return reading.unread(object.line, "has no SourceIp or no DestinationIp");
    }
    let called = !event.text("Initiated").eq_ignore_ascii_case("false");
    let (local, remote) = if called {
        (source, destination)
    } else {
        (destination, source)
    };
    let row = Row {
        local_address: local,
        remote_address: remote,
        protocol: event.text("Protocol"),
        process_id: event.text("ProcessId"),
        process_name: event.text("Image"),
        ..Row::default()
    };
    reading.row_of(&event.host(), row);
}
