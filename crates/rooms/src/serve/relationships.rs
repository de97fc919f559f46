//! Serving trees of replies (<https://github.com/matrix-org/matrix-spec-proposals/pull/2836>).

use std::sync::Arc;

use parvis_events::Pdu;
use parvis_storage::StoredEvent;
use ruma::{EventId, ServerName};

use super::{Served, outside, view::ServerView};
use crate::{
    RelationshipQuery, ReplyCounts, RoomError, Rooms,
    relationships::{TreeOfReplies, walk_replies},
};

/// A tree of replies as another server is given it.
#[derive(Clone, Debug)]
pub struct ServedReplies {
    /// The events, the nearest first, and how many replies each has here.
    pub events: Vec<(Pdu, ReplyCounts)>,
    /// What authorises them.
    pub auth_chain: Vec<Pdu>,
    /// Whether there are more.
    pub limited: bool,
}

impl Rooms {
    /// The tree of replies around an event, as far as it is here and the server may see it.
    ///
    /// # Errors
    /// [`RoomError::Forbidden`] for a server that is not in the room; [`RoomError::NotFound`] if the event is not here
    /// or not for it to see.
    pub async fn serve_replies(
        &self,
        server: &ServerName,
        query: &RelationshipQuery,
    ) -> Result<ServedReplies, RoomError> {
        let missing = RoomError::NotFound("there is no such event");
        let anchor = self.event_of_tree(&query.event_id).await?.ok_or(missing)?;
        let room_id = self.store.room_id(anchor.room).await?;
        let served = self.served_past(&room_id, server).await?;
        if !served.covers(&anchor) {
            return Err(outside());
        }
        let view = ServerView::new(self, &served.head, server);
        let found = walk_replies(&mut Seen { rooms: self, served: &served, view }, query).await?;
        let mut events = Vec::with_capacity(found.events.len());
        for event in &found.events {
            events.push((event.pdu.clone(), self.reply_counts(event).await?));
        }
        let chain = self.auth_chain(&found.events).await?;
        let auth_chain = chain.iter().map(|event| event.pdu.clone()).collect();
        Ok(ServedReplies { events, auth_chain, limited: found.limited })
    }
}

/// What a server sees of a tree.
struct Seen<'a> {
    rooms: &'a Rooms,
    served: &'a Served,
    view: ServerView<'a>,
}

impl Seen<'_> {
    async fn may_see(&mut self, event: &StoredEvent) -> Result<bool, RoomError> {
        Ok(self.served.covers(event) && self.view.may_see(event).await?)
    }
}

impl TreeOfReplies for Seen<'_> {
    async fn event(&mut self, event_id: &EventId) -> Result<Option<Arc<StoredEvent>>, RoomError> {
        let Some(event) = self.rooms.event_of_tree(event_id).await? else { return Ok(None) };
        Ok(self.may_see(&event).await?.then_some(event))
    }

    async fn replies(&mut self, event: &Arc<StoredEvent>) -> Result<Vec<Arc<StoredEvent>>, RoomError> {
        let mut seen = Vec::new();
        for reply in self.rooms.replies_to(event).await? {
            if self.may_see(&reply).await? {
                seen.push(reply);
            }
        }
        Ok(seen)
    }
}
