//! The Kafka worker against the embedded broker: what comes in comes out, whatever happens.

#[path = "support/kafka.rs"]
mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use netsieve::kafka::mock::EmbeddedCluster;
use netsieve::kafka::settings::{BrakeAction, BrakeSettings, OnDataLoss};
use netsieve::kafka::status::State;
use netsieve::kafka::{KafkaError, KafkaSettings, Summary};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use support::{
    DEAD_LETTERS, Fed, LISTENERS, OUTPUT, PARTITIONS, Processor, Record, SOURCE, cluster, feed,
    filler, settings, wait_until, wait_until_committed,
};

/// What must come out of what was fed, and nothing else must.
fn assert_complete(bootstrap: &str, fed: &Fed) -> Vec<Record> {
    let events = support::events(bootstrap);
    let origins: BTreeSet<_> = events.iter().map(Record::origin).collect();
    assert_eq!(origins, fed.good, "events");
    let letters = support::read(bootstrap, DEAD_LETTERS);
    let letters: BTreeSet<_> = letters.iter().map(Record::rejected_origin).collect();
    assert_eq!(letters, fed.bad, "dead letters");
    events
}

fn assert_no_duplicates(events: &[Record]) {
    let origins: BTreeSet<_> = events.iter().map(Record::origin).collect();
    assert_eq!(origins.len(), events.len(), "events more than once");
}

/// Events of one source partition keep their order per output partition.
fn assert_in_order(events: &[Record]) {
    for event in events {
        let later = events.iter().filter(|other| {
            other.topic == event.topic
                && other.partition == event.partition
                && other.origin().0 == event.origin().0
                && other.offset > event.offset
        });
        for other in later {
            assert!(other.origin() > event.origin(), "{other:?} after {event:?}");
        }
    }
}

/// A cluster whose source topic has so many messages.
fn fed_cluster(messages: usize) -> (EmbeddedCluster, String, Fed) {
    let cluster = cluster();
    let bootstrap = cluster.bootstrap_servers();
    let mut fed = Fed::default();
    feed(&bootstrap, &mut fed, messages);
    (cluster, bootstrap, fed)
}

/// Runs a processor until the group has committed all that was fed.
#[track_caller]
fn run_until_committed(settings: KafkaSettings, fed: &Fed) -> Summary {
    let bootstrap = settings.bootstrap.clone();
    let processor = Processor::start(settings);
    wait_until_committed(&bootstrap, fed);
    processor.stop().unwrap()
}

/// Pauses for so long when of ten messages more than half are rejected.
fn brake(pause_for_s: u64) -> BrakeSettings {
    BrakeSettings {
        window: 10,
        max_rejected_share: 0.5,
        action: BrakeAction::Pause,
        pause_for: Duration::from_secs(pause_for_s),
    }
}

#[test]
fn a_restart_goes_on_where_the_last_run_ended() {
    let (_cluster, bootstrap, mut fed) = fed_cluster(60);

    let first = Processor::start(settings(&bootstrap));
    wait_until_committed(&bootstrap, &fed);
    assert_eq!(first.status.ready(), Ok(()));
    let summary = first.stop().unwrap();
    assert_eq!(summary.messages, 60);
    assert_eq!(summary.produced, (fed.good.len() + fed.bad.len()) as u64);
    let events = assert_complete(&bootstrap, &fed);
    assert_no_duplicates(&events);
    assert_in_order(&events);

    feed(&bootstrap, &mut fed, 40);
    let summary = run_until_committed(settings(&bootstrap), &fed);
    assert_eq!(summary.messages, 40);
    let events = assert_complete(&bootstrap, &fed);
    assert_no_duplicates(&events);
    assert_in_order(&events);
}

#[test]
fn what_could_not_be_committed_before_is_committed_at_the_end() {
    let (cluster, bootstrap, fed) = fed_cluster(20);
    let mut settings = settings(&bootstrap);
    settings.commit.interval = Duration::from_millis(10);
    let refused = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS; 1_000];
    let mock = cluster.mock();
    mock.request_errors(RDKafkaApiKey::OffsetCommit, &refused);
    let processor = Processor::start(settings);
    let all = fed.good.len() + fed.bad.len();
    wait_until("all is delivered", || {
        support::events(&bootstrap).len() + support::read(&bootstrap, DEAD_LETTERS).len() == all
    });
    assert_eq!(support::committed(&bootstrap), [0; 4]);
    mock.clear_request_errors(RDKafkaApiKey::OffsetCommit);
    processor.stop().unwrap();
    assert_eq!(support::committed(&bootstrap), fed.ends());
}

#[test]
fn records_keep_timestamp_key_headers_and_trace() {
    let (_cluster, bootstrap, fed) = fed_cluster(12);
    run_until_committed(settings(&bootstrap), &fed);
    for event in support::events(&bootstrap) {
        let (partition, offset, _) = event.origin();
        assert_eq!(event.timestamp_ms, support::timestamp_ms(partition, offset));
        assert_eq!(event.header("content-type"), Some("application/json"));
        assert_eq!(event.header("traceparent"), Some(support::TRACE));
        assert_eq!(event.header("x-sender"), None);
    }
    let letters = support::read(&bootstrap, DEAD_LETTERS);
    assert!(!letters.is_empty());
    for letter in letters {
        let (partition, offset, _) = letter.rejected_origin();
        assert_eq!(
            letter.timestamp_ms,
            support::timestamp_ms(partition, offset)
        );
        assert_eq!(letter.key.as_deref(), Some(support::KEY.as_bytes()));
        assert_eq!(letter.header("netsieve.reason"), Some("missing_protocol"));
        assert_eq!(letter.header("x-sender"), Some("agent"));
    }
}

#[test]
fn members_that_come_and_go_lose_nothing() {
    let cluster = cluster();
    let bootstrap = cluster.bootstrap_servers();
    let mut fed = Fed::default();
    let mut named = settings(&bootstrap);
    named.instance = "first".to_owned();
    let first = Processor::start(named.clone());
    named.instance = "second".to_owned();
    let second = Processor::start(named.clone());
    wait_until("both own partitions", || {
        feed(&bootstrap, &mut fed, 5);
        first.owned() > 0 && second.owned() > 0
    });
    assert_eq!(first.owned() + second.owned(), PARTITIONS as usize);
    feed(&bootstrap, &mut fed, 100);
    first.stop().unwrap();
    feed(&bootstrap, &mut fed, 100);
    wait_until_committed(&bootstrap, &fed);
    second.stop().unwrap();
    assert_complete(&bootstrap, &fed);
}

#[test]
fn two_workers_of_one_process_share_the_partitions() {
    let (_cluster, bootstrap, fed) = fed_cluster(50);
    let mut settings = settings(&bootstrap);
    settings.workers = 2;
    let processor = Processor::start(settings);
    wait_until("all is committed and both own partitions", || {
        let workers = processor.status.workers();
        let owned = |worker: usize| workers[worker].snapshot().partitions.len();
        support::committed(&bootstrap) == fed.ends() && owned(0) > 0 && owned(1) > 0
    });
    assert_eq!(processor.status.ready(), Ok(()));
    processor.stop().unwrap();
    assert_complete(&bootstrap, &fed);
}

#[test]
fn a_full_queue_holds_back_and_loses_nothing() {
    let (cluster, bootstrap, fed) = fed_cluster(80);
    let slow = Duration::from_millis(150);
    cluster.mock().broker_round_trip_time(-1, slow).unwrap();
    let mut settings = settings(&bootstrap);
    settings.memory.max_in_flight_bytes = 16 << 10;
    let processor = Processor::start(settings);
    wait_until("it has had to wait", || {
        processor.states().contains(&State::Waiting)
    });
    cluster
        .mock()
        .broker_round_trip_time(-1, Duration::ZERO)
        .unwrap();
    wait_until_committed(&bootstrap, &fed);
    processor.stop().unwrap();
    let events = assert_complete(&bootstrap, &fed);
    assert_in_order(&events);
}

#[test]
fn passing_errors_of_the_broker_are_tried_again() {
    let (cluster, bootstrap, fed) = fed_cluster(30);
    let errors = [
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
    ];
    cluster
        .mock()
        .request_errors(RDKafkaApiKey::Produce, &errors);
    run_until_committed(settings(&bootstrap), &fed);
    assert_complete(&bootstrap, &fed);
}

#[test]
fn deliveries_that_keep_failing_end_the_run_and_nothing_undelivered_is_committed() {
    let (cluster, bootstrap, mut fed) = fed_cluster(20);
    let mut settings = settings(&bootstrap);
    settings.delivery.max_failures = 2;
    settings.delivery.backoff = Duration::from_millis(10);
    let processor = Processor::start(settings.clone());
    wait_until_committed(&bootstrap, &fed);
    let before = fed.ends();
    processor.stop().unwrap();

    feed(&bootstrap, &mut fed, 20);
    let errors = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED; 1_000];
    let mock = cluster.mock();
    mock.request_errors(RDKafkaApiKey::Produce, &errors);
    let error = Processor::start(settings.clone()).join().unwrap_err();
    assert!(
        matches!(error, KafkaError::Delivery { failures: 3, .. }),
        "{error}"
    );
    let right = "grant WRITE on it to this principal";
    assert!(error.to_string().contains(right), "{error}");
    assert_eq!(support::committed(&bootstrap), before);

    cluster.mock().clear_request_errors(RDKafkaApiKey::Produce);
    run_until_committed(settings, &fed);
    assert_complete(&bootstrap, &fed);
}

#[test]
fn a_record_that_the_broker_finds_too_large_becomes_a_dead_letter() {
    let cluster = cluster();
    let bootstrap = cluster.bootstrap_servers();
    let mut fed = Fed::default();
    support::feed_values(&bootstrap, &mut fed, &[support::large_message()]);
    run_until_committed(settings(&bootstrap), &fed);
    let event = support::events(&bootstrap).pop().unwrap();
    let bytes = event.value.len() + event.key.map_or(0, |key| key.len());

    // As often as the batches must be halved until the record is alone, and once more.
    let limits = std::iter::successors(Some(1_048_588_usize), |limit| Some(limit / 2));
    let refusals = limits.take_while(|limit| *limit > bytes).count() + 1;
    let errors = vec![RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE; refusals];
    support::feed_values(&bootstrap, &mut fed, &[support::large_message()]);
    cluster
        .mock()
        .request_errors(RDKafkaApiKey::Produce, &errors);
    let processor = Processor::start(settings(&bootstrap));
    wait_until_committed(&bootstrap, &fed);
    feed(&bootstrap, &mut fed, 8);
    wait_until_committed(&bootstrap, &fed);
    processor.stop().unwrap();
    let letters = support::read(&bootstrap, DEAD_LETTERS);
    let too_large: Vec<_> = letters
        .iter()
        .filter(|letter| letter.header("netsieve.reason") == Some("event_too_large"))
        .map(Record::rejected_origin)
        .collect();
    let origin = (1, 0, 0);
    assert_eq!(too_large, [origin]);
    assert!(fed.good.remove(&origin) && fed.bad.insert(origin));
    assert_complete(&bootstrap, &fed);
}

#[test]
fn a_refused_timestamp_is_replaced_and_stops_nothing() {
    let (cluster, bootstrap, fed) = fed_cluster(12);
    let before_ms = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis();
    let errors = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP];
    cluster
        .mock()
        .request_errors(RDKafkaApiKey::Produce, &errors);
    let mut settings = settings(&bootstrap);
    settings.delivery.max_failures = 0;
    run_until_committed(settings, &fed);
    let events = assert_complete(&bootstrap, &fed);
    let letters = support::read(&bootstrap, DEAD_LETTERS);
    let (replaced, kept): (Vec<_>, Vec<_>) = events
        .iter()
        .chain(&letters)
        .partition(|record| i128::from(record.timestamp_ms) >= before_ms.cast_signed());
    assert!(!replaced.is_empty());
    assert!(
        replaced.iter().all(|of| of.topic == replaced[0].topic),
        "only of the topic that refused one"
    );
    assert!(!kept.is_empty());
}

#[test]
fn records_that_were_deleted_unread_stop_the_run_or_are_passed_over() {
    let cluster = cluster();
    let bootstrap = cluster.bootstrap_servers();
    support::commit(&bootstrap, 0, 1);
    // More than the embedded broker retains of one partition.
    let mut fed = Fed::default();
    let filler = filler(200_000);
    for _ in 0..40 {
        fed.next_partition = 0;
        support::feed_values(&bootstrap, &mut fed, std::slice::from_ref(&filler));
    }
    let mut settings = settings(&bootstrap);
    let error = Processor::start(settings.clone()).join().unwrap_err();
    let KafkaError::DataLoss { offset: 1, low, .. } = error else {
        panic!("{error}");
    };
    assert!(low > 1);
    settings.on_data_loss = OnDataLoss::Continue;
    let processor = Processor::start(settings);
    wait_until("all that is left is committed", || {
        support::committed(&bootstrap)[0] == fed.ends()[0]
    });
    let summary = processor.stop().unwrap();
    assert_eq!(summary.messages, (fed.ends()[0] - low).unsigned_abs());
}

#[test]
fn the_brake_pauses_when_nearly_all_is_rejected() {
    let cluster = cluster();
    let bootstrap = cluster.bootstrap_servers();
    let mut fed = Fed::default();
    let mut settings = settings(&bootstrap);
    settings.brake = brake(3_600);
    let processor = Processor::start(settings);
    support::feed_values(&bootstrap, &mut fed, &vec![b"{".to_vec(); 30]);
    wait_until("the brake holds the worker", || {
        processor.states() == [State::Braked]
    });
    let reason = processor.status.ready().unwrap_err();
    assert!(reason.contains("brake"), "{reason}");
    let summary = processor.stop().unwrap();
    assert_eq!(summary.messages, 10, "it stops at once");
    let letters = support::read(&bootstrap, DEAD_LETTERS);
    assert_eq!(letters.len(), 10, "and nothing of them is lost");
    assert_eq!(support::committed(&bootstrap).iter().sum::<i64>(), 10);
}

#[test]
fn a_partition_that_was_paused_when_it_was_given_away_is_read_when_it_comes_back() {
    let cluster = cluster();
    let bootstrap = cluster.bootstrap_servers();
    let mut fed = Fed::default();
    let mut braking = settings(&bootstrap);
    braking.brake = brake(20);
    let first = Processor::start(braking);
    let all = PARTITIONS as usize;
    wait_until("the first has all", || first.owned() == all);
    support::feed_values(&bootstrap, &mut fed, &vec![b"{".to_vec(); 10]);
    wait_until("the brake holds it", || first.states() == [State::Braked]);
    let second = Processor::start(settings(&bootstrap));
    wait_until("the first gives some away", || first.owned() < all);
    assert_eq!(first.states(), [State::Braked], "while it is paused");
    wait_until("the brake is over", || first.states() == [State::Consuming]);
    second.stop().unwrap();
    wait_until("the first has all again", || first.owned() == all);
    feed(&bootstrap, &mut fed, 40);
    wait_until_committed(&bootstrap, &fed);
    first.stop().unwrap();
}

#[test]
fn a_failed_delivery_does_not_hide_that_the_brake_holds() {
    let cluster = cluster();
    let bootstrap = cluster.bootstrap_servers();
    let mut fed = Fed::default();
    support::feed_values(&bootstrap, &mut fed, &vec![b"{".to_vec(); 30]);
    // The failure comes when the brake has long engaged.
    let mock = cluster.mock();
    mock.broker_round_trip_time(-1, Duration::from_millis(300))
        .unwrap();
    let errors = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED];
    mock.request_errors(RDKafkaApiKey::Produce, &errors);
    let mut settings = settings(&bootstrap);
    settings.brake = brake(3_600);
    settings.delivery.backoff = Duration::from_secs(1);
    let processor = Processor::start(settings);
    wait_until("a delivery failed, and the right is named", || {
        let now = processor.status.workers()[0].snapshot();
        let reason = now.reason.unwrap_or_default();
        now.state == State::Retrying && reason.contains("(WRITE on topic in.dead_letters)")
    });
    wait_until("the brake is seen to hold", || {
        processor.states() == [State::Braked]
    });
    let reason = processor.status.ready().unwrap_err();
    assert!(reason.contains("brake"), "{reason}");
    processor.stop().unwrap();
}

#[test]
fn a_topic_that_is_not_there_is_named() {
    type Change = fn(&mut KafkaSettings);

    let cluster = cluster();
    let bootstrap = cluster.bootstrap_servers();
    let cases: [(&str, Change); 3] = [
        ("source", |settings| {
            settings.sources = vec!["none".to_owned()];
        }),
        ("output", |settings| settings.outputs[1] = "none".to_owned()),
        ("dead-letter", |settings| {
            settings.dead_letters = "none".to_owned();
        }),
    ];
    for (role, change) in cases {
        let mut settings = settings(&bootstrap);
        change(&mut settings);
        let error = Processor::start(settings).join().unwrap_err();
        let KafkaError::MissingTopic {
            topic, role: of, ..
        } = &error
        else {
            panic!("{error}");
        };
        assert_eq!((topic.as_str(), *of), ("none", role));
        assert!(!error.to_string().contains('\n'));
    }
}

#[test]
fn a_pattern_reads_what_matches_and_never_what_is_written() {
    let (_cluster, bootstrap, fed) = fed_cluster(20);
    let mut settings = settings(&bootstrap);
    settings.sources = vec![format!("^{SOURCE}.*")];
    let error = Processor::start(settings.clone()).join().unwrap_err();
    assert!(matches!(error, KafkaError::Loop { .. }), "{error}");
    settings.sources = vec![format!("^{SOURCE}$")];
    run_until_committed(settings, &fed);
    assert_complete(&bootstrap, &fed);
    assert!(!support::read(&bootstrap, OUTPUT).is_empty());
    assert!(!support::read(&bootstrap, LISTENERS).is_empty());
}
