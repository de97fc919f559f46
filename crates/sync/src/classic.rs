//! `/sync` as the specification has it: what is new between two places in the stream, by room.
//!
//! An answer is a function of the reader, the filter, and the two places. It does not wait, and writes nothing.

mod data;
mod devices;
mod joined;
mod left;
mod moves;
mod others;
mod state;
mod summary;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use parvis_events::Membership;
use parvis_storage::{Member, Position, RoomSn, StorageError, Token};
use ruma::{OwnedRoomId, OwnedUserId};

use self::moves::Moves;
use crate::{
    answer::{DeviceLists, JoinedRoom, LeftRoom, StrippedRoom, SyncAnswer, SyncRequest},
    parts::Parts,
    timeline::Slicer,
    view::Reader,
};

/// How many rooms of one answer are looked at at the same time.
const AT_ONCE: usize = 8;

/// One answer in the making.
pub(crate) struct Classic<'a> {
    parts: &'a Parts,
    request: &'a SyncRequest,
    reader: Reader,
    user_id: OwnedUserId,
    /// The end of what the reader knows; `None` at the beginning.
    since: Option<Position>,
    /// The end of what this answer tells.
    until: Position,
    /// How many changes of what is kept in memory only the reader knows; `None` if none of this run.
    seen: Option<u64>,
    /// The end of the messages to the device that the reader knows.
    told: Position,
}

/// What is told of a room.
enum Told {
    Joined(Box<JoinedRoom>),
    Invited(StrippedRoom),
    Knocked(StrippedRoom),
    Left(LeftRoom),
}

/// How much of a joined room is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Telling {
    /// Everything: the reader knows nothing of it.
    Whole,
    /// The whole state, but of the timeline only what is new.
    WholeState,
    /// What is new since a position.
    News(Position),
}

impl<'a> Classic<'a> {
    /// What is new for the reader between the end of their last sync and `next`.
    pub(crate) async fn answer(
        parts: &'a Parts,
        request: &'a SyncRequest,
        reader: Reader,
        since: Option<Token>,
        next: Token,
    ) -> Result<SyncAnswer, StorageError> {
        let until = next.position;
        let seen = parts.counter.seen(since.and_then(|since: Token| since.ephemeral));
        let told = since.map_or(Position::START, Token::to_device_told).min(until);
        let since = since.map(|since| since.position.min(until));
        let user_id = parts.store.user_id(reader.user).await?;
        if since.is_none() {
            parts.lazy.forget((reader.device, request.filter.fingerprint));
        }
        let device = parts.store.device_state(reader.device).await?;
        let classic = Self { parts, request, reader, user_id, since, until, seen, told };
        classic.gather(SyncAnswer::nothing(next, device)).await
    }

    /// Whose devices have changed between the end of a reader's last sync and `until`.
    pub(crate) async fn changed_devices(
        parts: &'a Parts,
        reader: Reader,
        since: Position,
        until: Position,
    ) -> Result<DeviceLists, StorageError> {
        let request = &SyncRequest::for_devices(since);
        let user_id = parts.store.user_id(reader.user).await?;
        let since = Some(since.min(until));
        let classic = Classic { parts, request, reader, user_id, since, until, seen: None, told: until };
        let (rooms, moves) = classic.moves().await?;
        classic.device_lists(&rooms, &moves.devices).await
    }

    async fn gather(&self, mut answer: SyncAnswer) -> Result<SyncAnswer, StorageError> {
        let (rooms, moves) = self.moves().await?;
        answer.device_lists = self.device_lists(&rooms, &moves.devices).await?;
        answer.device_changed = moves.devices.own_keys;
        answer.device_is_gone = moves.devices.own_device_is_gone;
        self.take_messages(&mut answer).await?;
        let rooms: Vec<_> =
            rooms.into_iter().filter(|(room, member)| self.concerns(*room, member, &moves)).collect();
        let numbers: Vec<RoomSn> = rooms.iter().map(|(room, _)| *room).collect();
        self.parts.store.prefetch_room_ids(&numbers).await?;
        let told =
            stream::iter(rooms).map(|(room, member)| self.tell(room, member, &moves)).buffered(AT_ONCE);
        for told in told.try_collect::<Vec<_>>().await? {
            match told {
                Some(Told::Joined(room)) => answer.joined.push(*room),
                Some(Told::Invited(room)) => answer.invited.push(room),
                Some(Told::Knocked(room)) => answer.knocked.push(room),
                Some(Told::Left(room)) => answer.left.push(room),
                None => {}
            }
        }
        answer.account_data = self.account_data(&moves).await?;
        answer.presence = self.presence(&answer.joined).await?;
        Ok(answer)
    }

    /// Whether anything is to be told of a room.
    fn concerns(&self, room: RoomSn, member: &Member, moves: &Moves) -> bool {
        let is_new = self.since.is_none_or(|since| member.position > since);
        match member.membership {
            Membership::Join => moves.of_room(room).is_some(),
            Membership::Invite | Membership::Knock => is_new,
            Membership::Leave | Membership::Ban => self.tells_of_leaving(member, is_new),
        }
    }

    /// What is told of a room.
    async fn tell(&self, room: RoomSn, member: Member, moves: &Moves) -> Result<Option<Told>, StorageError> {
        let Some(room_id) = self.wanted(room).await? else { return Ok(None) };
        Ok(match member.membership {
            Membership::Join => {
                let Some(moved) = moves.of_room(room) else { return Ok(None) };
                let joined = self.joined(room, room_id, member, moves, moved).await?;
                joined.map(|room| Told::Joined(Box::new(room)))
            }
            Membership::Invite => self.stripped(room_id, room, member).await?.map(Told::Invited),
            Membership::Knock => self.stripped(room_id, room, member).await?.map(Told::Knocked),
            Membership::Leave | Membership::Ban => {
                Some(Told::Left(self.left(room, room_id, member, moves).await?))
            }
        })
    }

    /// Whether the end of a stay is told: once; at the beginning only to who asks for it, and not of a room that
    /// is forgotten. The one time holds for a forgotten room too: another device, which does not know of the
    /// leaving yet, would show the room for ever.
    fn tells_of_leaving(&self, member: &Member, is_new: bool) -> bool {
        let asked = self.request.filter.include_leave && self.whole_state();
        (asked && !member.forgotten) || (is_new && self.since.is_some())
    }

    fn whole_state(&self) -> bool {
        self.since.is_none() || self.request.full_state
    }

    async fn stripped(
        &self,
        room_id: OwnedRoomId,
        room: RoomSn,
        member: Member,
    ) -> Result<Option<StrippedRoom>, StorageError> {
        self.parts.stripped((self.reader.user, &self.user_id), room_id, room, member).await
    }

    /// What reads the timelines that are told.
    fn slicer(&self) -> Slicer<'_> {
        let (parts, reader, limit) = (self.parts, self.reader, self.request.timeline_limit());
        Slicer { parts, reader, filter: &self.request.filter.timeline, limit }
    }

    /// The id of a room, if the reader wants to hear of it.
    async fn wanted(&self, room: RoomSn) -> Result<Option<OwnedRoomId>, StorageError> {
        let room_id = self.parts.store.room_id(room).await?;
        Ok(self.request.filter.rooms.has(&room_id).then_some(room_id))
    }
}
