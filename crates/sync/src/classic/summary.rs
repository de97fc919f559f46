//! How a room is to be named by who has no name for it
//! (<https://spec.matrix.org/v1.19/client-server-api/#calculating-the-display-name-for-a-room>).

use parvis_storage::{RoomSn, StateRoot, StorageError, UserSn};
use ruma::OwnedUserId;

use super::{Classic, Telling, moves::RoomMoves, state::Span};
use crate::answer::Summary;

/// After how many users a room is named.
const HEROES: usize = 5;

impl Classic<'_> {
    /// The summary of a room, where what it says may have changed.
    pub(super) async fn summary(
        &self,
        span: &Span<'_>,
        telling: Telling,
        moved: &RoomMoves,
    ) -> Result<Option<Summary>, StorageError> {
        let named = ["m.room.name", "m.room.canonical_alias"];
        let renamed = || span.events.iter().any(|shown| named.contains(&shown.event.pdu.kind()));
        let news = matches!(telling, Telling::News(_));
        if news && !moved.members && !renamed() {
            return Ok(None);
        }
        let members = self.parts.store.members_of_room(span.room).await?;
        let (joined, invited) = members.counts();
        let heroes = match self.has_name(span.room, span.end).await? {
            true => None,
            false => {
                let mut users = members.joined();
                users.extend(members.invited());
                Some(self.heroes(span, users).await?)
            }
        };
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        Ok(Some(Summary { heroes, joined: count(joined), invited: count(invited) }))
    }

    async fn has_name(&self, room: RoomSn, root: StateRoot) -> Result<bool, StorageError> {
        for (kind, field) in [("m.room.name", "name"), ("m.room.canonical_alias", "alias")] {
            if let Some(event) = self.parts.store.state_event(room, root, kind, "").await? {
                let content = event.pdu.content_as::<serde_json::Value>().unwrap_or_default();
                if content[field].as_str().is_some_and(|name| !name.is_empty()) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// The other users, those known for longest first; where there are none, those who were there.
    async fn heroes(
        &self,
        span: &Span<'_>,
        mut users: Vec<UserSn>,
    ) -> Result<Vec<OwnedUserId>, StorageError> {
        let store = &self.parts.store;
        users.retain(|user| *user != self.reader.user);
        if users.is_empty() {
            return self.former_members(span).await;
        }
        if users.len() > HEROES {
            users.select_nth_unstable(HEROES);
            users.truncate(HEROES);
        }
        users.sort_unstable();
        store.user_ids(&users).await
    }

    async fn former_members(&self, span: &Span<'_>) -> Result<Vec<OwnedUserId>, StorageError> {
        let store = &self.parts.store;
        let Some(kind) = store.find_type("m.room.member").await? else { return Ok(Vec::new()) };
        let others = store.slots_of_type(span.room, kind).await?.into_iter();
        let mut others: Vec<_> = others.filter(|(_, user)| *user != self.user_id.as_str()).collect();
        others.truncate(HEROES);
        let places: Vec<_> = others.iter().map(|(slot, _)| (span.end, *slot)).collect();
        let held = store.slots_at(&places).await?.into_iter().zip(others);
        let held = held.filter(|(event, _)| event.is_some());
        Ok(held.filter_map(|(_, (_, user))| OwnedUserId::try_from(user).ok()).collect())
    }
}
