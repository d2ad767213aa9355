//! Names of the metrics of the Kafka side, each with what it says.

macro_rules! names {
    ($($constant:ident $name:literal $meaning:literal)*) => {
        $(#[doc = $meaning] pub const $constant: &str = $name;)*

        /// Every name, and what it says.
        pub const ALL: &[(&str, &str)] = &[$(($name, $meaning)),*];
    };
}

names! {
    MESSAGES "netsieve_messages_total" "Source messages taken in."
    RECORDS "netsieve_records_total" "Records of source messages, by `outcome`: event, rejected."
    UNROUTED "netsieve_unrouted_events_total" "Events that matched no output."
    REJECTS "netsieve_rejects_total" "Rejected messages and records, by `level` and `reason`."
    WARNINGS "netsieve_warnings_total" "Events that carry a warning, by `code`."
    TRUNCATED "netsieve_dead_letters_truncated_total" "Dead letters that were cut to what their topic takes."
    PRODUCED "netsieve_events_produced_total" "Events and dead letters acknowledged by the brokers, by `topic`."
    LAG_RECORDS "netsieve_consumer_lag_records" "Records between the committed offset and the last stable one, by `topic` and `partition`."
    LAG_SECONDS "netsieve_consumer_lag_seconds" "Age of the oldest record in work, 0 at the partition's end, by `topic` and `partition`."
    PROCESS_SECONDS "netsieve_batch_process_seconds" "Time that the core took for one source message."
    END_TO_END_SECONDS "netsieve_end_to_end_seconds" "Time from a source record's timestamp until all that came of it was acknowledged."
    COMMITS "netsieve_offset_commits_total" "Offset commits, by `outcome`: success, failure."
    REBALANCES "netsieve_rebalances_total" "Changes of the assignment, by `kind`: assigned, revoked, lost."
    DELIVERY_FAILURES "netsieve_delivery_failures_total" "Times that a worker went back to its last acknowledged records, by `topic` of the failed delivery."
    PAUSES "netsieve_backpressure_pauses_total" "Times that reading was paused until the brokers had acknowledged enough."
    IN_FLIGHT_BYTES "netsieve_in_flight_bytes" "Bytes of events and dead letters not yet acknowledged, by `worker`."
    LOST_RECORDS "netsieve_lost_records_total" "Source records that were deleted before they were read, by `topic` and `partition`."
    BRAKE "netsieve_brake_engaged" "1 while the rejected share is above its limit, by `worker`."
    REJECTED_SHARE "netsieve_rejected_share" "Rejected share of the brake's window, by `worker`."
    WORKER_UP "netsieve_worker_up" "1 while the worker runs, by `worker`."
    CLIENT_QUEUE_MESSAGES "netsieve_client_queue_messages" "Records in librdkafka's queue, by `worker` and `client`: consumer, producer."
    CLIENT_QUEUE_BYTES "netsieve_client_queue_bytes" "Bytes in librdkafka's queue, by `worker` and `client`: consumer, producer."
    BROKER_ROUND_TRIP_SECONDS "netsieve_broker_round_trip_seconds" "99th percentile of the round trips to a broker, by `worker`, `client` and `broker`."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_in_prometheus_form() {
        let unique: std::collections::BTreeSet<_> = ALL.iter().map(|(name, _)| name).collect();
        assert_eq!(unique.len(), ALL.len());
        for (name, meaning) in ALL {
            assert!(name.starts_with("netsieve_") && meaning.ends_with('.'));
            assert!(
                name.bytes()
                    .all(|byte| byte == b'_' || byte.is_ascii_lowercase())
            );
        }
    }
}
