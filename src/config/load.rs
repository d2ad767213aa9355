//! From the layers to the checked configuration.

use std::path::PathBuf;

use super::checked::Config;
use super::environment::Environment;
use super::error::{ConfigError, Origin};
use super::filter;
use super::given::Given;
use super::kafka::HIDDEN;
use super::keys::{self, Form};
use super::layers::{self, Layer};
use super::outputs::output_key;
use super::value::{Setting, Value, from_toml, quoted};

/// Where settings come from; what stands further down goes over what stands further up.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The TOML file.
    pub file: Option<PathBuf>,
    /// The environment: its `NETSIEVE__…` variables are settings, and `${env:…}` refers to it.
    pub environment: Environment,
    /// The arguments of `--set`.
    pub set: Vec<String>,
    /// Flags of their own: the flag, the key that it sets, and the text.
    pub flags: Vec<(&'static str, &'static str, String)>,
}

/// A configuration and where each part of it comes from.
#[derive(Debug)]
pub struct Loaded {
    /// The checked configuration.
    pub config: Config,
    /// Every key with its value, section by section.
    pub shown: Vec<Shown>,
}

/// A key's value, for a person.
#[derive(Debug)]
pub struct Shown {
    /// The path, for example `outputs[0].topic`.
    pub path: String,
    /// The value in TOML; a secret is hidden.
    pub value: String,
    /// Where it comes from.
    pub origin: Origin,
}

/// Reads and checks a configuration.
pub fn load(sources: &Sources) -> Result<Loaded, ConfigError> {
    let mut layer = match &sources.file {
        Some(path) => layers::of_file(path)?,
        None => Layer::new(),
    };
    layer.extend(layers::of_environment(&sources.environment)?);
    layer.extend(layers::of_set(&sources.set)?);
    for (flag, path, text) in &sources.flags {
        let setting = Setting {
            value: Value::Text(text.clone()),
            typed: None,
            origin: Origin::Flag(flag),
        };
        layer.insert((*path).to_owned(), setting);
    }
    let mut reader = Reader {
        layer,
        shown: Vec::new(),
    };
    reader.refuse_unknown()?;
    let config = reader.config(&sources.environment)?;
    Ok(Loaded {
        config,
        shown: reader.shown,
    })
}

/// Takes settings out of the merged layers, key by key, and notes what it gave.
pub(super) struct Reader {
    pub(super) layer: Layer,
    pub(super) shown: Vec<Shown>,
}

impl Reader {
    fn refuse_unknown(&self) -> Result<(), ConfigError> {
        for (path, setting) in &self.layer {
            let property = path.starts_with("kafka.");
            let empty_section = matches!(setting.value, Value::Table(_)) && keys::is_section(path);
            let known = keys::find(path).is_some() && !path.contains("[]");
            let of_output = output_key(path).is_some();
            if property || empty_section || known || of_output {
                continue;
            }
            if keys::is_section(path) {
                let what = format!("{path} cannot be {}", setting.shown());
                let remedy = format!("write [{path}] and its keys below");
                return Err(ConfigError::new(what, &setting.origin, remedy));
            }
            return Err(unknown(path, path, &setting.origin));
        }
        Ok(())
    }

    /// The value of a key that was given or has a default.
    pub(super) fn get(&mut self, path: &'static str) -> Result<Given, ConfigError> {
        self.find(path)?.ok_or_else(|| {
            let what = format!("{path} is not given");
            ConfigError::new(what, "the configuration", "give it")
        })
    }

    pub(super) fn find(&mut self, path: &'static str) -> Result<Option<Given>, ConfigError> {
        let setting = self.layer.remove(path);
        self.note(path, path.to_owned(), setting)
    }

    /// Pairs a setting, or else the default, with its key, and notes it.
    pub(super) fn note(
        &mut self,
        key: &'static str,
        path: String,
        setting: Option<Setting>,
    ) -> Result<Option<Given>, ConfigError> {
        let Some(key) = keys::find(key) else {
            return Err(unknown(key, &path, &Origin::Default));
        };
        let Some(setting) = setting.or_else(|| default_of(key)) else {
            return Ok(None);
        };
        let given = Given { key, path, setting };
        if !matches!(key.form, Form::Tables) {
            self.shown.push(Shown {
                path: given.path.clone(),
                value: in_toml(&key.form, &given.setting),
                origin: given.origin().clone(),
            });
        }
        Ok(Some(given))
    }
}

/// The error of a key that there is not.
pub(super) fn unknown(path: &str, shown: &str, origin: &Origin) -> ConfigError {
    let remedy = match keys::nearest(path) {
        // Of an output's key, the name is enough.
        Some(key) => format!("did you mean {}?", key.trim_start_matches("outputs[].")),
        None => "see docs/configuration.md for every key".to_owned(),
    };
    ConfigError::new(format!("unknown key {shown}"), origin, remedy)
}

fn default_of(key: &keys::Key) -> Option<Setting> {
    let default = toml::de::DeValue::parse(key.default?).ok()?;
    Some(from_toml(default.get_ref(), 0, &|_| Origin::Default))
}

/// A setting in TOML, in the key's form.
fn in_toml(form: &Form, setting: &Setting) -> String {
    let text = || setting.text().map(|text| quoted(&text));
    match (form, &setting.value) {
        (Form::Secret, _) => quoted(HIDDEN),
        (Form::Filter, _) => filter::in_toml(setting),
        (_, Value::List(items)) => {
            let items = items.iter().map(|item| in_toml(form, item));
            format!("[{}]", items.collect::<Vec<_>>().join(", "))
        }
        // What a text key was given as a number is a text all the same.
        (Form::Text | Form::Name | Form::Texts | Form::Brokers, _) | (_, Value::Text(_)) => {
            text().unwrap_or_default()
        }
        _ => setting.shown(),
    }
}
