//! Rooms with many ends: each event of ours would have to resolve them all, and can cite only some. A dummy event
//! of one of our users follows them, and is an end in their place.
//!
//! It says nothing and is shown to nobody. Nor is it told to other servers, who come upon it when something
//! follows it.

use std::time::Duration;

use parvis_events::DUMMY_EVENT;
use parvis_storage::{EventFlags, RoomSn, UserSn};
use ruma::OwnedUserId;
use serde_json::json;

use crate::{
    RoomError, Rooms,
    admit::{Draft, in_turn},
    content::raw,
};

/// How many ends are many.
const MANY: usize = 10;
/// How long between two dummy events of a room.
const APART: Duration = Duration::from_secs(60);
/// How many of our users are tried, of whom some may not be allowed to send.
const MOST_TRIED: usize = 5;

impl Rooms {
    /// Brings the ends of a room together if there are many, and if that was not done just now.
    pub(super) async fn bring_ends_together(&self, room: RoomSn) -> Result<(), RoomError> {
        let Some(head) = self.store.room_head(room).await? else { return Ok(()) };
        let now = self.ambient.now();
        let before = self.receiving.brought_together.get(&room);
        if head.heads.len() <= MANY || before.is_some_and(|before| now.since(before) < APART) {
            return Ok(());
        }
        self.receiving.brought_together.insert(room, now);
        let joined = self.store.members_of_room(room).await?.joined();
        let user_ids = self.store.user_ids(&joined).await?;
        let members = joined.into_iter().zip(user_ids);
        let ours = members.filter(|(_, user_id)| user_id.server_name() == self.identity.server_name);
        for (user, user_id) in ours.take(MOST_TRIED) {
            match self.send_dummy(room, user, &user_id).await {
                Ok(()) => break,
                Err(error) => tracing::debug!(room = room.0, %error, "no dummy event by this user"),
            }
        }
        Ok(())
    }

    /// Sends a dummy event of a user, if they may.
    async fn send_dummy(&self, room: RoomSn, user: UserSn, user_id: &OwnedUserId) -> Result<(), RoomError> {
        in_turn!(self, room, |turn| {
            let draft = Draft::message(DUMMY_EVENT, raw(&json!({})));
            turn.stage_flagged(user_id, user, draft, None, EventFlags::HANDED).await?;
            Ok(())
        })
    }
}
