//! A key's value, as given or by default, read in the key's form.

use std::fmt::Display;
use std::net::SocketAddr;
use std::time::Duration;

use super::brokers::are_brokers;
use super::environment::Environment;
use super::error::{ConfigError, Origin};
use super::kafka::{self, Property};
use super::keys::{Form, Key, most_alike};
use super::value::{Setting, Value};

/// The value of a key.
pub(super) struct Given {
    pub(super) key: &'static Key,
    /// The path for a person: `outputs[0].topic` for the key `outputs[].topic`.
    pub(super) path: String,
    pub(super) setting: Setting,
}

impl Given {
    /// "PATH WHAT, where: REMEDY".
    pub(super) fn error(&self, what: impl Display, remedy: impl Display) -> ConfigError {
        let what = format!("{} {what}", self.path);
        ConfigError::new(what, &self.setting.origin, remedy)
    }

    pub(super) fn origin(&self) -> &Origin {
        &self.setting.origin
    }

    /// The error of a value that has not the key's form.
    fn misfit(&self) -> ConfigError {
        self.misfit_of(&self.setting)
    }

    fn misfit_of(&self, setting: &Setting) -> ConfigError {
        let meant = match (&self.key.form, setting.text()) {
            (Form::OneOf(words) | Form::AnyOf(words), Some(text)) => {
                most_alike(&text, words.iter().copied())
            }
            _ => None,
        };
        let remedy = match meant {
            Some(word) => format!("did you mean {word}?"),
            None => self.wanted(),
        };
        self.error(format!("cannot be {}", setting.shown()), remedy)
    }

    /// What to give instead.
    fn wanted(&self) -> String {
        format!("give {}", self.key.form.expected())
    }

    pub(super) fn text(&self) -> Result<String, ConfigError> {
        self.text_of(&self.setting)
    }

    fn text_of(&self, setting: &Setting) -> Result<String, ConfigError> {
        let text = match (&setting.value, setting.text()) {
            // What --set or a variable gave as a list is not meant as text.
            (Value::List(_) | Value::Table(_), _) | (_, None) => {
                return Err(self.misfit_of(setting));
            }
            (_, Some(text)) => text,
        };
        if text.trim().is_empty() {
            return Err(self.error("is empty", self.wanted()));
        }
        if text.contains("${env:") || text.contains("${file:") {
            let what = "takes no reference";
            let remedy = "use ${env:…} and ${file:…} for librdkafka properties and passwords only";
            return Err(self.error(what, remedy));
        }
        if matches!(self.key.form, Form::Name) && !is_name(&text) {
            return Err(self.misfit_of(setting));
        }
        Ok(text)
    }

    pub(super) fn brokers(&self) -> Result<String, ConfigError> {
        let text = self.text()?;
        if are_brokers(&text) {
            return Ok(text);
        }
        Err(self.misfit())
    }

    /// A secret, its references resolved.
    pub(super) fn secret(&self, environment: &Environment) -> Result<Property, ConfigError> {
        let misfit = || self.error("cannot be that", self.wanted());
        let text = self.setting.text().ok_or_else(misfit)?;
        let resolved = kafka::resolve(&text, &self.path, self.origin(), environment)?;
        Ok(Property::secret(resolved.unwrap_or(text)))
    }

    /// The items of a list, or the one item that stands in place of a list.
    fn items(&self) -> &[Setting] {
        match &self.setting.value {
            Value::List(items) => items,
            _ => std::slice::from_ref(&self.setting),
        }
    }

    pub(super) fn texts(&self) -> Result<Vec<String>, ConfigError> {
        let items = self.items().iter();
        let texts: Vec<_> = items
            .map(|item| self.text_of(item))
            .collect::<Result<_, _>>()?;
        if texts.is_empty() {
            return Err(self.error("is an empty list", "give at least one"));
        }
        Ok(texts)
    }

    /// The meaning of the word that was given; `words` are those of the key's form.
    pub(super) fn one_of<T: Copy>(&self, words: &[(&str, T)]) -> Result<T, ConfigError> {
        self.word(&self.setting, words)
    }

    /// The meanings of the words that were given, in their order and without repeats.
    pub(super) fn any_of<T: Copy + PartialEq>(
        &self,
        words: &[(&str, T)],
    ) -> Result<Vec<T>, ConfigError> {
        let mut meanings = Vec::new();
        for item in self.items() {
            let meaning = self.word(item, words)?;
            if !meanings.contains(&meaning) {
                meanings.push(meaning);
            }
        }
        Ok(meanings)
    }

    fn word<T: Copy>(&self, setting: &Setting, words: &[(&str, T)]) -> Result<T, ConfigError> {
        let text = setting.text().ok_or_else(|| self.misfit_of(setting))?;
        let found = words.iter().find(|(word, _)| *word == text);
        let (_, meaning) = found.ok_or_else(|| self.misfit_of(setting))?;
        Ok(*meaning)
    }

    pub(super) fn flag(&self) -> Result<bool, ConfigError> {
        match self.setting.value {
            Value::Flag(flag) => Ok(flag),
            _ => Err(self.misfit()),
        }
    }

    pub(super) fn whole(&self) -> Result<u64, ConfigError> {
        let number = match self.setting.value {
            Value::Whole(number) => u64::try_from(number).ok(),
            _ => None,
        };
        self.in_bounds(number)
    }

    pub(super) fn share(&self) -> Result<f64, ConfigError> {
        let number: Option<f64> = match &self.setting.value {
            Value::Whole(number @ 0..=1) => Some(if *number == 0 { 0.0 } else { 1.0 }),
            Value::Other(text) => text.parse().ok(),
            _ => None,
        };
        let share = number.filter(|share| (0.0..=1.0).contains(share));
        share.ok_or_else(|| self.misfit())
    }

    /// A size in bytes.
    pub(super) fn size(&self) -> Result<usize, ConfigError> {
        let bytes = match &self.setting.value {
            Value::Whole(number) => u64::try_from(*number).ok(),
            Value::Text(text) => parse_size(text),
            _ => None,
        };
        let bytes = self.in_bounds(bytes)?;
        usize::try_from(bytes).map_err(|_| self.misfit())
    }

    pub(super) fn duration(&self) -> Result<Duration, ConfigError> {
        let millis = match &self.setting.value {
            Value::Text(text) => parse_millis(text),
            _ => None,
        };
        self.in_bounds(millis).map(Duration::from_millis)
    }

    fn in_bounds(&self, number: Option<u64>) -> Result<u64, ConfigError> {
        let (Form::Whole(least, most) | Form::Size(least, most) | Form::Duration(least, most)) =
            self.key.form
        else {
            return Err(self.misfit());
        };
        let bounded = number.filter(|number| (least..=most).contains(number));
        bounded.ok_or_else(|| self.misfit())
    }

    /// An address to listen on, or nothing for `off`.
    pub(super) fn address(&self) -> Result<Option<SocketAddr>, ConfigError> {
        match self.text()?.as_str() {
            "off" => Ok(None),
            address => address.parse().map(Some).map_err(|_| self.misfit()),
        }
    }
}

/// What Kafka allows as a topic's name.
pub(super) fn is_name(text: &str) -> bool {
    const LONGEST_BYTES: usize = 249;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    text.len() <= LONGEST_BYTES && text.bytes().all(allowed) && text != "." && text != ".."
}

impl Form {
    /// What is expected, in words: "give …".
    pub fn expected(&self) -> String {
        match self {
            Self::Text => "a text".to_owned(),
            Self::Name => "at most 249 letters, digits, dots, underscores and hyphens".to_owned(),
            Self::Texts => "a text or a list of texts".to_owned(),
            Self::OneOf(words) => format!("one of {}", words.join(", ")),
            Self::AnyOf(words) => format!("a list of {}", words.join(", ")),
            Self::Flag => "true or false".to_owned(),
            Self::Whole(least, most) => format!("a whole number, {least} to {most}"),
            Self::Share => "a number between 0 and 1".to_owned(),
            Self::Size(least, most) => {
                format!("a size, {} to {}", size_text(*least), size_text(*most))
            }
            Self::Duration(least, most) => {
                let (least, most) = (millis_text(*least), millis_text(*most));
                format!("a duration, {least} to {most}")
            }
            Self::Brokers => "HOST:PORT of a broker, or of several with commas between".to_owned(),
            Self::Address => "ADDRESS:PORT or off".to_owned(),
            Self::Tables => "a list of tables".to_owned(),
            Self::Filter => "a table of conditions".to_owned(),
            Self::Secret => "a text, or ${env:NAME} or ${file:PATH}".to_owned(),
        }
    }
}

/// Units of sizes, in bytes.
const SIZES: &[(&str, u64)] = &[
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

/// Units of durations, in milliseconds.
const DURATIONS: &[(&str, u64)] = &[("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

fn parse_size(text: &str) -> Option<u64> {
    parse_units(text, SIZES).or_else(|| text.trim().parse().ok())
}

fn parse_millis(text: &str) -> Option<u64> {
    parse_units(text, DURATIONS)
}

/// A whole number and a unit, blanks between them or not.
fn parse_units(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim_start())?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

/// The size with the largest binary unit that leaves it whole.
fn size_text(bytes: u64) -> String {
    largest_unit(
        bytes,
        &[("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)],
        " ",
    )
    .unwrap_or_else(|| format!("{bytes} B"))
}

/// The duration with the largest unit that leaves it whole.
fn millis_text(millis: u64) -> String {
    largest_unit(millis, DURATIONS, "").unwrap_or_else(|| format!("{millis}ms"))
}

fn largest_unit(number: u64, units: &[(&str, u64)], blank: &str) -> Option<String> {
    let fits = |factor: u64| number >= factor && number.is_multiple_of(factor);
    let (name, factor) = units.iter().find(|(_, factor)| fits(*factor))?;
    Some(format!("{}{blank}{name}", number / factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_durations_have_units() {
        for (text, bytes) in [
            ("16 MiB", Some(16 << 20)),
            ("64KiB", Some(64 << 10)),
            ("3 kB", Some(3_000)),
            ("7 B", Some(7)),
            ("1024", Some(1024)),
            ("1.5 MiB", None),
            ("-1 B", None),
            ("MiB", None),
            ("99999999999999999999 B", None),
            ("18446744073709551615 GiB", None),
        ] {
            assert_eq!(parse_size(text), bytes, "{text}");
        }
        for (text, millis) in [
            ("100ms", Some(100)),
            ("30 s", Some(30_000)),
            ("5m", Some(300_000)),
            ("1h", Some(3_600_000)),
            ("100", None),
            ("1 day", None),
            ("", None),
        ] {
            assert_eq!(parse_millis(text), millis, "{text}");
        }
    }

    #[test]
    fn what_is_shown_is_read_back() {
        for bytes in [1, 64, 1 << 10, 900 << 10, 16 << 20, 1 << 30, 1_500] {
            assert_eq!(parse_size(&size_text(bytes)), Some(bytes));
        }
        for millis in [1, 100, 1_000, 60_000, 61_000, 3_600_000] {
            assert_eq!(parse_millis(&millis_text(millis)), Some(millis));
        }
    }
}
