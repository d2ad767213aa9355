//! The file of `networks.labels`, CSV or TOML.

use std::borrow::Cow;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::error::{Problem, ReferenceError, quoted};
use super::rows::{self, optional, required};
use crate::pipeline::enrich::labels::{Builder, Label, Labels, Refused};
use crate::pipeline::enrich::prefix::Prefix;

const COLUMNS: [&str; 5] = ["prefix", "name", "role", "site", "tenant"];

/// The list of tables in the TOML form.
const LIST: &str = "networks";

/// Reads the table: TOML where the file's name ends in `.toml`, else CSV.
pub(super) fn read(path: &Path, bytes: &[u8]) -> Result<Labels, ReferenceError> {
    let mut table = Table::default();
    if path
        .extension()
        .is_some_and(|of| of.eq_ignore_ascii_case("toml"))
    {
        read_toml(path, bytes, &mut table)?;
    } else {
        let [prefix, name, role, site, tenant] = COLUMNS;
        let columns = [
            required(prefix),
            required(name),
            optional(role),
            optional(site),
            optional(tenant),
        ];
        rows::read(path, bytes, columns, |line, row| table.add(line, row))?;
    }
    table.finish(path)
}

/// The table, and the line of each of its rows.
#[derive(Default)]
struct Table {
    builder: Builder,
    lines: Vec<u64>,
}

impl Table {
    fn add(&mut self, line: u64, row: [&str; 5]) -> Result<(), Problem> {
        let [prefix, name, role, site, tenant] = row;
        let prefix = Prefix::parse(prefix).map_err(|problem| {
            let what = format!("{} {}", quoted(prefix), problem.name());
            Problem::new(what, "give a prefix such as 10.1.0.0/16 or 2001:db8::/32")
        })?;
        // A quote that is left open takes the rows below it in, without an error of CSV's own.
        let texts = [name, role, site, tenant];
        if let Some(text) = texts.iter().find(|text| text.contains(char::is_control)) {
            let what = format!("{} has a line end or control character", quoted(text));
            return Err(Problem::new(what, "look for a quote that is left open"));
        }
        let label = Label {
            name,
            role,
            site,
            tenant,
        };
        self.builder.add(prefix, label).map_err(|refused| {
            let remedy = match refused {
                Refused::NoName => "give it a name",
                Refused::TooLong(_) => "give a shorter one",
                Refused::TooMuch | Refused::Twice(..) => "split the table",
            };
            Problem::new(refused, remedy)
        })?;
        self.lines.push(line);
        Ok(())
    }

    fn finish(self, path: &Path) -> Result<Labels, ReferenceError> {
        let lines = self.lines;
        self.builder.finish().map_err(|refused| {
            let Refused::Twice(first, second) = refused else {
                return ReferenceError::of_file(path, Problem::new(refused, "split the table"));
            };
            let line = |row: usize| lines.get(row).copied().unwrap_or_default();
            let what = format!("a prefix that line {} has already", line(first));
            let problem = Problem::new(what, "keep one of them");
            ReferenceError::at_line(path, line(second), problem)
        })
    }
}

fn read_toml(path: &Path, bytes: &[u8], table: &mut Table) -> Result<(), ReferenceError> {
    let line_at = |at: usize| {
        let before = &bytes[..at.min(bytes.len())];
        memchr::memchr_iter(b'\n', before).count() as u64 + 1
    };
    let error_at = |at, problem| ReferenceError::at_line(path, line_at(at), problem);
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let problem = Problem::new("text that is not UTF-8", "save it as UTF-8");
        error_at(error.valid_up_to(), problem)
    })?;
    let root = DeTable::parse(text).map_err(|error| {
        let what = format!("not valid TOML ({})", error.message());
        let at = error.span().map_or(0, |span| span.start);
        error_at(at, Problem::new(what, "mend that line"))
    })?;
    let not_a_list = || Problem::new("no list of tables", "write [[networks]] above each");
    for (key, value) in root.get_ref() {
        let at = key.span().start;
        let DeValue::Array(items) = value.get_ref() else {
            return Err(error_at(at, not_a_list()));
        };
        if key.get_ref().as_ref() != LIST {
            let what = format!("unknown key {}", quoted(key.get_ref()));
            let problem = Problem::new(what, "write [[networks]] above each");
            return Err(error_at(at, problem));
        }
        // Lines are counted on, not each from the beginning.
        let (mut line, mut counted) = (1, 0);
        for item in items {
            let start = item.span().start;
            let between = bytes.get(counted..start).unwrap_or_default();
            line += memchr::memchr_iter(b'\n', between).count() as u64;
            counted = start;
            let DeValue::Table(entries) = item.get_ref() else {
                return Err(error_at(start, not_a_list()));
            };
            row_of(entries)
                .and_then(|row| table.add(line, row.each_ref().map(AsRef::as_ref)))
                .map_err(|problem| ReferenceError::at_line(path, line, problem))?;
        }
    }
    Ok(())
}

/// The fields of a table, in the order of the columns.
fn row_of<'t>(entries: &'t DeTable<'_>) -> Result<[Cow<'t, str>; 5], Problem> {
    let mut row = [const { Cow::Borrowed("") }; 5];
    for (key, value) in entries {
        let key = key.get_ref().as_ref();
        let Some(at) = COLUMNS.iter().position(|column| *column == key) else {
            let what = format!("unknown key {}", quoted(key));
            return Err(Problem::new(
                what,
                "there are prefix, name, role, site and tenant",
            ));
        };
        let DeValue::String(text) = value.get_ref() else {
            let what = format!("{key} is no text");
            return Err(Problem::new(what, "put it in quotes"));
        };
        row[at] = Cow::Borrowed(text.trim());
    }
    Ok(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(name: &str, text: &str) -> Result<Labels, String> {
        read(Path::new(name), text.as_bytes()).map_err(|error| error.to_string())
    }

    fn label(labels: &Labels, ip: &str) -> Option<String> {
        let label = labels.get(ip.parse().unwrap())?;
        let rest = [label.role, label.site, label.tenant].map(Option::unwrap_or_default);
        Some(format!(
            "{} {} {}",
            label.prefix,
            label.name,
            rest.join(";")
        ))
    }

    #[test]
    fn both_forms_give_the_same_table() {
        let csv = "prefix,name,role,site,tenant\n10.0.0.0/8,corp,,,\n10.1.0.0/16,\"clients, Berlin\",clients,Berlin,sales\n2001:DB8::/32,corp6,,,\n";
        let toml = r#"
            [[networks]]
            prefix = "10.0.0.0/8"
            name = "corp"

            [[networks]]
            prefix = "10.1.0.0/16"
            name = "clients, Berlin"
            role = "clients"
            site = "Berlin"
            tenant = "sales"

            [[networks]]
            prefix = "2001:DB8::/32"
            name = "corp6"
        "#;
        for labels in [labels("l.csv", csv), labels("l.toml", toml)] {
            let labels = labels.unwrap();
            assert_eq!(labels.len(), 3);
            assert_eq!(label(&labels, "10.2.0.1").unwrap(), "10.0.0.0/8 corp ;;");
            assert_eq!(
                label(&labels, "10.1.0.1").unwrap(),
                "10.1.0.0/16 clients, Berlin clients;Berlin;sales"
            );
            assert_eq!(
                label(&labels, "2001:db8::1").unwrap(),
                "2001:db8::/32 corp6 ;;"
            );
            assert_eq!(label(&labels, "192.0.2.1"), None);
        }
    }

    #[test]
    fn errors_of_csv() {
        for (text, error) in [
            (
                "prefix,name\n10.0.0.0/33,a\n",
                "\"10.0.0.0/33\" has a prefix longer than the address, l.csv:2: give a prefix such as 10.1.0.0/16 or 2001:db8::/32",
            ),
            (
                "prefix,name\n10.0.0.1/8,a\n",
                "\"10.0.0.1/8\" has bits set after its prefix, l.csv:2: give a prefix such as 10.1.0.0/16 or 2001:db8::/32",
            ),
            (
                "prefix,name\n\n10.0.0.0/8,\n",
                "a network without a name, l.csv:3: give it a name",
            ),
            (
                "prefix,name\n10.0.0.0/8,a\n# again\n::ffff:10.0.0.0/104,b\n",
                "a prefix that line 2 has already, l.csv:4: keep one of them",
            ),
            (
                "prefix,name\n10.0.0.0/8,\"a\n10.1.0.0/16,b\n10.2.0.0/16,c\n",
                "\"a\\n10.1.0.0/16,b\\n10.2.0.0/16,c\" has a line end or control character, l.csv:2: look for a quote that is left open",
            ),
            (
                "prefix,site\n10.0.0.0/8,a\n",
                "no column \"name\", l.csv:1: name the columns in the first row",
            ),
        ] {
            assert_eq!(labels("l.csv", text).unwrap_err(), error);
        }
    }

    #[test]
    fn errors_of_toml() {
        for (text, error) in [
            (
                "[[networks]]\nprefix = \"10.0.0.0/8\"\nname = \"a\"\n\n[[networks]]\nprefix = \"10/8\"\n",
                "\"10/8\" is no prefix, l.toml:5: give a prefix such as 10.1.0.0/16 or 2001:db8::/32",
            ),
            (
                "[[networks]]\nprefix = \"::/0\"\nnmae = \"a\"\n",
                "unknown key \"nmae\", l.toml:1: there are prefix, name, role, site and tenant",
            ),
            (
                "[[networks]]\nprefix = \"::/0\"\nname = 5\n",
                "name is no text, l.toml:1: put it in quotes",
            ),
            (
                "\n[[network]]\nprefix = \"::/0\"\n",
                "unknown key \"network\", l.toml:2: write [[networks]] above each",
            ),
            (
                "networks = \"a\"\n",
                "no list of tables, l.toml:1: write [[networks]] above each",
            ),
        ] {
            assert_eq!(labels("l.toml", text).unwrap_err(), error);
        }
        let cut = labels("l.toml", "[[networks]]\nprefix = \"10.").unwrap_err();
        assert!(
            cut.starts_with("not valid TOML (") && cut.contains("l.toml:2"),
            "{cut}"
        );
    }
}
