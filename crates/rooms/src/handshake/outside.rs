//! Rooms that this server is not in, as its users know them: from an invitation, a knock, or the end of either.

use std::sync::Arc;

use parvis_cache::Cache;
use parvis_events::{Membership, Pdu, RoomVersion, stripped_state};
use parvis_storage::{CommitError, OutsideView, Position, RoomHead, RoomSn, StateRoot, UserSn};
use ruma::{OwnedRoomId, RoomId};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::{RoomError, Rooms, admit::Attempts};

/// How many doors are kept.
const DOORS: u64 = 10_000;

/// A door for each room that is entered from elsewhere: one goes through it at a time, so that a room is not made
/// here twice.
#[derive(Clone, Debug)]
pub(crate) struct Doors(Cache<OwnedRoomId, Arc<Mutex<()>>>);

impl Default for Doors {
    fn default() -> Self {
        Self(Cache::new(DOORS))
    }
}

impl Doors {
    pub(super) async fn pass(&self, room_id: &RoomId) -> OwnedMutexGuard<()> {
        self.0.get_with(room_id.to_owned(), Arc::default).lock_owned().await
    }
}

impl Rooms {
    /// The head of a room of which nothing is known but its version.
    pub(super) async fn outside_head(
        &self,
        room_id: &RoomId,
        version: RoomVersion,
    ) -> Result<RoomHead, RoomError> {
        Ok(RoomHead {
            room: RoomSn(self.store.next_number().await?),
            room_id: room_id.to_owned(),
            version,
            class: String::new(),
            head_version: 0,
            heads: Vec::new(),
            state_root: StateRoot::EMPTY,
            depth: 0,
            next_slot: 0,
            next_state_index: 0,
            last_position: Position::START,
        })
    }

    /// Notes the membership that an event gives to a user of this server in a room that it is not in, and what
    /// they know of the room from now on.
    pub(super) async fn put_outside(
        &self,
        user: UserSn,
        pdu: &Pdu,
        view: Option<&OutsideView>,
    ) -> Result<(), RoomError> {
        let membership = pdu.membership().unwrap_or(Membership::Leave);
        let mut attempts = Attempts::default();
        loop {
            let mut turn = match self.store.room_sn(pdu.room_id()).await? {
                Some(room) => self.turn(room).await?,
                None => self.first_turn(self.outside_head(pdu.room_id(), pdu.version()).await?).await,
            };
            let room = turn.room();
            let sn = turn.stage_outlier(pdu).await?;
            turn.set.put_outside_member(user, room, membership, sn);
            match view {
                Some(view) => turn.set.put_outside_view(user, room, view),
                None => turn.set.remove_outside_view(user, room),
            }
            match turn.submit().await.land().await {
                Ok(_) => return Ok(()),
                Err(CommitError::RoomMoved) => attempts.again()?,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Hears of a membership in a room that this server is not in: the end of an invitation that was taken back,
    /// or of a knock that was turned down. Says whether it was one.
    ///
    /// Of such a room nothing is known by which the event could be judged. So an invitation ends only by who
    /// gave it, and a knock by a user of a server where it was made.
    pub async fn hear_outside(&self, pdu: &Pdu) -> Result<bool, RoomError> {
        let membership = pdu.membership();
        let user_id = pdu.state_key().and_then(|key| <&ruma::UserId>::try_from(key).ok());
        let (Some(Membership::Leave | Membership::Ban), Some(user_id)) = (membership, user_id) else {
            return Ok(false);
        };
        let Some(room) = self.store.room_sn(pdu.room_id()).await? else { return Ok(false) };
        if user_id.server_name() != self.identity.server_name || self.is_resident(room).await? {
            return Ok(false);
        }
        let Some(user) = self.store.find_user(user_id).await? else { return Ok(false) };
        let Some(member) = self.store.member(user, room).await? else { return Ok(false) };
        let ends = match member.membership {
            Membership::Invite => self.store.event(member.event).await?.pdu.sender() == pdu.sender(),
            Membership::Knock => {
                let view = self.store.outside_view(user, room).await?.unwrap_or_default();
                view.servers.iter().any(|server| server == pdu.sender().server_name())
            }
            _ => false,
        };
        if ends {
            let _passing = self.doors.pass(pdu.room_id()).await;
            self.put_outside(user, pdu, None).await?;
        }
        Ok(ends)
    }
}

/// What clients are shown of state events that came from another server: nothing but what strangers see.
pub(super) fn strip(events: &[Pdu]) -> Vec<String> {
    events.iter().map(stripped_state).collect()
}
