//! A user's profile in the rooms that they are in.

use parvis_events::Membership;
use parvis_storage::RoomSn;
use serde_json::{Map, Value};

use crate::{
    Actor, RoomError, Rooms,
    admit::{Draft, in_turn},
    content::raw,
};

impl Rooms {
    /// Carries a changed profile into every room that the user is joined to, as a new membership event. Goes
    /// on past rooms that fail, and gives how many did.
    pub async fn profile_changed(&self, actor: &Actor) -> Result<usize, RoomError> {
        let profile = self.store.profile(actor.user).await?;
        let owned = |field: Option<&str>| field.map(ToOwned::to_owned);
        let fields =
            [("displayname", owned(profile.displayname())), ("avatar_url", owned(profile.avatar_url()))];
        let mut failed = 0;
        for (room, member) in self.store.rooms_of_user(actor.user).await?.all() {
            if member.membership != Membership::Join {
                continue;
            }
            if let Err(error) = self.put_profile(actor, room, &fields).await {
                tracing::info!(room = room.0, %error, "a profile change did not reach a room");
                failed += 1;
            }
        }
        Ok(failed)
    }

    async fn put_profile(
        &self,
        actor: &Actor,
        room: RoomSn,
        fields: &[(&str, Option<String>); 2],
    ) -> Result<(), RoomError> {
        in_turn!(self, room, |turn| {
            let Some(current) = turn.state_pdu("m.room.member", actor.user_id.as_str()).await? else {
                return Ok(());
            };
            let before: Map<String, Value> = current.content_as().unwrap_or_default();
            let mut content = before.clone();
            // What let the user in through a restriction is said once, at the join; nor does a reason last.
            content.remove("join_authorised_via_users_server");
            content.remove("reason");
            for (field, value) in fields {
                match value {
                    Some(value) => drop(content.insert((*field).to_owned(), value.as_str().into())),
                    None => drop(content.remove(*field)),
                }
            }
            if fields.iter().all(|(field, _)| content.get(*field) == before.get(*field)) {
                return Ok(());
            }
            turn.stage_for(actor, Draft::state("m.room.member", actor.user_id.as_str(), raw(&content)))
                .await?;
            Ok(())
        })
    }
}
