//! Event types that no event has had, in memory: most rooms have no policy server and no encryption, and every event asks for
//! them.

use std::sync::atomic::{AtomicU64, Ordering};

use parvis_cache::Cache;

/// How many names are remembered.
const NAMES: u64 = 1_000;

/// The names that were looked for lately and have no number.
#[derive(Debug)]
pub(crate) struct AbsentTypes {
    names: Cache<Box<str>, ()>,
    generation: AtomicU64,
}

impl AbsentTypes {
    pub(crate) fn new() -> Self {
        Self { names: Cache::new(NAMES), generation: AtomicU64::new(0) }
    }

    /// Whether the name is known to have no number.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    /// How often names were given numbers so far; see [`keep`](Self::keep).
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Notes that a name was looked for and has no number, unless one was given since before the reading.
    pub(crate) fn keep(&self, name: &str, generation: u64) {
        self.names.insert(name.into(), ());
        if self.generation() != generation {
            self.names.remove(name);
        }
    }

    /// Notes that a name has a number now.
    pub(crate) fn apply(&self, name: &str) {
        self.generation.fetch_add(1, Ordering::AcqRel);
        self.names.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_that_was_given_a_number_meanwhile_is_not_kept() {
        let absent = AbsentTypes::new();
        let generation = absent.generation();
        absent.apply("m.room.policy");
        absent.keep("m.room.policy", generation);
        assert!(!absent.contains("m.room.policy"));
        absent.keep("m.room.policy", absent.generation());
        assert!(absent.contains("m.room.policy"));
    }
}
