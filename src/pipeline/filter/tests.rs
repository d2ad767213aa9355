use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::super::code::Warnings;
use super::super::enrich::direction::{Basis, Direction};
use super::super::enrich::listener::Listener;
use super::super::enrich::{EndFacts, Enrichments, Facts, Process};
use super::super::identity::Identity;
use super::super::record::{Endpoint, Record, Row};
use super::*;

/// What a filter can look at, and nothing else.
#[derive(Clone, Debug)]
struct Said {
    kind: Kind,
    state: Option<State>,
    direction: Option<Direction>,
    scopes: [Option<Scope>; 2],
    exposure: Option<Exposure>,
    category: Option<Category>,
    warnings: Vec<Warning>,
    labels: [Option<NetworkLabel<'static>>; 2],
}

const TEXTS: &[&str] = &["dmz", "office", "ber"];

impl Said {
    /// Asks something of the event that says this.
    fn ask<T>(&self, ask: impl FnOnce(&Event<'_>) -> T) -> T {
        let warnings: Warnings = self.warnings.iter().copied().collect();
        let record = Record {
            index: 0,
            row: Row::default(),
            protocols: &[],
            transport: None,
            network: None,
            state: self.state,
            local: Endpoint::default(),
            remote: None,
            both_families: false,
            datagram: false,
            warnings,
        };
        let [local, remote] = [0, 1].map(|end| EndFacts {
            scope: self.scopes[end],
            network: self.labels[end].as_ref(),
            ..EndFacts::default()
        });
        let facts = Facts {
            kind: self.kind,
            local,
            remote,
            direction: self.direction,
            community_id: None,
            process: Process {
                category: self.category,
                ..Process::default()
            },
            listener: self.exposure.map(|exposure| Listener {
                exposure: Some(exposure),
                dual_stack: false,
                ephemeral: false,
                established_peers: 0,
            }),
            peer_process: None,
            success: Enrichments::NONE,
            failure: Enrichments::NONE,
        };
        ask(&Event {
            record: &record,
            raw: &[],
            facts: &facts,
            identity: Identity {
                event_id: [0; 16],
                connection_key: [0; 16],
                ordinal: 0,
            },
            warnings,
        })
    }

    /// The words that it has for a field, by their names.
    fn words(&self, field: Field) -> Vec<&'static str> {
        let one = |word: Option<&'static str>| word.into_iter().collect();
        match field {
            Field::Kind => vec![self.kind.name()],
            Field::State => one(self.state.map(State::name)),
            Field::Host => one(self.direction.map(|of| of.host.name())),
            Field::Perimeter => one(self.direction.map(|of| of.perimeter.name())),
            Field::Initiator => one(self.direction.map(|of| of.initiator.name())),
            Field::LocalScope => one(self.scopes[0].map(Scope::name)),
            Field::RemoteScope => one(self.scopes[1].map(Scope::name)),
            Field::Exposure => one(self.exposure.map(Exposure::name)),
            Field::Category => one(self.category.map(Category::name)),
            Field::Warning => self.warnings.iter().map(|of| of.name()).collect(),
        }
    }

    /// What a condition says of it, read word by word off the tree.
    fn meets(&self, condition: &Condition) -> bool {
        match condition {
            Condition::All(conditions) => conditions.iter().all(|of| self.meets(of)),
            Condition::Any(conditions) => conditions.iter().any(|of| self.meets(of)),
            Condition::Not(condition) => !self.meets(condition),
            Condition::Is(Test::Word { field, words }) => {
                let asked = field
                    .words()
                    .into_iter()
                    .filter(|(_, bit)| words & bit != 0);
                let said = self.words(*field);
                asked.into_iter().any(|(word, _)| said.contains(&word))
            }
            Condition::Is(Test::Label { part, texts }) => self.labels.iter().flatten().any(|of| {
                let said = match part {
                    LabelPart::Name => Some(of.name),
                    LabelPart::Role => of.role,
                    LabelPart::Site => of.site,
                    LabelPart::Tenant => of.tenant,
                };
                said.is_some_and(|said| texts.iter().any(|text| text == said))
            }),
        }
    }
}

fn maybe<T: Copy + std::fmt::Debug + 'static>(
    all: &'static [T],
) -> impl Strategy<Value = Option<T>> {
    prop::option::of(select(all))
}

fn label() -> impl Strategy<Value = Option<NetworkLabel<'static>>> {
    let label = (select(TEXTS), maybe(TEXTS), maybe(TEXTS), maybe(TEXTS));
    prop::option::of(label.prop_map(|(name, role, site, tenant)| NetworkLabel {
        prefix: "10.0.0.0/8",
        name,
        role,
        site,
        tenant,
    }))
}

fn said() -> impl Strategy<Value = Said> {
    let direction = (
        select(Host::ALL),
        select(Perimeter::ALL),
        select(Initiator::ALL),
    );
    let direction = direction.prop_map(|(host, perimeter, initiator)| Direction {
        host,
        perimeter,
        initiator,
        basis: Basis::None,
        confidence: None,
    });
    (
        select(Kind::ALL),
        maybe(State::ALL),
        prop::option::of(direction),
        [maybe(Scope::ALL), maybe(Scope::ALL)],
        maybe(Exposure::ALL),
        maybe(Category::ALL),
        subsequence(Warning::ALL, 0..4),
        [label(), label()],
    )
        .prop_map(
            |(kind, state, direction, scopes, exposure, category, warnings, labels)| Said {
                kind,
                state,
                direction,
                scopes,
                exposure,
                category,
                warnings,
                labels,
            },
        )
}

fn condition() -> impl Strategy<Value = Condition> {
    let word = select(Field::ALL).prop_flat_map(|field| {
        let words = field.words();
        // Up to all of them: most answers are to be no foregone ones.
        subsequence(words.clone(), 1..=words.len()).prop_map(move |some| Test::Word {
            field,
            words: some.iter().map(|(_, bit)| bit).sum(),
        })
    });
    let label = (select(LabelPart::ALL), subsequence(TEXTS, 1..=2)).prop_map(|(part, texts)| {
        let texts = texts.into_iter().map(str::to_owned).collect();
        Test::Label { part, texts }
    });
    let test = prop_oneof![4 => word, 1 => label].prop_map(Condition::Is);
    test.prop_recursive(4, 24, 4, |inner| {
        let some = prop::collection::vec(inner.clone(), 0..4);
        prop_oneof![
            some.clone().prop_map(Condition::All),
            some.prop_map(Condition::Any),
            inner.prop_map(|of| Condition::Not(Box::new(of))),
        ]
    })
}

proptest! {
    #[test]
    fn a_filter_takes_what_meets_its_condition(
        condition in condition(),
        events in prop::collection::vec(said(), 8),
    ) {
        let filter = Filter::new(&condition);
        for said in events {
            prop_assert_eq!(said.ask(|event| filter.takes(event)), said.meets(&condition));
        }
    }

    #[test]
    fn without_a_condition_every_event_is_taken(said in said()) {
        prop_assert!(said.ask(|event| Filter::default().takes(event)));
        let all = Filter::new(&Condition::All(Vec::new()));
        prop_assert_eq!(all, Filter::default());
    }
}

#[test]
fn the_words_of_a_field_have_bits_of_their_own() {
    for field in Field::ALL {
        let words = field.words();
        let bits = words.iter().fold(0, |bits: u64, (_, bit)| bits | bit);
        assert_eq!(bits.count_ones() as usize, words.len(), "{}", field.name());
    }
}
