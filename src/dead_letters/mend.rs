//! Mends as they are written on the command line.
//!
//! | mend | meaning |
//! |---|---|
//! | `FIELD=VALUE` | the field has this value |
//! | `FIELD=` | the field is absent |
//! | `FIELD~/REGEX/TEXT/` | every match in the field's text becomes TEXT, in which `$1` is the first group; any other character may stand for the slash |
//!
//! A field is `metadata.project`, `data.protocol`, or `protocol` alone.

use std::fmt;
use std::str::FromStr;

use regex_lite::Regex;
use thiserror::Error;

use crate::pipeline::decode::edit::{Change, Edit, Field, Holds, NewValue};
use crate::pipeline::message::Time;

/// A mend: the edit, and the text that it was given as.
#[derive(Clone, Debug)]
pub struct Mend {
    /// What is done.
    pub edit: Edit,
    text: String,
}

impl fmt::Display for Mend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Why a text is no mend.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum MendError {
    /// Neither form.
    #[error("it is not FIELD=VALUE, FIELD= or FIELD~/REGEX/TEXT/")]
    Form,
    /// A field that the contract has not.
    #[error("there is no field {field:?}{}", nearest(field))]
    Field {
        /// What was named.
        field: String,
    },
    /// A value that the field cannot hold.
    #[error("{field} cannot be {value:?}: give {expected}")]
    Value {
        /// The field.
        field: String,
        /// The value.
        value: String,
        /// What it can hold.
        expected: &'static str,
    },
    /// A search in a field that is no text.
    #[error("{0} is no text to search: set it with =")]
    NoText(String),
    /// A broken regular expression.
    #[error("the regular expression is broken: {0}")]
    Regex(String),
}

fn nearest(field: &str) -> String {
    let alike = |of: &String| strsim::damerau_levenshtein(field, of);
    let paths = Field::ALL.iter().map(Field::path);
    match paths.min_by_key(alike) {
        Some(path) if alike(&path) <= 3 => format!(", did you mean {path}?"),
        _ => ": name one of metadata or data".to_owned(),
    }
}

impl FromStr for Mend {
    type Err = MendError;

    fn from_str(text: &str) -> Result<Self, MendError> {
        let at = text.find(['=', '~']).ok_or(MendError::Form)?;
        let (name, rest) = text.split_at(at);
        let field = Field::from_name(name.trim()).ok_or_else(|| MendError::Field {
            field: name.trim().to_owned(),
        })?;
        let change = match rest.strip_prefix('=') {
            Some("") => Change::Remove,
            Some(value) => Change::Set(value_of(field, value)?),
            None => replacement(field, rest.strip_prefix('~').unwrap_or_default())?,
        };
        Ok(Self {
            edit: Edit { field, change },
            text: text.to_owned(),
        })
    }
}

fn value_of(field: Field, value: &str) -> Result<NewValue, MendError> {
    let wrong = |expected| MendError::Value {
        field: field.path(),
        value: value.to_owned(),
        expected,
    };
    match field.holds {
        Holds::Text => Ok(NewValue::Text(value.to_owned())),
        Holds::Flag => match value {
            "true" => Ok(NewValue::Flag(true)),
            "false" => Ok(NewValue::Flag(false)),
            _ => Err(wrong("true or false")),
        },
        Holds::Number => match value.parse() {
            Ok(number) => Ok(NewValue::Number(number)),
            Err(_) => Err(wrong("a whole number, 0 to 4294967295")),
        },
        Holds::Time => match Time::parse(value) {
            Some(time) => Ok(NewValue::Time(value.to_owned(), time)),
            None => Err(wrong("a time such as 2026-11-24T08:30:00Z")),
        },
    }
}

fn replacement(field: Field, rest: &str) -> Result<Change, MendError> {
    if field.holds != Holds::Text {
        return Err(MendError::NoText(field.path()));
    }
    let mark = rest.chars().next().ok_or(MendError::Form)?;
    let parts: Vec<_> = rest.split(mark).collect();
    let ["", pattern, with, ""] = parts[..] else {
        return Err(MendError::Form);
    };
    if pattern.is_empty() {
        return Err(MendError::Form);
    }
    let pattern = Regex::new(pattern).map_err(|error| MendError::Regex(error.to_string()))?;
    let with = with.to_owned();
    Ok(Change::Replace { pattern, with })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The mend in words.
    fn read(text: &str) -> String {
        match text.parse::<Mend>() {
            Err(error) => format!("error: {error}"),
            Ok(mend) => {
                let path = mend.edit.field.path();
                match mend.edit.change {
                    Change::Remove => format!("{path} absent"),
                    Change::Set(value) => format!("{path} {value:?}"),
                    Change::Replace { pattern, with } => {
                        format!("{path} {:?} by {with:?}", pattern.as_str())
                    }
                }
            }
        }
    }

    #[test]
    fn mends_and_what_is_none() {
        let lines = [
            "data.protocol=tcp,ipv4",
            "protocol=a=b~c",
            "state=",
            "state= ",
            "metadata.automated=true",
            "metadata.automated=yes",
            "data.process_id=12",
            "data.process_id=-1",
            "metadata.timestamp=2026-11-24T08:30:00",
            "metadata.timestamp=now",
            "metadata.expiration=",
            "local_address~/^(.*):0$/$1:1/",
            "remote_address~|a/b||",
            "local_address~/a/b",
            "local_address~//b/",
            "local_address~/a/b/c/",
            "local_address~",
            "local_address~/(/b/",
            "process_id~/1/2/",
            "data.protocl=tcp",
            "project=x",
            "protocol",
            "",
        ];
        let lines = lines.map(|text| format!("{text:40} {}", read(text)));
        insta::assert_snapshot!(lines.join("\n"), @r##"
        data.protocol=tcp,ipv4                   data.protocol Text("tcp,ipv4")
        protocol=a=b~c                           data.protocol Text("a=b~c")
        state=                                   data.state absent
        state=                                   data.state Text(" ")
        metadata.automated=true                  metadata.automated Flag(true)
        metadata.automated=yes                   error: metadata.automated cannot be "yes": give true or false
        data.process_id=12                       data.process_id Number(12)
        data.process_id=-1                       error: data.process_id cannot be "-1": give a whole number, 0 to 4294967295
        metadata.timestamp=2026-11-24T08:30:00   metadata.timestamp Time("2026-11-24T08:30:00", Time { seconds: 1795509000, nanos: 0 })
        metadata.timestamp=now                   error: metadata.timestamp cannot be "now": give a time such as 2026-11-24T08:30:00Z
        metadata.expiration=                     metadata.expiration absent
        local_address~/^(.*):0$/$1:1/            data.local_address "^(.*):0$" by "$1:1"
        remote_address~|a/b||                    data.remote_address "a/b" by ""
        local_address~/a/b                       error: it is not FIELD=VALUE, FIELD= or FIELD~/REGEX/TEXT/
        local_address~//b/                       error: it is not FIELD=VALUE, FIELD= or FIELD~/REGEX/TEXT/
        local_address~/a/b/c/                    error: it is not FIELD=VALUE, FIELD= or FIELD~/REGEX/TEXT/
        local_address~                           error: it is not FIELD=VALUE, FIELD= or FIELD~/REGEX/TEXT/
        local_address~/(/b/                      error: the regular expression is broken: found open group without closing ')'
        process_id~/1/2/                         error: data.process_id is no text to search: set it with =
        data.protocl=tcp                         error: there is no field "data.protocl", did you mean data.protocol?
        project=x                                error: there is no field "project": name one of metadata or data
        protocol                                 error: it is not FIELD=VALUE, FIELD= or FIELD~/REGEX/TEXT/
                                                 error: it is not FIELD=VALUE, FIELD= or FIELD~/REGEX/TEXT/
        "##);
    }
}
