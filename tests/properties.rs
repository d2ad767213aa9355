//! What must hold of the core for every input.

mod common;

use common::schema::native_json;
use common::{formats, input, run, settings};
use netsieve::pipeline::settings::Format;
use netsieve::proto::{server, v1};
use proptest::prelude::*;
use prost::Message;
use serde_json::{Map, Value, json};

type Ingestion = server::NetworkConnectionIngestion;
type IngestionMessage = server::NetworkConnectionIngestionMessage;

/// Texts that a field of an address may hold: every form of the vocabulary, and broken ones.
fn address() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "",
        " ",
        "-",
        "0",
        "*:*",
        "*.*",
        "None:None",
        "0.0.0.0:0",
        "[::]:0",
        ":::*",
        "*:6556",
        "172.16.111.218:52279",
        "172.16.111.171:80",
        "[fe80::244e:2f1e:2096:62b2%9]:1900",
        "[fe80::9cc5:aeff:fec5:34ae]%eth0:123",
        "127.0.0.53%lo:53",
        ":::22",
        "::1:25",
        "2a00:1450:4001:82a::443",
        "*.22",
        "127.0.0.1.25",
        "::1.631",
        "fe80::1%lo0.123",
        "192.168.1.221.5486",
        "2600:1700:bab0:d.5",
        "localhost:ssh",
        "dc01.corp.local:445",
        "[::ffff:10.0.0.1]:443",
        "3500007F:0035",
        "00-0D-3A-13-E3-69",
        "1.2.3.4:99999",
        "1.2.3:4",
        "172.16.111.218:52279,00-0D-3A-13-E3-69",
        "80,1.2.3.4",
        "a\u{0}b:1",
        "ü:1",
    ]);
    prop_oneof![9 => known.prop_map(str::to_owned), 1 => any::<String>()]
}

fn protocol() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "tcp,ipv4",
        "udp,ipv4",
        "tcp,ipv6",
        "TCP , IPV4",
        "ipv4,tcp",
        "tcp",
        "udp6",
        "tcp46",
        "tcp,ip",
        "raw6",
        "icmp,ipv4",
        "17,ipv4",
        "tcp,ipv4,ethernet",
        "ethernet",
        "unix",
        "tls,tcp,ipv4",
        "",
        " ",
        "tcp,,ipv4",
        "tcp\u{7}",
        "p_raw",
    ]);
    prop_oneof![9 => known.prop_map(str::to_owned), 1 => any::<String>()]
}

fn row() -> impl Strategy<Value = Ingestion> {
    let state = prop::sample::select(vec!["", "ESTABLISHED", "estab", "LISTEN", "2", "-", "odd"]);
    let process_id = prop::sample::select(vec![0, 4, 1260, u32::MAX - 1]);
    let name = prop_oneof![
        Just(String::new()),
        Just(r"C:\x y.exe -k".to_owned()),
        any::<String>()
    ];
    let service = prop::sample::select(vec!["", "RpcSs", "\t"]);
    (
        address(),
        address(),
        protocol(),
        state,
        process_id,
        name,
        service,
    )
        .prop_map(
            |(
                local_address,
                remote_address,
                protocol,
                state,
                process_id,
                process_name,
                service,
            )| {
                Ingestion {
                    local_address,
                    remote_address,
                    protocol,
                    state: state.to_owned(),
                    process_id,
                    process_name,
                    service: service.to_owned(),
                }
            },
        )
}

fn metadata() -> impl Strategy<Value = server::Metadata> {
    let time = || {
        let seconds = -62_135_596_800_i64..=253_402_300_799;
        (seconds, 0..1_000_000_000_i32)
            .prop_map(|(seconds, nanos)| prost_types::Timestamp { seconds, nanos })
    };
    let text = || prop_oneof![Just("DC".to_owned()), any::<String>()];
    let id = || "[ -~]{0,8}x";
    let expiration = prop::option::of(time());
    (
        id(),
        text(),
        any::<bool>(),
        text(),
        text(),
        id(),
        time(),
        expiration,
        text(),
    )
        .prop_map(
            |(
                agent_id,
                agent_type,
                automated,
                data_type,
                source,
                project,
                at,
                expiration,
                message_id,
            )| {
                server::Metadata {
                    agent_id,
                    agent_type,
                    automated,
                    data_type,
                    source,
                    project,
                    timestamp: Some(at),
                    expiration,
                    message_id,
                }
            },
        )
}

fn message() -> impl Strategy<Value = IngestionMessage> {
    let rows = prop::collection::vec(row(), 0..8);
    // Equal rows are part of the trade: some are repeated.
    (metadata(), rows, any::<prop::sample::Index>()).prop_map(|(metadata, mut data, index)| {
        if !data.is_empty() {
            data.push(data[index.index(data.len())].clone());
        }
        IngestionMessage {
            metadata: Some(metadata),
            data,
        }
    })
}

/// The message in the JSON encoding; what protobuf cannot tell from absent is left out.
fn to_json(message: &IngestionMessage) -> Vec<u8> {
    let text = |object: &mut Map<String, Value>, key: &str, value: &str| {
        if !value.is_empty() {
            object.insert(key.to_owned(), value.into());
        }
    };
    let time = |time: &prost_types::Timestamp| {
        let time = jiff::Timestamp::new(time.seconds, time.nanos).or_else(|_| {
            // A negative second with a fraction: jiff wants both of one sign.
            jiff::Timestamp::new(time.seconds + 1, time.nanos - 1_000_000_000)
        });
        time.expect("the strategy stays in range").to_string()
    };
    let row = |row: &Ingestion| {
        let mut object = Map::new();
        text(&mut object, "local_address", &row.local_address);
        text(&mut object, "remoteAddress", &row.remote_address);
        text(&mut object, "protocol", &row.protocol);
        text(&mut object, "state", &row.state);
        text(&mut object, "process_name", &row.process_name);
        text(&mut object, "service", &row.service);
        if row.process_id != 0 {
            object.insert("process_id".to_owned(), row.process_id.into());
        }
        Value::Object(object)
    };
    let sent = message
        .metadata
        .as_ref()
        .expect("the strategy sets metadata");
    let mut metadata = Map::new();
    text(&mut metadata, "agent_id", &sent.agent_id);
    text(&mut metadata, "agentType", &sent.agent_type);
    text(&mut metadata, "data_type", &sent.data_type);
    text(&mut metadata, "source", &sent.source);
    text(&mut metadata, "project", &sent.project);
    text(&mut metadata, "message_id", &sent.message_id);
    metadata.insert("automated".to_owned(), sent.automated.into());
    if let Some(timestamp) = &sent.timestamp {
        metadata.insert("timestamp".to_owned(), time(timestamp).into());
    }
    if let Some(expiration) = &sent.expiration {
        metadata.insert("expiration".to_owned(), time(expiration).into());
    }
    let data: Vec<_> = message.data.iter().map(row).collect();
    serde_json::to_vec(&json!({ "metadata": metadata, "data": data })).expect("plain JSON")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_bytes_become_events_or_dead_letters(value: Vec<u8>) {
        let outcome = run(&input(&value, &[]), &settings(Format::Protobuf));
        prop_assert!(outcome.records + outcome.letters.len() as u64 >= outcome.events.len() as u64);
        prop_assert!(outcome.records > 0 || outcome.letters.len() <= 1);
    }

    #[test]
    fn broken_messages_become_events_or_dead_letters(
        message in message(),
        json: bool,
        at: prop::sample::Index,
        byte: u8,
        cut: bool,
    ) {
        let mut value = if json { to_json(&message) } else { message.encode_to_vec() };
        let at = at.index(value.len());
        if cut { value.truncate(at) } else { value[at] = byte }
        let outcome = run(&input(&value, &[]), &settings(Format::Json));
        let whole = outcome.letters.iter().filter(|letter| letter.index.is_none()).count();
        let records = outcome.events.len() + outcome.letters.len() - whole;
        prop_assert_eq!(records as u64, outcome.records);
        prop_assert!(whole <= 1 && (whole == 0 || records == 0));
    }

    #[test]
    fn every_record_is_one_event_or_one_dead_letter(message in message()) {
        let value = message.encode_to_vec();
        let outcome = run(&input(&value, &[]), &settings(Format::Protobuf));
        let events = outcome.events.iter().map(|event| v1::Event::decode(&event[..]));
        let events: Vec<_> = events.collect::<Result<_, _>>()?;
        let of_events = events.iter().map(|event| event.ingest.as_ref().unwrap().record_index);
        let of_letters = outcome.letters.iter().map(|letter| letter.index.expect("a record"));
        let mut indices: Vec<_> = of_events.chain(of_letters).collect();
        indices.sort_unstable();
        let all = 0..u32::try_from(message.data.len())?;
        prop_assert_eq!(indices, all.collect::<Vec<_>>());
        let ids: std::collections::BTreeSet<_> = events.iter().map(|event| &event.event_id).collect();
        prop_assert_eq!(ids.len(), events.len());
    }

    #[test]
    fn the_wire_is_what_generated_code_writes(message in message()) {
        let value = message.encode_to_vec();
        for event in run(&input(&value, &[]), &settings(Format::Protobuf)).events {
            prop_assert_eq!(v1::Event::decode(&event[..])?.encode_to_vec(), event);
        }
    }

    #[test]
    fn the_formats_of_others_are_valid_and_whole(message in message()) {
        let value = message.encode_to_vec();
        let judged = formats::judge(&input(&value, &[]), &settings(Format::Json));
        let events = run(&input(&value, &[]), &settings(Format::Json)).events;
        prop_assert_eq!(judged.len(), events.len());
    }

    #[test]
    fn both_formats_say_the_same(message in message()) {
        let value = message.encode_to_vec();
        let protobuf = run(&input(&value, &[]), &settings(Format::Protobuf));
        let json = run(&input(&value, &[]), &settings(Format::Json));
        prop_assert_eq!(&protobuf.letters, &json.letters);
        prop_assert_eq!(protobuf.events.len(), json.events.len());
        for (protobuf, json) in protobuf.events.iter().zip(&json.events) {
            let read: Value = serde_json::from_slice(json)?;
            prop_assert_eq!(native_json(protobuf), read);
        }
    }

    #[test]
    fn both_encodings_give_the_same_events(message in message()) {
        let (protobuf, json) = (message.encode_to_vec(), to_json(&message));
        let settings = settings(Format::Protobuf);
        let protobuf = run(&input(&protobuf, &[]), &settings);
        let json = run(&input(&json, &[]), &settings);
        prop_assert_eq!(protobuf.events, json.events);
        let reasons = |letters: &[common::Letter]| -> Vec<_> {
            letters.iter().map(|letter| (letter.index, letter.reason, letter.field)).collect()
        };
        prop_assert_eq!(reasons(&protobuf.letters), reasons(&json.letters));
    }

    #[test]
    fn a_dead_letter_fed_back_is_rejected_alike(message in message(), json: bool) {
        let value = if json { to_json(&message) } else { message.encode_to_vec() };
        let settings = settings(Format::Protobuf);
        for letter in run(&input(&value, &[]), &settings).letters {
            let again = run(&input(&letter.value, &letter.headers()), &settings);
            prop_assert!(again.events.is_empty());
            prop_assert_eq!(again.letters.len(), 1);
            prop_assert_eq!(again.letters[0].reason, letter.reason);
            prop_assert_eq!(&again.letters[0].value, &letter.value);
            // The coordinates are those of the new place; ordinal and attempt are kept.
            let of = |name: &str, letter: &common::Letter| {
                letter.headers.iter().find(|(key, _)| key == name).cloned()
            };
            for name in ["netsieve.ordinal", "netsieve.attempt", "netsieve.field"] {
                prop_assert_eq!(of(name, &again.letters[0]), of(name, &letter));
            }
            prop_assert_eq!(again.letters[0].headers.len(), letter.headers.len());
        }
    }

    #[test]
    fn a_replayed_record_keeps_its_id(message in message()) {
        let value = message.encode_to_vec();
        let settings = settings(Format::Protobuf);
        let mut strict = settings.clone();
        strict.reject = netsieve::pipeline::code::Warning::ALL
            .iter()
            .copied()
            .filter(|warning| warning.level() == netsieve::pipeline::code::Level::Record)
            .collect();
        let id = |event: &Vec<u8>| v1::Event::decode(&event[..]).map(|event| event.event_id);
        let whole: Vec<_> =
            run(&input(&value, &[]), &settings).events.iter().map(id).collect::<Result<_, _>>()?;
        let strict = run(&input(&value, &[]), &strict);
        let mut pieces: Vec<_> = strict.events.iter().map(id).collect::<Result<_, _>>()?;
        for letter in strict.letters {
            let again = run(&input(&letter.value, &letter.headers()), &settings);
            pieces.extend(again.events.iter().map(id).collect::<Result<Vec<_>, _>>()?);
        }
        let set = |ids: Vec<String>| ids.into_iter().collect::<std::collections::BTreeSet<_>>();
        prop_assert_eq!(set(whole), set(pieces));
    }

    #[test]
    fn the_same_input_gives_the_same_bytes(message in message(), json: bool) {
        let value = if json { to_json(&message) } else { message.encode_to_vec() };
        let settings = settings(Format::Json);
        prop_assert_eq!(run(&input(&value, &[]), &settings), run(&input(&value, &[]), &settings));
    }
}
