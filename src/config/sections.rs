//! Section by section, from settings to the checked configuration.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::kafka::settings::{
    BrakeAction, BrakeSettings, CommitSettings, DeliverySettings, GroupProtocol, Guarantee,
    MemorySettings, OnDataLoss,
};
use crate::pipeline::code::Warning;
use crate::pipeline::enrich::internal::Internal;
use crate::pipeline::enrich::{Enrich, Enrichment, Enrichments};
use crate::pipeline::settings::{Limits, SourceFormat};
use crate::reference::Files;
use crate::registry::RegistrySettings;

use super::checked::{Config, Kafka, Log, LogFormat, Source, Validate};
use super::environment::Environment;
use super::error::ConfigError;
use super::given::Given;
use super::kafka::{self, Properties};
use super::load::{Reader, Shown};
use super::outputs::{refuse_loop, refuse_unfounded, refuse_unframeable};
use super::value::quoted;

/// The brokers abort a transaction that is open for 10 s.
const LONGEST_TRANSACTION: Duration = Duration::from_secs(5);

impl Reader {
    pub(super) fn config(&mut self, environment: &Environment) -> Result<Config, ConfigError> {
        let delivery = self.delivery()?;
        let workers = to_usize(self.get("workers")?.whole()?);
        let instance = self.find("instance")?;
        let instance = instance.map(|given| given.text()).transpose()?;
        let kafka = self.kafka(environment)?;
        let source_topic = self.get("source.topic")?;
        let source = self.source(&source_topic)?;
        let outputs = self.outputs()?;
        let schema_registry = self.schema_registry(environment)?;
        refuse_unframeable(&outputs, schema_registry.is_some())?;
        let dead_letters = self.get("dead_letters.topic")?;
        let dead_letters_topic = dead_letters.text()?;
        let mut written: Vec<_> = outputs
            .iter()
            .map(|placed| (placed.output.topic.as_str(), &placed.topic))
            .collect();
        if written
            .iter()
            .any(|(topic, _)| *topic == dead_letters_topic)
        {
            let what = format!(
                "{} is an output's topic as well",
                quoted(&dead_letters_topic)
            );
            return Err(dead_letters.error(what, "name another topic"));
        }
        written.push((&dead_letters_topic, dead_letters.origin()));
        refuse_loop(&source_topic, &source.topics, &written)?;
        let commit = self.commit(delivery)?;
        let retry = self.retry()?;
        let memory = self.memory()?;
        let validate = self.validate()?;
        let enrich = self.enrich()?;
        let reference = self.reference()?;
        for placed in &outputs {
            refuse_unfounded(placed, enrich.enabled, reference.network_labels.is_some())?;
        }
        Ok(Config {
            delivery,
            workers,
            instance,
            kafka,
            source,
            outputs: outputs.into_iter().map(|placed| placed.output).collect(),
            schema_registry,
            dead_letters_topic,
            commit,
            retry,
            memory,
            validate,
            enrich,
            reference,
            brake: self.brake()?,
            stalled_after: self.get("watchdog.stalled_after")?.duration()?,
            shutdown_timeout: self.get("shutdown.timeout")?.duration()?,
            http_listen: self.get("http.listen")?.address()?,
            log: self.log()?,
        })
    }

    fn delivery(&mut self) -> Result<Guarantee, ConfigError> {
        self.get("delivery")?.one_of(&[
            ("exactly_once", Guarantee::ExactlyOnce),
            ("at_least_once", Guarantee::AtLeastOnce),
        ])
    }

    fn kafka(&mut self, environment: &Environment) -> Result<Kafka, ConfigError> {
        let bootstrap = self.get("kafka.bootstrap")?.brokers()?;
        let static_membership = self.get("kafka.static_membership")?.flag()?;
        let given = self.get("kafka.group_protocol")?;
        let words = [
            ("classic", GroupProtocol::Classic),
            ("consumer", GroupProtocol::Consumer),
        ];
        let group_protocol = given.one_of(&words)?;
        if static_membership && group_protocol == GroupProtocol::Consumer {
            let what = "\"consumer\" does not go with kafka.static_membership";
            return Err(given.error(what, "turn one of them off"));
        }
        if group_protocol == GroupProtocol::Consumer {
            self.refuse_brokers_own()?;
        }
        let connect_timeout = self.get("kafka.connect_timeout")?.duration()?;
        let common = self.properties("kafka.", environment)?;
        let with_common = |mut properties: Properties| {
            for (name, property) in &common {
                let free = properties.entry(name.clone());
                free.or_insert_with(|| property.clone());
            }
            properties
        };
        Ok(Kafka {
            bootstrap,
            static_membership,
            group_protocol,
            connect_timeout,
            consumer: with_common(self.properties("kafka.consumer.", environment)?),
            producer: with_common(self.properties("kafka.producer.", environment)?),
        })
    }

    /// Refuses what the broker decides under [`GroupProtocol::Consumer`].
    fn refuse_brokers_own(&self) -> Result<(), ConfigError> {
        for name in ["session.timeout.ms", "heartbeat.interval.ms"] {
            for section in ["kafka", "kafka.consumer"] {
                let path = format!("{section}.{name}");
                if let Some(setting) = self.layer.get(&path) {
                    let what = format!("{path} does not go with kafka.group_protocol \"consumer\"");
                    let remedy = "remove it, the broker decides it";
                    return Err(ConfigError::new(what, &setting.origin, remedy));
                }
            }
        }
        Ok(())
    }

    /// Takes the properties of librdkafka below `section`.
    fn properties(
        &mut self,
        section: &str,
        environment: &Environment,
    ) -> Result<Properties, ConfigError> {
        let below = |path: &str| {
            let inner = ["kafka.consumer", "kafka.producer"];
            let mine = path.starts_with(section);
            let deeper = section == "kafka."
                && inner.iter().any(|inner| {
                    let rest = path.strip_prefix(inner);
                    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
                });
            mine && !deeper
        };
        let paths: Vec<String> = self
            .layer
            .keys()
            .filter(|path| below(path))
            .cloned()
            .collect();
        let mut properties = Properties::new();
        for path in paths {
            let Some(setting) = self.layer.remove(&path) else {
                continue;
            };
            let name = path.strip_prefix(section).unwrap_or(&path);
            let passed = kafka::property(&path, name, &setting, environment)?;
            self.shown.push(Shown {
                path: format!("{section}{}", quoted(name)),
                value: quoted(&passed.property.to_string()),
                origin: setting.origin,
            });
            properties.insert(passed.name, passed.property);
        }
        Ok(properties)
    }

    fn source(&mut self, topic: &Given) -> Result<Source, ConfigError> {
        let words = [
            ("auto", SourceFormat::Auto),
            ("json", SourceFormat::Json),
            ("protobuf", SourceFormat::Protobuf),
        ];
        let losses = [
            ("stop", OnDataLoss::Stop),
            ("continue", OnDataLoss::Continue),
        ];
        Ok(Source {
            topics: topic.texts()?,
            group: self.get("source.group")?.text()?,
            format: self.get("source.format")?.one_of(&words)?,
            on_data_loss: self.get("source.on_data_loss")?.one_of(&losses)?,
        })
    }

    fn schema_registry(
        &mut self,
        environment: &Environment,
    ) -> Result<Option<RegistrySettings>, ConfigError> {
        let url = self.find("schema_registry.url")?;
        let username = self.find("schema_registry.username")?;
        let password = self.find("schema_registry.password")?;
        let timeout = self.get("schema_registry.timeout")?.duration()?;
        let register = self.get("schema_registry.register")?.flag()?;
        let credentials = match (&username, &password) {
            (None, None) => None,
            (Some(username), Some(password)) => {
                Some((username.text()?, password.secret(environment)?))
            }
            (Some(one), None) | (None, Some(one)) => {
                let remedy = "give schema_registry.username and schema_registry.password";
                return Err(one.error("goes with another key", remedy));
            }
        };
        let Some(given) = url else {
            return Ok(None);
        };
        let url = given.text()?;
        let host = ["http://", "https://"]
            .iter()
            .find_map(|of| url.strip_prefix(of));
        if host.is_none_or(|host| host.is_empty() || host.contains(['@', '?', '#', ' '])) {
            // It is not repeated: there may be a password in it.
            let remedy =
                "give http://HOST:PORT or https://HOST:PORT, and credentials by their own keys";
            return Err(given.error("is no such address", remedy));
        }
        Ok(Some(RegistrySettings {
            url,
            credentials,
            timeout,
            register,
        }))
    }

    fn commit(&mut self, delivery: Guarantee) -> Result<CommitSettings, ConfigError> {
        let given = self.get("commit.interval")?;
        let interval = given.duration()?;
        if delivery == Guarantee::ExactlyOnce && interval > LONGEST_TRANSACTION {
            let what = "is too long for delivery \"exactly_once\"";
            return Err(given.error(what, "give at most 5s"));
        }
        Ok(CommitSettings {
            interval,
            max_records: self.get("commit.max_records")?.whole()?,
            max_bytes: self.get("commit.max_bytes")?.size()? as u64,
        })
    }

    fn retry(&mut self) -> Result<DeliverySettings, ConfigError> {
        let failures = self.get("retry.max_failures")?.whole()?;
        Ok(DeliverySettings {
            // The form's bounds are below those of the type.
            max_failures: u32::try_from(failures).unwrap_or(u32::MAX),
            backoff: self.get("retry.backoff")?.duration()?,
            max_backoff: self.get("retry.max_backoff")?.duration()?,
        })
    }

    fn memory(&mut self) -> Result<MemorySettings, ConfigError> {
        Ok(MemorySettings {
            max_read_ahead_bytes: self.get("memory.max_read_ahead")?.size()?,
            max_in_flight_bytes: self.get("memory.max_in_flight")?.size()?,
        })
    }

    fn validate(&mut self) -> Result<Validate, ConfigError> {
        let warnings = Warning::ALL.iter().map(|code| (code.name(), *code));
        let warnings: Vec<_> = warnings.collect();
        let reject = self.get("validate.reject")?.any_of(&warnings)?;
        Ok(Validate {
            reject: reject.into_iter().collect(),
            limits: Limits {
                max_message_bytes: self.get("validate.max_message_bytes")?.size()?,
                max_metadata_bytes: self.get("validate.max_metadata_bytes")?.size()?,
                max_records: to_usize(self.get("validate.max_records")?.whole()?),
                max_field_bytes: self.get("validate.max_field_bytes")?.size()?,
                max_event_bytes: self.get("validate.max_event_bytes")?.size()?,
            },
        })
    }

    fn enrich(&mut self) -> Result<Enrich, ConfigError> {
        let networks = self.get("networks.internal")?;
        let texts = networks.texts()?;
        let internal = Internal::parse(texts.iter().map(String::as_str)).map_err(|invalid| {
            let what = format!("{} {}", quoted(&invalid.entry), invalid.problem);
            let remedy = "give a CIDR such as 10.0.0.0/8, or the name of a scope such as private";
            networks.error(what, remedy)
        })?;
        let words: Vec<_> = Enrichment::ALL
            .iter()
            .map(|enrichment| (enrichment.name(), *enrichment))
            .collect();
        let mut enabled = Enrichments::ALL;
        for enrichment in self.get("enrich.disable")?.any_of(&words)? {
            enabled.remove(enrichment);
        }
        let seed = self.get("enrich.community_id_seed")?.whole()?;
        Ok(Enrich {
            enabled,
            internal,
            // The form's bounds are those of the type.
            community_id_seed: u16::try_from(seed).unwrap_or(u16::MAX),
            // They are loaded when the configuration is known to be right.
            reference: Arc::default(),
        })
    }

    fn reference(&mut self) -> Result<Files, ConfigError> {
        Ok(Files {
            network_labels: self.file("networks.labels")?,
            geo: self.files("reference.geo")?,
            asn: self.files("reference.asn")?,
            vendors: self.files("reference.vendors")?,
            process_categories: self.file("reference.process_categories")?,
        })
    }

    /// The paths of files, as many as are given.
    fn files(&mut self, key: &'static str) -> Result<Vec<PathBuf>, ConfigError> {
        let paths = self.find(key)?.map(|given| given.texts()).transpose()?;
        Ok(paths.into_iter().flatten().map(PathBuf::from).collect())
    }

    /// The path of a file, where one is given.
    fn file(&mut self, key: &'static str) -> Result<Option<PathBuf>, ConfigError> {
        let path = self.find(key)?.map(|given| given.text()).transpose()?;
        Ok(path.map(PathBuf::from))
    }

    fn brake(&mut self) -> Result<BrakeSettings, ConfigError> {
        let actions = [("alert", BrakeAction::Alert), ("pause", BrakeAction::Pause)];
        Ok(BrakeSettings {
            window: to_usize(self.get("brake.window")?.whole()?),
            max_rejected_share: self.get("brake.max_rejected_share")?.share()?,
            action: self.get("brake.action")?.one_of(&actions)?,
            pause_for: self.get("brake.pause")?.duration()?,
        })
    }

    fn log(&mut self) -> Result<Log, ConfigError> {
        let levels = [
            ("error", tracing::Level::ERROR),
            ("warn", tracing::Level::WARN),
            ("info", tracing::Level::INFO),
            ("debug", tracing::Level::DEBUG),
            ("trace", tracing::Level::TRACE),
        ];
        let formats = [
            ("auto", LogFormat::Auto),
            ("text", LogFormat::Text),
            ("json", LogFormat::Json),
        ];
        Ok(Log {
            level: self.get("log.level")?.one_of(&levels)?,
            format: self.get("log.format")?.one_of(&formats)?,
        })
    }
}

/// Bounded by its key's form, far below what fits.
fn to_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
