//! One fetch of a thing at a time: who comes second waits, and then finds it here.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::OwnedMutexGuard;

type Places<K> = Arc<Mutex<HashMap<K, Arc<tokio::sync::Mutex<()>>>>>;

/// Lets one in at a time for each key.
#[derive(Debug)]
pub(crate) struct OneAtATime<K>(Places<K>);

impl<K> Clone for OneAtATime<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K> Default for OneAtATime<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

/// Somebody's turn; it ends when this is dropped.
pub(crate) struct Turn<K: Eq + Hash> {
    places: Places<K>,
    key: K,
    guard: Option<OwnedMutexGuard<()>>,
}

impl<K: Eq + Hash + Clone> OneAtATime<K> {
    /// Waits for its turn.
    pub(crate) async fn turn(&self, key: K) -> Turn<K> {
        let place = {
            let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(places.entry(key.clone()).or_default())
        };
        // Made before the wait, so that one who gives up waiting leaves nothing behind.
        let mut turn = Turn { places: Arc::clone(&self.0), key, guard: None };
        turn.guard = Some(place.lock_owned().await);
        turn
    }
}

impl<K: Eq + Hash> Drop for Turn<K> {
    fn drop(&mut self) {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        self.guard.take();
        // Ours in the map is the last where nobody holds or awaits it.
        if places.get(&self.key).is_some_and(|place| Arc::strong_count(place) == 1) {
            places.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn second_waits_for_the_first_and_nothing_is_left_behind() {
        let turns = OneAtATime::default();
        let first = turns.turn(1).await;
        let other = turns.turn(2).await;
        let waiting = tokio::time::timeout(Duration::from_secs(1), turns.turn(1)).await;
        assert!(waiting.is_err());
        drop((first, other));
        drop(tokio::time::timeout(Duration::from_secs(1), turns.turn(1)).await.unwrap());
        assert!(turns.0.lock().unwrap().is_empty());
    }
}
