//! Time and randomness as arguments.
//!
//! Everything in Parvis that needs the hour or a random number receives a [`Clock`] or a [`Chance`] from
//! outside. Production passes [`SystemClock`] and [`SystemChance`]; a test passes [`TestClock`] and
//! [`SeededChance`] and gets the same run again from the same seed. This crate knows nothing of Matrix.

mod chance;
mod clock;

use std::sync::Arc;

pub use chance::{Chance, SeededChance, SystemChance};
pub use clock::{Clock, SystemClock, TestClock, Timestamp};

/// The two ambient things together, as most engines want them. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Ambient {
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where randomness comes from.
    pub chance: Arc<dyn Chance>,
}

impl Ambient {
    /// The machine's clock and the operating system's randomness.
    pub fn system() -> Self {
        Self { clock: Arc::new(SystemClock::new()), chance: Arc::new(SystemChance) }
    }

    /// The present time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
