//! Serving events of the graph: one by its id, what came before some, and what lies between some and others.

use std::{
    collections::{BinaryHeap, HashSet},
    sync::Arc,
};

use parvis_events::Pdu;
use parvis_storage::{Direction, EventFlags, EventSn, StoredEvent};
use ruma::{EventId, OwnedEventId, RoomId, ServerName};

use super::{Served, outside, view::ServerView};
use crate::{RoomError, Rooms};

/// The most events in an answer, whatever is asked for.
const MOST_BACKFILLED: usize = 100;
/// The most events that are given to fill a gap.
const MOST_MISSING: usize = 20;
/// The most events from which a walk begins, or at which it ends.
const MOST_ENDS: usize = 100;
/// How many events a walk passes that are not given, such as rejected ones.
const MOST_PASSED: usize = 1_000;

impl Rooms {
    /// One event, also if it was rejected: somebody may follow it whom others follow, and whoever does not get it can
    /// only ask for the state after it, and has to believe what is told.
    ///
    /// # Errors
    /// [`RoomError::NotFound`] if it is not there; [`RoomError::Forbidden`] for a server that is not in the room.
    pub async fn serve_event(&self, server: &ServerName, event_id: &EventId) -> Result<Pdu, RoomError> {
        let event = self.store.event_by_id(event_id).await?;
        let event = event.ok_or(RoomError::NotFound("there is no such event"))?;
        let room_id = self.store.room_id(event.room).await?;
        let served = self.served_past(&room_id, server).await?;
        if !served.covers(&event) {
            return Err(outside());
        }
        ServerView::new(self, &served.head, server).show(&event).await
    }

    /// Events and what came before them, newest first: at most `limit`.
    ///
    /// # Errors
    /// [`RoomError::Forbidden`] for a server that is not in the room.
    pub async fn serve_backfill(
        &self,
        server: &ServerName,
        room_id: &RoomId,
        from: &[OwnedEventId],
        limit: usize,
    ) -> Result<Vec<Pdu>, RoomError> {
        let served = self.served_past(room_id, server).await?;
        let mut walk = Walk::new(self, &served);
        walk.add(from.iter().take(MOST_ENDS)).await?;
        let events = walk.take(limit.min(MOST_BACKFILLED)).await?;
        let mut view = ServerView::new(self, &served.head, server);
        let mut shown = Vec::with_capacity(events.len());
        for event in events {
            shown.push(view.show(&event).await?);
        }
        Ok(shown)
    }

    /// The events between some (`earliest`) and others that came later (`latest`), both left out, oldest first:
    /// at most `limit`, those nearest to the later ones. Among them are such as were rejected.
    ///
    /// # Errors
    /// [`RoomError::Forbidden`] for a server that is not in the room.
    pub async fn serve_missing_events(
        &self,
        server: &ServerName,
        room_id: &RoomId,
        (earliest, latest): (&[OwnedEventId], &[OwnedEventId]),
        limit: usize,
    ) -> Result<Vec<Pdu>, RoomError> {
        let served = self.served_past(room_id, server).await?;
        // Also those that were rejected: what follows them cannot be judged elsewhere without them.
        let mut walk = Walk { with_rejected: true, ..Walk::new(self, &served) };
        walk.leave_out(earliest.iter().take(MOST_ENDS)).await?;
        let latest: Vec<&EventId> = latest.iter().take(MOST_ENDS).map(|id| &**id).collect();
        let sns = self.store.event_sns(&latest).await?;
        let latest = self.store.events(&sns.into_values().collect::<Vec<_>>()).await?;
        let latest: Vec<_> = latest.into_iter().filter(|event| event.room == served.head.room).collect();
        walk.seen.extend(latest.iter().map(|event| event.sn));
        for event in &latest {
            walk.add(event.pdu.prev_events()).await?;
        }
        let mut events = walk.take(limit.min(MOST_MISSING)).await?;
        events.reverse();
        let mut view = ServerView::new(self, &served.head, server);
        let mut shown = Vec::with_capacity(events.len());
        for event in events {
            shown.push(view.show(&event).await?);
        }
        Ok(shown)
    }

    /// The event that was sent nearest to a time (milliseconds since the Unix epoch), looking one way.
    ///
    /// # Errors
    /// [`RoomError::Forbidden`] for a server that is not in the room; [`RoomError::NotFound`].
    pub async fn serve_event_near(
        &self,
        server: &ServerName,
        room_id: &RoomId,
        ts: i64,
        direction: Direction,
    ) -> Result<Arc<StoredEvent>, RoomError> {
        let head = self.served(room_id, server).await?;
        let found = self.store.event_near(head.room, ts, direction).await?;
        found.ok_or(RoomError::NotFound("there is no event on that side of that time"))
    }
}

/// Whether an event counts in a history or a state that is told; a rejected one is given only to fill a gap, or by its
/// id.
pub(super) fn is_servable(event: &StoredEvent) -> bool {
    !event.flags.contains(EventFlags::REJECTED)
}

/// A walk back through the graph of a room, deepest events first.
struct Walk<'a> {
    rooms: &'a Rooms,
    served: &'a Served,
    /// Whether rejected events are given too.
    with_rejected: bool,
    seen: HashSet<EventSn>,
    waiting: BinaryHeap<(i64, EventSn)>,
}

impl<'a> Walk<'a> {
    fn new(rooms: &'a Rooms, served: &'a Served) -> Self {
        Self { rooms, served, with_rejected: false, seen: HashSet::new(), waiting: BinaryHeap::new() }
    }

    /// Goes no further than these.
    async fn leave_out(&mut self, events: impl IntoIterator<Item = &OwnedEventId>) -> Result<(), RoomError> {
        let ids: Vec<&EventId> = events.into_iter().map(|id| &**id).collect();
        self.seen.extend(self.rooms.store.event_sns(&ids).await?.into_values());
        Ok(())
    }

    /// Goes on from these, as far as they are here, in this room, and in its graph.
    async fn add(&mut self, events: impl IntoIterator<Item = &OwnedEventId>) -> Result<(), RoomError> {
        let ids: Vec<&EventId> = events.into_iter().map(|id| &**id).collect();
        let sns = self.rooms.store.event_sns(&ids).await?;
        let new: Vec<EventSn> = sns.into_values().filter(|sn| self.seen.insert(*sn)).collect();
        for event in self.rooms.store.events(&new).await? {
            if event.room == self.served.head.room && !event.flags.contains(EventFlags::OUTLIER) {
                self.waiting.push((event.pdu.depth(), event.sn));
            }
        }
        Ok(())
    }

    /// The next events, newest first.
    async fn take(&mut self, limit: usize) -> Result<Vec<Arc<StoredEvent>>, RoomError> {
        let mut found = Vec::new();
        let mut passed = 0;
        while found.len() < limit && passed < MOST_PASSED {
            let Some((_, sn)) = self.waiting.pop() else { break };
            let event = self.rooms.store.event(sn).await?;
            self.add(event.pdu.prev_events()).await?;
            if (self.with_rejected || is_servable(&event)) && self.served.covers(&event) {
                found.push(event);
            } else {
                passed += 1;
            }
        }
        Ok(found)
    }
}
