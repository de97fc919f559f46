//! Numbers that were reserved and not yet given out.

use std::sync::{Mutex, PoisonError};

/// How many numbers are reserved at once. Those not used when the process ends are lost, which costs nothing.
pub(crate) const BLOCK: i64 = 1_000;

/// The numbers at hand: from the first to before the second.
#[derive(Debug, Default)]
pub(crate) struct NumberBlock(Mutex<(i64, i64)>);

impl NumberBlock {
    /// The next number, unless the block is used up.
    pub(crate) fn take(&self) -> Option<i64> {
        let mut block = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (block.0 < block.1).then(|| {
            block.0 += 1;
            block.0 - 1
        })
    }

    /// Puts a newly reserved [`BLOCK`], which ends with `last`, in place of the one that is used up.
    pub(crate) fn refill(&self, last: i64) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (last - BLOCK + 1, last + 1);
    }
}
