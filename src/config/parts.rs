//! What each side of the processor is told of the configuration.

use crate::kafka::KafkaSettings;
use crate::kafka::settings::ClientProperties;
use crate::pipeline::filter::Filter;
use crate::pipeline::settings::{Output, Settings};

use super::checked::Config;
use super::kafka::Properties;

impl Config {
    /// The Kafka side's settings, for a process of that name.
    pub fn kafka_settings(&self, instance: String) -> KafkaSettings {
        let outputs = self.outputs.iter().map(|output| output.topic.clone());
        let defaults = KafkaSettings::new(
            &self.kafka.bootstrap,
            "",
            outputs.collect(),
            &self.dead_letters_topic,
            &self.source.group,
        );
        let exposed = |properties: &Properties| -> ClientProperties {
            let properties = properties.iter();
            let properties = properties.map(|(name, property)| (name, property.expose()));
            properties.collect()
        };
        KafkaSettings {
            output_names: self.outputs.iter().map(|of| of.name.clone()).collect(),
            consumer: exposed(&self.kafka.consumer),
            producer: exposed(&self.kafka.producer),
            sources: self.source.topics.clone(),
            instance,
            guarantee: self.delivery,
            workers: self.workers,
            group_protocol: self.kafka.group_protocol,
            static_membership: self.kafka.static_membership,
            on_data_loss: self.source.on_data_loss,
            commit: self.commit,
            delivery: self.retry,
            memory: self.memory,
            brake: self.brake,
            watchdog_stalled_after: self.stalled_after,
            connect_timeout: self.kafka.connect_timeout,
            shutdown_timeout: self.shutdown_timeout,
            ..defaults
        }
    }

    /// The core's settings. What the topics take and the ids of schemas are not known here:
    /// nothing is too large for its topic yet, nor framed; and the tables are not loaded.
    pub fn core_settings(&self) -> Settings {
        let outputs = self.outputs.iter().map(|output| Output {
            format: output.format,
            key: output.key,
            prefix: Vec::new(),
            filter: Filter::new(&output.condition()),
            max_bytes: usize::MAX,
        });
        Settings {
            format: self.source.format,
            reject: self.validate.reject,
            limits: self.validate.limits,
            enrich: self.enrich.clone(),
            outputs: outputs.collect(),
            dead_letter_max_bytes: usize::MAX,
        }
    }
}
