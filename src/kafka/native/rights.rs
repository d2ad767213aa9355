//! What the principal may do, as the brokers themselves tell it (KIP-430).

use std::ffi::CStr;
use std::time::Duration;

use rdkafka::bindings as sys;
use rdkafka::bindings::rd_kafka_AclOperation_t as AclOperation;
use rdkafka::client::{Client, ClientContext};
use rdkafka::error::RDKafkaErrorCode;

use super::group;
use super::question::{Question, c_strings, code_of};

/// What a principal may do to one topic or group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::kafka) struct Rights(Vec<AclOperation>);

impl Rights {
    /// Whether it may read.
    pub(in crate::kafka) fn may_read(&self) -> bool {
        self.0.contains(&AclOperation::RD_KAFKA_ACL_OPERATION_READ)
    }

    /// Whether it may write.
    pub(in crate::kafka) fn may_write(&self) -> bool {
        self.0.contains(&AclOperation::RD_KAFKA_ACL_OPERATION_WRITE)
    }
}

/// Topics by name, with what may be done to them.
pub(in crate::kafka) type TopicRights = Vec<(String, Rights)>;

/// What the client's principal may do to these topics. Those of which the brokers do not tell it,
/// for one since it may not even describe them, are left out.
///
/// `broker` is any of them, since any knows: without one named, librdkafka would ask the
/// controller, and wait for it.
pub(in crate::kafka) fn of_topics<C: ClientContext>(
    client: &Client<C>,
    broker: Option<i32>,
    topics: &[&str],
    timeout: Duration,
) -> Result<TopicRights, RDKafkaErrorCode> {
    let names = c_strings(topics);
    let mut names: Vec<_> = names.iter().map(|name| name.as_ptr()).collect();
    // SAFETY: the names outlive the call, which copies them.
    let asked =
        unsafe { sys::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len()) };
    let question = Question::new(
        client,
        sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS,
    );
    if let Some(broker) = broker {
        question.to_broker(broker);
    }
    let answer = question.ask(timeout, |options, queue| {
        // SAFETY: client, topics, options and queue outlive the call, which copies what it needs
        // of them and counts the queue's references itself.
        unsafe { sys::rd_kafka_DescribeTopics(client.native_ptr(), asked, options, queue) };
    });
    // SAFETY: it is ours, and librdkafka keeps none of it.
    unsafe { sys::rd_kafka_TopicCollection_destroy(asked) };
    let answer = answer?;
    let mut told = Vec::new();
    // SAFETY: the event lives until the end of this function, and all that is read here is part
    // of it; the names end with a zero byte and are copied.
    unsafe {
        let result = sys::rd_kafka_event_DescribeTopics_result(answer.as_ptr());
        if result.is_null() {
            return Err(RDKafkaErrorCode::Fail);
        }
        let mut count = 0;
        let topics = sys::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
        for index in 0..count {
            let topic = *topics.add(index);
            let error = sys::rd_kafka_TopicDescription_error(topic);
            if code_of(error).is_some() {
                continue;
            }
            let name = CStr::from_ptr(sys::rd_kafka_TopicDescription_name(topic));
            let mut count = 0;
            let first = sys::rd_kafka_TopicDescription_authorized_operations(topic, &raw mut count);
            if let Some(rights) = rights(first, count) {
                told.push((name.to_string_lossy().into_owned(), rights));
            }
        }
    }
    Ok(told)
}

/// What the client's principal may do to the group, if the brokers tell it. The group need not
/// exist, and is not joined.
pub(in crate::kafka) fn of_group<C: ClientContext>(
    client: &Client<C>,
    group: &str,
    timeout: Duration,
) -> Result<Option<Rights>, RDKafkaErrorCode> {
    let told = group::described(client, group, timeout, |group| {
        let mut count = 0;
        // SAFETY: the description lives until this returns, and the list is part of it.
        unsafe {
            let first =
                sys::rd_kafka_ConsumerGroupDescription_authorized_operations(group, &raw mut count);
            rights(first, count)
        }
    })?;
    Ok(told.flatten())
}

/// The operations of a list of librdkafka's; null where the brokers tell none.
///
/// # Safety
/// `first` is null or points to `count` operations.
unsafe fn rights(first: *const AclOperation, count: usize) -> Option<Rights> {
    if first.is_null() {
        return None;
    }
    // SAFETY: see above.
    let operations = unsafe { std::slice::from_raw_parts(first, count) };
    Some(Rights(operations.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ptr;

    use rdkafka::ClientConfig;
    use rdkafka::consumer::{BaseConsumer, Consumer};

    #[test]
    fn a_cluster_that_does_not_answer_is_waited_for_no_longer_than_said() {
        let mut config = ClientConfig::new();
        // Nobody listens there.
        config.set("bootstrap.servers", "127.0.0.1:1");
        config.set("group.id", "g");
        let consumer: BaseConsumer = config.create().unwrap();
        let client = consumer.client();
        let timeout = Duration::from_millis(100);
        assert!(of_topics(client, None, &["t"], timeout).is_err());
        assert!(of_group(client, "g", timeout).is_err());
    }

    #[test]
    fn no_rights_are_not_the_same_as_rights_untold() {
        // SAFETY: null is a list that was not told; the others are slices.
        let (untold, none, read) = unsafe {
            let one = [AclOperation::RD_KAFKA_ACL_OPERATION_READ];
            (
                rights(ptr::null(), 1),
                rights([].as_ptr(), 0),
                rights(one.as_ptr(), one.len()),
            )
        };
        assert_eq!(untold, None);
        assert!(none.is_some_and(|none| !none.may_read() && !none.may_write()));
        assert!(read.is_some_and(|read| read.may_read() && !read.may_write()));
    }
}
