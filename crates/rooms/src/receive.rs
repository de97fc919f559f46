//! Receiving what other servers send: the checks that need nothing of the room's graph are made at once and
//! answered; what survives lies durably in the inbox of its room, from which one worker for each room takes it.
//!
//! <https://spec.matrix.org/v1.19/server-server-api/#checks-performed-on-receipt-of-a-pdu>

mod ancestors;
mod asking;
mod backfill;
mod edges;
mod ends;
mod in_vain;
mod worker;

use std::collections::{BTreeSet, HashMap, HashSet};

use parvis_events::{Pdu, RawPdu, RoomVersion, SignedPdu, WellFormedPdu};
use parvis_storage::{InboxEvent, RoomSn, WriteSet};
use ruma::{EventId, OwnedEventId, OwnedRoomId, ServerName};
use serde::Deserialize;
use serde_json::value::RawValue;

pub(crate) use self::{backfill::Filling, worker::Receiving};
use crate::{RoomError, Rooms};

/// How many events one transaction may hold.
/// <https://spec.matrix.org/v1.19/server-server-api/#transactions>
const MOST_PDUS: usize = 50;
/// How many events of a room may lie in its inbox.
const MOST_OF_ROOM: usize = 10_000;
/// How many of these may be of one server.
const MOST_OF_ORIGIN: usize = 5_000;

/// What became of an event that another server has sent: it was taken, or the reason why not.
pub type Received = (OwnedEventId, Result<(), String>);

/// A room as it is addressed by events that are sent.
#[derive(Clone)]
enum Addressed {
    /// This server knows it, and follows it or not.
    Known { room: RoomSn, version: RoomVersion, is_followed: bool },
    /// The sending server is shut out.
    Closed { version: RoomVersion, reason: String },
}

/// An event that has passed the first checks.
struct Sound {
    event: WellFormedPdu,
    room: RoomSn,
    is_followed: bool,
}

impl Rooms {
    /// Receives the events of a transaction that a server has sent: gives what became of each whose id can be
    /// told. Those that pass the checks are durable when this returns, and enter their rooms soon.
    ///
    /// # Errors
    /// [`RoomError::Busy`] where too much waits already: the server shall send them again later. If storage
    /// fails. Nothing is then answered for.
    pub async fn receive(
        &self,
        origin: &ServerName,
        pdus: Vec<Box<RawValue>>,
    ) -> Result<Vec<Received>, RoomError> {
        let mut outcomes = Vec::with_capacity(pdus.len());
        let mut addressed = HashMap::new();
        let mut sound = Vec::with_capacity(pdus.len());
        for pdu in pdus.iter().take(MOST_PDUS) {
            match self.check_form(origin, pdu, &mut addressed).await? {
                Some(Ok(event)) => sound.push(event),
                Some(Err((id, reason))) => outcomes.push((id, Err(reason))),
                None => tracing::debug!(%origin, "an event of no room that is known here, or without form"),
            }
        }
        let known = self.known_among(&sound).await?;
        sound.retain(|sound| {
            let is_new = !known.contains(sound.event.event_id());
            if !is_new {
                outcomes.push((sound.event.event_id().to_owned(), Ok(())));
            }
            is_new
        });
        let mut staged: Vec<(RoomSn, Pdu)> = Vec::with_capacity(sound.len());
        for (id, room, verified) in self.check_signatures(sound).await {
            match (verified, room) {
                (Ok(pdu), _) if self.hear_outside(&pdu).await? => {}
                (Ok(pdu), Some(room)) => staged.push((room, pdu)),
                (Ok(_), None) => {
                    outcomes.push((id, Err("this server is not in the room".to_owned())));
                    continue;
                }
                (Err(reason), _) => {
                    tracing::info!(%origin, event = %id, %reason, "an event is not vouched for");
                    outcomes.push((id, Err(reason)));
                    continue;
                }
            }
            outcomes.push((id, Ok(())));
        }
        self.put_into_inboxes(origin, staged).await?;
        Ok(outcomes)
    }

    /// Checks the form of an event, that its room is known, and that the sender is let in. `None` where not even
    /// its id can be told.
    async fn check_form(
        &self,
        origin: &ServerName,
        pdu: &RawValue,
        addressed: &mut HashMap<OwnedRoomId, Addressed>,
    ) -> Result<Option<Result<Sound, (OwnedEventId, String)>>, RoomError> {
        #[derive(Deserialize)]
        struct OfRoom {
            room_id: OwnedRoomId,
        }
        let Ok(OfRoom { room_id }) = serde_json::from_str(pdu.get()) else { return Ok(None) };
        let room = match addressed.get(&room_id) {
            Some(room) => room.clone(),
            None => {
                let Some(room) = self.addressed(origin, &room_id).await? else { return Ok(None) };
                addressed.insert(room_id.clone(), room.clone());
                room
            }
        };
        let (Addressed::Known { version, .. } | Addressed::Closed { version, .. }) = &room;
        let event = match RawPdu::parse_raw(pdu, *version).and_then(RawPdu::check_format) {
            Ok(event) => event,
            Err(error) => {
                tracing::info!(%origin, %room_id, %error, "an event without form");
                return Ok(None);
            }
        };
        Ok(Some(match room {
            Addressed::Known { room, is_followed, .. } => Ok(Sound { event, room, is_followed }),
            Addressed::Closed { reason, .. } => Err((event.event_id().to_owned(), reason)),
        }))
    }

    /// A room as it is addressed. One that this server has left is followed as long as somebody in it goes on to
    /// send its events: they may know what undoes the departure, as where those who put our users out had lost the
    /// right to.
    async fn addressed(
        &self,
        origin: &ServerName,
        room_id: &OwnedRoomId,
    ) -> Result<Option<Addressed>, RoomError> {
        let Some(room) = self.store.room_sn(room_id).await? else { return Ok(None) };
        let Some(head) = self.store.room_head(room).await? else { return Ok(None) };
        let version = head.version;
        match self.check_server_acl(room_id, origin).await {
            Ok(()) => {
                let is_followed = self.is_resident(room).await?
                    || (!head.heads.is_empty() && self.is_server_in_room(room, origin).await?);
                Ok(Some(Addressed::Known { room, version, is_followed }))
            }
            Err(RoomError::Forbidden(reason)) => Ok(Some(Addressed::Closed { version, reason })),
            Err(error) => Err(error),
        }
    }

    /// Those of these events that have been judged before: they are taken without another look.
    async fn known_among(&self, sound: &[Sound]) -> Result<HashSet<OwnedEventId>, RoomError> {
        let ids: Vec<&EventId> = sound.iter().map(|sound| sound.event.event_id()).collect();
        let sns: Vec<_> = self.store.event_sns(&ids).await?.into_values().collect();
        let events = self.store.events(&sns).await?;
        let judged = events.iter().filter(|event| event.has_state());
        Ok(judged.map(|event| event.pdu.owned_event_id().clone()).collect())
    }

    /// Checks signatures and hashes of all events together. With each its room, where this server follows it.
    async fn check_signatures(
        &self,
        sound: Vec<Sound>,
    ) -> Vec<(OwnedEventId, Option<RoomSn>, Result<Pdu, String>)> {
        let places: Vec<(OwnedEventId, Option<RoomSn>)> = sound
            .iter()
            .map(|sound| (sound.event.event_id().to_owned(), sound.is_followed.then_some(sound.room)))
            .collect();
        let events = sound.into_iter().map(|sound| sound.event).collect();
        let verified = parvis_peers::verify_events(events, &*self.others.keys).await;
        let verified =
            verified.into_iter().map(|one| one.map(SignedPdu::into_pdu).map_err(|e| e.to_string()));
        places.into_iter().zip(verified).map(|((id, room), verified)| (id, room, verified)).collect()
    }

    async fn put_into_inboxes(
        &self,
        origin: &ServerName,
        staged: Vec<(RoomSn, Pdu)>,
    ) -> Result<(), RoomError> {
        let rooms: BTreeSet<RoomSn> = staged.iter().map(|staged| staged.0).collect();
        for room in &rooms {
            let (of_room, of_origin) = self.store.inbox_counts(*room, origin).await?;
            if of_room >= MOST_OF_ROOM || of_origin >= MOST_OF_ORIGIN {
                tracing::warn!(room = room.0, %origin, of_room, of_origin, "the inbox of a room is full");
                return Err(RoomError::Busy);
            }
        }
        if staged.is_empty() {
            return Ok(());
        }
        let now = self.ambient.now().millis();
        let mut set = WriteSet::new();
        for (room, pdu) in staged {
            let event = InboxEvent {
                event_id: pdu.owned_event_id().clone(),
                number: self.store.next_number().await?,
                origin: origin.to_owned(),
                json: pdu.json().to_owned(),
            };
            set.add_to_inbox(room, &event, now);
        }
        self.store.commit(set).await?;
        rooms.into_iter().for_each(|room| self.wake_worker(room));
        Ok(())
    }
}
