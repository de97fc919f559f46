//! Turns, by name: so that many who need the same thing from elsewhere fetch it once.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::sync::OwnedMutexGuard;

/// A turn for each name. Whoever has waited for one looks first whether what it wants is there now.
#[derive(Debug)]
pub(crate) struct OneAtATime<K>(Mutex<HashMap<K, Weak<tokio::sync::Mutex<()>>>>);

/// A turn, which ends when this is dropped.
pub(crate) type Turn = OwnedMutexGuard<()>;

/// From how many names on those are swept out that nobody waits for.
const SWEEP_FROM: usize = 64;

impl<K> Default for OneAtATime<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash + Clone> OneAtATime<K> {
    /// Waits for the turn of this name.
    pub(crate) async fn turn(&self, name: &K) -> Turn {
        let lock = {
            let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            match locks.get(name).and_then(Weak::upgrade) {
                Some(lock) => lock,
                None => {
                    if locks.len() >= SWEEP_FROM {
                        locks.retain(|_, lock| lock.strong_count() > 0);
                    }
                    let lock = Arc::default();
                    locks.insert(name.clone(), Arc::downgrade(&lock));
                    lock
                }
            }
        };
        lock.lock_owned().await
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicU32, Ordering},
        time::Duration,
    };

    use futures_util::future::join_all;

    use super::*;

    #[tokio::test]
    async fn turns_of_one_name_come_one_after_the_other() {
        let (turns, inside) = (OneAtATime::default(), AtomicU32::new(0));
        let visit = async |name: &'static str| {
            let _turn = turns.turn(&name).await;
            assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
            tokio::time::sleep(Duration::from_millis(1)).await;
            inside.fetch_sub(1, Ordering::SeqCst);
        };
        join_all((0..10).map(|_| visit("one"))).await;
    }

    #[tokio::test]
    async fn turns_of_other_names_do_not_wait_and_are_forgotten() {
        let turns = OneAtATime::default();
        let held = turns.turn(&0).await;
        for name in 1..1_000 {
            drop(turns.turn(&name).await);
        }
        assert!(turns.0.lock().unwrap().len() <= SWEEP_FROM + 1);
        drop(held);
    }
}
