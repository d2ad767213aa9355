//! Where newly assigned partitions are read from, and whether records were lost before they
//! were read.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

use super::client::StartAt;
use super::context::GroupContext;
use super::error::{self, KafkaError};
use super::offsets::PartitionOffset;
use super::settings::OnDataLoss;
use crate::observe::metrics as names;

/// What is done when the committed offsets are asked for.
const COMMITTED: &str = "reading committed offsets";
/// How long one question to the brokers may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the questions of one assignment are asked again; well below the time in which a
/// member must answer the group.
const PATIENCE: Duration = Duration::from_secs(60);
/// Pause before a question is asked again.
pub(super) const RETRY_PAUSE: Duration = Duration::from_millis(200);
/// How often a committed offset beyond the partition's end is looked at again: just after a
/// change of leader the end may lag behind for a moment.
const LOOKS_AT_END: u32 = 5;

/// How new partitions start.
#[derive(Clone, Copy, Debug)]
pub(super) struct StartPolicy {
    /// Where, without a committed offset.
    pub(super) start_at: StartAt,
    /// What to do about a committed offset that is out of range.
    pub(super) on_data_loss: OnDataLoss,
}

/// Where each of the partitions must be read from: at its committed offset where that is still
/// there, else as the policy says.
///
/// Blocks while the brokers do not answer, up to a minute; `give_up` ends it earlier.
pub(super) fn starts(
    consumer: &BaseConsumer<GroupContext>,
    partitions: &TopicPartitionList,
    policy: StartPolicy,
    give_up: impl Fn() -> bool,
) -> Result<Vec<PartitionOffset>, KafkaError> {
    if partitions.count() == 0 {
        return Ok(Vec::new());
    }
    let deadline = Instant::now() + PATIENCE;
    let committed = committed(consumer, partitions, deadline, &give_up)?;
    let mut starts = Vec::with_capacity(partitions.count());
    for element in committed.elements() {
        let (topic, partition) = (element.topic(), element.partition());
        let committed = match element.offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        };
        let (low, high) = range(consumer, (topic, partition), committed, deadline, &give_up)?;
        starts.push(PartitionOffset {
            topic: topic.into(),
            partition,
            offset: start(topic, partition, committed, (low, high), policy)?,
        });
    }
    Ok(starts)
}

/// What is committed of the partitions, with the metadata.
///
/// Blocks while the brokers do not answer, up to the deadline; `give_up` ends it earlier.
pub(super) fn committed(
    consumer: &BaseConsumer<GroupContext>,
    partitions: &TopicPartitionList,
    deadline: Instant,
    give_up: &impl Fn() -> bool,
) -> Result<TopicPartitionList, KafkaError> {
    patiently(COMMITTED, deadline, give_up, |timeout| {
        let committed = consumer.committed_offsets(partitions.clone(), timeout)?;
        for element in committed.elements() {
            element.error()?;
        }
        Ok(committed)
    })
}

/// The partition's first offset and the one after its last.
fn range(
    consumer: &BaseConsumer<GroupContext>,
    (topic, partition): (&str, i32),
    committed: Option<i64>,
    deadline: Instant,
    give_up: &impl Fn() -> bool,
) -> Result<(i64, i64), KafkaError> {
    let mut looks = 0;
    loop {
        let what = format!("reading the range of {topic} [{partition}]");
        let (low, high) = patiently(&what, deadline, give_up, |timeout| {
            consumer.fetch_watermarks(topic, partition, timeout)
        })?;
        looks += 1;
        if committed.is_none_or(|offset| offset <= high) || looks == LOOKS_AT_END || give_up() {
            return Ok((low, high));
        }
        std::thread::sleep(RETRY_PAUSE);
    }
}

fn start(
    topic: &str,
    partition: i32,
    committed: Option<i64>,
    (low, high): (i64, i64),
    policy: StartPolicy,
) -> Result<i64, KafkaError> {
    let labels = [
        ("topic", topic.to_owned()),
        ("partition", partition.to_string()),
    ];
    // There from the assignment on, at 0, so that an increase is seen as one.
    let counter = metrics::counter!(names::LOST_RECORDS, &labels);
    match committed {
        None => Ok(match policy.start_at {
            StartAt::Earliest => low,
            StartAt::Latest => high,
        }),
        Some(offset) if (low..=high).contains(&offset) => Ok(offset),
        Some(offset) => {
            let loss = KafkaError::DataLoss {
                topic: topic.to_owned(),
                partition,
                offset,
                low,
                high,
            };
            if policy.on_data_loss == OnDataLoss::Stop {
                return Err(loss);
            }
            let (lost_records, what) = lost(offset, (low, high));
            tracing::error!(topic, partition, offset, low, high, lost_records, "{what}");
            counter.increment(lost_records.unwrap_or(0));
            Ok(low)
        }
    }
}

/// What is lost of a partition that is read from its first record on, since its next offset is
/// out of range: how many records, where that can be told, and what to say of it.
///
/// Of an offset beyond the end it cannot be told whether the topic was made anew, of which nothing
/// was read yet, or has lost its end, so that all that is left was read. The first record is where
/// nothing is lost in either case.
fn lost(offset: i64, (low, high): (i64, i64)) -> (Option<u64>, String) {
    let (what, _) = error::loss(offset, high);
    let (records, how) = if offset > high {
        let how =
            "with its first record, so that what was read before and is still there comes again";
        (None, how)
    } else {
        (Some(low.abs_diff(offset)), "with the first one left")
    };
    (records, format!("{what}; going on {how}"))
}

/// The error for a partition whose next offset turned out to be out of range.
pub(super) fn out_of_range(
    consumer: &BaseConsumer<GroupContext>,
    next: &[PartitionOffset],
) -> Option<KafkaError> {
    next.iter().find_map(|at| {
        let range = consumer.fetch_watermarks(&at.topic, at.partition, ANSWER_TIMEOUT);
        let (low, high) = range.ok()?;
        (!(low..=high).contains(&at.offset)).then(|| KafkaError::DataLoss {
            topic: at.topic.to_string(),
            partition: at.partition,
            offset: at.offset,
            low,
            high,
        })
    })
}

/// Asks until there is an answer, an error that asking again will not mend, or no time left.
///
/// `ask` is given how long it may take.
fn patiently<T>(
    what: &str,
    deadline: Instant,
    give_up: &impl Fn() -> bool,
    ask: impl Fn(Duration) -> Result<T, ClientError>,
) -> Result<T, KafkaError> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        // The last question is asked all the same, so that there is an error to tell.
        let error = match ask(left.clamp(RETRY_PAUSE, ANSWER_TIMEOUT)) {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        if is_final(&error) || Instant::now() >= deadline || give_up() {
            return Err(KafkaError::client(what, error));
        }
        tracing::debug!(%error, "{what} failed, trying again");
        std::thread::sleep(RETRY_PAUSE);
    }
}

/// Why partitions cannot be taken over now. `can_be_read` tells whether their committed offsets are
/// given to one who does not wait for open transactions.
pub(super) fn reason(what: &str, error: &ClientError, can_be_read: impl Fn() -> bool) -> String {
    let is_late = error.rdkafka_error_code() == Some(RDKafkaErrorCode::OperationTimedOut);
    if what == COMMITTED && is_late && can_be_read() {
        format!(
            "{what}: a transaction that holds offsets of these partitions does not end; if it never does, see \"A transaction that hangs\" in docs/delivery.md"
        )
    } else {
        format!("{what}: {error}")
    }
}

/// Whether asking again will not mend it; what else there is, brokers that come back do.
pub(super) fn is_final(error: &ClientError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::GroupAuthorizationFailed
                | RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::InvalidArgument
                | RDKafkaErrorCode::Fatal
        )
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const STOP: StartPolicy = StartPolicy {
        start_at: StartAt::Earliest,
        on_data_loss: OnDataLoss::Stop,
    };

    #[test]
    fn a_partition_starts_at_its_committed_offset_while_that_is_there() {
        for committed in [10, 15, 20] {
            let start = start("t", 0, Some(committed), (10, 20), STOP);
            assert_eq!(start.unwrap(), committed);
        }
    }

    #[test]
    fn a_first_start_follows_the_policy_and_is_no_loss() {
        assert_eq!(start("t", 0, None, (10, 20), STOP).unwrap(), 10);
        let latest = StartPolicy {
            start_at: StartAt::Latest,
            ..STOP
        };
        assert_eq!(start("t", 0, None, (10, 20), latest).unwrap(), 20);
    }

    #[test]
    fn a_question_takes_no_longer_than_is_left_of_the_time_for_all_of_them() {
        let asked = std::cell::RefCell::new(Vec::new());
        let ask = |timeout| -> Result<(), _> {
            asked.borrow_mut().push(timeout);
            Err(ClientError::MetadataFetch(
                RDKafkaErrorCode::OperationTimedOut,
            ))
        };
        let over = Instant::now();
        for _ in 0..2 {
            patiently("asking", over, &|| false, ask).unwrap_err();
        }
        assert_eq!(*asked.borrow(), [RETRY_PAUSE; 2], "once each, and not long");
        let soon = Instant::now() + ANSWER_TIMEOUT / 2;
        patiently("asking", soon, &|| true, ask).unwrap_err();
        assert!(*asked.borrow().last().unwrap() <= ANSWER_TIMEOUT / 2);
    }

    #[test]
    fn who_waits_for_an_open_transaction_says_so() {
        let late = ClientError::MetadataFetch(RDKafkaErrorCode::OperationTimedOut);
        let named = |what, error, can_be_read| {
            let reason = reason(what, error, || can_be_read);
            assert!(reason.starts_with(what), "{reason}");
            reason.contains("a transaction that holds offsets")
        };
        assert!(named(COMMITTED, &late, true));
        // The brokers are away.
        assert!(!named(COMMITTED, &late, false));
        assert!(!named("reading the range of t [0]", &late, true));
        let refused = ClientError::MetadataFetch(RDKafkaErrorCode::NotCoordinator);
        assert!(!named(COMMITTED, &refused, true));
    }

    #[test]
    fn brokers_that_are_away_are_no_reason_to_end() {
        let of = ClientError::MetadataFetch;
        assert!(!is_final(&of(RDKafkaErrorCode::OperationTimedOut)));
        assert!(!is_final(&of(RDKafkaErrorCode::UnstableOffsetCommit)));
        assert!(is_final(&of(RDKafkaErrorCode::GroupAuthorizationFailed)));
    }

    #[test]
    fn an_offset_out_of_range_stops_or_goes_on_with_what_is_left() {
        let go_on = StartPolicy {
            on_data_loss: OnDataLoss::Continue,
            ..STOP
        };
        for committed in [9, 21] {
            let error = start("t", 3, Some(committed), (10, 20), STOP).unwrap_err();
            assert!(matches!(
                error,
                KafkaError::DataLoss { partition: 3, offset, low: 10, high: 20, .. }
                    if offset == committed
            ));
            assert_eq!(start("t", 3, Some(committed), (10, 20), go_on).unwrap(), 10);
        }
    }

    #[test]
    fn an_offset_beyond_the_end_is_not_called_lost_records() {
        let (records, what) = lost(9, (10, 20));
        assert_eq!(records, Some(1));
        assert!(what.starts_with("records were deleted before they were read"));
        let (records, what) = lost(21, (10, 20));
        assert_eq!(records, None);
        assert!(what.starts_with("the topic was made anew or has lost its end"));
    }

    #[test]
    fn lost_records_are_counted_from_0_on() {
        let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
        let go_on = StartPolicy {
            on_data_loss: OnDataLoss::Continue,
            ..STOP
        };
        let counted_after = |committed| {
            metrics::with_local_recorder(&recorder, || {
                start("t", 3, committed, (10, 20), go_on).unwrap();
            });
            let text = recorder.handle().render();
            let series = "netsieve_lost_records_total{topic=\"t\",partition=\"3\"} ";
            let mut lines = text.lines();
            let count = lines.find_map(|line| line.strip_prefix(series));
            count.map(str::to_owned)
        };
        for (committed, count) in [
            (None, "0"),
            (Some(15), "0"),
            (Some(3), "7"),
            (Some(10), "7"),
            // What is beyond the end was read.
            (Some(21), "7"),
        ] {
            assert_eq!(counted_after(committed).as_deref(), Some(count));
        }
    }
}
