//! The worker: takes in what is new, what has to be looked at anew, and bit by bit what was there before.
//!
//! Each step is one write set that holds the documents together with how far the worker has come, so that it goes on
//! from there whenever it is stopped.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use parvis_ambient::Timestamp;
use parvis_storage::{Change, EventSn, HeadFollower, Position, StorageError, TypeSn, WriteSet};

use super::{FILLED, Inner, refused};
use crate::{documents::look_at, text::TextKind};

/// How much of the stream is read at once.
const AT_ONCE: i64 = 1_000;
/// How many events are looked at in one write.
const EVENTS: usize = 500;
/// For how long what is new is gathered while nobody seeks: the busier the server, the more goes into one write.
const GATHER: Duration = Duration::from_millis(500);
/// After so much of the stream it is written how far the worker is, though nothing was for it.
const RECORD_EVERY: i64 = 10_000;
/// After how long the worker tries again when the database has failed.
const PAUSE: Duration = Duration::from_secs(1);
/// How often it is logged how far the filling is.
const LOG_EVERY: Duration = Duration::from_secs(30);

/// Works until the engine closes.
pub(super) async fn run(inner: Arc<Inner>, mut head: HeadFollower) {
    let mut worker = Worker { recorded: inner.position(), logged: inner.ambient.now(), inner };
    let closing = worker.inner.closing.clone();
    loop {
        head.see();
        let asked = worker.inner.asked.load(Ordering::Acquire);
        let step = match closing.run_until_cancelled(worker.step()).await {
            None => return,
            Some(step) => step,
        };
        worker.inner.failing.store(step.is_err(), Ordering::Relaxed);
        let sleep = match step {
            Ok(more) => {
                worker.inner.looked.send_replace(asked);
                if more {
                    continue;
                }
                None
            }
            Err(error) => {
                tracing::error!(%error, "the search cannot take in what is new; trying again");
                Some(PAUSE)
            }
        };
        let inner = &worker.inner;
        let clock = Arc::clone(&inner.ambient.clock);
        if let Some(pause) = sleep {
            tokio::select! {
                biased;
                () = closing.cancelled() => return,
                () = clock.sleep(pause) => continue,
            }
        }
        tokio::select! {
            biased;
            () = closing.cancelled() => return,
            () = inner.nudge.notified() => continue,
            changed = head.changed() => if changed.is_err() { return },
            () = inner.store.search_pending_added() => {}
        }
        tokio::select! {
            biased;
            () = closing.cancelled() => return,
            () = inner.nudge.notified() => {}
            () = clock.sleep(GATHER) => {}
        }
    }
}

struct Worker {
    inner: Arc<Inner>,
    /// Up to where in the stream it was written that the worker is.
    recorded: Position,
    /// When it was logged last how far the filling is.
    logged: Timestamp,
}

impl Worker {
    /// Takes in all that is new, and one piece of what was there before. Says whether there is more of that.
    async fn step(&mut self) -> Result<bool, StorageError> {
        self.look_anew().await?;
        self.follow().await?;
        self.fill().await
    }

    /// Looks at what has to be looked at anew.
    async fn look_anew(&self) -> Result<(), StorageError> {
        loop {
            let pending = self.inner.store.search_pending(EVENTS).await?;
            if pending.is_empty() {
                return Ok(());
            }
            let mut set = WriteSet::new();
            self.take_in(&pending, &mut set).await?;
            pending.iter().for_each(|event| set.delete_search_pending(*event));
            self.inner.store.commit(set).await.map_err(refused)?;
        }
    }

    /// Takes in what is new in the stream.
    async fn follow(&mut self) -> Result<(), StorageError> {
        loop {
            let from = self.inner.position();
            if self.inner.store.head() <= from {
                return Ok(());
            }
            let (events, until) = self.news(from).await?;
            let mut set = WriteSet::new();
            for events in events.chunks(EVENTS) {
                self.take_in(events, &mut set).await?;
            }
            if !set.is_empty() || until.0 - self.recorded.0 >= RECORD_EVERY {
                set.move_search_position(until);
                self.inner.store.commit(set).await.map_err(refused)?;
                self.recorded = until;
            }
            self.inner.position.store(until.0, Ordering::Release);
        }
    }

    /// The next events behind a position that may have a text, and up to which position these are all.
    async fn news(&self, from: Position) -> Result<(Vec<EventSn>, Position), StorageError> {
        let store = &self.inner.store;
        let until = store.head().min(Position(from.0 + AT_ONCE));
        if let Some(changes) = store.changes_between(from, until) {
            let event = |change: &Change| match change {
                Change::Event { event, member: None, .. } => Some(*event),
                _ => None,
            };
            return Ok((changes.iter().filter_map(|announced| event(&announced.change)).collect(), until));
        }
        // Memory does not reach back so far. There may be no events for long, as after a restore.
        let (head, limit) = (store.head(), usize::try_from(AT_ONCE).unwrap_or(usize::MAX));
        let events = store.events_between(from, head, limit).await?;
        let last = events.last().map(|last| last.0).filter(|_| events.len() == limit);
        Ok((events.into_iter().map(|(_, _, event)| event).collect(), last.unwrap_or(head)))
    }

    /// Takes in a piece of what was there before. Says whether there is more.
    async fn fill(&mut self) -> Result<bool, StorageError> {
        let from = self.inner.filled();
        if from == FILLED {
            return Ok(false);
        }
        let kinds = self.kinds().await?;
        let events = self.inner.store.shown_events_of_types(&kinds, from, EVENTS).await?;
        let mut set = WriteSet::new();
        self.take_in(&events, &mut set).await?;
        let filled = events.last().copied().filter(|_| events.len() == EVENTS).unwrap_or(FILLED);
        set.move_search_fill(filled);
        self.inner.store.commit(set).await.map_err(refused)?;
        self.inner.filled.store(filled.0, Ordering::Release);
        self.log(filled);
        Ok(filled != FILLED)
    }

    fn log(&mut self, filled: EventSn) {
        let now = self.inner.ambient.now();
        let documents = self.inner.documents.load(Ordering::Relaxed);
        if filled == FILLED {
            tracing::info!(documents, "all that was there before is in the index of the search");
        } else if now.since(self.logged) >= LOG_EVERY {
            self.logged = now;
            let end = self.inner.fill_end.load(Ordering::Relaxed).max(1);
            let percent = filled.0.saturating_mul(100) / end;
            tracing::info!(documents, percent, "filling the index of the search");
        }
    }

    /// The types of the events that have a text, as far as there are any.
    async fn kinds(&self) -> Result<Vec<TypeSn>, StorageError> {
        let mut kinds = Vec::new();
        for kind in TextKind::ALL {
            kinds.extend(self.inner.store.find_type(kind.event_type()).await?);
        }
        Ok(kinds)
    }

    async fn take_in(&self, events: &[EventSn], set: &mut WriteSet) -> Result<(), StorageError> {
        if events.is_empty() {
            return Ok(());
        }
        let looked = look_at(&self.inner.store, &self.inner.normaliser, events, set).await?;
        self.inner.documents.fetch_add(looked.put as u64, Ordering::Relaxed);
        Ok(())
    }
}
