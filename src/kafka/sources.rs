//! The topics that are read, by name and by pattern.

use regex_lite::Regex;
use thiserror::Error;

/// The source topics, as they are given in the configuration.
#[derive(Clone, Debug)]
pub struct Sources {
    names: Vec<String>,
    patterns: Vec<(String, Regex)>,
}

/// A source that begins with `^` and is no regular expression.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("the pattern is no regular expression ({reason}), source {pattern}: correct it")]
pub struct InvalidPattern {
    /// The source.
    pub pattern: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Sources {
    /// Tells names from patterns, which begin with `^`.
    pub fn new(sources: &[String]) -> Result<Self, InvalidPattern> {
        let mut names = Vec::new();
        let mut patterns = Vec::new();
        for source in sources {
            if !source.starts_with('^') {
                names.push(source.clone());
                continue;
            }
            let pattern = Regex::new(source).map_err(|error| InvalidPattern {
                pattern: source.clone(),
                reason: error.to_string(),
            })?;
            patterns.push((source.clone(), pattern));
        }
        Ok(Self { names, patterns })
    }

    /// The sources that are names.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The sources that are patterns, each with its regular expression.
    pub fn patterns(&self) -> &[(String, Regex)] {
        &self.patterns
    }

    /// The source that takes in a topic, if one does.
    pub fn taking_in(&self, topic: &str) -> Option<&str> {
        let name = self.names.iter().find(|name| *name == topic);
        let pattern = || {
            let mut patterns = self.patterns.iter();
            patterns.find(|(_, pattern)| pattern.is_match(topic))
        };
        name.or_else(|| pattern().map(|(source, _)| source))
            .map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(sources: &[&str]) -> Result<Sources, InvalidPattern> {
        let sources: Vec<_> = sources.iter().map(|of| (*of).to_owned()).collect();
        Sources::new(&sources)
    }

    #[test]
    fn a_topic_is_taken_in_by_name_or_by_pattern() {
        let sources = sources(&["in", "^raw\\..*"]).unwrap();
        assert_eq!(sources.taking_in("in"), Some("in"));
        assert_eq!(sources.taking_in("raw.a"), Some("^raw\\..*"));
        assert_eq!(sources.taking_in("in.dead"), None);
        assert_eq!(sources.taking_in("a.raw.b"), None);
        assert_eq!(sources.names(), ["in"]);
        assert_eq!(sources.patterns().len(), 1);
    }

    #[test]
    fn a_pattern_that_is_none_is_named() {
        let error = sources(&["in", "^(in"]).unwrap_err();
        assert_eq!(error.pattern, "^(in");
        assert!(error.to_string().contains("^(in"), "{error}");
    }
}
