//! After whom a room is named that has no name of its own
//! (<https://spec.matrix.org/v1.19/client-server-api/#calculating-the-display-name-for-a-room>).

use parvis_storage::{RoomSn, StateRoot, StorageError, UserSn};
use ruma::{OwnedUserId, UserId};

use crate::parts::Parts;

/// After how many users a room is named.
const HEROES: usize = 5;

impl Parts {
    /// The other users, those known for longest first; where there are none, those who were there.
    pub(crate) async fn heroes(
        &self,
        (user, user_id): (UserSn, &UserId),
        room: RoomSn,
        root: StateRoot,
    ) -> Result<Vec<OwnedUserId>, StorageError> {
        let members = self.store.members_of_room(room).await?;
        let mut users = members.joined();
        users.extend(members.invited());
        users.retain(|other| *other != user);
        if users.is_empty() {
            return self.former_members(user_id, room, root).await;
        }
        if users.len() > HEROES {
            users.select_nth_unstable(HEROES);
            users.truncate(HEROES);
        }
        users.sort_unstable();
        self.store.user_ids(&users).await
    }

    async fn former_members(
        &self,
        user_id: &UserId,
        room: RoomSn,
        root: StateRoot,
    ) -> Result<Vec<OwnedUserId>, StorageError> {
        let store = &self.store;
        let Some(kind) = store.find_type("m.room.member").await? else { return Ok(Vec::new()) };
        let others = store.slots_of_type(room, kind).await?.into_iter();
        let mut others: Vec<_> = others.filter(|(_, other)| *other != user_id.as_str()).collect();
        others.truncate(HEROES);
        let places: Vec<_> = others.iter().map(|(slot, _)| (root, *slot)).collect();
        let held = store.slots_at(&places).await?.into_iter().zip(others);
        let held = held.filter(|(event, _)| event.is_some());
        Ok(held.filter_map(|(_, (_, user))| OwnedUserId::try_from(user).ok()).collect())
    }
}
