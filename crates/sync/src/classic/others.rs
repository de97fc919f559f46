//! What others in the user's rooms are about: who types, how far they have read, and who is there.

use std::{collections::BTreeSet, sync::Arc};

use parvis_ambient::Timestamp;
use parvis_events::Membership;
use parvis_storage::{Position, Receipt, RoomSn, StorageError, UserSn};
use ruma::{OwnedUserId, RoomId, UserId, presence::PresenceState};

use super::{Classic, Telling, moves::RoomMoves};
use crate::{
    answer::{JoinedRoom, PresenceUpdate},
    presence::Shown,
};

impl Classic<'_> {
    /// Who is typing in a room, if that is news. A reader from before a restart is told of every room of which
    /// they are told anything: they may still show somebody typing.
    pub(super) async fn typing(
        &self,
        room: RoomSn,
        room_id: &RoomId,
        telling: Telling,
        moved: &RoomMoves,
    ) -> Result<Option<Vec<OwnedUserId>>, StorageError> {
        let filter = &self.request.filter.ephemeral;
        let from_before = self.since.is_some() && self.seen.is_none();
        let told = moved.typing || from_before || telling == Telling::Whole;
        if !told || !filter.has_room(room_id) || !filter.has_type("m.typing") {
            return Ok(None);
        }
        let users = self.parts.store.user_ids(&self.parts.typing.users(room)).await?;
        Ok((moved.typing || from_before || !users.is_empty()).then_some(users))
    }

    /// The receipts that moved; to who is told everything, all of them. Private ones only the user's own.
    pub(super) async fn receipts(
        &self,
        room: RoomSn,
        room_id: &RoomId,
        telling: Telling,
        moved: &RoomMoves,
    ) -> Result<Vec<Arc<Receipt>>, StorageError> {
        let filter = &self.request.filter.ephemeral;
        let after = match telling {
            Telling::Whole => Position::START,
            Telling::WholeState | Telling::News(_) if !moved.receipts => return Ok(Vec::new()),
            Telling::WholeState => self.since.unwrap_or(Position::START),
            Telling::News(since) => since,
        };
        if !filter.has_room(room_id) || !filter.has_type("m.receipt") {
            return Ok(Vec::new());
        }
        let mut receipts = self.parts.store.receipts_of_room(room).await?.between(after, self.until);
        let own = self.reader.user;
        receipts.retain(|receipt| receipt.user == own || receipt.receipt_type != "m.read.private");
        Ok(receipts)
    }

    /// The presence of others with whom the user shares a room: what has changed, and that of those who have
    /// newly come together with the user.
    pub(super) async fn presence(&self, joined: &[JoinedRoom]) -> Result<Vec<PresenceUpdate>, StorageError> {
        let presence = &self.parts.presence;
        if !presence.is_on() || !self.request.filter.presence.has_type("m.presence") {
            return Ok(Vec::new());
        }
        let changed = presence.changed_since(self.seen.filter(|_| self.since.is_some()));
        let mut users = BTreeSet::new();
        for user in changed.into_iter().filter(|user| *user != self.reader.user) {
            if self.parts.share_a_room(self.reader.user, user).await? {
                users.insert(user);
            }
        }
        if self.since.is_some() {
            self.add_newcomers(joined, &mut users).await?;
        }
        let mut updates = Vec::with_capacity(users.len());
        for user in users {
            if let Some(shown) = presence.of(user) {
                let user_id = self.parts.store.user_id(user).await?;
                updates.push(self.parts.presence_update(user_id, shown));
            }
        }
        updates.retain(|update| self.request.filter.presence.has("m.presence", &update.user_id));
        Ok(updates)
    }

    /// Those who have come into one of the user's rooms, and those in rooms into which the user has come.
    async fn add_newcomers(
        &self,
        joined: &[JoinedRoom],
        users: &mut BTreeSet<UserSn>,
    ) -> Result<(), StorageError> {
        let own = self.reader.user;
        let is_there = |user: UserSn| {
            let shown = self.parts.presence.of(user);
            user != own && shown.is_some_and(|shown| shown.state != PresenceState::Offline)
        };
        for room in joined {
            for event in &room.timeline.events {
                let pdu = &event.event.pdu;
                if pdu.membership() != Some(Membership::Join) {
                    continue;
                }
                let member = pdu.state_key().and_then(|user| <&UserId>::try_from(user).ok());
                let Some(member) = member else { continue };
                if member == self.user_id {
                    let members = self.parts.store.members_of_room(event.event.room).await?;
                    users.extend(members.joined().into_iter().filter(|user| is_there(*user)));
                } else if let Some(member) =
                    self.parts.store.find_user(member).await?.filter(|user| is_there(*user))
                {
                    users.insert(member);
                }
            }
        }
        Ok(())
    }
}

impl crate::parts::Parts {
    /// A user's presence as others are told of it now.
    pub(crate) fn presence_update(&self, user_id: OwnedUserId, shown: Shown) -> PresenceUpdate {
        let now = self.now();
        let ago = |last: Timestamp| u64::try_from(now.since(last).as_millis()).unwrap_or(u64::MAX);
        PresenceUpdate {
            user_id,
            last_active_ago_millis: shown.last_active.map(ago),
            state: shown.state,
            status_message: shown.status_message,
            currently_active: shown.currently_active,
        }
    }
}
