//! What the principal may do, as the brokers themselves tell it (KIP-430): two questions of
//! librdkafka's admin API that rust-rdkafka does not have. Nothing is changed by asking.

use std::ffi::{CStr, CString};
use std::ptr::{self, NonNull};
use std::time::Duration;

use rdkafka::bindings as sys;
use rdkafka::bindings::rd_kafka_AclOperation_t as AclOperation;
use rdkafka::client::{Client, ClientContext};
use rdkafka::error::RDKafkaErrorCode;

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
    let names = c_strings(&[group]);
    let mut names: Vec<_> = names.iter().map(|name| name.as_ptr()).collect();
    let operation = sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS;
    let answer = Question::new(client, operation).ask(timeout, |options, queue| {
        let (client, count) = (client.native_ptr(), names.len());
        // SAFETY: as for the topics above.
        unsafe {
            sys::rd_kafka_DescribeConsumerGroups(client, names.as_mut_ptr(), count, options, queue);
        }
    })?;
    // SAFETY: the event lives until the end of this function, and all that is read here is part
    // of it.
    unsafe {
        let result = sys::rd_kafka_event_DescribeConsumerGroups_result(answer.as_ptr());
        if result.is_null() {
            return Err(RDKafkaErrorCode::Fail);
        }
        let mut count = 0;
        let groups = sys::rd_kafka_DescribeConsumerGroups_result_groups(result, &raw mut count);
        if count == 0 {
            return Ok(None);
        }
        let group = *groups;
        let error = sys::rd_kafka_ConsumerGroupDescription_error(group);
        if let Some(code) = code_of(error) {
            return Err(code);
        }
        let mut count = 0;
        let first =
            sys::rd_kafka_ConsumerGroupDescription_authorized_operations(group, &raw mut count);
        Ok(rights(first, count))
    }
}

/// Names of topics and groups; one with a zero byte in it is none.
fn c_strings(names: &[&str]) -> Vec<CString> {
    let names = names.iter();
    names.filter_map(|name| CString::new(*name).ok()).collect()
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

/// The code of an error, where there is one.
///
/// # Safety
/// `error` is null or an error that lives until this returns.
unsafe fn code_of(error: *const sys::rd_kafka_error_t) -> Option<RDKafkaErrorCode> {
    // SAFETY: see above; of null librdkafka says that there is no error.
    let code = unsafe { sys::rd_kafka_error_code(error) };
    (code != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR).then(|| code.into())
}

/// An admin request's options and the queue for its answer, owned.
struct Question {
    options: *mut sys::rd_kafka_AdminOptions_t,
    queue: *mut sys::rd_kafka_queue_t,
}

impl Question {
    fn new<C: ClientContext>(client: &Client<C>, operation: sys::rd_kafka_admin_op_t) -> Self {
        // SAFETY: the client outlives both calls. They give new objects that are ours, never null.
        unsafe {
            Self {
                options: sys::rd_kafka_AdminOptions_new(client.native_ptr(), operation),
                queue: sys::rd_kafka_queue_new(client.native_ptr()),
            }
        }
    }

    /// Has this broker asked.
    fn to_broker(&self, id: i32) {
        // SAFETY: the options are ours, and no text of an error is asked for.
        unsafe { sys::rd_kafka_AdminOptions_set_broker(self.options, id, ptr::null_mut(), 0) };
    }

    /// Asks, with the rights, and waits for the answer.
    fn ask(
        &self,
        timeout: Duration,
        send: impl FnOnce(*const sys::rd_kafka_AdminOptions_t, *mut sys::rd_kafka_queue_t),
    ) -> Result<Event, RDKafkaErrorCode> {
        let timeout_ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: the options are ours. No text of an error is asked for; the error that the
        // second call may give is ours, and destroying none is nothing.
        unsafe {
            sys::rd_kafka_AdminOptions_set_request_timeout(
                self.options,
                timeout_ms,
                ptr::null_mut(),
                0,
            );
            let refused =
                sys::rd_kafka_AdminOptions_set_include_authorized_operations(self.options, 1);
            if let Some(refused) = NonNull::new(refused) {
                sys::rd_kafka_error_destroy(refused.as_ptr());
            }
        }
        send(self.options, self.queue);
        // SAFETY: the queue is ours. It gives null or an event that is ours.
        let event = unsafe { sys::rd_kafka_queue_poll(self.queue, timeout_ms) };
        let event = NonNull::new(event).map(Event);
        let event = event.ok_or(RDKafkaErrorCode::OperationTimedOut)?;
        // SAFETY: the event is ours.
        let code = unsafe { sys::rd_kafka_event_error(event.as_ptr()) };
        if code == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            Ok(event)
        } else {
            Err(code.into())
        }
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        // SAFETY: both are ours. An answer that is still to come holds the queue by itself.
        unsafe {
            sys::rd_kafka_AdminOptions_destroy(self.options);
            sys::rd_kafka_queue_destroy(self.queue);
        }
    }
}

/// An answer, owned.
struct Event(NonNull<sys::rd_kafka_event_t>);

impl Event {
    fn as_ptr(&self) -> *mut sys::rd_kafka_event_t {
        self.0.as_ptr()
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: the event is ours, and nothing of it is used any more.
        unsafe { sys::rd_kafka_event_destroy(self.0.as_ptr()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
