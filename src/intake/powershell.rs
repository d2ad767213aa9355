//! PowerShell: `Get-NetTCPConnection` through `ConvertTo-Json`, `Export-Csv` or `ConvertTo-Csv`.
//!
//! The names of the properties are the same in every language. JSON has the state as a number of
//! the Windows MIB (`2`), CSV as its .NET name (`Listen`); the core knows both. CSV may begin
//! with `#TYPE` (Windows PowerShell 5), and be separated by semicolons or tabs (`-UseCulture`,
//! `-Delimiter`). `ConvertTo-Json` gives an object for one row, an array for more.
//!
//! There is only TCP; `Get-NetUDPEndpoint` has no remote and names itself in `CimClass` or in
//! `#TYPE`, by which it is read as well. There is no process name, only `OwningProcess`, unless a
//! calculated property `ProcessName` or `Name` was added.

use csv::{ReaderBuilder, StringRecord, Trim};
use serde_json::{Map, Value};

use super::Reading;
use super::json::{self, Object};
use super::row::{Row, join};
use crate::csv_lines::CsvLines;

/// The class of UDP's endpoints.
const UDP_CLASS: &str = "MSFT_NetUDPEndpoint";

/// Whether an object is of this kind.
pub(super) fn fits_json(fields: &Map<String, Value>) -> bool {
    fields.contains_key("LocalAddress") && fields.contains_key("LocalPort")
}

/// Whether a line is the head of a CSV of this kind.
pub(super) fn fits_csv(line: &str) -> bool {
    let has = |name: &str| {
        let mut heads = line.split([',', ';', '\t']);
        heads.any(|head| head.trim().trim_matches('"') == name)
    };
    has("LocalAddress") && has("LocalPort")
}

/// Reads an object.
pub(super) fn read_json(object: &Object, reading: &mut Reading) {
    let fields = &object.fields;
    let class = fields.get("CimClass").map(|class| match class {
        Value::Object(class) => json::text(class.get("CimClassName")),
        class => json::text(Some(class)),
    });
    let is_udp = class.is_some_and(|class| class.contains(UDP_CLASS));
    let row = record(|name| json::text(fields.get(name)), is_udp);
    add(row, object.line, reading);
}

/// Reads a CSV.
pub(super) fn read_csv(text: &str, reading: &mut Reading) {
    // Whatever stands before the head is the type, or what else the console had.
    let mut start = 0;
    let mut skipped = 0;
    let mut is_udp = false;
    for line in text.split_inclusive('\n') {
        if fits_csv(line) {
            break;
        }
        is_udp |= line.starts_with("#TYPE") && line.contains(UDP_CLASS);
        if !line.trim().is_empty() && !line.starts_with("#TYPE") {
            reading.unread(skipped + 1, "stands before the heads of the columns");
        }
        start += line.len();
        skipped += 1;
    }
    let text = &text[start..];
    let head = text.lines().next().unwrap_or_default();
    let delimiter = [',', ';', '\t']
        .into_iter()
        .max_by_key(|delimiter| head.matches(*delimiter).count())
        .unwrap_or(',');
    let mut csv = ReaderBuilder::new()
        .delimiter(delimiter as u8)
        .flexible(true)
        .trim(Trim::All)
        .from_reader(text.as_bytes());
    let heads = match csv.headers() {
        Ok(heads) => heads.clone(),
        Err(error) => return reading.unread(skipped + 1, format!("is not CSV ({error})")),
    };
    let mut lines = CsvLines::new(text.as_bytes(), None);
    for record in csv.records() {
        let position = match &record {
            Ok(cells) => cells.position(),
            Err(error) => error.position(),
        };
        let line = skipped + lines.of(position);
        match record {
            Ok(cells) => add_cells(&heads, &cells, is_udp, line, reading),
            Err(error) => reading.unread(line, format!("is not CSV ({error})")),
        }
    }
}

fn add_cells(
    heads: &StringRecord,
    cells: &StringRecord,
    is_udp: bool,
    line: u64,
    reading: &mut Reading,
) {
    if cells.len() != heads.len() {
        let (found, expected) = (cells.len(), heads.len());
        reading.unread(line, format!("has {found} columns and not {expected}"));
        return;
    }
    let text = |name: &str| {
        let place = heads.iter().position(|head| head == name);
        let cell = place.and_then(|place| cells.get(place));
        cell.unwrap_or_default().to_owned()
    };
    add(record(text, is_udp), line, reading);
}

fn add(row: Option<Row>, line: u64, reading: &mut Reading) {
    match row {
        Some(row) => reading.row(row),
        None => reading.unread(
            line,
            "has no LocalAddress, or neither State nor RemoteAddress",
        ),
    }
}

fn record(text: impl Fn(&str) -> String, is_udp: bool) -> Option<Row> {
    let local = text("LocalAddress");
    let remote = text("RemoteAddress");
    let state = text("State");
    if local.is_empty() || (!is_udp && remote.is_empty() && state.is_empty()) {
        return None;
    }
    let names = ["ProcessName", "Name"].map(&text);
    let name = names.into_iter().find(|name| !name.is_empty());
    Some(Row {
        local_address: join(&local, &text("LocalPort")),
        remote_address: join(&remote, &text("RemotePort")),
        protocol: if is_udp { "udp" } else { "tcp" }.to_owned(),
        state,
        process_id: text("OwningProcess"),
        process_name: name.unwrap_or_default(),
        ..Row::default()
    })
}
