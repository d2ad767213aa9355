//! Panics of a dependency that are expected, and told nobody.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

thread_local! {
    static IS_EXPECTED: Cell<bool> = const { Cell::new(false) };
}

static HOOK: Once = Once::new();

/// The result of a call, or nothing if it panics.
///
/// Nothing of such a panic goes to stderr: it would be a backtrace for every one, and a sender
/// can cause as many as they like.
pub(super) fn unless_it_panics<T>(call: impl FnOnce() -> T) -> Option<T> {
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !IS_EXPECTED.get() {
                usual(panic);
            }
        }));
    });
    IS_EXPECTED.set(true);
    let result = catch_unwind(AssertUnwindSafe(call));
    IS_EXPECTED.set(false);
    result.ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn an_expected_panic_is_not_told_and_others_are() {
        let told = Arc::new(AtomicUsize::new(0));
        let (counter, here) = (Arc::clone(&told), std::thread::current().id());
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if std::thread::current().id() == here {
                counter.fetch_add(1, Ordering::Relaxed);
            } else {
                usual(panic);
            }
        }));
        assert_eq!(unless_it_panics(|| 7), Some(7));
        assert_eq!(unless_it_panics(|| -> u8 { panic!("expected") }), None);
        assert_eq!(told.load(Ordering::Relaxed), 0);
        assert!(catch_unwind(|| panic!("not expected")).is_err());
        assert_eq!(told.load(Ordering::Relaxed), 1);
    }
}
