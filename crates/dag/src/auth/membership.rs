//! The rules for `m.room.member`: who may join, invite, leave, remove, ban and knock.

use parvis_events::{Membership, Pdu};
use ruma::UserId;

use super::{Room, require, third_party};
use crate::error::AuthError;

/// A membership event, with the names that the rules use.
struct Change<'a> {
    pdu: &'a Pdu,
    sender: &'a UserId,
    target: &'a UserId,
}

pub(super) fn check(pdu: &Pdu, room: &Room<'_>) -> Result<(), AuthError> {
    let state_key = pdu.state_key().ok_or_else(|| AuthError::new("a membership event needs a state key"))?;
    let target = <&UserId>::try_from(state_key)
        .map_err(|_| AuthError::new(format!("the state key `{state_key}` is not a user id")))?;
    // The signature that `join_authorised_via_users_server` demands is checked with the others.
    let change = Change { pdu, sender: pdu.sender(), target };
    match pdu.membership() {
        Some(Membership::Join) => change.check_join(room),
        Some(Membership::Invite) => change.check_invite(room),
        Some(Membership::Leave) => change.check_leave(room),
        Some(Membership::Ban) => change.check_ban(room),
        Some(Membership::Knock) if pdu.version().knocking() => change.check_knock(room),
        _ => Err(AuthError::new("a membership event needs a membership that the room version knows")),
    }
}

impl Change<'_> {
    fn check_join(&self, room: &Room<'_>) -> Result<(), AuthError> {
        let Self { pdu, sender, target } = self;
        let follows_only_create = pdu.prev_events() == [room.create.owned_event_id().clone()];
        if follows_only_create && room.levels.create().creator.as_deref() == Some(*target) {
            return Ok(());
        }
        require(sender == target, || format!("{sender} cannot join on behalf of {target}"))?;
        let current = room.membership(target)?;
        require(current != Membership::Ban, || format!("{target} is banned"))?;
        let is_welcome = matches!(current, Membership::Invite | Membership::Join);
        let version = pdu.version();
        match room.join_rule().as_str() {
            "public" => Ok(()),
            "invite" => require_welcome(is_welcome, target),
            "knock" if version.knocking() => require_welcome(is_welcome, target),
            "restricted" if version.restricted() => self.check_restricted_join(room, is_welcome),
            "knock_restricted" if version.knock_restricted() => self.check_restricted_join(room, is_welcome),
            _ => Err(AuthError::new("the room's join rule lets nobody in")),
        }
    }

    fn check_restricted_join(&self, room: &Room<'_>, is_welcome: bool) -> Result<(), AuthError> {
        if is_welcome {
            return Ok(());
        }
        let content = self.pdu.member_content().unwrap_or_default();
        let authoriser = content.join_authorised_via_users_server.as_deref();
        let authoriser = authoriser.and_then(|user| <&UserId>::try_from(user).ok()).ok_or_else(|| {
            AuthError::new(format!(
                "{} is not invited, and no member of the room vouches for the join",
                self.target
            ))
        })?;
        let is_joined = room.membership(authoriser)? == Membership::Join;
        require(is_joined, || format!("{authoriser}, who vouches for the join, is not in the room"))?;
        room.require_power(authoriser, room.levels.to_invite(), "vouching for a join")
    }

    fn check_invite(&self, room: &Room<'_>) -> Result<(), AuthError> {
        let Self { pdu, sender, target } = self;
        let current = room.membership(target)?;
        if let Some(invite) = third_party::invitation(pdu) {
            require(current != Membership::Ban, || format!("{target} is banned"))?;
            return third_party::check(&invite, sender, target, room);
        }
        self.require_sender_joined(room)?;
        require(current != Membership::Join, || format!("{target} is already in the room"))?;
        require(current != Membership::Ban, || format!("{target} is banned"))?;
        room.require_power(sender, room.levels.to_invite(), "inviting")
    }

    fn check_leave(&self, room: &Room<'_>) -> Result<(), AuthError> {
        let Self { pdu, sender, target } = self;
        let current = room.membership(target)?;
        if sender == target {
            let is_there = matches!(current, Membership::Invite | Membership::Join)
                || (current == Membership::Knock && pdu.version().knocking());
            return require(is_there, || format!("{target} is not in the room, nor invited to it"));
        }
        self.require_sender_joined(room)?;
        if current == Membership::Ban {
            room.require_power(sender, room.levels.to_ban(), "lifting a ban")?;
        }
        room.require_power(sender, room.levels.to_kick(), "removing somebody")?;
        self.require_sender_above_target(room)
    }

    fn check_ban(&self, room: &Room<'_>) -> Result<(), AuthError> {
        self.require_sender_joined(room)?;
        room.require_power(self.sender, room.levels.to_ban(), "banning somebody")?;
        self.require_sender_above_target(room)
    }

    fn check_knock(&self, room: &Room<'_>) -> Result<(), AuthError> {
        let Self { pdu, sender, target } = self;
        let can_knock = match room.join_rule().as_str() {
            "knock" => true,
            "knock_restricted" => pdu.version().knock_restricted(),
            _ => false,
        };
        require(can_knock, || "the room's join rule does not allow knocking".to_owned())?;
        require(sender == target, || format!("{sender} cannot knock on behalf of {target}"))?;
        let current = room.membership(sender)?;
        let is_outside = !matches!(current, Membership::Ban | Membership::Invite | Membership::Join);
        require(is_outside, || format!("{sender} cannot knock with the membership {current}"))
    }

    fn require_sender_joined(&self, room: &Room<'_>) -> Result<(), AuthError> {
        let is_joined = room.membership(self.sender)? == Membership::Join;
        require(is_joined, || format!("{} is not in the room", self.sender))
    }

    fn require_sender_above_target(&self, room: &Room<'_>) -> Result<(), AuthError> {
        let (sender, target) = (room.power(self.sender), room.power(self.target));
        require(sender > target, || {
            format!("{} has the power {target}, not less than {} with {sender}", self.target, self.sender)
        })
    }
}

fn require_welcome(is_welcome: bool, target: &UserId) -> Result<(), AuthError> {
    require(is_welcome, || format!("{target} is not invited"))
}
