use super::filter::Filter;
use super::mend::Mend;
use super::plan::{Fate, Plan, Target, Why};
use super::*;
use crate::kafka::sources::Sources;

const VALUE: &[u8] =
    br#"{"metadata":{"agent_id":"7","project":"P"},"data":[{"local_address":"10.0.0.1:1"}]}"#;
const HEADERS: &[Header<'static>] = &[
    ("x-sender", Some(b"agent")),
    ("empty", None),
    ("__connect.errors.topic", Some(b"in")),
    ("__connect.errors.partition", Some(b"2")),
    ("__connect.errors.offset", Some(b"77")),
    ("netsieve.reason", Some(b"missing_protocol")),
    ("netsieve.field", Some(b"protocol")),
    ("netsieve.record_index", Some(b"3")),
    ("netsieve.record_count", Some(b"9")),
    ("netsieve.ordinal", Some(b"1")),
    ("netsieve.attempt", Some(b"2")),
    ("netsieve.version", Some(b"0.1.0")),
];

fn letter<'a>(headers: &'a [Header<'a>]) -> Letter<'a> {
    Letter {
        partition: 1,
        offset: 40,
        timestamp_ms: Some(1_700_000_000_000),
        key: Some(b"key"),
        value: Some(VALUE),
        headers,
    }
}

fn origin() -> Target {
    Target::Origin(Sources::new(&["in".to_owned()]).unwrap())
}

fn plan(filter: Filter, mends: &[&str], target: Target) -> Plan {
    let mends = mends.iter().map(|text| text.parse::<Mend>().unwrap());
    Plan::new(filter, mends.collect(), target, 5, Settings::default())
}

fn with(name: &str, value: &'static [u8]) -> Vec<Header<'static>> {
    let mut headers: Vec<_> = HEADERS.iter().copied().filter(|of| of.0 != name).collect();
    let name: &'static str = Box::leak(name.to_owned().into_boxed_str());
    headers.push((name, Some(value)));
    headers
}

fn why(headers: &[Header<'_>], mends: &[&str], target: Target) -> Why {
    match plan(Filter::default(), mends, target).fate(&letter(headers)) {
        Fate::Left(why) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_letter_tells_what_its_headers_say() {
    let letter = letter(HEADERS);
    assert_eq!(letter.reason(), Some("missing_protocol"));
    assert_eq!(letter.level(), Level::Record);
    assert_eq!(letter.record(), Some((3, 9)));
    assert_eq!(letter.source_place(), Some((2, 77)));
    assert_eq!(letter.attempt(), 2);
    assert_eq!(letter.truncated_from(), None);
    assert_eq!(
        letter
            .agent(&Settings::default(), &mut Bump::new())
            .as_deref(),
        Some("7")
    );
}

#[test]
fn what_goes_back_is_as_it_came_with_its_ordinal_and_one_attempt_more() {
    let mut plan = plan(Filter::default(), &["protocol=tcp,ipv4"], origin());
    let letter = letter(HEADERS);
    let Fate::Back(message) = plan.fate(&letter) else {
        panic!("it goes back")
    };
    assert_eq!((message.topic, message.key), ("in", Some(&b"key"[..])));
    assert_eq!(message.timestamp_ms, Some(1_700_000_000_000));
    let expected: &[Header<'_>] = &[
        ("x-sender", Some(b"agent")),
        ("empty", None),
        ("netsieve.ordinal", Some(b"1")),
        ("netsieve.attempt", Some(b"3")),
    ];
    assert_eq!(message.headers(), expected);
    let value = String::from_utf8(message.value.unwrap().into_owned()).unwrap();
    assert!(value.ends_with(r#"[{"local_address":"10.0.0.1:1","protocol":"tcp,ipv4"}]}"#));
}

#[test]
fn a_letter_that_cannot_go_back_says_why() {
    let attempts = with("netsieve.attempt", b"5");
    assert_eq!(why(&attempts, &[], origin()), Why::Attempts { attempt: 5 });
    let cut = with("netsieve.truncated", b"900");
    assert_eq!(
        why(&cut, &[], origin()),
        Why::Truncated { whole_bytes: 900 }
    );
    let foreign = with("__connect.errors.topic", b"payments");
    let topic = "payments".to_owned();
    assert_eq!(why(&foreign, &[], origin()), Why::ForeignSource { topic });
    assert_eq!(why(&[], &[], origin()), Why::NoSource);
    let json = with("content-type", b"application/x-protobuf");
    let unmendable = why(&json, &["state="], origin());
    assert_eq!(unmendable.name(), "unmendable");
    let mut plan = plan(Filter::default(), &[], Target::Topic("small".to_owned()));
    plan.limit(vec![("small".to_owned(), 100)]);
    let fate = plan.fate(&letter(HEADERS));
    assert!(
        matches!(fate, Fate::Left(Why::TooLarge { limit: 100, .. })),
        "{fate:?}"
    );
}

#[test]
fn a_null_value_stays_null() {
    let mut null = letter(HEADERS);
    null.value = None;
    let mut plan = plan(Filter::default(), &[], origin());
    let Fate::Back(message) = plan.fate(&null) else {
        panic!("it goes back")
    };
    assert!(message.value.is_none());
}

#[test]
fn a_filter_takes_what_fits_all_of_it() {
    let takes =
        |filter: Filter| filter.takes(&letter(HEADERS), &Settings::default(), &mut Bump::new());
    let reason = |name| vec![filter::reason(name).unwrap()];
    let own = |text: &str| vec![text.to_owned()];
    let with = |change: &dyn Fn(&mut Filter)| {
        let mut filter = Filter::default();
        change(&mut filter);
        filter
    };
    let at_ms = Some(1_700_000_000_000);
    let cases = [
        (true, with(&|_| {})),
        (true, with(&|of| of.reasons = reason("missing_protocol"))),
        (false, with(&|of| of.reasons = reason("expired"))),
        (true, with(&|of| of.levels = vec![Level::Record])),
        (false, with(&|of| of.levels = vec![Level::Message])),
        (true, with(&|of| of.fields = own("protocol"))),
        (false, with(&|of| of.fields = own("state"))),
        (true, with(&|of| of.agents = own("7"))),
        (false, with(&|of| of.agents = own("8"))),
        (true, with(&|of| of.sources = own("in"))),
        (false, with(&|of| of.sources = own("other"))),
        (true, with(&|of| of.since_ms = at_ms)),
        (false, with(&|of| of.since_ms = at_ms.map(|at| at + 1))),
        (false, with(&|of| of.until_ms = at_ms)),
        (true, with(&|of| of.until_ms = at_ms.map(|at| at + 1))),
        (true, with(&|of| of.offsets = vec!["1:40".parse().unwrap()])),
        (
            false,
            with(&|of| of.offsets = vec!["1:41-".parse().unwrap()]),
        ),
        (
            false,
            with(&|of| of.offsets = vec!["2:40".parse().unwrap()]),
        ),
        (
            false,
            with(&|of| (of.reasons, of.fields) = (reason("missing_protocol"), own("state"))),
        ),
    ];
    for (expected, filter) in cases {
        assert_eq!(takes(filter.clone()), expected, "{filter:?}");
    }
}

#[test]
fn a_replay_is_named_by_all_that_decides_what_it_sends() {
    let name = |filter: Filter, mends: &[&str], target| plan(filter, mends, target).name();
    let plain = name(Filter::default(), &[], origin());
    assert_eq!(plain.len(), 12);
    assert_eq!(plain, name(Filter::default(), &[], origin()));
    let filtered = Filter {
        levels: vec![Level::Record],
        ..Filter::default()
    };
    let names = [
        plain,
        name(filtered, &[], origin()),
        name(Filter::default(), &["state="], origin()),
        name(Filter::default(), &["state=", "state=A"], origin()),
        name(Filter::default(), &["state=A", "state="], origin()),
        name(Filter::default(), &[], Target::Topic("t".to_owned())),
    ];
    let different: std::collections::BTreeSet<_> = names.iter().collect();
    assert_eq!(different.len(), names.len());
}
