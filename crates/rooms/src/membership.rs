//! Entering and leaving rooms: join, invite, leave, kick, ban, unban, knock, forget.

use std::collections::BTreeSet;

use parvis_events::{Membership, Pdu};
use parvis_policy::RoomClass;
use parvis_storage::{RoomSn, UserSn, WriteSet};
use ruma::{OwnedRoomId, OwnedServerName, RoomId, UserId};
use serde_json::{Map, Value};

use crate::{
    Actor, RoomError, Rooms,
    admit::{Draft, Turn, in_turn},
    content::{AUTHORISER, member, raw},
    handshake::Wish,
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

impl Rooms {
    /// Joins a room: one that this server is in, or by way of other servers, such as those named in `via`. Joining
    /// where one is joined already changes nothing. What a client has written beside (`more`) goes into the
    /// membership event, under what the server writes there.
    ///
    /// # Errors
    /// [`RoomError::Forbidden`] if the room does not let the user in, [`RoomError::UnknownRoom`] if it is elsewhere
    /// and no server is known that could be asked, and what other servers say.
    pub async fn join(
        &self,
        actor: &Actor,
        room_id: &RoomId,
        via: &[OwnedServerName],
        reason: Option<&str>,
        more: &Map<String, Value>,
    ) -> Result<(), RoomError> {
        self.check_entry(actor, room_id, via).await?;
        let content = self.own_content(actor, "join", reason, more).await?;
        let wish = Wish {
            actor: actor.clone(),
            room_id: room_id.to_owned(),
            via: via.to_vec(),
            content: content.clone(),
        };
        let Some(room) = self.residence(room_id).await? else { return self.join_elsewhere(wish).await };
        match self.join_here(actor, room, content).await {
            // Somebody of another server may have the right that nobody here has.
            Err(RoomError::UnableToGrantJoin | RoomError::UnableToAuthoriseJoin) => {
                self.join_elsewhere(wish).await
            }
            outcome => outcome,
        }
    }

    async fn join_here(
        &self,
        actor: &Actor,
        room: RoomSn,
        mut content: Map<String, Value>,
    ) -> Result<(), RoomError> {
        in_turn!(self, room, |turn| {
            if turn.membership(&actor.user_id).await? == Membership::Join {
                return Ok(());
            }
            content.remove(AUTHORISER);
            if let Some(authoriser) = self.authoriser(turn, &actor.user_id).await? {
                content.insert(AUTHORISER.to_owned(), authoriser.as_str().into());
            }
            turn.stage_for(actor, Draft::state("m.room.member", actor.user_id.as_str(), raw(&content)))
                .await?;
            Ok(())
        })
    }

    /// The content of a membership event by which a user comes in or knocks.
    async fn own_content(
        &self,
        actor: &Actor,
        membership: &str,
        reason: Option<&str>,
        more: &Map<String, Value>,
    ) -> Result<Map<String, Value>, RoomError> {
        let profile = self.store.profile(actor.user).await?;
        let mut content = more.clone();
        content.remove(AUTHORISER);
        let own = member(membership, profile.displayname(), profile.avatar_url(), reason);
        content.extend(own.as_object().cloned().unwrap_or_default());
        Ok(content)
    }

    /// Asks to be let into a room: one that this server is in, or by way of other servers.
    ///
    /// # Errors
    /// [`RoomError::Forbidden`] if the room takes no such requests, or the user cannot make one; and as
    /// [`join`](Self::join).
    pub async fn knock(
        &self,
        actor: &Actor,
        room_id: &RoomId,
        via: &[OwnedServerName],
        reason: Option<&str>,
    ) -> Result<(), RoomError> {
        let content = self.own_content(actor, "knock", reason, &Map::new()).await?;
        let Some(room) = self.residence(room_id).await? else {
            let (actor, room_id, via) = (actor.clone(), room_id.to_owned(), via.to_vec());
            return self.knock_elsewhere(Wish { actor, room_id, via, content }).await;
        };
        in_turn!(self, room, |turn| {
            turn.stage_for(actor, Draft::state("m.room.member", actor.user_id.as_str(), raw(&content)))
                .await?;
            Ok(())
        })
    }

    /// Leaves a room, rejects an invitation, or takes a request to join back. Leaving again changes nothing.
    ///
    /// # Errors
    /// [`RoomError::Forbidden`] for who was never in, or is banned.
    pub async fn leave(&self, actor: &Actor, room: RoomSn, reason: Option<&str>) -> Result<(), RoomError> {
        if let Some(member) = self.store.member(actor.user, room).await? {
            self.must_not_reject_notices(actor.user, room, member.membership).await?;
        }
        self.depart(actor, room, reason).await
    }

    /// As [`leave`](Self::leave), for whoever goes from everywhere.
    async fn depart(&self, actor: &Actor, room: RoomSn, reason: Option<&str>) -> Result<(), RoomError> {
        let content = member("leave", None, None, reason);
        if let Some(member) = self.store.member(actor.user, room).await?
            && matches!(member.membership, Membership::Invite | Membership::Knock)
            && !self.is_resident(room).await?
        {
            let content = content.as_object().cloned().unwrap_or_default();
            return self.leave_elsewhere(actor, room, member, content).await;
        }
        in_turn!(self, room, |turn| {
            let event = turn.state_pdu("m.room.member", actor.user_id.as_str()).await?;
            if event.and_then(|event| event.membership()) == Some(Membership::Leave) {
                return Ok(());
            }
            turn.stage_for(actor, Draft::state("m.room.member", actor.user_id.as_str(), raw(&content)))
                .await?;
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
            if let Err(error) = self.depart(actor, room, None).await {
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
        let change = self.change_of(actor, room, target, action, reason).await?;
        if action == Action::Invite && target.server_name() != self.identity.server_name {
            let invite = {
                let mut turn = self.turn(room).await?;
                let Some(draft) = change.decide(&mut turn, actor).await? else { return Ok(()) };
                turn.rehearse(&actor.user_id, draft).await?
            };
            return self.send_invite(room, target.server_name(), &invite).await;
        }
        in_turn!(self, room, |turn| {
            if let Some(draft) = change.decide(turn, actor).await? {
                turn.stage_for(actor, draft).await?;
            }
            Ok(())
        })
    }

    async fn change_of<'a>(
        &self,
        actor: &Actor,
        room: RoomSn,
        target: &'a UserId,
        action: Action,
        reason: Option<&'a str>,
    ) -> Result<MemberChange<'a>, RoomError> {
        let mut change = MemberChange { target, action, reason, name: None, avatar: None, direct: false };
        if action == Action::Invite {
            change.direct = self.is_direct(room).await?;
            if target.server_name() == self.identity.server_name
                && let Some(user) = self.store.find_user(target).await?
            {
                self.must_take_invitations(user, &actor.user_id).await?;
                let profile = self.store.profile(user).await?;
                change.name = profile.displayname().map(ToOwned::to_owned);
                change.avatar = profile.avatar_url().map(ToOwned::to_owned);
            }
        }
        Ok(change)
    }

    /// Whether a room was made as a conversation.
    async fn is_direct(&self, room: RoomSn) -> Result<bool, RoomError> {
        let head = self.store.room_head(room).await?.ok_or(RoomError::UnknownRoom)?;
        Ok(RoomClass::was_begun_as_conversation(&head.class))
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

    /// The rooms that a user and another one are joined to, sorted.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn mutual_rooms(&self, user: UserSn, other: &UserId) -> Result<Vec<OwnedRoomId>, RoomError> {
        let mut mutual = self.joined_rooms(user).await?;
        let others = match self.store.find_user(other).await? {
            Some(other) => self.joined_rooms(other).await?.into_iter().collect(),
            None => BTreeSet::new(),
        };
        mutual.retain(|room| others.contains(room));
        Ok(mutual)
    }

    /// The rooms that a user is joined to, sorted.
    ///
    /// # Errors
    /// If the store fails.
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
}

/// What is to become of a member.
struct MemberChange<'a> {
    target: &'a UserId,
    action: Action,
    reason: Option<&'a str>,
    /// The name and the picture of who is invited, for users of this server.
    name: Option<String>,
    avatar: Option<String>,
    direct: bool,
}

impl MemberChange<'_> {
    /// The event that brings it about; nothing if it is so already.
    async fn decide(&self, turn: &mut Turn<'_>, actor: &Actor) -> Result<Option<Draft>, RoomError> {
        let current = turn.state_pdu("m.room.member", self.target.as_str()).await?;
        let before = current.as_ref().and_then(Pdu::membership).unwrap_or(Membership::Leave);
        if turn.membership(&actor.user_id).await? != Membership::Join {
            return Err(RoomError::forbidden("you are not in this room"));
        }
        let Some(membership) = next_membership(self.action, before)? else { return Ok(None) };
        let mut content = member(membership, self.name.as_deref(), self.avatar.as_deref(), self.reason);
        if self.direct {
            content["is_direct"] = Value::Bool(true);
        }
        Ok(Some(Draft::state("m.room.member", self.target.as_str(), raw(&content))))
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
