//! Whole messages: what is switched off, and what is kept from one to the next.

mod direction;
mod neighbours;

use bumpalo::Bump;

use super::direction::Basis;
use super::rows::{connects, listens, owned, udp};
use super::*;

/// The facts of each record, printed short by `show`.
fn told<T>(records: &[Record<'static>], show: impl Fn(&Facts<'_>) -> T) -> Vec<T> {
    let arena = Bump::new();
    let settings = Enrich::default();
    let facts = message(records, &settings, &mut Tables::default(), &arena);
    facts.iter().map(show).collect()
}

#[test]
fn what_is_switched_off_is_absent_and_the_rest_is_as_before() {
    let records = [
        owned(listens("0.0.0.0:631"), 2, "cupsd"),
        owned(connects("127.0.0.1:50000", "127.0.0.1:631"), 1, "x"),
        owned(connects("127.0.0.1:631", "127.0.0.1:50000"), 0, ""),
        udp("[::]:50000", ""),
        connects("10.0.0.1:50000", "81.2.69.1:443"),
        Record {
            local: Endpoint {
                mac: Some([0x00, 0x0D, 0x3A, 0, 0, 1]),
                ..Endpoint::default()
            },
            ..udp("[::]:50001", "")
        },
    ];
    let arena = Bump::new();
    let mut tables = Tables::default();
    let reference = Arc::new(every_table());
    let mut find = |enabled| {
        let settings = arena.alloc(Enrich {
            enabled,
            reference: Arc::clone(&reference),
            ..Enrich::default()
        });
        message(&records, settings, &mut tables, &arena)
    };
    let all = find(Enrichments::ALL);
    let none = find(Enrichments::NONE);
    for (facts, record) in none.iter().zip(&records) {
        assert!(facts.success.is_empty());
        assert_eq!(
            (facts.local, facts.remote),
            (EndFacts::default(), EndFacts::default())
        );
        assert_eq!(facts.process.executable, None);
        assert_eq!(facts.process.pid, record.process_id());
        assert_eq!(
            (
                facts.direction,
                facts.community_id,
                facts.listener,
                facts.peer_process
            ),
            (None, None, None, None)
        );
    }
    for off in Enrichment::ALL {
        let mut enabled = Enrichments::ALL;
        enabled.remove(*off);
        for (facts, all) in find(enabled).iter().zip(&all) {
            assert!(!facts.success.has(*off));
            let mut rest = all.success;
            rest.remove(*off);
            assert_eq!(facts.success, rest);
            if *off != Enrichment::Direction {
                assert_eq!(facts.direction, all.direction, "{}", off.name());
            }
            if *off != Enrichment::Listener {
                assert_eq!(facts.listener, all.listener, "{}", off.name());
            }
            if *off != Enrichment::Scope {
                assert_eq!(facts.local.scope, all.local.scope);
            }
        }
        assert!(
            all.iter().any(|facts| facts.success.has(*off)),
            "{} ran",
            off.name()
        );
    }
}

#[test]
fn tables_forget_the_message_before() {
    let arena = Bump::new();
    let settings = Enrich::default();
    let mut tables = Tables::default();
    let first = [
        listens("0.0.0.0:7000"),
        listens("10.0.0.1:7001"),
        connects("127.0.0.1:1", "127.0.0.1:2"),
    ];
    message(&first, &settings, &mut tables, &arena);
    let second = [
        connects("10.0.0.1:7000", "10.0.0.2:7000"),
        connects("127.0.0.1:2", "127.0.0.1:1"),
    ];
    let fresh = message(&second, &settings, &mut Tables::default(), &arena);
    let reused = message(&second, &settings, &mut tables, &arena);
    assert_eq!(fresh, reused);
    assert_eq!(
        reused[0].direction.map(|direction| direction.basis),
        Some(Basis::None)
    );
}

/// One of each of the operator's tables; that of places has a damaged record.
fn every_table() -> Reference {
    use maxmind::mmdb::{Value, Writer, asn, city};
    let mut labels = labels::Builder::default();
    let label = labels::Label {
        name: "lan",
        ..labels::Label::default()
    };
    let lan = prefix::Prefix::parse("10.0.0.0/8").unwrap();
    labels.add(lan, label).unwrap();
    let mut vendors = vendors::Builder::default();
    vendors.add(vendors::Block::parse("000D3A").unwrap(), "Maker");
    let mut places = Writer::new("GeoLite2-City");
    let berlin = city(["DE", "Germany"], ["BE", "?"], "Berlin", (52.5, 13.4));
    places.add("81.2.69.0/24", &berlin);
    places.add("81.2.70.0/24", &Value::Map(vec![("city", 5_u32.into())]));
    let mut systems = Writer::new("GeoLite2-ASN");
    systems.add("81.2.0.0/16", &asn(64_496, "Example Networks"));
    let database =
        |writer: &Writer| vec![Arc::new(maxmind::Database::new(writer.finish()).unwrap())];
    Reference {
        labels: Some(Arc::new(labels.finish().unwrap())),
        categories: Some(Arc::new(process::Categories::over_built_in([(
            "x",
            Some(Category::Security),
        )]))),
        geo: database(&places),
        asn: database(&systems),
        vendors: Some(Arc::new(vendors.finish())),
    }
}

#[test]
fn tables_are_asked_for_what_they_know() {
    let arena = Bump::new();
    let settings = Enrich {
        reference: Arc::new(every_table()),
        ..Enrich::default()
    };
    let records = [
        owned(connects("10.0.0.1:50000", "81.2.69.1:443"), 1, "X"),
        connects("10.0.0.1:50000", "81.2.70.1:443"),
        connects("81.2.69.1:50000", "81.2.70.1:443"),
        connects("10.0.0.1:50000", "10.0.0.2:443"),
    ];
    let facts = message(&records, &settings, &mut Tables::default(), &arena);
    let city = |facts: &EndFacts<'_>| facts.geo.and_then(|geo| geo.city_name.map(str::to_owned));
    let number = |facts: &EndFacts<'_>| facts.autonomous_system.and_then(|of| of.number);

    let [found, damaged, half, neither] = &facts[..] else {
        panic!("{facts:?}");
    };
    assert_eq!(found.local.network.unwrap().name, "lan");
    assert_eq!(found.remote.network, None);
    assert_eq!(city(&found.remote).as_deref(), Some("Berlin"));
    assert_eq!(number(&found.remote), Some(64_496));
    assert_eq!(found.process.category, Some(Category::Security));
    assert!(found.failure.is_empty());

    // A damaged row is named, and costs nothing but its own answer.
    assert_eq!(damaged.remote.geo, None);
    assert_eq!(number(&damaged.remote), Some(64_496));
    let failed: Vec<_> = damaged.failure.iter().collect();
    assert_eq!(failed, [Enrichment::Geo]);
    assert!(!damaged.success.has(Enrichment::Geo) && damaged.success.has(Enrichment::As));
    assert!(half.failure.has(Enrichment::Geo) && !half.success.has(Enrichment::Geo));
    assert_eq!(city(&half.local).as_deref(), Some("Berlin"));

    // Only what is globally reachable is somewhere.
    assert!(!neither.success.has(Enrichment::Geo) && !neither.success.has(Enrichment::As));
    assert!(neither.success.has(Enrichment::NetworkLabel));
}

#[test]
fn what_is_kept_is_of_the_generation_that_is_asked() {
    use maxmind::mmdb::{Writer, asn};
    let arena = Bump::new();
    let mut tables = Tables::default();
    let records = [connects("10.0.0.1:50000", "81.2.69.1:443")];
    for number in [1, 2, 3] {
        // Records of different content at the same place of the file.
        let mut systems = Writer::new("GeoLite2-ASN");
        systems.add("81.2.0.0/16", &asn(number, "?"));
        let database = maxmind::Database::new(systems.finish()).unwrap();
        let settings = arena.alloc(Enrich {
            reference: Arc::new(Reference {
                asn: vec![Arc::new(database)],
                ..Reference::default()
            }),
            ..Enrich::default()
        });
        for _ in 0..2 {
            let facts = message(&records, settings, &mut tables, &arena);
            let system = facts[0].remote.autonomous_system.unwrap();
            assert_eq!(system.number, Some(number));
        }
    }
}
