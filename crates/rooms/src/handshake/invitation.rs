//! Invitations from other servers to users of this one.
//! <https://spec.matrix.org/v1.19/server-server-api/#inviting-to-a-room>

use parvis_dag::{InvitePermission, InviteVerdict};
use parvis_events::{Membership, Pdu};
use parvis_storage::{OutsideView, UserSn};
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId, ServerName, UserId};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::sent::{Claimed, read_event};
use crate::{RoomError, Rooms};

/// An invitation as it comes from the inviter's server.
#[derive(Clone, Debug)]
pub struct Invitation {
    /// The room.
    pub room_id: OwnedRoomId,
    /// The id of the invitation's event.
    pub event_id: OwnedEventId,
    /// The version of the room.
    pub room_version: String,
    /// The event.
    pub event: Box<RawValue>,
    /// What the user may be shown of the room.
    pub state: Vec<Box<RawValue>>,
}

impl Rooms {
    /// Takes an invitation to a user of this server, and gives its event back with this server's signature.
    ///
    /// # Errors
    /// [`RoomError::InvalidParam`] if it is not an invitation by that server to a user of this one,
    /// [`RoomError::IncompatibleVersion`], [`RoomError::InviteBlocked`], [`RoomError::NotFound`] for who is not
    /// here.
    pub async fn receive_invite(
        &self,
        origin: &ServerName,
        invitation: Invitation,
    ) -> Result<Pdu, RoomError> {
        let version = self.version_to_enter(&invitation.room_version)?;
        let claimed = Claimed::read(&invitation.event, Membership::Invite)?;
        let inviter = OwnedUserId::try_from(claimed.sender).ok();
        let inviter = inviter.filter(|inviter| inviter.server_name() == origin).ok_or_else(|| {
            RoomError::InvalidParam("the inviter is not of the server that asks".to_owned())
        })?;
        let invited = claimed.state_key.and_then(|key| OwnedUserId::try_from(key).ok());
        let invited = invited.filter(|user| user.server_name() == self.identity.server_name);
        let invited = invited.ok_or_else(|| {
            RoomError::InvalidParam("the invitation is not to a user of this server".to_owned())
        })?;
        let user = self.invitee(&invited, &inviter).await?;
        let event = read_event(&invitation.event, version, &invitation.room_id, &invitation.event_id)?;
        let pdu = self.verify_one(event).await?;
        let state = self.read_shown(&invitation.state, version, &invitation.room_id).await?;
        let signed = pdu.cosign(&self.identity.server_name, &self.identity.key);
        let signed = signed.map_err(|error| RoomError::InvalidParam(error.to_string()))?;

        let _passing = self.doors.pass(&invitation.room_id).await;
        // In a room that this server is in, the invitation comes as any other event does.
        if self.residence(&invitation.room_id).await?.is_none() {
            let view = OutsideView { state, servers: vec![origin.to_owned()] };
            self.put_outside(user, &signed, Some(&view)).await?;
        }
        Ok(signed)
    }

    /// A user of this server who may be invited by somebody.
    async fn invitee(&self, user_id: &UserId, inviter: &UserId) -> Result<UserSn, RoomError> {
        let nobody = RoomError::NotFound("there is no such user");
        let Some(user) = self.store.find_user(user_id).await? else { return Err(nobody) };
        if self.store.account(user).await?.is_some_and(|account| account.deactivated) {
            return Err(nobody);
        }
        self.must_take_invitations(user, inviter).await?;
        Ok(user)
    }

    /// Refuses to invite a user of this server who takes no invitations from somebody. What they merely ignore is not
    /// refused; they are not shown it.
    /// <https://spec.matrix.org/v1.19/client-server-api/#invite-permission>
    pub(crate) async fn must_take_invitations(
        &self,
        user: UserSn,
        inviter: &UserId,
    ) -> Result<(), RoomError> {
        let stable = self.store.account_data(user, None, InvitePermission::TYPE).await?;
        let unstable = self.store.account_data(user, None, InvitePermission::UNSTABLE_TYPE).await?;
        if stable.is_none() && unstable.is_none() {
            return Ok(());
        }
        let stable = stable.as_deref().map(|data| data.content.get());
        let permission = InvitePermission::of(stable, unstable.as_deref().map(|data| data.content.get()));
        match permission.verdict(inviter) {
            InviteVerdict::Blocked => Err(RoomError::InviteBlocked),
            InviteVerdict::Shown | InviteVerdict::Ignored => Ok(()),
        }
    }

    /// As [`must_take_invitations`](Self::must_take_invitations), for an invitation that a client writes as state.
    pub(crate) async fn must_take_written_invitation(
        &self,
        target: &str,
        content: &RawValue,
        inviter: &UserId,
    ) -> Result<(), RoomError> {
        #[derive(Deserialize)]
        struct Content {
            membership: String,
        }
        let invites = serde_json::from_str::<Content>(content.get());
        if invites.is_ok_and(|content| content.membership == "invite")
            && let Ok(target) = <&UserId>::try_from(target)
            && target.server_name() == self.identity.server_name
            && let Some(user) = self.store.find_user(target).await?
        {
            self.must_take_invitations(user, inviter).await?;
        }
        Ok(())
    }
}
