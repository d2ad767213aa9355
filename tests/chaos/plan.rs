//! What a scenario is, what it is told, and what it tells.

use std::time::Duration;

use crate::proof::checker::{Promise, Verdict};
use crate::proof::process::Process;
use crate::proof::stage::Stage;

/// Something that goes wrong around processors at work.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// One line on what happens.
    pub(crate) about: &'static str,
    /// How many brokers it takes, 1 or 3.
    pub(crate) brokers: u32,
    /// Whether the cluster must have access control.
    pub(crate) secure: bool,
    /// Whether it takes brokers down, so that nothing else may run.
    pub(crate) alone: bool,
    /// Whether it belongs to the short set.
    pub(crate) short: bool,
    /// The modes in which it runs, the first so many of them in the short set.
    pub(crate) deliveries: &'static [Delivery],
    pub(crate) short_deliveries: usize,
    pub(crate) run: fn(&Plan) -> Told,
}

impl Scenario {
    /// What holds for most scenarios.
    pub(crate) const USUAL: Self = Self {
        name: "",
        about: "",
        brokers: 1,
        secure: false,
        alone: false,
        short: true,
        deliveries: &[Delivery::ExactlyOnce],
        short_deliveries: 1,
        run: |_| unreachable!(),
    };
}

/// What the processors promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Delivery {
    ExactlyOnce,
    AtLeastOnce,
}

impl Delivery {
    /// As the configuration has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ExactlyOnce => "exactly_once",
            Self::AtLeastOnce => "at_least_once",
        }
    }

    pub(crate) fn short_name(self) -> &'static str {
        match self {
            Self::ExactlyOnce => "eos",
            Self::AtLeastOnce => "alo",
        }
    }

    fn promise(self) -> Promise {
        match self {
            Self::ExactlyOnce => Promise::ExactlyOnce,
            // What was not committed is done again, as often as it takes.
            Self::AtLeastOnce => Promise::AtLeastOnce { returns: u32::MAX },
        }
    }
}

/// How one scenario is to be run.
pub(crate) struct Plan {
    pub(crate) name: String,
    pub(crate) messages: usize,
    pub(crate) delivery: Delivery,
    pub(crate) is_short: bool,
}

impl Plan {
    /// How often something is to happen.
    pub(crate) fn rounds(&self, long: usize, short: usize) -> usize {
        if self.is_short { short } else { long }
    }

    /// Topics, and nothing in them yet.
    pub(crate) fn open(&self) -> Stage {
        Stage::open(&self.name)
    }

    /// So large a part of the load's messages.
    pub(crate) fn part(&self, numerator: usize, denominator: usize) -> usize {
        self.messages * numerator / denominator
    }

    /// Waits until the group has committed so large a part of the load.
    pub(crate) fn wait_for_part(&self, stage: &Stage, numerator: usize, denominator: usize) {
        stage.wait_for(i64::try_from(self.part(numerator, denominator)).unwrap());
    }

    /// A processor of that name, which commits often enough that the load takes a while.
    pub(crate) fn start(&self, stage: &Stage, instance: &str, settings: &[&str]) -> Process {
        self.start_with(&stage.config(self.delivery.name()), instance, settings)
    }

    /// The same with a configuration of its own.
    pub(crate) fn start_with(&self, config: &str, instance: &str, settings: &[&str]) -> Process {
        let max_records = format!("commit.max_records={}", (self.messages / 1_000).max(10));
        let settings = [&[max_records.as_str()], settings].concat();
        Process::start(config, instance, &settings)
    }

    /// Waits for a moment that is another one each time.
    pub(crate) fn drift(round: usize) {
        let millis = u64::try_from(round * 37 % 100).unwrap_or(0);
        std::thread::sleep(Duration::from_millis(millis));
    }

    /// Judges what came out, when all is done.
    pub(crate) fn judge(&self, stage: &Stage, note: String) -> Told {
        Told {
            due: stage.due.len(),
            verdict: stage.judge(self.delivery.promise()),
            note,
            recovery: None,
        }
    }
}

/// What a scenario tells of itself.
pub(crate) struct Told {
    /// Events and dead letters that had to come.
    pub(crate) due: u64,
    pub(crate) verdict: Verdict,
    /// What happened, where that can differ from run to run.
    pub(crate) note: String,
    /// Where recovery was measured, the seconds of each time.
    pub(crate) recovery: Option<Vec<f64>>,
}
