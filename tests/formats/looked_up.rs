//! Where what is looked up in an operator's tables stands in both formats.

use bumpalo::Bump;
use netsieve::pipeline::encode::{Event, MessageFacts};
use netsieve::pipeline::enrich::lookup::{AutonomousSystem, Geo, NetworkLabel};
use netsieve::pipeline::enrich::{self, EndFacts, Enrich, Facts, Tables};
use netsieve::pipeline::identity::Identity;
use netsieve::pipeline::settings::Format;
use netsieve::pipeline::{decode, normalize, validate};
use serde_json::json;

use crate::common::formats::{self, Triple};
use crate::common::{input, settings};
use crate::{connection, message, shown};

/// The event of a connection whose ends have these facts as well.
pub(crate) fn looked_up(local: EndFacts<'_>, remote: EndFacts<'_>) -> Triple {
    let value = message(&connection());
    let (arena, input) = (Bump::new(), input(&value, &[]));
    let settings = settings(Format::Json);
    let envelope = decode::envelope(&input, &settings, &arena).expect("it is JSON");
    let metadata = validate::metadata(&envelope, &input).expect("it is valid");
    let raw = envelope.records[0];
    let row = decode::row(envelope.encoding, raw, &arena).expect("it is a row");
    let record = normalize::record(0, row, &settings.limits, &arena).expect("it is valid");
    let records = [record];
    let mut tables = Tables::default();
    let settings = Enrich::default();
    let facts = enrich::message(&records, &settings, &mut tables, &arena);
    let found = facts[0];
    let facts = Facts {
        local: EndFacts {
            scope: found.local.scope,
            service: found.local.service,
            ..local
        },
        remote: EndFacts {
            scope: found.remote.scope,
            service: found.remote.service,
            ..remote
        },
        // None of those that are built in can fail.
        failure: found.success,
        ..found
    };
    let identity = Identity {
        event_id: [1; 16],
        connection_key: [2; 16],
        ordinal: 0,
    };
    let message = MessageFacts::new(&input, &envelope, &metadata);
    let triple = formats::encode(
        &Event::new(&records[0], &facts, identity, &message),
        &message,
    );
    triple.assert_valid();
    triple
}

pub(crate) const LABEL: NetworkLabel<'_> = NetworkLabel {
    prefix: "10.0.0.0/8",
    name: "office \"west\"",
    role: Some("clients"),
    site: Some("Berlin"),
    tenant: Some("acme"),
};

pub(crate) const GEO: Geo<'_> = Geo {
    continent_code: Some("NA"),
    country_iso_code: Some("US"),
    country_name: Some("United States"),
    region_iso_code: Some("US-CA"),
    region_name: Some("California"),
    city_name: Some("Mountain View"),
    postal_code: Some("94043"),
    time_zone: Some("America/Los_Angeles"),
    location: Some((37.4, -122.075)),
    accuracy_radius_km: Some(1000),
};

#[test]
fn what_is_looked_up_has_its_place() {
    let of = AutonomousSystem {
        number: Some(15_169),
        organization: Some("GOOGLE"),
    };
    let local = EndFacts {
        network: Some(&LABEL),
        mac_vendor: Some("Maker"),
        ..EndFacts::default()
    };
    let remote = EndFacts {
        geo: Some(&GEO),
        autonomous_system: Some(&of),
        embedded_ipv4: Some([192, 0, 2, 33].into()),
        ..EndFacts::default()
    };
    let triple = looked_up(local, remote);
    insta::assert_snapshot!(shown(&triple));
    assert_eq!(triple.ecs["client"], triple.ecs["source"]);
    assert_eq!(triple.ecs["server"], triple.ecs["destination"]);
}

/// A database may know little; the schemas still want what they want.
#[test]
fn little_that_is_looked_up_is_valid_too() {
    let nowhere = Geo::default();
    let continent = Geo {
        continent_code: Some("EU"),
        location: Some((50.0, 10.0)),
        ..nowhere
    };
    let no_number = Geo {
        location: Some((f64::NAN, 10.0)),
        ..nowhere
    };
    let of_nobody = AutonomousSystem::default();
    let with = |geo| EndFacts {
        geo: Some(geo),
        autonomous_system: Some(&of_nobody),
        ..EndFacts::default()
    };
    for geo in [&nowhere, &no_number] {
        let triple = looked_up(EndFacts::default(), with(geo));
        for (document, end) in [(&triple.ecs, "destination"), (&triple.ocsf, "dst_endpoint")] {
            for absent in ["geo", "as", "location", "autonomous_system"] {
                assert!(document[end][absent].is_null(), "{}", document[end]);
            }
        }
    }
    let triple = looked_up(EndFacts::default(), with(&continent));
    assert!(triple.ocsf["dst_endpoint"]["location"].is_null());
    let kept =
        json!({ "continent_code": "EU", "location": { "latitude": 50.0, "longitude": 10.0 } });
    assert_eq!(triple.ocsf["unmapped"]["remote"]["geo"], kept);
    let kept = json!({ "continent_code": "EU", "location": { "lat": 50.0, "lon": 10.0 } });
    assert_eq!(triple.ecs["destination"]["geo"], kept);
}
