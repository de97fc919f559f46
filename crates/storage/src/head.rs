//! The head of the stream, and those who follow it. They are told in the order in which they began to wait, so that
//! a simulation sees the same order each time.
//!
//! Knows nothing of what stands at a position.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicI64, Ordering},
};

use tokio::sync::Notify;

use crate::{Position, StorageError};

/// The newest visible position.
#[derive(Debug)]
pub(crate) struct Head(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    position: AtomicI64,
    closed: AtomicBool,
    moved: Notify,
}

/// Follows the newest visible position.
#[derive(Debug)]
pub struct HeadFollower {
    head: Arc<Shared>,
    seen: Position,
}

impl Head {
    pub(crate) fn new(position: Position) -> Self {
        let position = AtomicI64::new(position.0);
        Self(Arc::new(Shared { position, closed: AtomicBool::new(false), moved: Notify::new() }))
    }

    pub(crate) fn get(&self) -> Position {
        self.0.get()
    }

    /// Moves on, and tells whoever waits.
    pub(crate) fn move_to(&self, position: Position) {
        self.0.position.store(position.0, Ordering::Release);
        self.0.moved.notify_waiters();
    }

    /// Somebody who follows from here on.
    pub(crate) fn follow(&self) -> HeadFollower {
        HeadFollower { head: Arc::clone(&self.0), seen: self.get() }
    }
}

impl Drop for Head {
    fn drop(&mut self) {
        self.0.closed.store(true, Ordering::Release);
        self.0.moved.notify_waiters();
    }
}

impl Shared {
    fn get(&self) -> Position {
        Position(self.position.load(Ordering::Acquire))
    }
}

impl HeadFollower {
    /// The newest visible position, which counts as seen from now on.
    pub fn see(&mut self) -> Position {
        self.seen = self.head.get();
        self.seen
    }

    /// Waits until the newest visible position is another than the one that was seen last.
    ///
    /// # Errors
    /// [`StorageError::Closed`] if the store is gone.
    pub async fn changed(&mut self) -> Result<(), StorageError> {
        let head = Arc::clone(&self.head);
        loop {
            // Whatever moves after this line is noticed.
            let moved = head.moved.notified();
            let position = head.get();
            if position != self.seen {
                self.seen = position;
                return Ok(());
            }
            if head.closed.load(Ordering::Acquire) {
                return Err(StorageError::Closed);
            }
            moved.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn follower_is_told_of_what_moved_before_it_waits_and_while_it_does() {
        let head = Head::new(Position(1));
        let mut follower = head.follow();
        head.move_to(Position(2));
        follower.changed().await.unwrap();
        assert_eq!(follower.see(), Position(2));
        let (told, ()) = tokio::join!(follower.changed(), async { head.move_to(Position(3)) });
        told.unwrap();
    }

    #[tokio::test]
    async fn follower_is_told_that_nothing_comes_any_more() {
        let head = Head::new(Position(1));
        let mut follower = head.follow();
        let (told, ()) = tokio::join!(follower.changed(), async move { drop(head) });
        assert!(told.is_err());
    }
}
