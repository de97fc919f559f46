//! Who waits for news, and how they are woken.
//!
//! A reader registers before looking for news and waits only after having found none: what comes in between
//! is remembered, so that no wake-up is lost. Being woken promises nothing: the reader looks again.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use parvis_storage::{RoomMembers, UserSn};
use tokio::sync::Notify;

/// Those who wait, by user.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waiters(Arc<Mutex<HashMap<UserSn, Vec<Arc<Notify>>>>>);

/// A place among the waiters. Given up when dropped.
#[derive(Debug)]
pub(crate) struct Waiting {
    waiters: Waiters,
    user: UserSn,
    notify: Arc<Notify>,
}

impl Waiters {
    /// Takes a place: from now on wake-ups are not lost.
    pub(crate) fn register(&self, user: UserSn) -> Waiting {
        let notify = Arc::new(Notify::new());
        self.lock().entry(user).or_default().push(Arc::clone(&notify));
        Waiting { waiters: self.clone(), user, notify }
    }

    /// Wakes one user, on all devices.
    pub(crate) fn wake(&self, user: UserSn) {
        if let Some(waiting) = self.lock().get(&user) {
            notify_all(waiting);
        }
    }

    /// Wakes everybody who is joined to a room.
    pub(crate) fn wake_joined(&self, members: &RoomMembers) {
        let by_user = self.lock();
        if by_user.is_empty() {
            return;
        }
        if members.counts().0 <= by_user.len() {
            members.for_each_joined(|user| {
                if let Some(waiting) = by_user.get(&user) {
                    notify_all(waiting);
                }
            });
        } else {
            let concerned = by_user.iter().filter(|(user, _)| members.is_joined(**user));
            concerned.for_each(|(_, waiting)| notify_all(waiting));
        }
    }

    /// Wakes everybody.
    pub(crate) fn wake_all(&self) {
        self.lock().values().for_each(|waiting| notify_all(waiting));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<UserSn, Vec<Arc<Notify>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn notify_all(waiting: &[Arc<Notify>]) {
    waiting.iter().for_each(|notify| notify.notify_one());
}

impl Waiting {
    /// Waits until somebody wakes this place, or returns at once if that happened since the last time.
    pub(crate) async fn woken(&self) {
        self.notify.notified().await;
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut by_user = self.waiters.lock();
        if let Some(waiting) = by_user.get_mut(&self.user) {
            waiting.retain(|notify| !Arc::ptr_eq(notify, &self.notify));
            if waiting.is_empty() {
                by_user.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn wake_up_before_the_wait_is_not_lost() {
        let waiters = Waiters::default();
        let waiting = waiters.register(UserSn(1));
        let other = waiters.register(UserSn(1));
        waiters.wake(UserSn(2));
        waiters.wake(UserSn(1));
        waiting.woken().await;
        other.woken().await;
        let again = tokio::time::timeout(std::time::Duration::from_millis(10), waiting.woken()).await;
        assert!(again.is_err(), "one wake-up wakes once");
    }

    #[test]
    fn place_is_given_up_when_dropped() {
        let waiters = Waiters::default();
        let (first, second) = (waiters.register(UserSn(1)), waiters.register(UserSn(1)));
        drop(first);
        assert!(waiters.lock().contains_key(&UserSn(1)));
        drop(second);
        assert!(waiters.lock().is_empty());
    }
}
