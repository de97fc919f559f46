//! How many exchanges run at a time, in all and with one place.

use std::sync::Arc;

use parvis_cache::Cache;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Of how many places it is known how many exchanges run.
const MOST_PLACES: u64 = 10_000;

/// Bounds how many exchanges run at a time.
pub(crate) struct Slots {
    all: Arc<Semaphore>,
    by_place: Cache<String, Arc<Semaphore>>,
    per_place: usize,
}

/// A place among those that run, until it is dropped.
pub(crate) struct Slot {
    _of_place: Option<OwnedSemaphorePermit>,
    _of_all: Option<OwnedSemaphorePermit>,
}

impl Slots {
    /// As many in all, and as many with one place.
    pub(crate) fn new(all: usize, per_place: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(all)), by_place: Cache::new(MOST_PLACES), per_place }
    }

    /// A place among those that run, once there is one.
    pub(crate) async fn take(&self, place: &str) -> Slot {
        let new = || Arc::new(Semaphore::new(self.per_place));
        let of_place = self.by_place.get_with(place.to_owned(), new);
        // The semaphores are never closed, so each gives a permit in the end.
        Slot {
            _of_place: of_place.acquire_owned().await.ok(),
            _of_all: Arc::clone(&self.all).acquire_owned().await.ok(),
        }
    }
}
