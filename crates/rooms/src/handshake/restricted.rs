//! Restricted rooms: who may join without an invitation, and by whose right.
//! <https://spec.matrix.org/v1.19/client-server-api/#restricted-rooms>

use parvis_events::{Membership, Pdu};
use ruma::{OwnedRoomId, OwnedUserId, UserId};
use serde::Deserialize;
use serde_json::Value;

use crate::{RoomError, Rooms, admit::Turn};

/// What an `m.room.join_rules` event allows beside invitations.
#[derive(Deserialize)]
struct JoinRules {
    join_rule: String,
    #[serde(default)]
    allow: Value,
}

#[derive(Deserialize)]
struct AllowRule {
    #[serde(rename = "type")]
    kind: String,
    room_id: OwnedRoomId,
}

/// Whether a user is in one of the rooms whose members may join.
enum Standing {
    In,
    Out,
    /// This server does not know all of the rooms.
    Unknown,
}

impl Rooms {
    /// The user of this server by whose right another may join; nothing where no such right is needed, or where
    /// nothing helps and the room's rules will say so.
    ///
    /// # Errors
    /// [`RoomError::Forbidden`] for who is in none of the rooms whose members may join;
    /// [`RoomError::UnableToAuthoriseJoin`] or [`RoomError::UnableToGrantJoin`] where another server may know
    /// more, or have a user with the right.
    pub(crate) async fn authoriser(
        &self,
        turn: &mut Turn<'_>,
        user_id: &UserId,
    ) -> Result<Option<OwnedUserId>, RoomError> {
        if matches!(turn.membership(user_id).await?, Membership::Invite | Membership::Join | Membership::Ban)
        {
            return Ok(None);
        }
        let Some(allowed) = turn.state_pdu("m.room.join_rules", "").await?.as_ref().and_then(allowed_rooms)
        else {
            return Ok(None);
        };
        match self.standing(user_id, &allowed).await? {
            Standing::In => {}
            Standing::Unknown => return Err(RoomError::UnableToAuthoriseJoin),
            Standing::Out => {
                let reason = "you are in none of the rooms whose members may join this one";
                return Err(RoomError::forbidden(reason));
            }
        }
        let members = self.store.members_of_room(turn.room()).await?;
        let members = self.store.user_ids(&members.joined()).await?;
        let local = members.iter().filter(|user| user.server_name() == self.identity.server_name);
        let levels = turn.power_levels().await?;
        let authoriser = levels.who_may_authorise_joins(local.map(|user| &**user)).map(ToOwned::to_owned);
        authoriser.map(Some).ok_or(RoomError::UnableToGrantJoin)
    }

    async fn standing(&self, user_id: &UserId, allowed: &[OwnedRoomId]) -> Result<Standing, RoomError> {
        let is_local = user_id.server_name() == self.identity.server_name;
        let user = self.store.find_user(user_id).await?;
        let mut standing = Standing::Out;
        for room_id in allowed {
            let room = self.store.room_sn(room_id).await?;
            // Of rooms that this server is not in, it knows at most how things stood once.
            let Some(room) = room.filter(|_| is_local).or(self.residence(room_id).await?) else {
                if !is_local {
                    standing = Standing::Unknown;
                }
                continue;
            };
            let Some(user) = user else { continue };
            let member = self.store.member(user, room).await?;
            if member.is_some_and(|member| member.membership == Membership::Join) {
                return Ok(Standing::In);
            }
        }
        Ok(standing)
    }
}

/// The rooms whose members may join, of a restricted room. Rules that cannot be read allow nobody.
fn allowed_rooms(event: &Pdu) -> Option<Vec<OwnedRoomId>> {
    let rules = event.content_as::<JoinRules>().ok()?;
    let is_restricted = match rules.join_rule.as_str() {
        "restricted" => event.version().restricted(),
        "knock_restricted" => event.version().knock_restricted(),
        _ => false,
    };
    if !is_restricted {
        return None;
    }
    let rules = rules.allow.as_array().cloned().unwrap_or_default().into_iter();
    let rules = rules.filter_map(|rule| serde_json::from_value::<AllowRule>(rule).ok());
    Some(rules.filter(|rule| rule.kind == "m.room_membership").map(|rule| rule.room_id).collect())
}
