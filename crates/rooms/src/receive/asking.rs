//! Asking other servers of a room for events and states. Everything that comes back is verified; what fails is
//! left out. Bounded in requests, events and bytes.

use std::{
    collections::{BTreeSet, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{StreamExt, stream};
use parvis_events::{Pdu, RawPdu};
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

use crate::{RoomError, Rooms, handshake::bytes_of};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many other servers are asked beside the one that sent an event.
const OTHERS: usize = 3;
/// How many single events are asked for at the same time.
const SIDE_BY_SIDE: usize = 8;
/// From how many missing events on the whole state is asked for at once.
const MANY: usize = 64;
/// Who tells of fewer events between others has told all: servers stop at 10 at the least.
const FEW: usize = 10;
/// How many events are taken of one answer at most.
const MOST_EVENTS: usize = 200_000;

/// The state at an event, as another server tells it.
pub(super) struct ToldState {
    /// The state events.
    pub(super) state: BTreeSet<OwnedEventId>,
    /// Those of them, and of their auth chain, that were fetched.
    pub(super) fetched: Vec<Pdu>,
    /// Whether every state event is here, or among those.
    pub(super) is_whole: bool,
}

impl ToldState {
    /// Whether what authorises an event is in the state before it, as it is where nobody lies.
    pub(super) fn authorises(&self, pdu: &Pdu) -> bool {
        pdu.auth_events().iter().all(|id| self.state.contains(id))
    }
}

/// What one server says of the state at an event.
pub(super) enum Testimony {
    /// It is this.
    State(ToldState),
    /// It is one of which some events could not be had, though somebody may have them who did not answer.
    Unsure,
    /// It does not know, or nothing that makes sense.
    Nothing,
    /// It did not answer; it may know.
    Silence,
}

/// Events that were asked for.
pub(super) struct ToldEvents {
    /// The events, as far as those who answered have them.
    pub(super) events: Vec<Pdu>,
    /// Whether some are missing that somebody may have who did not answer.
    pub(super) is_open: bool,
}

/// Whether who has failed to answer may answer another time.
fn may_answer_later(error: &PeerError) -> bool {
    error.is_silence() || error.status().is_some_and(|status| status.is_server_error() || status == 429)
}

/// Events between what is here and others.
pub(super) struct Between {
    pub(super) pdus: Vec<Pdu>,
    /// Whether who told them knows no more.
    pub(super) is_all: bool,
}

/// Somebody to ask about a room.
pub(super) struct Asking<'a> {
    rooms: &'a Rooms,
    pub(super) room: RoomSn,
    pub(super) head: RoomHead,
    /// Whom to ask, in this order.
    pub(super) servers: Vec<OwnedServerName>,
    /// Who has answered. One failure after that does not make them silent.
    answered: Mutex<BTreeSet<OwnedServerName>>,
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
        Ok(Asking { rooms: self, room, head: (*head).clone(), servers, answered: Mutex::default() })
    }

    /// Prepares to ask about a room's past: those who are in it, and where these are few, those who were. Somebody
    /// who has left may be the last who knows.
    pub(super) async fn asking_of_the_past(&self, room: RoomSn) -> Result<Asking<'_>, RoomError> {
        let mut asking = self.asking(room, None).await?;
        if asking.servers.len() < OTHERS {
            let own = self.server_name();
            let former = self.store.former_servers_of_room(room).await?;
            let former =
                former.into_iter().filter(|server| server != own && !asking.servers.contains(server));
            let former: Vec<OwnedServerName> = former.take(OTHERS - asking.servers.len()).collect();
            asking.servers.extend(former);
        }
        Ok(asking)
    }
}

impl Asking<'_> {
    /// Those of the events that are well-formed, signed, and of this room.
    async fn verify(&self, mut events: Vec<Box<RawValue>>) -> Result<Vec<Pdu>, RoomError> {
        events.truncate(MOST_EVENTS);
        let mut pdus =
            self.rooms.verify_many(events.into_iter().map(bytes_of).collect(), self.head.version).await?;
        pdus.retain(|pdu| *pdu.room_id() == *self.head.room_id);
        Ok(pdus)
    }

    async fn call<R>(&self, server: &ServerName, request: R) -> Option<R::IncomingResponse>
    where
        R: ruma::api::OutgoingRequest
            + ruma::api::Metadata<PathBuilder = ruma::api::path_builder::SinglePath>,
        R::Authentication: parvis_peers::Authentication,
    {
        self.question(server, request).await.ok()
    }

    async fn question<R>(&self, server: &ServerName, request: R) -> Result<R::IncomingResponse, PeerError>
    where
        R: ruma::api::OutgoingRequest
            + ruma::api::Metadata<PathBuilder = ruma::api::path_builder::SinglePath>,
        R::Authentication: parvis_peers::Authentication,
    {
        // Nobody holds a room up for long: who was silent is asked again when they have been heard from, or later.
        let despite_back_off = self.answered().contains(server);
        let limits = Limits { despite_back_off, timeout: PATIENCE, ..Limits::HISTORY };
        let answer: Result<_, PeerError> = self.rooms.others.federation.call(server, request, limits).await;
        match &answer {
            Ok(_) => {
                self.answered().insert(server.to_owned());
            }
            Err(error) => tracing::info!(%server, room = %self.head.room_id, %error, "asked in vain"),
        }
        answer
    }

    fn answered(&self) -> MutexGuard<'_, BTreeSet<OwnedServerName>> {
        self.answered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The events between what is here and some others, as one server tells them. `None` where it gives no answer that
    /// makes sense.
    pub(super) async fn missing_events(
        &self,
        server: &ServerName,
        earliest: &[OwnedEventId],
        latest: &[OwnedEventId],
    ) -> Result<Option<Between>, RoomError> {
        let room_id = self.head.room_id.clone();
        let mut request = get_missing_events::v1::Request::new(room_id, earliest.to_vec(), latest.to_vec());
        request.limit = uint!(20);
        let Some(answer) = self.call(server, request).await else { return Ok(None) };
        let told = answer.events.len();
        if answer.events.iter().any(|event| !self.is_event(event)) {
            tracing::info!(%server, room = %self.head.room_id, "what stands between events is no event");
            return Ok(None);
        }
        let pdus = self.verify(answer.events).await?;
        Ok(Some(Between { pdus, is_all: told < FEW }))
    }

    /// Whether something has the form of an event.
    fn is_event(&self, event: &RawValue) -> bool {
        RawPdu::parse_raw(event, self.head.version).and_then(RawPdu::check_format).is_ok()
    }

    /// These events and what comes before them, from a server that has them.
    pub(super) async fn history(&self, from: &[OwnedEventId]) -> Result<ToldEvents, RoomError> {
        let mut is_open = false;
        for server in &self.servers {
            let room_id = self.head.room_id.clone();
            let request = get_backfill::v1::Request::new(room_id, from.to_vec(), uint!(100));
            let answer = match self.question(server, request).await {
                Ok(answer) => answer,
                Err(error) => {
                    is_open |= may_answer_later(&error);
                    continue;
                }
            };
            let events = self.verify(answer.pdus).await?;
            if events.iter().any(|pdu| from.contains(pdu.owned_event_id())) {
                return Ok(ToldEvents { events, is_open: false });
            }
        }
        Ok(ToldEvents { events: Vec::new(), is_open })
    }

    /// Single events, as far as they can be had. What one server does not give, or gives another event for, the next
    /// one is asked for.
    pub(super) async fn events(&self, ids: &[OwnedEventId]) -> Result<ToldEvents, RoomError> {
        self.events_of(self.servers.iter(), ids).await
    }

    /// As [`events`](Self::events), from these servers.
    pub(super) async fn events_of(
        &self,
        servers: impl Iterator<Item = &OwnedServerName>,
        ids: &[OwnedEventId],
    ) -> Result<ToldEvents, RoomError> {
        let mut all = ToldEvents { events: Vec::new(), is_open: false };
        let mut wanted: BTreeSet<OwnedEventId> = ids.iter().cloned().collect();
        for server in servers {
            if wanted.is_empty() {
                break;
            }
            let told = stream::iter(wanted.clone()).map(|id| self.event(server, id));
            let told: Vec<_> = told.buffer_unordered(SIDE_BY_SIDE).collect().await;
            all.is_open |= told.iter().any(|told| told.as_ref().is_err_and(may_answer_later));
            let events = self.verify(told.into_iter().flatten().collect()).await?;
            all.events.extend(events.into_iter().filter(|pdu| wanted.remove(pdu.owned_event_id())));
        }
        all.is_open &= !wanted.is_empty();
        Ok(all)
    }

    async fn event(&self, server: &ServerName, id: OwnedEventId) -> Result<Box<RawValue>, PeerError> {
        self.question(server, get_event::v1::Request::new(id)).await.map(|answer| answer.pdu)
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

    /// The state before an event, from the first server that tells all of it and nothing that cannot be. `None` where
    /// nobody does, or where somebody was silent who might.
    pub(super) async fn state_before(&self, pdu: &Pdu) -> Result<Option<ToldState>, RoomError> {
        let mut doubtful: Vec<ToldState> = Vec::new();
        for server in &self.servers {
            match self.state_before_by(server, pdu.event_id()).await? {
                Testimony::State(told) if told.is_whole && told.authorises(pdu) => return Ok(Some(told)),
                // Of some events nobody can tell any more who signed them; but perhaps this server has made them up.
                Testimony::State(told) => doubtful.push(told),
                Testimony::Unsure => return Ok(None),
                Testimony::Silence | Testimony::Nothing => {}
            }
        }
        Ok(doubtful.into_iter().max_by_key(|told| told.is_whole))
    }

    /// The state before an event, as one server tells it.
    pub(super) async fn state_before_by(
        &self,
        server: &ServerName,
        id: &EventId,
    ) -> Result<Testimony, RoomError> {
        let request = get_room_state_ids::v1::Request::new(id.to_owned(), self.head.room_id.clone());
        let ids = match self.question(server, request).await {
            Ok(ids) => ids,
            Err(error) if may_answer_later(&error) => return Ok(Testimony::Silence),
            Err(_) => return Ok(Testimony::Nothing),
        };
        let all: BTreeSet<&EventId> = ids.pdu_ids.iter().chain(&ids.auth_chain_ids).map(|id| &**id).collect();
        if all.len() > MOST_EVENTS {
            return Ok(Testimony::Nothing);
        }
        let all: Vec<&EventId> = all.into_iter().collect();
        let known = self.rooms.store.event_sns(&all).await?;
        let unknown: Vec<OwnedEventId> =
            all.into_iter().filter(|id| !known.contains_key(*id)).map(ToOwned::to_owned).collect();
        let fetched = match unknown.len() {
            0 => Vec::new(),
            1..=MANY => {
                let told = self.events(&unknown).await?;
                if told.is_open {
                    // A state with a part missing is another state, and whoever takes it for the whole has
                    // another room than all others.
                    return Ok(Testimony::Unsure);
                }
                told.events
            }
            _ => {
                let request = get_room_state::v1::Request::new(id.to_owned(), self.head.room_id.clone());
                let Some(state) = self.call(server, request).await else { return Ok(Testimony::Silence) };
                let mut events = state.pdus;
                events.extend(state.auth_chain);
                self.verify(events).await?
            }
        };
        let is_whole = {
            let new: HashSet<&OwnedEventId> = fetched.iter().map(Pdu::owned_event_id).collect();
            ids.pdu_ids.iter().all(|id| known.contains_key(id) || new.contains(id))
        };
        Ok(Testimony::State(ToldState { state: ids.pdu_ids.into_iter().collect(), fetched, is_whole }))
    }
}
