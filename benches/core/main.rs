//! The core against its codec floor, in one run.
//!
//! The floor decodes the same input with generated types (prost, or serde_json into derived
//! structs) and encodes ready-made events of the same content with prost, with nothing in
//! between: what a program that does no work would cost if it used the usual libraries. Both
//! sides take turns, and each pair of turns gives a ratio, so that a noisy machine troubles both
//! alike.
//!
//! `cargo bench --bench core [-- ROUNDS [RECORDS]]`; `-- ROUNDS tables` for the operator's tables
//! alone.

#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

mod case;
mod load;
#[path = "../../tests/support/mmdb.rs"]
mod mmdb;
mod tables;

use case::Case;
use netsieve::pipeline::enrich::{Enrichment, Enrichments};
use netsieve::pipeline::filter::{Condition, Field, Filter, LabelPart, Test};
use netsieve::pipeline::record::Kind;

const DEFAULT_ROUNDS: usize = 25;

fn main() {
    let mut numbers = std::env::args().filter_map(|argument| argument.parse::<usize>().ok());
    let rounds = numbers.next().unwrap_or(DEFAULT_ROUNDS);
    let only = numbers.next();
    if std::env::args().any(|argument| argument == "tables") {
        return tables::measure(rounds);
    }
    println!("core against its codec floor: ns and allocations a record, {rounds} rounds");
    println!(
        "{:<9}{:<9}{:>8}{:>6}{:>6}{:>7}{:>6}{:>18}{:>10}",
        "input",
        "enriched",
        "records",
        "in B",
        "out B",
        "floor",
        "core",
        "ratio min/med/max",
        "allocs"
    );
    for (enrichments, enabled) in [("none", Enrichments::NONE), ("all", Enrichments::ALL)] {
        for records in only.map_or(vec![1, 20, 1_000, 10_000], |records| vec![records]) {
            for json in [false, true] {
                Case::new(records, json, enabled).measure(enrichments, rounds);
            }
        }
    }
    println!("each enrichment: ns a record that the core with all of them costs more than without");
    let case = Case::new(1_000, false, Enrichments::ALL);
    for enrichment in Enrichment::ALL {
        let mut without = Enrichments::ALL;
        without.remove(*enrichment);
        case.measure_without(enrichment.name(), without, rounds);
    }
    case.measure_without("all of them", Enrichments::NONE, rounds);
    let case = Case::new(1, false, Enrichments::ALL);
    case.measure_without("all, one record", Enrichments::NONE, rounds);
    tables::measure(rounds);
    measure_filters(rounds);
}

/// What filters add to a record.
fn measure_filters(rounds: usize) {
    println!("filters: ns a record that two outputs cost more with them than by kind alone");
    let case = Case::new(1_000, false, Enrichments::ALL);
    let (mut plain, mut filtered) = (case.settings.clone(), case.settings.clone());
    case.compare("no filter", &case.settings, &plain, rounds);
    for output in &mut plain.outputs {
        output.filter = Filter::default();
    }
    for output in &mut filtered.outputs {
        output.filter = Filter::new(&typical_filter());
    }
    case.compare("seven tests", &filtered, &plain, rounds);
}

/// A filter of seven tests that takes every event of the bench, and looks at most of them before
/// it does.
fn typical_filter() -> Condition {
    let is = |field: Field, words: &[&str]| {
        let known = field.words().into_iter();
        let bits = known.filter(|(word, _)| words.contains(word));
        let words = bits.fold(0, |all, (_, bit)| all | bit);
        Condition::Is(Test::Word { field, words })
    };
    let not = |condition| Condition::Not(Box::new(condition));
    let tenant = Condition::Is(Test::Label {
        part: LabelPart::Tenant,
        texts: vec!["nobody".to_owned()],
    });
    Condition::All(vec![
        not(is(Field::Warning, &["expired", "zero_local_port"])),
        not(is(Field::RemoteScope, &["documentation"])),
        not(tenant),
        not(is(Field::Initiator, &["unknown"])),
        Condition::Any(vec![
            is(Field::State, &["CLOSING"]),
            is(Field::Category, &["remote_access"]),
            Condition::kinds(Kind::ALL),
        ]),
    ])
}
