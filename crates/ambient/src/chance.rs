//! Sources of randomness: the operating system's, and a seeded one for tests.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
};

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

const LETTERS_AND_DIGITS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// A source of randomness fit for secrets.
pub trait Chance: Send + Sync + fmt::Debug {
    /// Fills `bytes` with random bytes.
    fn fill(&self, bytes: &mut [u8]);

    /// A random string of `length` letters and digits (5.95 bits each).
    fn text(&self, length: usize) -> String {
        let mut text = String::with_capacity(length);
        let mut bytes = [0_u8; 64];
        while text.len() < length {
            self.fill(&mut bytes);
            // Bytes above the largest multiple of 62 are dropped, so that all letters are equally likely.
            let usable = bytes.iter().filter(|byte| **byte < 248);
            let letters = usable.map(|byte| char::from(LETTERS_AND_DIGITS[usize::from(*byte) % 62]));
            text.extend(letters.take(length - text.len()));
        }
        text
    }

    /// A random number.
    fn number(&self) -> u64 {
        let mut bytes = [0_u8; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }
}

/// The operating system's randomness.
#[derive(Debug, Clone, Copy)]
pub struct SystemChance;

impl Chance for SystemChance {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the system for randomness")]
    fn fill(&self, bytes: &mut [u8]) {
        // Without randomness no secret can be made; a server must not go on.
        #[expect(
            clippy::expect_used,
            reason = "no input can cause this, and there is nothing to fall back to"
        )]
        getrandom::fill(bytes).expect("the operating system gives randomness");
    }
}

/// Randomness that is the same again for the same seed. For tests only.
pub struct SeededChance(Mutex<ChaCha20Rng>);

impl SeededChance {
    /// The stream of randomness that belongs to `seed`.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(ChaCha20Rng::seed_from_u64(seed)))
    }
}

impl fmt::Debug for SeededChance {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SeededChance")
    }
}

impl Chance for SeededChance {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_seed_gives_the_same_text() {
        assert_eq!(SeededChance::new(7).text(40), SeededChance::new(7).text(40));
        assert_ne!(SeededChance::new(7).text(40), SeededChance::new(8).text(40));
    }

    #[test]
    fn text_has_the_length_asked_for() {
        for length in [0, 1, 63, 64, 200] {
            assert_eq!(SystemChance.text(length).len(), length);
        }
    }
}
