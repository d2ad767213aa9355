//! Who is in a consumer group, as its coordinator tells it: no other broker is asked, so that none
//! of the others is waited for. librdkafka asks for a group of the consumer protocol (KIP-848)
//! first, and where it is none, for one of the classic protocol.

use std::ffi::{CStr, c_char};
use std::time::Duration;

use rdkafka::bindings as sys;
use rdkafka::client::{Client, ClientContext};
use rdkafka::error::RDKafkaErrorCode;

use super::question::{Question, c_strings, code_of};

/// A member of a group.
pub(in crate::kafka) struct GroupMember {
    /// The client id that it gave itself.
    pub(in crate::kafka) client_id: String,
    /// Its address, as the brokers see it.
    pub(in crate::kafka) host: String,
}

/// The group's members; none where there is no such group. The group is not joined.
pub(in crate::kafka) fn members<C: ClientContext>(
    client: &Client<C>,
    group: &str,
    timeout: Duration,
) -> Result<Vec<GroupMember>, RDKafkaErrorCode> {
    let told = described(client, group, timeout, |group| {
        // SAFETY: the description lives until this returns, and all that is read here is part of
        // it; the texts are never null, end with a zero byte and are copied.
        unsafe {
            let count = sys::rd_kafka_ConsumerGroupDescription_member_count(group);
            let members = (0..count).map(|index| {
                let member = sys::rd_kafka_ConsumerGroupDescription_member(group, index);
                GroupMember {
                    client_id: text(sys::rd_kafka_MemberDescription_client_id(member)),
                    host: text(sys::rd_kafka_MemberDescription_host(member)),
                }
            });
            members.collect()
        }
    })?;
    Ok(told.unwrap_or_default())
}

/// A copy of a text.
///
/// # Safety
/// `text` is not null and ends with a zero byte.
unsafe fn text(text: *const c_char) -> String {
    // SAFETY: see above.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_string_lossy().into_owned()
}

/// What `read` takes from the coordinator's description of the group. It may keep nothing of it.
pub(super) fn described<C: ClientContext, T>(
    client: &Client<C>,
    group: &str,
    timeout: Duration,
    read: impl FnOnce(*const sys::rd_kafka_ConsumerGroupDescription_t) -> T,
) -> Result<Option<T>, RDKafkaErrorCode> {
    let names = c_strings(&[group]);
    let mut names: Vec<_> = names.iter().map(|name| name.as_ptr()).collect();
    let operation = sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS;
    let answer = Question::new(client, operation).ask(timeout, |options, queue| {
        let (client, count) = (client.native_ptr(), names.len());
        // SAFETY: client, names, options and queue outlive the call, which copies what it needs of
        // them and counts the queue's references itself.
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
        Ok(Some(read(group)))
    }
}
