//! `/sync` as the specification has it: what is new between two places in the stream, by room.
//!
//! An answer is a function of the reader, the filter, and the two places. It does not wait, and writes nothing.

mod data;
mod joined;
mod left;
mod moves;
mod others;
mod state;
mod stripped;
mod summary;
mod timeline;

use parvis_events::Membership;
use parvis_storage::{Member, Position, RoomSn, StorageError, Token};
use ruma::{OwnedRoomId, OwnedUserId};

use crate::{
    answer::{SyncAnswer, SyncRequest},
    parts::Parts,
    view::Reader,
};

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
        let since = since.map(|since| since.position.min(until));
        let user_id = parts.store.user_id(reader.user).await?;
        if since.is_none() {
            parts.lazy.forget((reader.device, request.filter.fingerprint));
        }
        let classic = Self { parts, request, reader, user_id, since, until, seen };
        classic.gather(SyncAnswer::nothing(next)).await
    }

    async fn gather(&self, mut answer: SyncAnswer) -> Result<SyncAnswer, StorageError> {
        let rooms = self.parts.memberships_at(self.reader.user, &self.user_id, self.until).await?;
        let moves = self.moves(&rooms).await?;
        for (room, member) in rooms {
            let is_new = self.since.is_none_or(|since| member.position > since);
            match member.membership {
                Membership::Join => {
                    if let Some(moved) = moves.of_room(room)
                        && let Some(room_id) = self.wanted(room).await?
                    {
                        answer.joined.extend(self.joined(room, room_id, member, &moves, moved).await?);
                    }
                }
                Membership::Invite if is_new => answer.invited.extend(self.stripped(room, member).await?),
                Membership::Knock if is_new => answer.knocked.extend(self.stripped(room, member).await?),
                Membership::Leave | Membership::Ban if self.tells_of_leaving(&member, is_new) => {
                    if let Some(room_id) = self.wanted(room).await? {
                        answer.left.push(self.left(room, room_id, member, &moves).await?);
                    }
                }
                Membership::Invite | Membership::Knock | Membership::Leave | Membership::Ban => {}
            }
        }
        answer.account_data = self.account_data(&moves).await?;
        answer.presence = self.presence(&answer.joined).await?;
        Ok(answer)
    }

    /// Whether the end of a stay is told: once; at the beginning only to who asks for it; never of a room that
    /// is forgotten.
    fn tells_of_leaving(&self, member: &Member, is_new: bool) -> bool {
        let asked = self.request.filter.include_leave && self.whole_state();
        !member.forgotten && (asked || (is_new && self.since.is_some()))
    }

    fn whole_state(&self) -> bool {
        self.since.is_none() || self.request.full_state
    }

    /// The id of a room, if the reader wants to hear of it.
    async fn wanted(&self, room: RoomSn) -> Result<Option<OwnedRoomId>, StorageError> {
        let room_id = self.parts.store.room_id(room).await?;
        Ok(self.request.filter.rooms.has(&room_id).then_some(room_id))
    }
}
