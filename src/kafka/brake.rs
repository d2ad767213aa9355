//! The brake: notices when too large a share of what comes in is rejected.
//!
//! A burst of rejects more likely means a fault upstream, or ours, than bad data. The brake
//! says so, and can hold the worker for a while; it never loses or refuses anything.

/// Shares are kept in parts of this.
const WHOLE: u16 = 10_000;

/// The rejected share of the last messages.
///
/// A message that is rejected as a whole counts fully, another by the share of its records that
/// were rejected.
#[derive(Debug)]
pub struct Brake {
    /// Rejected share of each message of the window, in parts of [`WHOLE`].
    shares: Vec<u16>,
    next: usize,
    sum: u64,
    window: usize,
    limit: f64,
    engaged: bool,
}

impl Brake {
    /// A brake over the last `window` messages that engages above a rejected share of
    /// `max_rejected_share`, between 0 and 1.
    pub fn new(window: usize, max_rejected_share: f64) -> Self {
        Self {
            shares: Vec::new(),
            next: 0,
            sum: 0,
            window: window.max(1),
            limit: max_rejected_share,
            engaged: false,
        }
    }

    /// Takes note of one message; true when the brake has just engaged.
    pub fn observe(&mut self, rejected_records: usize, records: usize) -> bool {
        let share = share(rejected_records, records);
        self.sum += u64::from(share);
        if self.shares.len() < self.window {
            self.shares.push(share);
        } else if let Some(oldest) = self.shares.get_mut(self.next) {
            self.sum -= u64::from(*oldest);
            *oldest = share;
        }
        self.next = (self.next + 1) % self.window;
        let exceeded = self.shares.len() == self.window && self.rejected_share() > self.limit;
        let just_now = exceeded && !self.engaged;
        self.engaged = exceeded;
        just_now
    }

    /// The rejected share of the messages of the window so far, between 0 and 1.
    pub fn rejected_share(&self) -> f64 {
        if self.shares.is_empty() {
            return 0.0;
        }
        self.sum as f64 / (self.shares.len() as f64 * f64::from(WHOLE))
    }

    /// Whether the share of a full window is above the limit.
    pub fn is_engaged(&self) -> bool {
        self.engaged
    }

    /// Forgets the window: the brake engages again only on a new full one.
    pub fn reset(&mut self) {
        self.shares.clear();
        self.next = 0;
        self.sum = 0;
        self.engaged = false;
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // between 0 and WHOLE
fn share(rejected: usize, records: usize) -> u16 {
    if rejected == 0 {
        return 0;
    }
    let share = rejected as f64 / records.max(rejected) as f64;
    (share * f64::from(WHOLE)).round() as u16
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_engages_once_on_a_full_window_and_again_after_a_calm_one() {
        let mut brake = Brake::new(4, 0.5);
        let messages = [(1, 1), (1, 1), (1, 1)];
        assert!(!messages.iter().any(|(bad, all)| brake.observe(*bad, *all)));
        assert!(brake.observe(0, 10), "three of four");
        assert!(!brake.observe(1, 1), "already engaged");
        assert!(brake.is_engaged());
        for _ in 0..4 {
            assert!(!brake.observe(0, 1));
        }
        assert!(!brake.is_engaged());
        assert!(!brake.observe(1, 1));
        assert!(!brake.observe(1, 1), "at the limit, not above it");
        assert!(brake.observe(1, 1));
        brake.reset();
        assert!(!brake.is_engaged());
        assert!(!brake.observe(1, 1), "the window is not full");
    }

    #[test]
    fn a_few_bad_records_in_every_message_are_a_small_share() {
        let mut brake = Brake::new(10, 0.5);
        for _ in 0..100 {
            assert!(!brake.observe(1, 50));
        }
        assert!((brake.rejected_share() - 0.02).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn the_share_is_that_of_the_last_window(
            window in 1..20_usize,
            messages in prop::collection::vec((0..5_usize, 5..9_usize), 1..100),
        ) {
            let mut brake = Brake::new(window, 0.25);
            for end in 1..=messages.len() {
                let (rejected, records) = messages[end - 1];
                brake.observe(rejected, records);
                let last = &messages[end.saturating_sub(window)..end];
                let sum: f64 = last.iter().map(|(bad, all)| *bad as f64 / *all as f64).sum();
                let expected = sum / last.len() as f64;
                prop_assert!((brake.rejected_share() - expected).abs() < 1e-3);
                if last.len() < window {
                    prop_assert!(!brake.is_engaged());
                }
            }
        }
    }
}
