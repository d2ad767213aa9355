//! Properties that pass through to librdkafka, and the secrets among them.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError as ClientError;
use rdkafka::types::RDKafkaConfRes;

use crate::kafka::client::reserved;

use super::environment::Environment;
use super::error::{ConfigError, Origin};
use super::keys;
use super::properties::PROPERTIES;
use super::value::Setting;

/// Properties of a librdkafka client, by name.
pub type Properties = BTreeMap<String, Property>;

/// The text of a property. Debug and Display hide it where it is a secret: where it came by a
/// reference, or where the property's name says so.
#[derive(Clone, PartialEq, Eq)]
pub struct Property {
    text: String,
    /// Whether it must not be shown.
    secret: bool,
}

/// What stands in place of a secret.
pub(super) const HIDDEN: &str = "<hidden>";

impl Property {
    /// A secret.
    pub(super) fn secret(text: String) -> Self {
        Self { text, secret: true }
    }

    /// The text itself, for librdkafka alone.
    pub fn expose(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.secret { HIDDEN } else { &self.text })
    }
}

impl fmt::Debug for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(if self.secret { HIDDEN } else { &self.text }, f)
    }
}

/// Parts of a name that make its value a secret. `ssl.key.location` is only a path, and yet
/// hidden: better one name too many.
const SECRET_NAMES: &[&str] = &[
    "password",
    "passphrase",
    "secret",
    "token",
    "key",
    "jaas",
    "credential",
    "oauthbearer.config",
];

/// A property as it was given.
pub(super) struct Passed {
    /// Its name for librdkafka.
    pub(super) name: String,
    pub(super) property: Property,
}

/// Reads the property of a path below `kafka`; librdkafka itself says whether it knows it and
/// takes its value.
pub(super) fn property(
    path: &str,
    name: &str,
    setting: &Setting,
    environment: &Environment,
) -> Result<Passed, ConfigError> {
    let origin = &setting.origin;
    if let Some(why) = reserved(name) {
        let what = format!("{path} cannot be given ({why})");
        return Err(ConfigError::new(what, origin, "remove it"));
    }
    let Some(given) = setting.text() else {
        let what = format!("{path} cannot be {}", setting.shown());
        return Err(ConfigError::new(
            what,
            origin,
            "give a text, a number or a boolean",
        ));
    };
    let resolved = resolve(&given, path, origin, environment)?;
    let lower = name.to_lowercase();
    let secret = resolved.is_some() || SECRET_NAMES.iter().any(|part| lower.contains(part));
    let property = Property {
        text: resolved.unwrap_or(given),
        secret,
    };
    try_on(path, name, &property, origin)?;
    if name == "auto.offset.reset" && !["earliest", "latest"].contains(&property.text.as_str()) {
        // What becomes of an offset out of range is not for librdkafka to say.
        let what = format!("{path} cannot be {property:?}");
        let remedy = "give earliest or latest, and see source.on_data_loss";
        return Err(ConfigError::new(what, origin, remedy));
    }
    Ok(Passed {
        name: name.to_owned(),
        property,
    })
}

/// Has librdkafka look at one property.
fn try_on(path: &str, name: &str, property: &Property, origin: &Origin) -> Result<(), ConfigError> {
    let mut config = ClientConfig::new();
    config.set(name, &property.text);
    let (what, remedy) = match config.create_native_config() {
        Ok(_) => return Ok(()),
        Err(ClientError::ClientConfig(RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN, ..)) => {
            (format!("unknown key {path}"), meant(path, name))
        }
        Err(ClientError::ClientConfig(_, why, ..)) if !property.secret => {
            let what = format!("{path} is refused by librdkafka ({why})");
            (what, "give a value that it takes".to_owned())
        }
        // librdkafka's own words may repeat the value.
        Err(_) => (
            format!("{path} is refused by librdkafka"),
            "give a value that it takes, of a feature that this build has".to_owned(),
        ),
    };
    Err(ConfigError::new(what, origin, remedy))
}

/// The key or property that was most likely meant.
fn meant(path: &str, name: &str) -> String {
    if let Some(key) = keys::nearest(path).filter(|key| key.starts_with("kafka.")) {
        return format!("did you mean {key}?");
    }
    match keys::most_alike(name, PROPERTIES.iter().copied()) {
        Some(property) => {
            let section = path.strip_suffix(name).unwrap_or("kafka.");
            format!("did you mean {section}{property}?")
        }
        None => "see librdkafka's list of properties".to_owned(),
    }
}

/// The text with every `${env:NAME}` and `${file:PATH}` replaced, or nothing where it has
/// none. `$$` before a brace stands for a plain dollar sign.
pub(super) fn resolve(
    text: &str,
    path: &str,
    origin: &Origin,
    environment: &Environment,
) -> Result<Option<String>, ConfigError> {
    let mut resolved = String::new();
    let mut rest = text;
    let mut found = false;
    while let Some(at) = rest.find("${") {
        let (before, reference) = rest.split_at(at);
        if let Some(before) = before.strip_suffix('$') {
            resolved.push_str(before);
            resolved.push_str("${");
            rest = &reference[2..];
            found = true;
            continue;
        }
        resolved.push_str(before);
        // One that has no end is of no kind either.
        let end = reference.find('}');
        let target = end.map_or("", |end| &reference[2..end]);
        let value = match target.split_once(':') {
            Some(("env", name)) => {
                let unset = || {
                    let what = format!("{path} refers to the variable {name}, which is not set");
                    ConfigError::new(what, origin, "set it")
                };
                environment.get(name).ok_or_else(unset)?.to_owned()
            }
            Some(("file", file)) => content(file, origin).map_err(|error| {
                let what = format!("{path} refers to the file {file} ({error})");
                ConfigError::new(what, origin, "make it readable or name another")
            })?,
            // The text may be a secret with such signs in it, so it is not repeated.
            _ => {
                let what = format!("{path} has a reference of an unknown kind or without an end");
                let remedy = "write ${env:NAME}, ${file:PATH}, or $${ for a plain ${";
                return Err(ConfigError::new(what, origin, remedy));
            }
        };
        resolved.push_str(&value);
        rest = end.map_or("", |end| &reference[end + 1..]);
        found = true;
    }
    resolved.push_str(rest);
    Ok(found.then_some(resolved))
}

/// The content of a secret's file without the line's end that editors add. A relative path
/// begins where the configuration file is.
fn content(file: &str, origin: &Origin) -> std::io::Result<String> {
    const MAX_BYTES: u64 = 1 << 20;
    let base = match origin {
        Origin::File { path, .. } => Path::new(path.as_ref()).parent(),
        _ => None,
    };
    let path = base.unwrap_or(Path::new("")).join(file);
    if std::fs::metadata(&path)?.len() > MAX_BYTES {
        return Err(std::io::Error::other("it has more than 1 MiB"));
    }
    let text = std::fs::read_to_string(path)?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_replaced() {
        let environment: Environment = [("A", "one"), ("B", "two")].into_iter().collect();
        let resolve = |text: &str| resolve(text, "kafka.x", &Origin::Set, &environment);
        assert_eq!(resolve("plain $5 {x}"), Ok(None));
        insta::assert_snapshot!(resolve("open ${env:A").unwrap_err(), @"kafka.x has a reference of an unknown kind or without an end, --set: write ${env:NAME}, ${file:PATH}, or $${ for a plain ${");
        assert_eq!(resolve("${env:A}-${env:B}!"), Ok(Some("one-two!".into())));
        assert_eq!(resolve("$${env:A}"), Ok(Some("${env:A}".into())));
        insta::assert_snapshot!(resolve("${env:C}").unwrap_err(), @"kafka.x refers to the variable C, which is not set, --set: set it");
        insta::assert_snapshot!(resolve("hunter${2}").unwrap_err(), @"kafka.x has a reference of an unknown kind or without an end, --set: write ${env:NAME}, ${file:PATH}, or $${ for a plain ${");
    }

    #[test]
    fn librdkafka_knows_every_listed_property() {
        for name in PROPERTIES {
            let tried = ClientConfig::new().set(*name, "").create_native_config();
            let unknown = matches!(
                tried,
                Err(ClientError::ClientConfig(
                    RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN,
                    ..
                ))
            );
            assert!(!unknown, "{name}");
        }
    }
}
