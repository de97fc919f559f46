//! Choices that are the same again for the same seed.

use parvis_ambient::{Chance, SeededChance};

/// Makes choices.
pub(crate) struct Dice(SeededChance);

impl Dice {
    /// The choices that belong to a seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(SeededChance::new(seed))
    }

    /// A number below `end`.
    pub(crate) fn below(&self, end: u64) -> u64 {
        self.0.number() % end
    }

    /// An index into something of this length.
    pub(crate) fn index(&self, length: usize) -> usize {
        usize::try_from(self.below(length.max(1) as u64)).unwrap()
    }

    /// One of these.
    pub(crate) fn of<'a, T>(&self, choices: &'a [T]) -> &'a T {
        &choices[self.index(choices.len())]
    }

    /// Whether it is one of `times` cases out of a hundred.
    pub(crate) fn percent(&self, times: u64) -> bool {
        self.below(100) < times
    }
}
