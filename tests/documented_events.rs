//! `docs/events.md` against the schema and the core, so that it cannot go stale.

mod common;

use std::collections::BTreeSet;
use std::net::IpAddr;

use common::schema;
use netsieve::pipeline::enrich::Enrichment;
use netsieve::pipeline::enrich::direction::{Basis, Confidence, Host, Initiator, Perimeter};
use netsieve::pipeline::enrich::listener::Exposure;
use netsieve::pipeline::enrich::process::Category;
use netsieve::pipeline::enrich::scope::{self, Scope};
use prost_reflect::{Kind, MessageDescriptor};

const PAGE: &str = include_str!("../docs/events.md");

/// The tables' rows below a heading, without the head and the ruler; all of them for "".
fn rows(heading: &str) -> Vec<Vec<&'static str>> {
    let from = PAGE.find(heading).expect("the page has the heading");
    let section = &PAGE[from..];
    let rows = section
        .lines()
        .filter(|line| line.starts_with("| `") || line.starts_with("| 1"));
    rows.map(|row| row.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect()
}

fn code(cell: &str) -> String {
    cell.trim_matches('`').to_owned()
}

/// Every field of a message and of those in it, by dotted name.
fn fields(message: &MessageDescriptor, prefix: &str, names: &mut BTreeSet<String>) {
    for field in message.fields() {
        let name = format!("{prefix}{}", field.name());
        names.insert(name.clone());
        // The ends are alike, and so are the processes.
        let is_described = !matches!(name.as_str(), "remote" | "peer_process");
        if let (Kind::Message(inner), true) = (field.kind(), is_described)
            && inner.full_name() != "google.protobuf.Timestamp"
        {
            fields(&inner, &format!("{name}."), names);
        }
    }
}

#[test]
fn each_field_has_a_row_and_each_row_a_field() {
    let mut expected = BTreeSet::new();
    fields(&schema::event(), "", &mut expected);
    let fields = rows("")
        .into_iter()
        .filter(|row| row.len() == 5 && row[0].starts_with('`'));
    let listed: Vec<_> = fields.map(|row| code(row[0])).collect();
    let unique: BTreeSet<_> = listed.iter().cloned().collect();
    assert_eq!(unique.len(), listed.len(), "no field has two rows");
    assert_eq!(unique, expected);
}

#[test]
fn the_rules_are_listed_in_their_order() {
    let from = &PAGE[PAGE.find("| order | basis").unwrap()..];
    let table = from
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let listed: Vec<_> = table
        .map(|row| code(row.split('|').nth(2).unwrap().trim()))
        .collect();
    let known: Vec<_> = Basis::ALL.iter().map(|basis| basis.name()).collect();
    assert_eq!(listed, known);
}

#[test]
fn the_scopes_are_those_of_the_core() {
    let mut listed = Vec::new();
    for row in rows("## Scopes") {
        let [name, prefixes, global] = row[..] else {
            panic!("{row:?}")
        };
        let scope = Scope::from_name(&code(name)).expect(name);
        listed.push(scope);
        let expected = match global {
            "yes" => Some(true),
            "no" => Some(false),
            _ => None,
        };
        assert_eq!(scope.global(), expected, "{name}");
        for prefix in prefixes.split(", ") {
            let (ip, length) = prefix.split_once('/').unwrap();
            let ip: IpAddr = ip.parse().expect(prefix);
            // The address in the middle of a prefix is in no longer one, but for IPv4 itself.
            let middle = middle(ip, length.parse().unwrap());
            if prefix != "0.0.0.0/0" {
                assert_eq!(scope::of(middle), scope, "{prefix}");
            }
        }
    }
    assert_eq!(listed, Scope::ALL);
}

/// The address in the middle of a prefix.
fn middle(ip: IpAddr, length: u32) -> IpAddr {
    match ip {
        IpAddr::V4(ip) => {
            let half = u32::MAX.checked_shr(length + 1).unwrap_or(0);
            std::net::Ipv4Addr::from_bits(ip.to_bits() | half).into()
        }
        IpAddr::V6(ip) => {
            let half = u128::MAX.checked_shr(length + 1).unwrap_or(0);
            std::net::Ipv6Addr::from_bits(ip.to_bits() | half).into()
        }
    }
}

/// The enums of the schema have the names and numbers of the core.
#[test]
fn closed_sets_are_the_same_in_schema_and_core() {
    macro_rules! set {
        ($name:literal, $prefix:literal, $kind:ident) => {
            let pool = schema::event().parent_pool().clone();
            let schema = pool
                .get_enum_by_name(concat!("netsieve.v1.", $name))
                .expect($name);
            let of_schema: Vec<_> = schema
                .values()
                .skip(1)
                .map(|value| {
                    let name = value
                        .name()
                        .strip_prefix($prefix)
                        .expect("the enum's prefix");
                    (name.to_lowercase(), value.number())
                })
                .collect();
            let of_core: Vec<_> = $kind::ALL
                .iter()
                .map(|value| (value.name().to_owned(), *value as i32))
                .collect();
            assert_eq!(of_schema, of_core, $name);
            for (name, _) in of_core {
                assert!(
                    PAGE.contains(&format!("`{name}`")),
                    "{} {name} is on the page",
                    $name
                );
            }
        };
    }
    set!("Direction.Host", "HOST_", Host);
    set!("Direction.Perimeter", "PERIMETER_", Perimeter);
    set!("Direction.Initiator", "INITIATOR_", Initiator);
    set!("Direction.Basis", "BASIS_", Basis);
    set!("Direction.Confidence", "CONFIDENCE_", Confidence);
    set!("Process.Category", "CATEGORY_", Category);
    set!("Listener.Exposure", "EXPOSURE_", Exposure);
    set!("Enrichment", "ENRICHMENT_", Enrichment);
}
