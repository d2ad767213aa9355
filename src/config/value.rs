//! A value as it was written, with where it was written.

use std::collections::BTreeMap;

use toml::de::DeValue;

use super::error::Origin;

/// A value and its origin.
#[derive(Clone)]
pub(super) struct Setting {
    pub(super) value: Value,
    /// The text that a variable or `--set` gave, before it was taken as TOML: a key that wants
    /// text takes this, so that `007` or `1e5` stays what it was.
    pub(super) typed: Option<String>,
    pub(super) origin: Origin,
}

/// A value of the kinds that TOML has.
#[derive(Clone)]
pub(super) enum Value {
    Flag(bool),
    Whole(i64),
    /// A float or a time, as written; or an integer that has no place in 64 bits.
    Other(String),
    Text(String),
    List(Vec<Setting>),
    Table(BTreeMap<String, Setting>),
}

impl Setting {
    /// The value as text, where it is no list and no table.
    pub(super) fn text(&self) -> Option<String> {
        match (&self.value, &self.typed) {
            (Value::Text(text) | Value::Other(text), None) | (Value::Text(text), Some(_)) => {
                Some(text.clone())
            }
            (_, Some(typed)) => Some(typed.clone()),
            (Value::Flag(flag), None) => Some(flag.to_string()),
            (Value::Whole(number), None) => Some(number.to_string()),
            (Value::List(_) | Value::Table(_), None) => None,
        }
    }

    /// The value in TOML, for a person to read: cut where it is long.
    pub(super) fn shown(&self) -> String {
        const LONGEST_CHARS: usize = 60;
        let whole = match &self.value {
            Value::Flag(flag) => flag.to_string(),
            Value::Whole(number) => number.to_string(),
            Value::Other(text) => text.clone(),
            Value::Text(text) => quoted(text),
            Value::List(_) => "a list".to_owned(),
            Value::Table(_) => "a table".to_owned(),
        };
        match whole.char_indices().nth(LONGEST_CHARS) {
            Some((end, _)) => format!("{}…", &whole[..end]),
            None => whole,
        }
    }
}

/// The text as a TOML string.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// Takes over a parsed value; `origin` says where the part at a byte offset is.
pub(super) fn from_toml(
    value: &DeValue<'_>,
    start: usize,
    origin: &dyn Fn(usize) -> Origin,
) -> Setting {
    let taken = match value {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Boolean(flag) => Value::Flag(*flag),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::Whole(number),
            Err(_) => Value::Other(number.as_str().to_owned()),
        },
        DeValue::Float(number) => Value::Other(number.as_str().to_owned()),
        DeValue::Datetime(time) => Value::Other(time.to_string()),
        DeValue::Array(items) => {
            let items = items.iter();
            let taken = items.map(|item| from_toml(item.get_ref(), item.span().start, origin));
            Value::List(taken.collect())
        }
        DeValue::Table(entries) => {
            let entries = entries.iter().map(|(key, entry)| {
                let entry = from_toml(entry.get_ref(), key.span().start, origin);
                (key.get_ref().to_string(), entry)
            });
            Value::Table(entries.collect())
        }
    };
    Setting {
        value: taken,
        typed: None,
        origin: origin(start),
    }
}
