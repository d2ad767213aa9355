//! The filter of an output: a table of conditions, read into a checked [`Condition`].
//!
//! All keys of a table hold together. `all` and `any` take a list of tables, `not` takes one;
//! every other key is a field with a word, or a list of words of which any will do. Fields of a
//! family are tables of their own or dotted keys: `direction.perimeter = "inbound"`.

use crate::pipeline::filter::{Condition, Field, LabelPart, Test};

use super::error::ConfigError;
use super::given::Given;
use super::keys::most_alike;
use super::value::{Setting, Value, quoted};

/// What joins conditions.
const JOINTS: [&str; 3] = ["all", "any", "not"];

impl Given {
    /// The condition that a filter states.
    pub(super) fn condition(&self) -> Result<Condition, ConfigError> {
        table(&self.path, &self.setting)
    }
}

fn table(path: &str, setting: &Setting) -> Result<Condition, ConfigError> {
    let Value::Table(entries) = &setting.value else {
        let what = format!("{path} cannot be {}", setting.shown());
        let remedy = "give a table such as { kind = \"listener\" }";
        return Err(ConfigError::new(what, &setting.origin, remedy));
    };
    let conditions = entries.iter().map(|(key, entry)| {
        let path = format!("{path}.{key}");
        match key.as_str() {
            "all" => tables(&path, entry).map(Condition::All),
            "any" => tables(&path, entry).map(Condition::Any),
            "not" => table(&path, entry).map(|of| Condition::Not(Box::new(of))),
            _ => field(&path, key, entry),
        }
    });
    let mut conditions = conditions.collect::<Result<Vec<_>, _>>()?;
    match conditions.len() {
        0 => Err(empty(path, setting, "give it a condition")),
        1 => Ok(conditions.remove(0)),
        _ => Ok(Condition::All(conditions)),
    }
}

fn tables(path: &str, setting: &Setting) -> Result<Vec<Condition>, ConfigError> {
    let Value::List(items) = &setting.value else {
        let what = format!("{path} cannot be {}", setting.shown());
        return Err(ConfigError::new(
            what,
            &setting.origin,
            "give a list of tables",
        ));
    };
    if items.is_empty() {
        return Err(empty(path, setting, "give it a condition"));
    }
    let items = items.iter().enumerate();
    let conditions = items.map(|(index, item)| table(&format!("{path}[{index}]"), item));
    conditions.collect()
}

/// A field of that name, or a family of fields.
fn field(path: &str, name: &str, setting: &Setting) -> Result<Condition, ConfigError> {
    if let Some(field) = Field::ALL.iter().find(|field| field.name() == name) {
        let words = words(path, *field, setting)?;
        let field = *field;
        return Ok(Condition::Is(Test::Word { field, words }));
    }
    if let Some(part) = LabelPart::ALL.iter().find(|part| part.name() == name) {
        let texts = texts(path, setting)?;
        let part = *part;
        return Ok(Condition::Is(Test::Label { part, texts }));
    }
    let family = format!("{name}.");
    let members: Vec<_> = names().filter(|name| name.starts_with(&family)).collect();
    if members.is_empty() {
        return Err(unknown(path, name, setting));
    }
    match &setting.value {
        Value::Table(entries) if !entries.is_empty() => {
            let conditions = entries.iter().map(|(key, entry)| {
                let (path, name) = (format!("{path}.{key}"), format!("{family}{key}"));
                field(&path, &name, entry)
            });
            Ok(Condition::All(conditions.collect::<Result<_, _>>()?))
        }
        _ => {
            let what = format!("{path} cannot be {}", setting.shown());
            let remedy = format!("give one of {}", members.join(", "));
            Err(ConfigError::new(what, &setting.origin, remedy))
        }
    }
}

/// The names of all fields.
fn names() -> impl Iterator<Item = &'static str> {
    let fields = Field::ALL.iter().map(|field| field.name());
    fields.chain(LabelPart::ALL.iter().map(|part| part.name()))
}

fn unknown(path: &str, name: &str, setting: &Setting) -> ConfigError {
    // One that lacks its family, such as `perimeter`, is meant by its last part.
    let last = |name: &str| name.rsplit('.').next().map(str::to_owned);
    let namesake = || names().find(|known| last(known) == last(name));
    let meant = most_alike(name, names().chain(JOINTS)).or_else(namesake);
    let remedy = meant.map_or_else(
        || {
            format!(
                "give one of {}",
                names().chain(JOINTS).collect::<Vec<_>>().join(", ")
            )
        },
        |known| format!("did you mean {known}?"),
    );
    ConfigError::new(format!("unknown key {path}"), &setting.origin, remedy)
}

fn empty(path: &str, setting: &Setting, remedy: &str) -> ConfigError {
    ConfigError::new(format!("{path} is empty"), &setting.origin, remedy)
}

/// The items of a list, or the one item that stands in place of a list; at least one.
fn items<'s>(path: &str, setting: &'s Setting) -> Result<&'s [Setting], ConfigError> {
    match &setting.value {
        Value::List(items) if items.is_empty() => Err(empty(path, setting, "name at least one")),
        Value::List(items) => Ok(items),
        _ => Ok(std::slice::from_ref(setting)),
    }
}

/// The bits of the words that were given, in any case.
fn words(path: &str, field: Field, setting: &Setting) -> Result<u64, ConfigError> {
    let known = field.words();
    let mut bits = 0;
    for item in items(path, setting)? {
        let text = item.text().unwrap_or_default();
        let found = known
            .iter()
            .find(|(word, _)| word.eq_ignore_ascii_case(&text));
        let Some((_, bit)) = found else {
            let mut words = known.iter().map(|(word, _)| *word);
            let state = matches!(field, Field::State).then(|| text.to_uppercase());
            let meant = most_alike(state.as_ref().unwrap_or(&text), words.clone());
            let remedy = match meant {
                Some(word) => format!("did you mean {word}?"),
                None => format!(
                    "give one of {}",
                    words.by_ref().collect::<Vec<_>>().join(", ")
                ),
            };
            let what = format!("{path} cannot be {}", item.shown());
            return Err(ConfigError::new(what, &item.origin, remedy));
        };
        bits |= bit;
    }
    Ok(bits)
}

fn texts(path: &str, setting: &Setting) -> Result<Vec<String>, ConfigError> {
    let items = items(path, setting)?.iter();
    let texts = items.map(|item| match item.text() {
        Some(text) if !text.is_empty() => Ok(text),
        _ => {
            let what = format!("{path} cannot be {}", item.shown());
            Err(ConfigError::new(
                what,
                &item.origin,
                "give a text or a list of texts",
            ))
        }
    });
    texts.collect()
}

/// The setting in TOML, as one line.
pub(super) fn in_toml(setting: &Setting) -> String {
    match &setting.value {
        Value::Table(entries) => {
            let entries = entries.iter();
            let entries = entries.map(|(key, entry)| format!("{key} = {}", in_toml(entry)));
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
        Value::List(items) => {
            let items = items.iter().map(in_toml);
            format!("[{}]", items.collect::<Vec<_>>().join(", "))
        }
        Value::Text(text) => quoted(text),
        Value::Flag(_) | Value::Whole(_) | Value::Other(_) => setting.shown(),
    }
}
