//! SplitMix64: a few lines, the same numbers on every platform and in every version.

/// A small deterministic generator of numbers; not for secrets.
#[derive(Clone, Debug)]
pub(super) struct Rng(u64);

impl Rng {
    /// A stream of numbers of its own for each pair of a seed and a position.
    pub(super) fn at(seed: u64, position: u64) -> Self {
        let mut outer = Self(seed);
        let mut inner = Self(outer.next() ^ position);
        Self(inner.next())
    }

    /// The next 64 bits.
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// A number from 0 up to but not including `end`, which is above 0.
    pub(super) fn below(&mut self, end: u32) -> u32 {
        let scaled = (self.next() >> 32) * u64::from(end);
        u32::try_from(scaled >> 32).unwrap_or(0)
    }

    /// A number from `low` to `high`, both included.
    pub(super) fn between(&mut self, low: u16, high: u16) -> u16 {
        let span = u32::from(high - low) + 1;
        low + u16::try_from(self.below(span)).unwrap_or(0)
    }

    /// True with the given probability.
    pub(super) fn chance(&mut self, share: f64) -> bool {
        let unit = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        unit < share
    }

    /// One of the choices, each as likely as the others; there is at least one.
    pub(super) fn pick<'c, T>(&mut self, choices: &'c [T]) -> &'c T {
        let count = u32::try_from(choices.len()).unwrap_or(u32::MAX);
        &choices[self.below(count) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_splitmix64s() {
        // First outputs of the reference implementation for the seed 1234567.
        let mut rng = Rng(1_234_567);
        assert_eq!(rng.next(), 6_457_827_717_110_365_317);
        assert_eq!(rng.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn numbers_stay_in_their_bounds_and_reach_them() {
        let mut rng = Rng::at(1, 2);
        let numbers: Vec<_> = (0..1_000).map(|_| rng.between(3, 5)).collect();
        assert!((3..=5).all(|wanted| numbers.contains(&wanted)));
        assert!(numbers.iter().all(|number| (3..=5).contains(number)));
        assert!(!rng.chance(0.0));
        assert!(rng.chance(1.0));
    }
}
