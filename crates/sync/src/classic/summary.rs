//! How a room is to be named by who has no name for it
//! (<https://spec.matrix.org/v1.19/client-server-api/#calculating-the-display-name-for-a-room>).

use parvis_storage::{RoomSn, StateRoot, StorageError};

use super::{Classic, Telling, moves::RoomMoves, state::Span};
use crate::answer::Summary;

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
                let own = (self.reader.user, self.user_id.as_ref());
                Some(self.parts.heroes(own, span.room, span.end).await?)
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
}
