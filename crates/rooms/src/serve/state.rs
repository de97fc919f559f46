//! Serving the state of a room at an event, and the events by which others are allowed.

use std::{collections::HashSet, sync::Arc};

use parvis_events::Pdu;
use parvis_storage::{EventFlags, EventSn, StoredEvent};
use ruma::{EventId, OwnedEventId, RoomId, ServerName};

use super::{Served, events::is_servable, view::ServerView};
use crate::{RoomError, Rooms};

/// How many events are read together.
const EVENTS_AT_ONCE: usize = 1_000;

/// The state of a room before an event, and by what it is allowed.
#[derive(Clone, Debug)]
pub struct ServedState {
    /// The state.
    pub state: Vec<Pdu>,
    /// Everything that allows it, and allows that in turn.
    pub auth_chain: Vec<Pdu>,
}

/// As [`ServedState`], by ids.
#[derive(Clone, Debug)]
pub struct ServedStateIds {
    /// The state.
    pub state: Vec<OwnedEventId>,
    /// Everything that allows it, and allows that in turn.
    pub auth_chain: Vec<OwnedEventId>,
}

impl Rooms {
    /// The state before an event.
    ///
    /// # Errors
    /// [`RoomError::Forbidden`] for a server that is not in the room; [`RoomError::NotFound`] for an event at which
    /// no state is known.
    pub async fn serve_state(
        &self,
        server: &ServerName,
        room_id: &RoomId,
        event_id: &EventId,
    ) -> Result<ServedState, RoomError> {
        let served = self.served_past(room_id, server).await?;
        let event = self.event_in_graph(&served, event_id).await?;
        let state = self.store.state_events(event.state_root).await?;
        let chain = self.auth_chain(&state).await?;
        let mut view = ServerView::new(self, &served.head, server);
        // Who sees the event has seen the state that it met.
        let whole = view.may_see(&event).await?;
        let (mut shown, mut shown_chain) = (Vec::with_capacity(state.len()), Vec::with_capacity(chain.len()));
        for (events, shown) in [(&state, &mut shown), (&chain, &mut shown_chain)] {
            for event in events {
                shown.push(if whole { event.pdu.clone() } else { view.show(event).await? });
            }
        }
        Ok(ServedState { state: shown, auth_chain: shown_chain })
    }

    /// The state before an event, by ids.
    ///
    /// # Errors
    /// As [`serve_state`](Self::serve_state).
    pub async fn serve_state_ids(
        &self,
        server: &ServerName,
        room_id: &RoomId,
        event_id: &EventId,
    ) -> Result<ServedStateIds, RoomError> {
        let served = self.served_past(room_id, server).await?;
        let event = self.event_in_graph(&served, event_id).await?;
        let state = self.store.state_events(event.state_root).await?;
        let auth_chain = self.auth_chain(&state).await?;
        let ids = |events: Vec<Arc<StoredEvent>>| {
            events.iter().map(|event| event.pdu.owned_event_id().clone()).collect()
        };
        Ok(ServedStateIds { state: ids(state), auth_chain: ids(auth_chain) })
    }

    /// Everything that allows an event, and allows that in turn.
    ///
    /// # Errors
    /// [`RoomError::Forbidden`] for a server that is not in the room; [`RoomError::NotFound`].
    pub async fn serve_event_auth(
        &self,
        server: &ServerName,
        room_id: &RoomId,
        event_id: &EventId,
    ) -> Result<Vec<Pdu>, RoomError> {
        let served = self.served_past(room_id, server).await?;
        let event = self.store.event_by_id(event_id).await?;
        let event = event.filter(|event| served.covers(event) && is_servable(event));
        let event = event.ok_or(RoomError::NotFound("there is no such event in this room"))?;
        let chain = self.auth_chain(std::slice::from_ref(&event)).await?;
        let mut view = ServerView::new(self, &served.head, server);
        let whole = view.may_see(&event).await?;
        let mut shown = Vec::with_capacity(chain.len());
        for event in &chain {
            shown.push(if whole { event.pdu.clone() } else { view.show(event).await? });
        }
        Ok(shown)
    }

    /// An event of a room at which the state is known.
    async fn event_in_graph(
        &self,
        served: &Served,
        event_id: &EventId,
    ) -> Result<Arc<StoredEvent>, RoomError> {
        let in_graph = |event: &Arc<StoredEvent>| {
            served.covers(event) && is_servable(event) && !event.flags.contains(EventFlags::OUTLIER)
        };
        let event = self.store.event_by_id(event_id).await?.filter(in_graph);
        event.ok_or(RoomError::NotFound("there is no such event in this room"))
    }

    /// Everything that allows these events, and allows that in turn, each once.
    pub(super) async fn auth_chain(
        &self,
        events: &[Arc<StoredEvent>],
    ) -> Result<Vec<Arc<StoredEvent>>, RoomError> {
        let mut seen = HashSet::new();
        let mut chain: Vec<Arc<StoredEvent>> = Vec::new();
        let auth = |events: &[Arc<StoredEvent>], seen: &mut HashSet<EventSn>| -> Vec<EventSn> {
            events.iter().flat_map(|event| event.auth.iter().copied()).filter(|sn| seen.insert(*sn)).collect()
        };
        let mut next = auth(events, &mut seen);
        while !next.is_empty() {
            let from = chain.len();
            for sns in next.chunks(EVENTS_AT_ONCE) {
                chain.extend(self.store.events(sns).await?);
            }
            next = auth(&chain[from..], &mut seen);
        }
        Ok(chain)
    }
}
