//! Every metric: its name, kind, unit, labels and meaning, in one list.
//!
//! Names have base units and `_total` on counters; labels are bounded: outputs, topics and partitions of
//! the configuration, workers, brokers and closed sets of codes. They are emitted per message
//! or batch, never per record.

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// It only goes up.
    Counter,
    /// It goes up and down.
    Gauge,
    /// A distribution, over these upper bounds.
    Histogram(&'static [f64]),
}

impl Kind {
    /// `counter`, `gauge` or `histogram`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram(_) => "histogram",
        }
    }
}

/// One metric.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// The name.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// The unit of its values.
    pub unit: metrics::Unit,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it says, in one sentence.
    pub help: &'static str,
}

/// From 10 µs, a small message, to 5 s, the largest of odd ones.
const PROCESS_SECONDS_BOUNDS: &[f64] = &[
    0.000_01, 0.000_025, 0.000_1, 0.000_25, 0.001, 0.002_5, 0.01, 0.025, 0.1, 0.25, 1.0, 5.0,
];

/// From 5 ms, the best there is, to an hour, a backlog.
const END_TO_END_SECONDS_BOUNDS: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0,
];

/// From 1 ms, on one broker, to 30 s, an outage.
const COMMIT_SECONDS_BOUNDS: &[f64] = &[
    0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

macro_rules! metrics {
    ($($constant:ident $name:literal $kind:expr, $unit:ident [$($label:literal)*] $help:literal)*) => {
        $(#[doc = $help] pub const $constant: &str = $name;)*

        /// Every metric.
        pub const ALL: &[Metric] = &[$(Metric {
            name: $constant,
            kind: $kind,
            unit: metrics::Unit::$unit,
            labels: &[$($label),*],
            help: $help,
        }),*];
    };
}

use Kind::{Counter, Gauge, Histogram};

metrics! {
    MESSAGES "netsieve_messages_total" Counter, Count []
        "Source messages taken in."
    RECORDS "netsieve_records_total" Counter, Count ["outcome"]
        "Records of source messages, by outcome: event or rejected."
    ROUTED "netsieve_events_routed_total" Counter, Count ["output"]
        "Events that an output took; an event that several take counts for each."
    UNROUTED "netsieve_unrouted_events_total" Counter, Count []
        "Events that matched no output."
    HEADERS_LEFT_OUT "netsieve_source_headers_left_out_total" Counter, Count []
        "Headers of source messages that were left out, since their name is no UTF-8."
    REJECTS "netsieve_rejects_total" Counter, Count ["level" "reason"]
        "Rejected messages and records, by their code."
    WARNINGS "netsieve_warnings_total" Counter, Count ["code"]
        "Events that carry a warning, by its code."
    ENRICHMENT_FAILURES "netsieve_enrichment_failures_total" Counter, Count ["enrichment"]
        "Events that an enrichment failed on, such as on a damaged row of a database."
    TRUNCATED "netsieve_dead_letters_truncated_total" Counter, Count []
        "Dead letters that were cut to what their topic takes."
    PRODUCED "netsieve_events_produced_total" Counter, Count ["topic"]
        "Events and dead letters that the brokers acknowledged, and with exactly once committed."
    LAG_RECORDS "netsieve_consumer_lag_records" Gauge, Count ["topic" "partition"]
        "Records between the committed offset and the last stable one."
    LAG_SECONDS "netsieve_consumer_lag_seconds" Gauge, Seconds ["topic" "partition"]
        "Age of the oldest record in work; 0 at the partition's end."
    PROCESS_SECONDS "netsieve_batch_process_seconds" Histogram(PROCESS_SECONDS_BOUNDS), Seconds []
        "Time that the core took for one source message."
    END_TO_END_SECONDS "netsieve_end_to_end_seconds" Histogram(END_TO_END_SECONDS_BOUNDS), Seconds []
        "Time from a source record's timestamp until all that came of it was acknowledged, and with exactly once committed."
    COMMITS "netsieve_offset_commits_total" Counter, Count []
        "Offset commits sent, each for all partitions that moved on."
    COMMITS_REPEATED "netsieve_offset_commits_repeated_total" Counter, Count []
        "Offsets of partitions that were not confirmed in time and were sent again."
    TRANSACTIONS "netsieve_transactions_total" Counter, Count ["outcome"]
        "Transactions, by outcome: committed or aborted."
    TRANSACTION_COMMIT_SECONDS "netsieve_transaction_commit_seconds" Histogram(COMMIT_SECONDS_BOUNDS), Seconds []
        "Time from the wait for the last acknowledgements of a transaction until it was committed."
    REBALANCES "netsieve_rebalances_total" Counter, Count ["kind"]
        "Changes of the assignment, by kind: assigned, revoked or lost."
    DELIVERY_FAILURES "netsieve_delivery_failures_total" Counter, Count ["topic"]
        "Times that a worker went back to its last acknowledged records, by the topic of the failed delivery."
    TIMESTAMPS_REPLACED "netsieve_timestamps_replaced_total" Counter, Count ["topic"]
        "Records produced under the present time, since their topic refuses timestamps like theirs."
    PAUSES "netsieve_backpressure_pauses_total" Counter, Count []
        "Times that reading was paused until the brokers had acknowledged enough."
    IN_FLIGHT_BYTES "netsieve_in_flight_bytes" Gauge, Bytes ["worker"]
        "Bytes of events and dead letters that are not yet acknowledged."
    LOST_RECORDS "netsieve_lost_records_total" Counter, Count ["topic" "partition"]
        "Source records that were deleted before they were read."
    BRAKE "netsieve_brake_engaged" Gauge, Count ["worker"]
        "1 while the rejected share is above its limit."
    REJECTED_SHARE "netsieve_rejected_share" Gauge, Count ["worker"]
        "Rejected share of the brake's window, 0 to 1."
    REFERENCE_RELOADS "netsieve_reference_reloads_total" Counter, Count ["table" "outcome"]
        "Times that a table's changed file was loaded, by outcome: loaded, or failed and the table stays as it was."
    REFERENCE_ROWS "netsieve_reference_rows" Gauge, Count ["table"]
        "Rows of a table; of databases, nodes."
    REFERENCE_LOADED "netsieve_reference_loaded_timestamp_seconds" Gauge, Seconds ["table"]
        "When the table that holds was loaded, in seconds since 1970."
    READY "netsieve_ready" Gauge, Count []
        "1 while every worker does its work, 0 while /readyz says why not."
    WORKER_UP "netsieve_worker_up" Gauge, Count ["worker"]
        "1 while the worker runs."
    CLIENT_QUEUE_MESSAGES "netsieve_client_queue_messages" Gauge, Count ["worker" "client"]
        "Records in librdkafka's queue of the consumer or the producer."
    CLIENT_QUEUE_BYTES "netsieve_client_queue_bytes" Gauge, Bytes ["worker" "client"]
        "Bytes in librdkafka's queue of the consumer or the producer."
    BROKER_ROUND_TRIP_SECONDS "netsieve_broker_round_trip_seconds" Gauge, Seconds ["worker" "client" "broker"]
        "99th percentile of the round trips to a broker."
    BUILD_INFO "netsieve_build_info" Gauge, Count ["version"]
        "Always 1; the version is the label."
}

/// Installs the recorder of this process, with every metric described and every histogram's
/// bounds set. It can be done once in a process.
///
/// The handle renders what was recorded; its upkeep is whoever serves it to run.
pub fn install() -> Result<PrometheusHandle, BuildError> {
    let handle = with_bounds()?.install_recorder()?;
    describe();
    Ok(handle)
}

fn with_bounds() -> Result<PrometheusBuilder, BuildError> {
    let mut builder = PrometheusBuilder::new();
    for metric in ALL {
        if let Histogram(bounds) = metric.kind {
            let matcher = Matcher::Full(metric.name.to_owned());
            builder = builder.set_buckets_for_metric(matcher, bounds)?;
        }
    }
    Ok(builder)
}

/// Tells the recorder what each metric is, and what was built.
fn describe() {
    for metric in ALL {
        let Metric {
            name, unit, help, ..
        } = *metric;
        match metric.kind {
            Counter => metrics::describe_counter!(name, unit, help),
            Gauge => metrics::describe_gauge!(name, unit, help),
            Histogram(_) => metrics::describe_histogram!(name, unit, help),
        }
    }
    metrics::gauge!(BUILD_INFO, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rules_of_prometheus() {
        let names: std::collections::BTreeSet<_> = ALL.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), ALL.len());
        for metric in ALL {
            let name = metric.name;
            assert!(name.starts_with("netsieve_"), "{name}");
            assert_eq!(name.ends_with("_total"), metric.kind == Counter, "{name}");
            let seconds = metric.unit == metrics::Unit::Seconds;
            assert_eq!(name.ends_with("_seconds"), seconds, "{name}");
            assert!(metric.help.ends_with('.'), "{name}");
        }
    }

    #[test]
    fn a_histogram_has_its_bounds_and_a_metric_its_help() {
        let recorder = with_bounds().unwrap().build_recorder();
        let handle = recorder.handle();
        metrics::with_local_recorder(&recorder, || {
            describe();
            metrics::histogram!(PROCESS_SECONDS).record(0.002);
            metrics::counter!(REJECTS, "level" => "record", "reason" => "malformed_record")
                .increment(3);
        });
        let text = handle.render();
        assert!(text.contains("netsieve_batch_process_seconds_bucket{le=\"0.0025\"} 1"));
        assert!(text.contains("netsieve_batch_process_seconds_bucket{le=\"0.001\"} 0"));
        assert!(text.contains("# HELP netsieve_rejects_total Rejected messages and records"));
        assert!(text.contains("{level=\"record\",reason=\"malformed_record\"} 3"));
        assert!(text.contains("netsieve_build_info{version="));
    }
}
