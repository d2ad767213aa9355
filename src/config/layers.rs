//! The sources of settings, each flattened to dotted paths: `source.topic`,
//! `kafka.consumer.fetch.min.bytes`. TOML's dotted keys and quoted keys come out the same.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::Path;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::environment::Environment;
use super::error::{ConfigError, Origin};
use super::keys;
use super::outputs::output_key;
use super::value::{Setting, Value, from_toml};

/// Settings by path.
pub(super) type Layer = BTreeMap<String, Setting>;

/// Variables that begin so are settings.
const VARIABLE_PREFIX: &str = "NETSIEVE__";

/// Largest configuration file, in bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// The settings of a TOML file.
pub(super) fn of_file(path: &Path) -> Result<Layer, ConfigError> {
    let name: Arc<str> = path.display().to_string().into();
    let unreadable = |error: std::io::Error| {
        let what = format!("cannot read the configuration ({error})");
        ConfigError::new(what, &name, "check the path given to --config")
    };
    let bytes = std::fs::metadata(path).map_err(unreadable)?.len();
    if bytes > MAX_FILE_BYTES {
        let what = format!("a configuration of {bytes} bytes is too large");
        return Err(ConfigError::new(
            what,
            &name,
            "give a TOML file of at most 1 MiB",
        ));
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    let origin = |at: usize| Origin::File {
        path: Arc::clone(&name),
        line: memchr::memchr_iter(b'\n', &text.as_bytes()[..at.min(text.len())]).count() + 1,
    };
    let table = DeTable::parse(&text).map_err(|error| {
        // The error's own Display repeats the line, which may hold a secret.
        let at = origin(error.span().map_or(0, |span| span.start));
        let what = format!("not valid TOML ({})", error.message());
        ConfigError::new(what, at, "mend that line")
    })?;
    let root = from_toml(&DeValue::Table(table.into_inner()), 0, &origin);
    let mut layer = Layer::new();
    flatten("", root, &mut layer)?;
    Ok(layer)
}

/// The settings of the variables `NETSIEVE__SECTION__KEY`.
pub(super) fn of_environment(environment: &Environment) -> Result<Layer, ConfigError> {
    let mut layer = Layer::new();
    for (name, text) in environment.iter() {
        if let Some(rest) = name.strip_prefix(VARIABLE_PREFIX) {
            let origin = Origin::Variable(name.to_owned());
            flatten(&path_of_variable(rest), typed(text, origin), &mut layer)?;
        }
    }
    Ok(layer)
}

/// `KAFKA__CONSUMER__FETCH_MIN_BYTES` is `kafka.consumer.fetch.min.bytes`: no property of
/// librdkafka has an underscore, and a shell's variables have no dots.
fn path_of_variable(rest: &str) -> String {
    let path = rest.to_lowercase().replace("__", ".");
    if path.starts_with("kafka.") && keys::find(&path).is_none() {
        return path.replace('_', ".");
    }
    path
}

/// The settings of `--set key=value`, the last of a key first.
pub(super) fn of_set(arguments: &[String]) -> Result<Layer, ConfigError> {
    let mut layer = Layer::new();
    for argument in arguments {
        let Some((path, text)) = argument
            .split_once('=')
            .filter(|(path, _)| !path.trim().is_empty())
        else {
            // The argument is not repeated: it may be a secret.
            let what = "an argument without key and value";
            return Err(ConfigError::new(
                what,
                "--set",
                "write --set section.key=value",
            ));
        };
        let mut one = Layer::new();
        let path = path.trim().replace(['"', '\''], "");
        flatten(&path, typed(text.trim(), Origin::Set), &mut one)?;
        layer.extend(one);
    }
    Ok(layer)
}

/// A value that was typed: TOML where it is that, else text.
fn typed(text: &str, origin: Origin) -> Setting {
    let mut setting = match DeValue::parse(text) {
        Ok(value) => from_toml(value.get_ref(), 0, &|_| origin.clone()),
        Err(_) => Setting {
            value: Value::Text(text.to_owned()),
            typed: None,
            origin,
        },
    };
    setting.typed = Some(text.to_owned());
    setting
}

/// Adds a value under its path; a table adds its entries, each under its own.
fn flatten(path: &str, setting: Setting, layer: &mut Layer) -> Result<(), ConfigError> {
    match setting.value {
        Value::Table(entries) if !entries.is_empty() && !is_filter(path) => {
            for (key, entry) in entries {
                let path = match path {
                    "" => key,
                    _ => format!("{path}.{key}"),
                };
                flatten(&path, entry, layer)?;
            }
            Ok(())
        }
        Value::Table(_) if path.is_empty() => Ok(()),
        _ => match layer.entry(path.to_owned()) {
            Entry::Vacant(place) => {
                place.insert(setting);
                Ok(())
            }
            Entry::Occupied(first) => {
                let what = format!("{path} is given twice, first at {}", first.get().origin);
                Err(ConfigError::new(what, setting.origin, "keep one of them"))
            }
        },
    }
}

/// Whether the table of that path is a value of its own, and no section.
fn is_filter(path: &str) -> bool {
    let key = output_key(path).and_then(|(_, key)| keys::find(&format!("outputs[].{key}")));
    key.is_some_and(|key| matches!(key.form, keys::Form::Filter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_names_a_path() {
        for (variable, path) in [
            ("WORKERS", "workers"),
            ("VALIDATE__MAX_RECORDS", "validate.max_records"),
            ("KAFKA__BOOTSTRAP", "kafka.bootstrap"),
            ("KAFKA__GROUP_PROTOCOL", "kafka.group_protocol"),
            ("KAFKA__SASL_PASSWORD", "kafka.sasl.password"),
            (
                "KAFKA__CONSUMER__FETCH_MIN_BYTES",
                "kafka.consumer.fetch.min.bytes",
            ),
        ] {
            assert_eq!(path_of_variable(variable), path);
        }
    }

    #[test]
    fn what_is_no_toml_is_text() {
        let text = |given: &str| typed(given, Origin::Set).text();
        assert_eq!(text("007").as_deref(), Some("007"));
        assert_eq!(text("1e5").as_deref(), Some("1e5"));
        assert_eq!(text("\"a b\"").as_deref(), Some("a b"));
        assert_eq!(text("a\nb = 1").as_deref(), Some("a\nb = 1"));
        assert!(matches!(typed("[1, 2]", Origin::Set).value, Value::List(_)));
    }
}
