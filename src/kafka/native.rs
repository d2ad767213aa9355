//! What rust-rdkafka does not offer and exactly once needs of librdkafka: a look into the group
//! metadata that go with a transaction's offsets, the end of a partition as last fetched, in
//! [`rights`] what the principal may do, and in [`group`] who is in a consumer group.
//!
//! This module and its parts are the only ones with `unsafe` in them. They hand librdkafka pointers
//! that it gave out itself, each borrowed from a client that outlives the call, and free what they
//! are given.
#![allow(unsafe_code)]

pub(super) mod group;
mod question;
pub(super) mod rights;

use std::ffi::{CStr, CString};
use std::ptr::NonNull;
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::bindings as sys;
use rdkafka::client::{Client, ClientContext};
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};

/// An error of a transactional call, with what librdkafka says can be done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TransactionError {
    /// The code.
    pub(super) code: RDKafkaErrorCode,
    /// Whether the same call may be made again.
    pub(super) is_retriable: bool,
    /// Whether the transaction must be aborted, and the producer is well.
    pub(super) requires_abort: bool,
    /// librdkafka's words.
    pub(super) reason: String,
}

impl From<ClientError> for TransactionError {
    fn from(error: ClientError) -> Self {
        let reason = error.to_string();
        match error {
            ClientError::Transaction(error) => Self {
                code: error.code(),
                is_retriable: error.is_retriable(),
                requires_abort: error.txn_requires_abort(),
                reason: error.string(),
            },
            // The wait for deliveries that precedes a commit.
            ClientError::Flush(code) => Self {
                code,
                is_retriable: code == RDKafkaErrorCode::OperationTimedOut,
                requires_abort: false,
                reason,
            },
            other => Self {
                code: other.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail),
                is_retriable: false,
                requires_abort: false,
                reason,
            },
        }
    }
}

/// Why offsets were not added to a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NotSent {
    /// The consumer is no member of its group at the moment. Brokers take offsets without a
    /// member as they are, unfenced, over whatever the group has committed since.
    NoMember,
    /// librdkafka or the brokers refused.
    Refused(TransactionError),
}

/// Adds offsets to the producer's transaction in the name of the consumer's membership.
pub(super) fn send_offsets<P: ClientContext, C: ClientContext>(
    producer: &Client<P>,
    offsets: &TopicPartitionList,
    consumer: &Client<C>,
    timeout: Duration,
) -> Result<(), NotSent> {
    let member = GroupMetadata::of(consumer).filter(GroupMetadata::is_member);
    let member = member.ok_or(NotSent::NoMember)?;
    let timeout_ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: all three pointers belong to objects that are borrowed or owned here and live on
    // until the call returns; librdkafka only reads the last two, and keeps none.
    let error = unsafe {
        sys::rd_kafka_send_offsets_to_transaction(
            producer.native_ptr(),
            offsets.ptr(),
            member.0.as_ptr(),
            timeout_ms,
        )
    };
    match NonNull::new(error) {
        None => Ok(()),
        Some(error) => Err(NotSent::Refused(take_error(error))),
    }
}

/// Whether `next` is beyond all records that the last fetch knew the partition to have. False
/// where nothing was fetched yet.
pub(super) fn is_at_end<C: ClientContext>(
    consumer: &Client<C>,
    topic: &str,
    partition: i32,
    next: i64,
) -> bool {
    let Ok(topic) = CString::new(topic) else {
        return false;
    };
    let (mut low, mut high) = (-1, -1);
    // SAFETY: the client and the topic's name outlive the call, and librdkafka writes the two
    // offsets before it returns. It looks at what it has cached and asks no broker.
    let code = unsafe {
        sys::rd_kafka_get_watermark_offsets(
            consumer.native_ptr(),
            topic.as_ptr(),
            partition,
            &raw mut low,
            &raw mut high,
        )
    };
    code == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR && high >= 0 && next >= high
}

/// A consumer's membership at one moment, owned.
struct GroupMetadata(NonNull<sys::rd_kafka_consumer_group_metadata_t>);

impl GroupMetadata {
    fn of<C: ClientContext>(consumer: &Client<C>) -> Option<Self> {
        // SAFETY: the client outlives the call. It gives null or a new object that is ours.
        let metadata = unsafe { sys::rd_kafka_consumer_group_metadata(consumer.native_ptr()) };
        NonNull::new(metadata).map(Self)
    }

    /// Whether it names a member and a generation, by which the broker can tell it from one that
    /// was replaced.
    fn is_member(&self) -> bool {
        let metadata = self.0.as_ptr();
        // SAFETY: the object is ours until it is dropped.
        let generation = unsafe { sys::rd_kafka_consumer_group_metadata_generation_id(metadata) };
        // SAFETY: as above; the text is null or part of the object, ends with a zero byte, and is
        // not kept.
        let member_id = unsafe { sys::rd_kafka_consumer_group_metadata_member_id(metadata) };
        if member_id.is_null() {
            return false;
        }
        // SAFETY: not null, and see above.
        let member_id = unsafe { CStr::from_ptr(member_id) };
        generation >= 0 && !member_id.is_empty()
    }
}

impl Drop for GroupMetadata {
    fn drop(&mut self) {
        // SAFETY: the object is ours, and nothing of it is used any more.
        unsafe { sys::rd_kafka_consumer_group_metadata_destroy(self.0.as_ptr()) };
    }
}

fn take_error(error: NonNull<sys::rd_kafka_error_t>) -> TransactionError {
    let error = error.as_ptr();
    // SAFETY: the error is ours until it is destroyed below. Its text is part of it, ends with a
    // zero byte, is never null, and is copied.
    unsafe {
        let taken = TransactionError {
            code: sys::rd_kafka_error_code(error).into(),
            is_retriable: sys::rd_kafka_error_is_retriable(error) != 0,
            requires_abort: sys::rd_kafka_error_txn_requires_abort(error) != 0,
            reason: CStr::from_ptr(sys::rd_kafka_error_string(error))
                .to_string_lossy()
                .into_owned(),
        };
        sys::rd_kafka_error_destroy(error);
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdkafka::ClientConfig;
    use rdkafka::consumer::{BaseConsumer, Consumer};
    use rdkafka::producer::{BaseProducer, Producer};

    #[test]
    fn offsets_without_a_membership_are_refused() {
        let mut config = ClientConfig::new();
        // Nobody listens there; nothing is asked of anybody.
        config.set("bootstrap.servers", "127.0.0.1:1");
        let producer: BaseProducer = config.create().unwrap();
        config.set("group.id", "g");
        let consumer: BaseConsumer = config.create().unwrap();
        let sent = send_offsets(
            producer.client(),
            &TopicPartitionList::new(),
            consumer.client(),
            Duration::ZERO,
        );
        assert_eq!(sent, Err(NotSent::NoMember));
        assert!(!is_at_end(consumer.client(), "t", 0, 0), "nothing fetched");
        assert!(!is_at_end(consumer.client(), "\0", 0, 0));
    }
}
