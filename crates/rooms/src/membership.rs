//! Entering and leaving rooms: join, invite, leave, kick, ban, unban, knock, forget.

use parvis_events::{Membership, Pdu};
use parvis_storage::{RoomSn, UserSn, WriteSet};
use ruma::{OwnedRoomId, OwnedUserId, RoomId, UserId};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    Actor, RoomError, Rooms,
    admit::{Draft, Turn, in_turn},
    content::{member, raw},
};

/// What is done to a member of a room by somebody, perhaps themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Asks somebody in.
    Invite,
    /// Puts somebody out, or takes an invitation back.
    Kick,
    /// Puts somebody out for good.
    Ban,
    /// Lets somebody come back.
    Unban,
}

/// What an `m.room.join_rules` event allows beside invitations.
#[derive(Deserialize)]
struct JoinRules {
    join_rule: String,
    #[serde(default)]
    allow: Vec<AllowRule>,
}

#[derive(Deserialize)]
struct AllowRule {
    #[serde(rename = "type")]
    kind: String,
    room_id: Option<OwnedRoomId>,
}

impl Rooms {
    /// Joins a room. Joining where one is joined already changes nothing. What a client has written beside
    /// (`more`) goes into the membership event, under what the server writes there.
    ///
    /// # Errors
    /// [`RoomError::Forbidden`] if the room does not let the user in.
    pub async fn join(
        &self,
        actor: &Actor,
        room: RoomSn,
        reason: Option<&str>,
        more: &Map<String, Value>,
    ) -> Result<OwnedRoomId, RoomError> {
        let profile = self.store.profile(actor.user).await?;
        in_turn!(self, room, |turn| {
            let room_id = turn.head.room_id.clone();
            let before = turn.membership(&actor.user_id).await?;
            if before == Membership::Join {
                return Ok(room_id);
            }
            let name = profile.displayname();
            let mut content = Value::Object(more.clone());
            if let (Some(content), Value::Object(own)) =
                (content.as_object_mut(), member("join", name, profile.avatar_url(), reason))
            {
                content.extend(own);
            }
            if before != Membership::Invite
                && let Some(authoriser) = self.authoriser(turn, actor).await?
            {
                content["join_authorised_via_users_server"] = authoriser.as_str().into();
            }
            turn.stage_for(actor, Draft::state("m.room.member", actor.user_id.as_str(), raw(&content)))
                .await?;
            Ok(room_id)
        })
    }

    /// For a restricted room: the local user by whose right the actor may join.
    ///
    /// # Errors
    /// [`RoomError::Forbidden`] if the actor is in none of the rooms whose members may join.
    async fn authoriser(&self, turn: &mut Turn<'_>, actor: &Actor) -> Result<Option<OwnedUserId>, RoomError> {
        let Some(event) = turn.state_pdu("m.room.join_rules", "").await? else { return Ok(None) };
        let Ok(rules) = event.content_as::<JoinRules>() else { return Ok(None) };
        if !matches!(rules.join_rule.as_str(), "restricted" | "knock_restricted") {
            return Ok(None);
        }
        if !self.is_in_any(actor.user, &rules.allow).await? {
            return Err(RoomError::forbidden("you are in none of the rooms whose members may join this one"));
        }
        let members = self.store.members_of_room(turn.room()).await?;
        let members = self.store.user_ids(&members.joined()).await?;
        let local = members.iter().filter(|user| user.server_name() == self.identity.server_name);
        let levels = turn.power_levels().await?;
        let authoriser = levels.who_may_authorise_joins(local.map(|user| &**user)).map(ToOwned::to_owned);
        let none = "nobody on this server may let you into this room";
        authoriser.map(Some).ok_or_else(|| RoomError::forbidden(none))
    }

    async fn is_in_any(&self, user: UserSn, rules: &[AllowRule]) -> Result<bool, RoomError> {
        let memberships = self.store.rooms_of_user(user).await?;
        let rooms = rules.iter().filter(|rule| rule.kind == "m.room_membership");
        for room_id in rooms.filter_map(|rule| rule.room_id.as_deref()) {
            let room = self.store.room_sn(room_id).await?;
            let membership = room.and_then(|room| memberships.get(room)).map(|member| member.membership);
            if membership == Some(Membership::Join) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Asks to be let into a room.
    ///
    /// # Errors
    /// [`RoomError::Forbidden`] if the room takes no such requests, or the user cannot make one.
    pub async fn knock(
        &self,
        actor: &Actor,
        room: RoomSn,
        reason: Option<&str>,
    ) -> Result<OwnedRoomId, RoomError> {
        let profile = self.store.profile(actor.user).await?;
        in_turn!(self, room, |turn| {
            let room_id = turn.head.room_id.clone();
            let name = profile.displayname();
            let content = member("knock", name, profile.avatar_url(), reason);
            turn.stage_for(actor, Draft::state("m.room.member", actor.user_id.as_str(), raw(&content)))
                .await?;
            Ok(room_id)
        })
    }

    /// Leaves a room, rejects an invitation, or takes a request to join back. Leaving again changes nothing.
    ///
    /// # Errors
    /// [`RoomError::Forbidden`] for who was never in, or is banned.
    pub async fn leave(&self, actor: &Actor, room: RoomSn, reason: Option<&str>) -> Result<(), RoomError> {
        in_turn!(self, room, |turn| {
            let event = turn.state_pdu("m.room.member", actor.user_id.as_str()).await?;
            if event.and_then(|event| event.membership()) == Some(Membership::Leave) {
                return Ok(());
            }
            let content = raw(&member("leave", None, None, reason));
            turn.stage_for(actor, Draft::state("m.room.member", actor.user_id.as_str(), content)).await?;
            Ok(())
        })
    }

    /// Leaves every room that a user is in, was invited to or knocked at: for an account that ends. Goes on
    /// past rooms that fail, and gives how many did.
    pub async fn leave_all(&self, actor: &Actor) -> Result<usize, RoomError> {
        let mut failed = 0;
        for (room, member) in self.store.rooms_of_user(actor.user).await?.all() {
            if matches!(member.membership, Membership::Leave | Membership::Ban) {
                continue;
            }
            if let Err(error) = self.leave(actor, room, None).await {
                tracing::warn!(room = room.0, %error, "an ending account could not leave a room");
                failed += 1;
            }
        }
        Ok(failed)
    }

    /// Invites, kicks, bans or unbans somebody.
    ///
    /// # Errors
    /// [`RoomError::Forbidden`] if the room's rules do not allow it, or it makes no sense for the target's
    /// membership.
    pub async fn act_on_member(
        &self,
        actor: &Actor,
        room: RoomSn,
        target: &UserId,
        action: Action,
        reason: Option<&str>,
    ) -> Result<(), RoomError> {
        let profile = self.local_profile(target).await?;
        let direct = action == Action::Invite && self.is_direct(room).await?;
        in_turn!(self, room, |turn| {
            let current = turn.state_pdu("m.room.member", target.as_str()).await?;
            let before = current.as_ref().and_then(Pdu::membership).unwrap_or(Membership::Leave);
            if turn.membership(&actor.user_id).await? != Membership::Join {
                return Err(RoomError::forbidden("you are not in this room"));
            }
            let Some(membership) = next_membership(action, before)? else { return Ok(()) };
            let (name, avatar) = match (&profile, membership) {
                (Some(profile), "invite") => (profile.0.as_deref(), profile.1.as_deref()),
                _ => (None, None),
            };
            let mut content = member(membership, name, avatar, reason);
            if direct {
                content["is_direct"] = Value::Bool(true);
            }
            turn.stage_for(actor, Draft::state("m.room.member", target.as_str(), raw(&content))).await?;
            Ok(())
        })
    }

    /// Whether a room was made as a conversation.
    async fn is_direct(&self, room: RoomSn) -> Result<bool, RoomError> {
        let head = self.store.room_head(room).await?.ok_or(RoomError::UnknownRoom)?;
        Ok(head.class == parvis_policy::RoomClass::Direct.name())
    }

    /// The name and picture of a user of this server, for an invitation.
    async fn local_profile(
        &self,
        user: &UserId,
    ) -> Result<Option<(Option<String>, Option<String>)>, RoomError> {
        if user.server_name() != self.identity.server_name {
            return Err(RoomError::NotFederated);
        }
        let Some(user) = self.store.find_user(user).await? else { return Ok(None) };
        let profile = self.store.profile(user).await?;
        let owned = |field: Option<&str>| field.map(ToOwned::to_owned);
        Ok(Some((owned(profile.displayname()), owned(profile.avatar_url()))))
    }

    /// Forgets a room that the user has left: it is shown to them no more.
    ///
    /// # Errors
    /// [`RoomError::NotLeft`] if the user is still in the room.
    pub async fn forget(&self, actor: &Actor, room: RoomSn) -> Result<(), RoomError> {
        let Some(member) = self.store.member(actor.user, room).await? else {
            return Err(RoomError::UnknownRoom);
        };
        if !matches!(member.membership, Membership::Leave | Membership::Ban) {
            return Err(RoomError::NotLeft);
        }
        if !member.forgotten {
            let mut set = WriteSet::new();
            set.forget_room(actor.user, room);
            self.store.commit(set).await?;
        }
        Ok(())
    }

    /// The rooms that a user is joined to.
    pub async fn joined_rooms(&self, user: UserSn) -> Result<Vec<OwnedRoomId>, RoomError> {
        let rooms = self.store.rooms_of_user(user).await?.all();
        let mut joined = Vec::new();
        for (room, member) in rooms {
            if member.membership == Membership::Join {
                joined.push(self.store.room_id(room).await?);
            }
        }
        joined.sort();
        Ok(joined)
    }

    /// The number of a room by its id, for joining and knocking: a room that is not here lives elsewhere.
    ///
    /// # Errors
    /// [`RoomError::NotFederated`] if the room is not here.
    pub async fn find_to_enter(&self, room_id: &RoomId) -> Result<RoomSn, RoomError> {
        self.store.room_sn(room_id).await?.ok_or(RoomError::NotFederated)
    }
}

/// The membership that an action leads to from another; nothing if it is there already.
fn next_membership(action: Action, before: Membership) -> Result<Option<&'static str>, RoomError> {
    let refuse = |reason: &str| Err(RoomError::forbidden(reason));
    match (action, before) {
        (Action::Invite, Membership::Join) => refuse("they are in this room already"),
        (Action::Invite, Membership::Ban) => refuse("they are banned from this room"),
        (Action::Invite, _) => Ok(Some("invite")),
        (Action::Kick, Membership::Leave) => refuse("they are not in this room"),
        (Action::Kick, Membership::Ban) => refuse("they are banned; unban them instead"),
        (Action::Kick, _) => Ok(Some("leave")),
        (Action::Ban, Membership::Ban) => Ok(None),
        (Action::Ban, _) => Ok(Some("ban")),
        (Action::Unban, Membership::Ban) => Ok(Some("leave")),
        (Action::Unban, _) => refuse("they are not banned"),
    }
}
