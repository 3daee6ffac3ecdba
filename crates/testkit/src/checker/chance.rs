//! Chance that can be had again: a generator of a few lines (SplitMix64), begun at a seed that a test prints.
//!
//! Called by the driver of the checker and by systems that misbehave by chance. Must never be used for a secret.

/// Numbers that look drawn and follow from the seed.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// The numbers of this seed.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        Self(seed)
    }

    /// The seed that the environment gives in this variable, or else one that nobody chose.
    ///
    /// # Panics
    /// If the variable is set to no number.
    #[must_use]
    pub fn seed(variable: &str) -> u64 {
        use std::hash::{BuildHasher as _, Hasher as _};

        match std::env::var(variable) {
            Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")),
            Err(_) => std::hash::RandomState::new().build_hasher().finish() >> 32,
        }
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; 0 where that is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound.max(1)).unwrap_or(u64::MAX);
        usize::try_from(self.draw() % bound).unwrap_or(0)
    }

    /// True once in `turns` turns.
    pub fn once_in(&mut self, turns: usize) -> bool {
        self.below(turns) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_numbers_again() {
        let (mut one, mut other) = (Chance::of(7), Chance::of(7));
        let numbers: Vec<_> = (0..100).map(|_| one.below(10)).collect();
        assert!(numbers.iter().all(|number| *number < 10 && *number == other.below(10)));
        assert!((0..10).all(|number| numbers.contains(&number)), "all of them come up");
    }
}
