//! Invitations to third parties, such as to an e-mail address, that have found out who is behind it.
//! <https://spec.matrix.org/v1.19/server-server-api/#third-party-invites>

use parvis_storage::EventFlags;
use ruma::{
    OwnedRoomId, OwnedUserId, RoomId, api::federation::thirdparty::exchange_invite, events::StateEventType,
    serde::Raw,
};
use serde_json::{Value, json};

use super::residents::ASK;
use crate::{RoomError, Rooms, admit::Draft, content::raw};

/// The most invitations that one binding redeems.
const MOST_BOUND: usize = 50;

/// An invitation to a third party, redeemed by a user.
#[derive(Clone, Debug)]
pub struct ThirdPartyInvite {
    /// Who invited the third party.
    pub sender: OwnedUserId,
    /// Who is behind it.
    pub invited: OwnedUserId,
    /// The `third_party_invite` of the invitation to be made: what the identity server has signed.
    pub invitation: Value,
}

/// An identity server has found out who is behind an address.
#[derive(Clone, Debug)]
pub struct Bound {
    /// The room.
    pub room_id: OwnedRoomId,
    /// The invitation.
    pub invite: ThirdPartyInvite,
}

impl Rooms {
    /// Makes an ordinary invitation of one to a third party, in the name of its sender. The signature of the
    /// identity server, by a key that the room knows, stands for the sender's consent.
    /// <https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv1exchange_third_party_inviteroomid>
    ///
    /// # Errors
    /// [`RoomError::Forbidden`] if the room's rules do not allow it, [`RoomError::UnknownRoom`].
    pub async fn exchange_third_party_invite(
        &self,
        room_id: &RoomId,
        invite: &ThirdPartyInvite,
    ) -> Result<(), RoomError> {
        if invite.sender.server_name() != self.identity.server_name {
            return Err(RoomError::forbidden("the inviter belongs to another server"));
        }
        let room = self.residence(room_id).await?.ok_or(RoomError::UnknownRoom)?;
        let pdu = {
            let mut turn = self.turn(room).await?;
            let mut invitation = invite.invitation.clone();
            let token = invitation.pointer("/signed/token").and_then(Value::as_str).unwrap_or_default();
            let original = turn.state_pdu("m.room.third_party_invite", token).await?;
            let original = original.ok_or_else(|| {
                RoomError::forbidden("the room has no third party's invitation with this token")
            })?;
            let name =
                original.content_as::<Value>().ok().and_then(|content| content.get("display_name").cloned());
            if let (Some(invitation), Some(name)) = (invitation.as_object_mut(), name) {
                invitation.insert("display_name".to_owned(), name);
            }
            let content = json!({ "membership": "invite", "third_party_invite": invitation });
            let draft = Draft::state("m.room.member", invite.invited.as_str(), raw(&content));
            turn.rehearse(&invite.sender, draft).await?
        };
        match invite.invited.server_name() == self.identity.server_name {
            true => {
                let pdu = self.have_signed_for(room, pdu).await?;
                self.enter(room, pdu, EventFlags::ACCEPTED).await.map(drop)
            }
            false => self.send_invite(room, invite.invited.server_name(), &pdu).await,
        }
    }

    /// Redeems invitations to an address that has turned out to be a user's of this server: here, or at the
    /// inviter's server. Gives how many were redeemed.
    /// <https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv13pidonbind>
    pub async fn redeem(&self, bound: &[Bound]) -> usize {
        let mut redeemed = 0;
        for Bound { room_id, invite } in bound.iter().take(MOST_BOUND) {
            let outcome = if invite.sender.server_name() == self.identity.server_name {
                self.exchange_third_party_invite(room_id, invite).await
            } else {
                self.ask_to_exchange(room_id, invite).await
            };
            match outcome {
                Ok(()) => redeemed += 1,
                Err(error) => {
                    tracing::info!(room = %room_id, %error, "a third party's invitation was not redeemed")
                }
            }
        }
        redeemed
    }

    async fn ask_to_exchange(&self, room_id: &RoomId, invite: &ThirdPartyInvite) -> Result<(), RoomError> {
        let content = raw(&json!({ "membership": "invite", "third_party_invite": invite.invitation }));
        let mut request = exchange_invite::v1::Request::new(
            room_id.to_owned(),
            invite.sender.clone(),
            invite.invited.clone(),
            Raw::from_json(content),
        );
        request.kind = StateEventType::RoomMember;
        self.others.federation.call(invite.sender.server_name(), request, ASK).await?;
        Ok(())
    }
}
