//! The joiner's half: a room that this server is not in is joined by way of a server that is.
//! <https://spec.matrix.org/v1.19/server-server-api/#joining-rooms>

use std::time::Duration;

use parvis_events::{Pdu, RawPdu, RoomVersion};
use parvis_storage::{EventFlags, RoomSn};
use ruma::{
    OwnedRoomId, OwnedServerName, RoomVersionId, ServerName, api::federation::membership::prepare_join_event,
};
use serde_json::{Map, Value};

use super::{
    import::Arrival,
    inviting::json,
    residents::{ASK, Refusals},
    template::Given,
};
use crate::{Actor, RoomError, Rooms};

/// Somebody wants to come into, or knock at, a room by way of another server.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) actor: Actor,
    pub(crate) room_id: OwnedRoomId,
    /// Servers to ask, as the client named them.
    pub(crate) via: Vec<OwnedServerName>,
    /// What is to be in the membership event.
    pub(crate) content: Map<String, Value>,
}

/// How often all residents are asked at most, where one of them has not heard yet that the user left.
const ROUNDS: usize = 4;
/// How long a departure is given to reach the residents before they are asked again.
const BETWEEN_ROUNDS: Duration = Duration::from_secs(2);

/// What a resident did.
enum Reply {
    LetIn,
    /// It believes that the user is still inside.
    HasNotHeard,
}

/// How often it is looked whether an event has come in.
const LOOKS: usize = 100;
/// How long between two looks.
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

impl Rooms {
    /// The versions of rooms that can be entered from here.
    pub(super) fn versions_to_enter(&self) -> Vec<RoomVersionId> {
        let versions = RoomVersion::known().chain(RoomVersion::proposed());
        let versions = versions.filter(|version| self.may_enter(*version));
        versions.map(|version| version.id().clone()).collect()
    }

    fn may_enter(&self, version: RoomVersion) -> bool {
        // Those of old are a decision of their own; those of proposals are entered where rooms of them may be made.
        let is_old = || RoomVersion::known().any(|known| known == version);
        version.is_supported()
            || match is_old() {
                true => self.settings.join_old_versions,
                false => self.settings.allowed_versions.contains(&version),
            }
    }

    /// A room version in which rooms can be entered from here.
    ///
    /// # Errors
    /// [`RoomError::IncompatibleVersion`].
    pub(super) fn version_to_enter(&self, name: &str) -> Result<RoomVersion, RoomError> {
        let version = name.parse::<RoomVersion>().ok().filter(|version| self.may_enter(*version));
        version.ok_or_else(|| RoomError::IncompatibleVersion(name.to_owned()))
    }

    /// Joins by way of other servers, one after another until one lets the user in. Goes on to the end though
    /// who asked for it may be gone: the other servers would think that the user is in the room.
    ///
    /// # Errors
    /// What the servers said; [`RoomError::UnknownRoom`] if none is known that could be asked.
    pub(crate) async fn join_elsewhere(&self, wish: Wish) -> Result<(), RoomError> {
        let rooms = self.clone();
        let task = tokio::spawn(async move { rooms.join_by_any(&wish).await });
        task.await.map_err(|_| RoomError::Busy)?
    }

    async fn join_by_any(&self, wish: &Wish) -> Result<(), RoomError> {
        let mut refusals = Refusals::new(self);
        for round in 0..ROUNDS {
            let mut lags = false;
            let room = self.store.room_sn(&wish.room_id).await?;
            for candidate in self.whom_to_ask(wish.actor.user, room, &wish.via).await? {
                if !refusals.may_ask(&candidate) {
                    break;
                }
                let error = match self.join_by(&candidate.server, wish).await {
                    Ok(Reply::LetIn) => return Ok(()),
                    Ok(Reply::HasNotHeard) => {
                        lags = true;
                        RoomError::Unreachable(format!(
                            "{} has not heard yet that you left; try again in a moment",
                            candidate.server
                        ))
                    }
                    Err(error) => error,
                };
                if !refusals.note(self, &candidate.server, error) {
                    return Err(refusals.into_error());
                }
            }
            if !lags || round + 1 == ROUNDS {
                break;
            }
            self.ambient.clock.sleep(BETWEEN_ROUNDS).await;
        }
        Err(refusals.into_error())
    }

    async fn join_by(&self, server: &ServerName, wish: &Wish) -> Result<Reply, RoomError> {
        let (room_id, user_id) = (&wish.room_id, &wish.actor.user_id);
        let mut request = prepare_join_event::v1::Request::new(room_id.clone(), user_id.clone());
        request.ver = self.versions_to_enter();
        let offer = self.others.federation.call(server, request, ASK).await?;
        let version = offer.room_version.as_ref().map(RoomVersionId::as_str);
        let given = Given::read(self, version, &offer.event, room_id, user_id, "join")?;
        let known = self.store.room_sn(room_id).await?;
        if self.has_not_heard_of_departure(wish.actor.user, known, &given.auth_events).await? {
            return Ok(Reply::HasNotHeard);
        }
        let version = given.version;
        let join = given.complete(self, room_id, user_id, wish.content.clone())?;

        let _passing = self.doors.pass(room_id).await;
        let told = self.send_own_join(server, &join).await?;
        let join = match &told.event {
            Some(signed) => self.with_more_signatures(join, signed, version).await?,
            None => join,
        };
        if let Some(room) = self.residence(room_id).await? {
            // Others of this server are in the room already; only somebody elsewhere could let this user in.
            return self.enter_among_others(server, room, join).await.map(|()| Reply::LetIn);
        }
        let arrival = self.check_arrival(join, version, told).await?;
        self.import(wish.actor.user, arrival).await.map(|()| Reply::LetIn)
    }

    /// Takes a join into a room that this server is in already. What the join follows may not have come here yet:
    /// then it goes the way of other servers' events, for which that is fetched.
    async fn enter_among_others(
        &self,
        server: &ServerName,
        room: RoomSn,
        join: Pdu,
    ) -> Result<(), RoomError> {
        let Err(error) = self.enter(room, join.clone(), EventFlags::HANDED).await else { return Ok(()) };
        if self.store.event_sn(join.event_id()).await?.is_some() {
            return Err(error);
        }
        self.receive(server, vec![json(&join)?]).await?;
        for _ in 0..LOOKS {
            self.ambient.clock.sleep(BETWEEN_LOOKS).await;
            if let Some(event) = self.store.event_by_id(join.event_id()).await?
                && event.has_state()
            {
                return if event.is_shown() { Ok(()) } else { Err(error) };
            }
        }
        Err(RoomError::Busy)
    }

    /// Our join with the signatures of who let us in; as it was where what came back is something else.
    async fn with_more_signatures(
        &self,
        join: Pdu,
        signed: &[u8],
        version: RoomVersion,
    ) -> Result<Pdu, RoomError> {
        let event = RawPdu::parse(signed, version).and_then(RawPdu::check_format);
        match event.ok().filter(|event| event.event_id() == join.event_id()) {
            Some(event) => self.verify_one(event).await,
            None => Ok(join),
        }
    }
}

/// What a resident has told of a room.
impl Arrival {
    /// How many events came.
    pub(super) fn size(&self) -> usize {
        self.events.len()
    }
}
