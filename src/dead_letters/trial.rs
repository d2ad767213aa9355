//! A replay tried out: each message through the core, and nothing sent.

use std::collections::BTreeMap;

use super::plan::Message;
use crate::pipeline::emit::Emitted;
use crate::pipeline::message::Input;
use crate::pipeline::settings::Settings;
use crate::pipeline::{Workspace, process};

/// What would come of messages.
#[derive(Debug, Default)]
pub struct Outcomes {
    /// Messages that would be sent.
    pub messages: u64,
    /// Events by the number of their output.
    pub events: BTreeMap<usize, u64>,
    /// Events that no output takes.
    pub unrouted: u64,
    /// Dead letters by their reason.
    pub rejected: BTreeMap<&'static str, u64>,
    /// The first of what would come out, in JSON: events, and the sentences of rejections.
    pub samples: Vec<String>,
}

/// The core, and what has come out of it.
pub struct Trial {
    settings: Settings,
    most_samples: usize,
    workspace: Workspace,
    emitted: Emitted,
    outcomes: Outcomes,
}

impl Trial {
    /// A trial with these settings of the core, of which the first so many outcomes are kept.
    pub fn new(settings: Settings, most_samples: usize) -> Self {
        Self {
            settings,
            most_samples,
            workspace: Workspace::default(),
            emitted: Emitted::default(),
            outcomes: Outcomes::default(),
        }
    }

    /// Runs one message through the core; where it would come to lie is not known, so that it
    /// keeps the place of its dead letter.
    pub fn run(&mut self, message: &Message<'_>, partition: i32, offset: i64) {
        let headers = message.headers();
        let input = Input {
            value: message.value.as_deref().unwrap_or_default(),
            key: message.key,
            headers: &headers,
            topic: message.topic,
            partition,
            offset,
            timestamp_ms: message.timestamp_ms,
        };
        process(
            &input,
            &self.settings,
            &mut self.workspace,
            &mut self.emitted,
        );
        let (outcomes, most) = (&mut self.outcomes, self.most_samples);
        outcomes.messages += 1;
        for event in self.emitted.events() {
            *outcomes.events.entry(event.output).or_default() += 1;
            if outcomes.samples.len() < most {
                let event = String::from_utf8_lossy(event.value).into_owned();
                outcomes.samples.push(event);
            }
        }
        for letter in self.emitted.dead_letters() {
            let reason = letter.reject.reason.name();
            *outcomes.rejected.entry(reason).or_default() += 1;
            if outcomes.samples.len() < most {
                let sample =
                    serde_json::json!({"rejected": reason, "message": letter.reject.message});
                outcomes.samples.push(sample.to_string());
            }
        }
        outcomes.unrouted = self.emitted.tally.unrouted;
    }

    /// What has come out.
    pub fn outcomes(self) -> Outcomes {
        self.outcomes
    }
}
