//! Which events an output takes: conditions over what an event says, compiled to a short program.
//!
//! A [`Condition`] is the tree that a person writes. A [`Filter`] is the same as a list of steps,
//! of which each looks at one thing and says which step is next: an event is looked at no more
//! than the answer needs, and nothing is allocated.

#[cfg(test)]
mod tests;

use super::code::Warning;
use super::encode::Event;
use super::enrich::Enrichment;
use super::enrich::direction::{Host, Initiator, Perimeter};
use super::enrich::listener::Exposure;
use super::enrich::lookup::NetworkLabel;
use super::enrich::process::Category;
use super::enrich::scope::Scope;
use super::record::{Kind, State};

/// A condition on an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Every one of these holds; it always does when there are none.
    All(Vec<Self>),
    /// At least one of these holds; it never does when there are none.
    Any(Vec<Self>),
    /// This does not hold.
    Not(Box<Self>),
    /// This test holds.
    Is(Test),
}

/// A look at one thing that an event says. What the event does not say passes no test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// The field has one of these words; of `warning`, the event carries one of them.
    Word {
        /// The field.
        field: Field,
        /// Bits of [`Field::words`].
        words: u64,
    },
    /// The label of the network of either end says one of these.
    Label {
        /// What of the label.
        part: LabelPart,
        /// The texts, one of which it is to be exactly.
        texts: Vec<String>,
    },
}

/// Fields whose words are closed sets, of at most 64 words each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// `kind`.
    Kind,
    /// `state`.
    State,
    /// `direction.host`.
    Host,
    /// `direction.perimeter`.
    Perimeter,
    /// `direction.initiator`.
    Initiator,
    /// `scope` of the local end.
    LocalScope,
    /// `scope` of the remote end.
    RemoteScope,
    /// `exposure` of a listener.
    Exposure,
    /// `category` of the process.
    Category,
    /// `warnings`.
    Warning,
}

/// What the label of a network says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelPart {
    /// What the network is called.
    Name,
    /// What it is for.
    Role,
    /// Where it is.
    Site,
    /// Whose it is.
    Tenant,
}

/// The words of a closed set, each with the bit of its number.
macro_rules! words {
    ($kind:ty) => {
        <$kind>::ALL
            .iter()
            .map(|word| (word.name(), 1 << *word as u64))
            .collect()
    };
}

impl Field {
    /// Every field.
    pub const ALL: &[Self] = &[
        Self::Kind,
        Self::State,
        Self::Host,
        Self::Perimeter,
        Self::Initiator,
        Self::LocalScope,
        Self::RemoteScope,
        Self::Exposure,
        Self::Category,
        Self::Warning,
    ];

    /// The name in filters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kind => "kind",
            Self::State => "state",
            Self::Host => "direction.host",
            Self::Perimeter => "direction.perimeter",
            Self::Initiator => "direction.initiator",
            Self::LocalScope => "scope.local",
            Self::RemoteScope => "scope.remote",
            Self::Exposure => "exposure",
            Self::Category => "category",
            Self::Warning => "warning",
        }
    }

    /// The words that the field may have, as events name them, each with its bit.
    pub fn words(self) -> Vec<(&'static str, u64)> {
        match self {
            Self::Kind => words!(Kind),
            Self::State => words!(State),
            Self::Host => words!(Host),
            Self::Perimeter => words!(Perimeter),
            Self::Initiator => words!(Initiator),
            Self::LocalScope | Self::RemoteScope => words!(Scope),
            Self::Exposure => words!(Exposure),
            Self::Category => words!(Category),
            Self::Warning => words!(Warning),
        }
    }

    /// The enrichment that finds the field out.
    pub const fn enrichment(self) -> Option<Enrichment> {
        match self {
            Self::Kind | Self::State | Self::Warning => None,
            Self::Host | Self::Perimeter | Self::Initiator => Some(Enrichment::Direction),
            Self::LocalScope | Self::RemoteScope => Some(Enrichment::Scope),
            Self::Exposure => Some(Enrichment::Listener),
            Self::Category => Some(Enrichment::Process),
        }
    }

    /// The bits of what the event has there.
    #[inline]
    fn of(self, event: &Event<'_>) -> u64 {
        let facts = event.facts;
        let direction = facts.direction;
        let number = match self {
            Self::Kind => Some(facts.kind as u64),
            Self::State => event.record.state.map(|state| state as u64),
            Self::Host => direction.map(|direction| direction.host as u64),
            Self::Perimeter => direction.map(|direction| direction.perimeter as u64),
            Self::Initiator => direction.map(|direction| direction.initiator as u64),
            Self::LocalScope => facts.local.scope.map(|scope| scope as u64),
            Self::RemoteScope => facts.remote.scope.map(|scope| scope as u64),
            Self::Exposure => {
                let exposure = facts.listener.and_then(|listener| listener.exposure);
                exposure.map(|exposure| exposure as u64)
            }
            Self::Category => facts.process.category.map(|category| category as u64),
            Self::Warning => return event.warnings.bits(),
        };
        number.map_or(0, |number| 1 << number)
    }
}

impl LabelPart {
    /// Every part.
    pub const ALL: &[Self] = &[Self::Name, Self::Role, Self::Site, Self::Tenant];

    /// The name in filters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Name => "label.name",
            Self::Role => "label.role",
            Self::Site => "label.site",
            Self::Tenant => "label.tenant",
        }
    }

    const fn of<'l>(self, label: &NetworkLabel<'l>) -> Option<&'l str> {
        match self {
            Self::Name => Some(label.name),
            Self::Role => label.role,
            Self::Site => label.site,
            Self::Tenant => label.tenant,
        }
    }
}

impl Test {
    /// The enrichment without which no event passes.
    pub const fn enrichment(&self) -> Option<Enrichment> {
        match self {
            Self::Word { field, .. } => field.enrichment(),
            Self::Label { .. } => Some(Enrichment::NetworkLabel),
        }
    }

    #[inline]
    fn holds(&self, event: &Event<'_>) -> bool {
        match self {
            Self::Word { field, words } => field.of(event) & words != 0,
            Self::Label { part, texts } => {
                let ends = [event.facts.local.network, event.facts.remote.network];
                let mut said = ends
                    .into_iter()
                    .flatten()
                    .filter_map(|label| part.of(label));
                said.any(|said| texts.iter().any(|text| text == said))
            }
        }
    }
}

impl Condition {
    /// That an event is of one of those kinds.
    pub fn kinds(kinds: &[Kind]) -> Self {
        let bits = kinds.iter().map(|kind| 1 << *kind as u64);
        Self::Is(Test::Word {
            field: Field::Kind,
            words: bits.fold(0, |all, bit| all | bit),
        })
    }

    /// Every test in it.
    pub fn tests(&self) -> Vec<&Test> {
        match self {
            Self::All(conditions) | Self::Any(conditions) => {
                conditions.iter().flat_map(Self::tests).collect()
            }
            Self::Not(condition) => condition.tests(),
            Self::Is(test) => vec![test],
        }
    }
}

/// A condition made ready; the default takes every event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Each leads on only to steps before it, so that a way through them always ends.
    steps: Vec<Step>,
    first: Next,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Step {
    test: Test,
    passed: Next,
    failed: Next,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Step(usize),
    Take,
    Leave,
}

impl Default for Filter {
    fn default() -> Self {
        Self {
            steps: Vec::new(),
            first: Next::Take,
        }
    }
}

impl Filter {
    /// The program of a condition.
    pub fn new(condition: &Condition) -> Self {
        let mut filter = Self::default();
        filter.first = filter.add(condition, Next::Take, Next::Leave);
        filter
    }

    /// Adds the steps of a condition that lead to `passed` or `failed`, the last first; gives
    /// where they begin.
    fn add(&mut self, condition: &Condition, passed: Next, failed: Next) -> Next {
        match condition {
            Condition::All(conditions) => {
                let conditions = conditions.iter().rev();
                conditions.fold(passed, |passed, of| self.add(of, passed, failed))
            }
            Condition::Any(conditions) => {
                let conditions = conditions.iter().rev();
                conditions.fold(failed, |failed, of| self.add(of, passed, failed))
            }
            Condition::Not(condition) => self.add(condition, failed, passed),
            Condition::Is(test) => {
                self.steps.push(Step {
                    test: test.clone(),
                    passed,
                    failed,
                });
                Next::Step(self.steps.len() - 1)
            }
        }
    }

    /// Whether the output takes the event.
    #[inline]
    pub fn takes(&self, event: &Event<'_>) -> bool {
        let mut next = self.first;
        loop {
            let at = match next {
                Next::Take => return true,
                Next::Leave => return false,
                Next::Step(at) => at,
            };
            let Some(step) = self.steps.get(at) else {
                return false;
            };
            next = if step.test.holds(event) {
                step.passed
            } else {
                step.failed
            };
        }
    }
}
