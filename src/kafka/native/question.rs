//! A question of librdkafka's admin API that rust-rdkafka does not have, and its answer. Nothing is
//! changed by asking.

use std::ffi::CString;
use std::ptr::{self, NonNull};
use std::time::Duration;

use rdkafka::bindings as sys;
use rdkafka::client::{Client, ClientContext};
use rdkafka::error::RDKafkaErrorCode;

/// An admin request's options and the queue for its answer, owned.
pub(super) struct Question {
    options: *mut sys::rd_kafka_AdminOptions_t,
    queue: *mut sys::rd_kafka_queue_t,
}

impl Question {
    /// One of that kind, of this client.
    pub(super) fn new<C: ClientContext>(
        client: &Client<C>,
        operation: sys::rd_kafka_admin_op_t,
    ) -> Self {
        // SAFETY: the client outlives both calls. They give new objects that are ours, never null.
        unsafe {
            Self {
                options: sys::rd_kafka_AdminOptions_new(client.native_ptr(), operation),
                queue: sys::rd_kafka_queue_new(client.native_ptr()),
            }
        }
    }

    /// Has this broker asked.
    pub(super) fn to_broker(&self, id: i32) {
        // SAFETY: the options are ours, and no text of an error is asked for.
        unsafe { sys::rd_kafka_AdminOptions_set_broker(self.options, id, ptr::null_mut(), 0) };
    }

    /// Asks, with the rights, and waits for the answer. It can be asked only once.
    pub(super) fn ask(
        self,
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
pub(super) struct Event(NonNull<sys::rd_kafka_event_t>);

impl Event {
    /// The event itself; it lives as long as this.
    pub(super) fn as_ptr(&self) -> *mut sys::rd_kafka_event_t {
        self.0.as_ptr()
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: the event is ours, and nothing of it is used any more.
        unsafe { sys::rd_kafka_event_destroy(self.0.as_ptr()) };
    }
}

/// Names of topics and groups; one with a zero byte in it is none.
pub(super) fn c_strings(names: &[&str]) -> Vec<CString> {
    let names = names.iter();
    names.filter_map(|name| CString::new(*name).ok()).collect()
}

/// The code of an error, where there is one.
///
/// # Safety
/// `error` is null or an error that lives until this returns.
pub(super) unsafe fn code_of(error: *const sys::rd_kafka_error_t) -> Option<RDKafkaErrorCode> {
    // SAFETY: see above; of null librdkafka says that there is no error.
    let code = unsafe { sys::rd_kafka_error_code(error) };
    (code != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR).then(|| code.into())
}
