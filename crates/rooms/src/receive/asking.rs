//! Asking other servers of a room for events and states. Everything that comes back is verified; what fails is
//! left out. Bounded in requests, events and bytes.

use std::{collections::HashSet, time::Duration};

use futures_util::{StreamExt, stream};
use parvis_events::Pdu;
use parvis_peers::{Limits, PeerError};
use parvis_storage::{RoomHead, RoomSn};
use ruma::{
    EventId, OwnedEventId, OwnedServerName, ServerName,
    api::federation::{
        authorization::get_event_authorization,
        backfill::get_backfill,
        event::{get_event, get_missing_events, get_room_state, get_room_state_ids},
    },
    uint,
};
use serde_json::value::RawValue;

use crate::{RoomError, Rooms};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many other servers are asked beside the one that sent an event.
const OTHERS: usize = 3;
/// How many single events are asked for at the same time.
const SIDE_BY_SIDE: usize = 8;
/// From how many missing events on the whole state is asked for at once.
const MANY: usize = 64;
/// How many events are taken of one answer at most.
const MOST_EVENTS: usize = 200_000;

/// The state at an event, as another server tells it.
pub(super) struct ToldState {
    /// The state events.
    pub(super) state: Vec<OwnedEventId>,
    /// Those of them, and of their auth chain, that were fetched.
    pub(super) fetched: Vec<Pdu>,
}

/// Somebody to ask about a room.
pub(super) struct Asking<'a> {
    rooms: &'a Rooms,
    pub(super) room: RoomSn,
    pub(super) head: RoomHead,
    /// Whom to ask, in this order.
    pub(super) servers: Vec<OwnedServerName>,
}

impl Rooms {
    /// Prepares to ask about a room: first a server that must know, then others that are in it.
    pub(super) async fn asking<'a>(
        &'a self,
        room: RoomSn,
        first: Option<&ServerName>,
    ) -> Result<Asking<'a>, RoomError> {
        let head = self.store.room_head(room).await?.ok_or(RoomError::UnknownRoom)?;
        let mut servers: Vec<OwnedServerName> = first.map(ToOwned::to_owned).into_iter().collect();
        let others = self.servers_in_room(room).await?.into_iter();
        let own = self.server_name();
        servers.extend(others.filter(|server| server != own && first != Some(&**server)).take(OTHERS));
        Ok(Asking { rooms: self, room, head: (*head).clone(), servers })
    }
}

impl Asking<'_> {
    /// Those of the events that are well-formed, signed, and of this room.
    async fn verify(&self, mut events: Vec<Box<RawValue>>) -> Result<Vec<Pdu>, RoomError> {
        events.truncate(MOST_EVENTS);
        let mut pdus = self.rooms.verify_many(events, self.head.version).await?;
        pdus.retain(|pdu| *pdu.room_id() == *self.head.room_id);
        Ok(pdus)
    }

    async fn call<R>(&self, server: &ServerName, request: R) -> Option<R::IncomingResponse>
    where
        R: ruma::api::OutgoingRequest
            + ruma::api::Metadata<PathBuilder = ruma::api::path_builder::SinglePath>,
        R::Authentication: parvis_peers::Authentication,
    {
        // Whoever has sent an event can be reached; and must not hold a room up for long.
        let despite_back_off = self.servers.first().is_some_and(|first| first == server);
        let limits = Limits { despite_back_off, timeout: PATIENCE, ..Limits::HISTORY };
        let answer: Result<_, PeerError> = self.rooms.others.federation.call(server, request, limits).await;
        answer
            .inspect_err(|error| tracing::info!(%server, room = %self.head.room_id, %error, "asked in vain"))
            .ok()
    }

    /// The events between what is here and some others, from the server that must know them.
    pub(super) async fn missing_events(
        &self,
        earliest: &[OwnedEventId],
        latest: &[OwnedEventId],
    ) -> Result<Vec<Pdu>, RoomError> {
        for server in &self.servers {
            let room_id = self.head.room_id.clone();
            let mut request =
                get_missing_events::v1::Request::new(room_id, earliest.to_vec(), latest.to_vec());
            request.limit = uint!(20);
            let Some(answer) = self.call(server, request).await else { continue };
            if !answer.events.is_empty() {
                return self.verify(answer.events).await;
            }
        }
        Ok(Vec::new())
    }

    /// These events and what comes before them, from a server that has them.
    pub(super) async fn history(&self, from: &[OwnedEventId]) -> Result<Vec<Pdu>, RoomError> {
        for server in &self.servers {
            let room_id = self.head.room_id.clone();
            let request = get_backfill::v1::Request::new(room_id, from.to_vec(), uint!(100));
            let Some(answer) = self.call(server, request).await else { continue };
            let pdus = self.verify(answer.pdus).await?;
            if pdus.iter().any(|pdu| from.contains(pdu.owned_event_id())) {
                return Ok(pdus);
            }
        }
        Ok(Vec::new())
    }

    /// Single events, as far as they can be had.
    pub(super) async fn events(&self, ids: &[OwnedEventId]) -> Result<Vec<Pdu>, RoomError> {
        let raw = stream::iter(ids.to_vec()).map(|id| self.event(id)).buffer_unordered(SIDE_BY_SIDE);
        let raw: Vec<Option<Box<RawValue>>> = raw.collect().await;
        let wanted: HashSet<&OwnedEventId> = ids.iter().collect();
        let mut pdus = self.verify(raw.into_iter().flatten().collect()).await?;
        pdus.retain(|pdu| wanted.contains(pdu.owned_event_id()));
        Ok(pdus)
    }

    async fn event(&self, id: OwnedEventId) -> Option<Box<RawValue>> {
        for server in &self.servers {
            if let Some(answer) = self.call(server, get_event::v1::Request::new(id.clone())).await {
                return Some(answer.pdu);
            }
        }
        None
    }

    /// Everything that authorises an event, directly or not.
    pub(super) async fn auth_chain(&self, id: &EventId) -> Result<Vec<Pdu>, RoomError> {
        for server in &self.servers {
            let request = get_event_authorization::v1::Request::new(self.head.room_id.clone(), id.to_owned());
            if let Some(answer) = self.call(server, request).await {
                return self.verify(answer.auth_chain).await;
            }
        }
        Ok(Vec::new())
    }

    /// The state before an event.
    pub(super) async fn state_before(&self, id: &EventId) -> Result<Option<ToldState>, RoomError> {
        for server in &self.servers {
            let request = get_room_state_ids::v1::Request::new(id.to_owned(), self.head.room_id.clone());
            let Some(ids) = self.call(server, request).await else { continue };
            let all: HashSet<&EventId> =
                ids.pdu_ids.iter().chain(&ids.auth_chain_ids).map(|id| &**id).collect();
            if all.len() > MOST_EVENTS {
                continue;
            }
            let all: Vec<&EventId> = all.into_iter().collect();
            let known = self.rooms.store.event_sns(&all).await?;
            let unknown: Vec<OwnedEventId> =
                all.into_iter().filter(|id| !known.contains_key(*id)).map(ToOwned::to_owned).collect();
            let fetched = match unknown.len() {
                0 => Vec::new(),
                1..=MANY => self.events(&unknown).await?,
                _ => {
                    let request = get_room_state::v1::Request::new(id.to_owned(), self.head.room_id.clone());
                    let Some(state) = self.call(server, request).await else { continue };
                    let mut events = state.pdus;
                    events.extend(state.auth_chain);
                    self.verify(events).await?
                }
            };
            return Ok(Some(ToldState { state: ids.pdu_ids, fetched }));
        }
        Ok(None)
    }
}
