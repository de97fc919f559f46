//! Which servers are in a room, and whether this one is; whom to ask about a room, and for how long.

use std::{collections::BTreeSet, time::Duration};

use parvis_ambient::Timestamp;
use parvis_events::Membership;
use parvis_peers::Limits;
use parvis_storage::{RoomSn, UserSn};
use ruma::{OwnedServerName, RoomId, ServerName};

use crate::{RoomError, Rooms};

/// How many servers are asked for one thing at most.
const MOST_ASKED: usize = 20;
/// How many known servers of a room are added to those that somebody named.
const MOST_REMEMBERED: usize = 5;
/// After so long, no further server is asked: who waits has waited long enough.
const PATIENCE: Duration = Duration::from_secs(90);
/// After so many servers have said that it is not allowed, it is not.
const MOST_REFUSALS: usize = 3;

/// For the first questions of a handshake: short answers, for which a person waits.
pub(super) const ASK: Limits = Limits { despite_back_off: true, ..Limits::QUESTION };

impl Rooms {
    /// The servers with users in a room.
    pub(crate) async fn servers_in(&self, room: RoomSn) -> Result<BTreeSet<OwnedServerName>, RoomError> {
        Ok(self.store.servers_of_room(room).await?.keys().cloned().collect())
    }

    /// Whether this server has users in a room, and so knows what happens there.
    pub(crate) async fn is_resident(&self, room: RoomSn) -> Result<bool, RoomError> {
        Ok(self.store.servers_of_room(room).await?.contains_key(&self.identity.server_name))
    }

    /// The number of a room that this server is in.
    pub(crate) async fn residence(&self, room_id: &RoomId) -> Result<Option<RoomSn>, RoomError> {
        let Some(room) = self.store.room_sn(room_id).await? else { return Ok(None) };
        Ok(self.is_resident(room).await?.then_some(room))
    }

    /// The servers that may know a room, the likeliest first: those that were named, those that the user's
    /// invitation or knock names; and, for where none of these answers, those that were in the room when this server
    /// last was.
    pub(super) async fn whom_to_ask(
        &self,
        user: UserSn,
        room: Option<RoomSn>,
        named: &[OwnedServerName],
    ) -> Result<Vec<Candidate>, RoomError> {
        let mut servers = named.to_vec();
        let mut remembered = BTreeSet::new();
        if let Some(room) = room {
            if let Some(member) = self.store.member(user, room).await?
                && member.membership == Membership::Invite
            {
                let invite = self.store.event(member.event).await?;
                servers.push(invite.pdu.sender().server_name().to_owned());
            }
            servers
                .extend(self.store.outside_view(user, room).await?.into_iter().flat_map(|view| view.servers));
            remembered = self.servers_in(room).await?;
        }
        let likely = servers.into_iter().map(|server| Candidate { server, is_remembered: false });
        let remembered = remembered.into_iter().map(|server| Candidate { server, is_remembered: true });
        let mut candidates: Vec<Candidate> = likely.chain(remembered.take(MOST_REMEMBERED)).collect();
        let mut seen = BTreeSet::from([self.identity.server_name.clone()]);
        candidates.retain(|candidate| seen.insert(candidate.server.clone()));
        candidates.truncate(MOST_ASKED);
        Ok(candidates)
    }
}

/// A server that may know a room.
pub(super) struct Candidate {
    pub(super) server: OwnedServerName,
    /// Whether nobody has named it, and it is only remembered from when this server was in the room.
    is_remembered: bool,
}

/// What servers said who were asked in turn and did not do as asked.
pub(super) struct Refusals {
    until: Timestamp,
    forbidden: usize,
    said: Option<RoomError>,
}

impl Refusals {
    pub(super) fn new(rooms: &Rooms) -> Self {
        Self { until: rooms.ambient.now().plus(PATIENCE), forbidden: 0, said: None }
    }

    /// Whether a server is to be asked. Who named servers wants to come in by way of these: others are asked only
    /// where none of these has said anything of weight.
    pub(super) fn may_ask(&self, candidate: &Candidate) -> bool {
        !candidate.is_remembered || self.said.as_ref().is_none_or(|said| weight(said) <= UNINFORMED)
    }

    /// Notes a refusal. Says whether to go on to the next server.
    pub(super) fn note(&mut self, rooms: &Rooms, server: &ServerName, error: RoomError) -> bool {
        tracing::info!(%server, %error, "a server did not help with a room");
        let goes_on = match &error {
            RoomError::IncompatibleVersion(_) => false,
            RoomError::Refused { errcode, .. } if errcode == "M_INCOMPATIBLE_ROOM_VERSION" => false,
            RoomError::Refused { errcode, .. } if errcode == "M_FORBIDDEN" => {
                self.forbidden += 1;
                self.forbidden < MOST_REFUSALS
            }
            RoomError::Storage(_) | RoomError::Format(_) => false,
            _ => true,
        };
        // An answer says more than silence, and a reason more than a lack of knowledge.
        if self.said.as_ref().is_none_or(|said| weight(&error) >= weight(said)) {
            self.said = Some(error);
        }
        goes_on && rooms.ambient.now() < self.until
    }

    /// What to tell of it.
    pub(super) fn into_error(self) -> RoomError {
        self.said.unwrap_or(RoomError::UnknownRoom)
    }
}

/// The weight of what a server says that does not know the room.
const UNINFORMED: u8 = 1;

/// How much an error tells.
fn weight(error: &RoomError) -> u8 {
    match error {
        RoomError::Unreachable(_) => 0,
        RoomError::Refused { errcode, .. } if errcode == "M_NOT_FOUND" => UNINFORMED,
        RoomError::Refused { errcode, .. } if errcode.starts_with("M_UNABLE_TO_") => 2,
        _ => 3,
    }
}
