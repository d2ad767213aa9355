//! Files of rows: CSV (RFC 4180) in UTF-8, whose first row names the columns.

use std::path::Path;

use super::error::{Problem, ReferenceError, quoted};
use crate::csv_lines::CsvLines;

/// What a line begins with that is no row.
const COMMENT: u8 = b'#';

/// A column that a table reads.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    /// Its name in the first row, in lower case.
    pub(super) name: &'static str,
    /// Whether there is no table without it.
    pub(super) required: bool,
}

/// A column that must be there.
pub(super) const fn required(name: &'static str) -> Column {
    Column {
        name,
        required: true,
    }
}

/// A column that may be left out: then it is empty in every row.
pub(super) const fn optional(name: &'static str) -> Column {
    Column {
        name,
        required: false,
    }
}

/// Reads every row: `take` gets the line that it begins in, counted from 1, and its fields in
/// the order of `columns`, without the blanks around them; "" where a field is left out. What
/// other columns there are is not looked at.
pub(super) fn read<const N: usize>(
    path: &Path,
    bytes: &[u8],
    columns: [Column; N],
    mut take: impl FnMut(u64, [&str; N]) -> Result<(), Problem>,
) -> Result<(), ReferenceError> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let mut reader = csv::ReaderBuilder::new()
        .comment(Some(COMMENT))
        .trim(csv::Trim::All)
        .flexible(true)
        .from_reader(bytes);
    let mut lines = CsvLines::new(bytes, Some(COMMENT));
    let headers = match reader.headers() {
        Ok(headers) => headers,
        Err(error) => return Err(malformed(path, &error, &mut lines)),
    };
    let line = lines.of(headers.position());
    let at_line = |line, problem| ReferenceError::at_line(path, line, problem);
    let places = places(headers, &columns).map_err(|problem| at_line(line, problem))?;
    let width = headers.len();
    let mut row = csv::StringRecord::new();
    loop {
        match reader.read_record(&mut row) {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(error) => return Err(malformed(path, &error, &mut lines)),
        }
        let line = lines.of(row.position());
        if row.len() > width {
            let what = format!("{} fields below {width} columns", row.len());
            let remedy = "put fields that have commas in double quotes";
            return Err(at_line(line, Problem::new(what, remedy)));
        }
        let field = |place: Option<usize>| place.and_then(|at| row.get(at)).unwrap_or_default();
        take(line, places.map(field)).map_err(|problem| at_line(line, problem))?;
    }
}

/// Where in a row each column is.
fn places<const N: usize>(
    headers: &csv::StringRecord,
    columns: &[Column; N],
) -> Result<[Option<usize>; N], Problem> {
    let mut places = [None; N];
    for (place, column) in places.iter_mut().zip(columns) {
        let is_it =
            |(at, name): (usize, &str)| name.eq_ignore_ascii_case(column.name).then_some(at);
        let mut found = headers.iter().enumerate().filter_map(is_it);
        *place = found.next();
        if found.next().is_some() {
            let what = format!("two columns {}", quoted(column.name));
            return Err(Problem::new(what, "keep one of them"));
        }
        if column.required && place.is_none() {
            let what = format!("no column {}", quoted(column.name));
            return Err(Problem::new(what, "name the columns in the first row"));
        }
    }
    Ok(places)
}

fn malformed(path: &Path, error: &csv::Error, lines: &mut CsvLines<'_>) -> ReferenceError {
    let line = lines.of(error.position());
    let problem = match error.kind() {
        csv::ErrorKind::Utf8 { .. } => Problem::new("text that is not UTF-8", "save it as UTF-8"),
        kind => Problem::new(format!("not valid CSV ({kind:?})"), "mend that line"),
    };
    ReferenceError::at_line(path, line, problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of a text, or the error's line.
    fn rows(text: &[u8]) -> Result<Vec<(u64, String)>, String> {
        let mut rows = Vec::new();
        let columns = [required("a"), optional("b")];
        read(Path::new("t.csv"), text, columns, |line, [a, b]| {
            if a == "bad" {
                return Err(Problem::new("a bad one", "mend it"));
            }
            rows.push((line, format!("{a}|{b}")));
            Ok(())
        })
        .map_err(|error| error.to_string())?;
        Ok(rows)
    }

    #[test]
    fn columns_are_found_by_name() {
        let row = |line, text: &str| (line, text.to_owned());
        for (text, expected) in [
            ("a,b\n1,2\n", vec![row(2, "1|2")]),
            ("\u{feff}B , x, A\r\n 2,9, 1 \r\n", vec![row(2, "1|2")]),
            (
                "# said\na\n\n1\n# more\n2",
                vec![row(4, "1|"), row(6, "2|")],
            ),
            ("a,b\n1\n", vec![row(2, "1|")]),
            (
                "a,b\n\"1, \"\"x\"\"\nnext\",2\n3,4\n",
                vec![row(2, "1, \"x\"\nnext|2"), row(4, "3|4")],
            ),
            ("a,b\n", vec![]),
        ] {
            assert_eq!(rows(text.as_bytes()), Ok(expected), "{text:?}");
        }
    }

    #[test]
    fn what_is_wrong_says_in_which_line() {
        for (text, error) in [
            (
                &b""[..],
                "no column \"a\", t.csv:1: name the columns in the first row",
            ),
            (
                b"1,2\n3,4\n",
                "no column \"a\", t.csv:1: name the columns in the first row",
            ),
            (b"a,b,a\n", "two columns \"a\", t.csv:1: keep one of them"),
            (
                b"a\n1\n1,2\n",
                "2 fields below 1 columns, t.csv:3: put fields that have commas in double quotes",
            ),
            (
                b"a\n1\n\xFF\n",
                "text that is not UTF-8, t.csv:3: save it as UTF-8",
            ),
            (
                b"a\n\xFF,1\n",
                "text that is not UTF-8, t.csv:2: save it as UTF-8",
            ),
            (b"a,b\n\n\nbad,1\n", "a bad one, t.csv:4: mend it"),
        ] {
            assert_eq!(rows(text), Err(error.to_owned()), "{text:?}");
        }
    }
}
