//! When a runtime of one thread has nothing to do: told by the runtime itself, which says so before it would sleep.

use std::{
    future::{Future, poll_fn},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Poll, Waker},
};

/// Tells when a runtime has nothing to do.
#[derive(Debug, Default)]
pub(crate) struct Idle {
    is_idle: AtomicBool,
    waiting: Mutex<Option<Waker>>,
}

impl Idle {
    /// What a runtime is to call before it sleeps.
    pub(crate) fn before_sleep(self: &Arc<Self>) -> impl Fn() + Send + Sync + 'static {
        let idle = Arc::clone(self);
        move || {
            idle.is_idle.store(true, Ordering::Release);
            let waiting = idle.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
            waiting.into_iter().for_each(Waker::wake);
        }
    }

    /// Completes when every task of the runtime, which is to be blocked on this, waits for something.
    pub(crate) fn reached(&self) -> impl Future<Output = ()> + '_ {
        self.is_idle.store(false, Ordering::Release);
        poll_fn(|context| {
            if self.is_idle.load(Ordering::Acquire) {
                return Poll::Ready(());
            }
            let waker = context.waker().clone();
            *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = Some(waker);
            Poll::Pending
        })
    }
}
