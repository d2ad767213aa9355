//! The outputs, and the rule that nothing that is written is read again.

use crate::kafka::sources::Sources;
use crate::pipeline::enrich::{Enrichment, Enrichments};
use crate::pipeline::filter::Test;
use crate::pipeline::record::Kind;
use crate::pipeline::settings::{Format, Key as KafkaKey};

use crate::registry::{Framed, SubjectStrategy};

use super::checked::Output;
use super::error::{ConfigError, Origin};
use super::given::{Given, is_name};
use super::keys;
use super::layers::Layer;
use super::load::{Reader, unknown};
use super::value::{Setting, Value, quoted};

/// An output, and where its parts were given.
pub(super) struct Placed {
    pub(super) output: Output,
    pub(super) topic: Origin,
    key: Given,
    filter: Option<Given>,
    framing: Given,
}

impl Reader {
    /// The outputs.
    pub(super) fn outputs(&mut self) -> Result<Vec<Placed>, ConfigError> {
        let list = self.get("outputs")?;
        let misfit = || list.error("cannot be that", "give a list of tables, [[outputs]]");
        let Value::List(items) = &list.setting.value else {
            return Err(misfit());
        };
        if items.is_empty() {
            return Err(list.error("is empty", "give at least one output"));
        }
        let mut tables = Vec::new();
        for item in items {
            let Value::Table(table) = &item.value else {
                return Err(misfit());
            };
            tables.push((table.clone(), item.origin.clone()));
        }
        self.set_keys_of_outputs(&mut tables)?;
        let mut outputs: Vec<Placed> = Vec::new();
        for (index, (table, origin)) in tables.into_iter().enumerate() {
            let placed = self.output(index, table, &origin)?;
            let name = &placed.output.name;
            if outputs.iter().any(|other| other.output.name == *name) {
                let what = format!("two outputs have the name {name}");
                return Err(ConfigError::new(what, origin, "give each its own name"));
            }
            outputs.push(placed);
        }
        Ok(outputs)
    }

    /// Puts the settings `outputs.NAME.KEY` in the tables of the outputs of those names.
    fn set_keys_of_outputs(&mut self, tables: &mut [(Layer, Origin)]) -> Result<(), ConfigError> {
        let paths = self.layer.keys().filter(|path| output_key(path).is_some());
        for path in paths.cloned().collect::<Vec<_>>() {
            let (Some((name, key)), Some(setting)) =
                (output_key(&path), self.layer.get(&path).cloned())
            else {
                continue;
            };
            let named = |table: &Layer| {
                let given = table.get("name").or_else(|| table.get("topic"));
                let given = given.and_then(Setting::text);
                given.is_some_and(|given| given.eq_ignore_ascii_case(name))
            };
            let Some((table, _)) = tables.iter_mut().find(|(table, _)| named(table)) else {
                let what = format!("{path} is of no output, none has the name {name}");
                return Err(ConfigError::new(
                    what,
                    &setting.origin,
                    "name one of outputs",
                ));
            };
            table.insert(key.to_owned(), setting);
        }
        Ok(())
    }

    fn output(
        &mut self,
        index: usize,
        mut table: Layer,
        origin: &Origin,
    ) -> Result<Placed, ConfigError> {
        for (name, setting) in &table {
            let key = format!("outputs[].{name}");
            if keys::find(&key).is_none() {
                let shown = format!("outputs[{index}].{name}");
                return Err(unknown(&key, &shown, &setting.origin));
            }
        }
        let mut get = |key: &'static str| {
            let name = key.strip_prefix("outputs[].").unwrap_or(key);
            let setting = table.remove(name);
            self.note(key, format!("outputs[{index}].{name}"), setting)
        };
        let missing = |name: &str| {
            let what = format!("outputs[{index}].{name} is not given");
            ConfigError::new(what, origin, "give it")
        };
        let name = get("outputs[].name")?;
        let topic = get("outputs[].topic")?.ok_or_else(|| missing("topic"))?;
        let format = get("outputs[].format")?.ok_or_else(|| missing("format"))?;
        let key = get("outputs[].key")?.ok_or_else(|| missing("key"))?;
        let kinds = get("outputs[].kinds")?.ok_or_else(|| missing("kinds"))?;
        let filter = get("outputs[].filter")?;
        let framing = get("outputs[].framing")?.ok_or_else(|| missing("framing"))?;
        let subject = get("outputs[].subject")?.ok_or_else(|| missing("subject"))?;
        let strategy = subject.one_of(&[
            ("topic", SubjectStrategy::Topic),
            ("record", SubjectStrategy::Record),
            ("topic_record", SubjectStrategy::TopicRecord),
        ])?;
        let is_framed = framing.one_of(&[("none", false), ("confluent", true)])?;
        let formats = Format::ALL.iter().map(|format| (format.name(), *format));
        let kafka_keys = [
            ("connection", KafkaKey::Connection),
            ("agent", KafkaKey::Agent),
            ("community_id", KafkaKey::CommunityId),
            ("source", KafkaKey::Source),
            ("none", KafkaKey::None),
        ];
        let all_kinds = Kind::ALL.iter().map(|kind| (kind.name(), *kind));
        let format = format.one_of(&formats.collect::<Vec<_>>())?;
        let framed = |topic: &str| Framed {
            subject: strategy.subject(topic, format),
            format,
        };
        let output = Output {
            framed: is_framed
                .then(|| topic.text())
                .transpose()?
                .as_deref()
                .map(framed),
            name: name.map_or_else(|| topic.text(), |name| name.text())?,
            topic: topic.text()?,
            format,
            key: key.one_of(&kafka_keys)?,
            kinds: kinds.any_of(&all_kinds.collect::<Vec<_>>())?,
            filter: filter.as_ref().map(Given::condition).transpose()?,
        };
        if output.kinds.is_empty() {
            return Err(kinds.error("is empty", "name at least one kind"));
        }
        Ok(Placed {
            output,
            topic: topic.setting.origin,
            key,
            filter,
            framing,
        })
    }
}

/// Refuses framing without a registry, and two formats under one subject.
pub(super) fn refuse_unframeable(
    outputs: &[Placed],
    has_registry: bool,
) -> Result<(), ConfigError> {
    for placed in outputs {
        let Some(framed) = &placed.output.framed else {
            continue;
        };
        if !has_registry {
            let remedy = "give schema_registry.url";
            return Err(placed.framing.error("needs a schema registry", remedy));
        }
        let other = outputs
            .iter()
            .filter_map(|other| other.output.framed.as_ref());
        let mut other = other.filter(|other| other.subject == framed.subject);
        if other.any(|other| other.format != framed.format) {
            let subject = quoted(&framed.subject);
            let what = format!("has the subject {subject}, as an output in another format has");
            return Err(placed.framing.error(what, "give them different subjects"));
        }
    }
    Ok(())
}

/// Refuses an output that waits for what no event says: what an enrichment that is switched off
/// would find out, or labels without a table of them.
pub(super) fn refuse_unfounded(
    placed: &Placed,
    enabled: Enrichments,
    has_labels: bool,
) -> Result<(), ConfigError> {
    if let Some(given) = &placed.filter {
        let condition = placed.output.condition();
        let asked = condition.tests().into_iter().filter_map(Test::enrichment);
        for enrichment in asked {
            if !enabled.has(enrichment) {
                return Err(switched_off(given, enrichment));
            }
            if enrichment == Enrichment::NetworkLabel && !has_labels {
                let remedy = "name their file in networks.labels";
                return Err(given.error("asks for labels, and there are none", remedy));
            }
        }
    }
    if placed.output.key == KafkaKey::CommunityId && !enabled.has(Enrichment::CommunityId) {
        return Err(switched_off(&placed.key, Enrichment::CommunityId));
    }
    Ok(())
}

fn switched_off(given: &Given, enrichment: Enrichment) -> ConfigError {
    let what = format!("needs the enrichment {}, which is off", enrichment.name());
    given.error(what, "take it out of enrich.disable")
}

/// Name and key of `outputs.NAME.KEY`, where there is such a key.
pub(super) fn output_key(path: &str) -> Option<(&str, &str)> {
    let (name, key) = path.strip_prefix("outputs.")?.rsplit_once('.')?;
    keys::find(&format!("outputs[].{key}")).map(|_| (name, key))
}

/// Refuses a source that netsieve itself writes to: its own output would come in again.
pub(super) fn refuse_loop(
    source: &Given,
    topics: &[String],
    written: &[(&str, &Origin)],
) -> Result<(), ConfigError> {
    if let Some(topic) = topics
        .iter()
        .find(|of| !of.starts_with('^') && !is_name(of))
    {
        let what = format!("cannot be {}", quoted(topic));
        let remedy = "give letters, digits, dots, underscores and hyphens, or a ^pattern";
        return Err(source.error(what, remedy));
    }
    let sources = Sources::new(topics).map_err(|invalid| {
        let what = format!(
            "has the pattern {}, which is not valid",
            quoted(&invalid.pattern)
        );
        source.error(what, "give a POSIX extended regular expression")
    })?;
    for (name, origin) in written {
        if let Some(topic) = sources.taking_in(name) {
            let place = match source.origin() {
                Origin::Default => *origin,
                given => given,
            };
            let topic = quoted(topic);
            let what = format!("source.topic {topic} takes in {name}, which netsieve writes to");
            let remedy = "keep the source apart from outputs and dead letters";
            return Err(ConfigError::new(what, place, remedy));
        }
    }
    Ok(())
}
