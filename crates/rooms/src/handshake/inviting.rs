//! Inviting users of other servers: their server signs the invitation before it enters the room.
//! <https://spec.matrix.org/v1.19/server-server-api/#inviting-to-a-room>

use parvis_events::{Pdu, RawPdu};
use parvis_storage::{EventFlags, RoomSn};
use ruma::{
    ServerName,
    api::federation::membership::{RawStrippedState, create_invite},
};
use serde_json::value::RawValue;

use super::residents::ASK;
use crate::{RoomError, Rooms};

impl Rooms {
    /// Has an invitation signed by the server of who is invited, and takes it into the room.
    ///
    /// # Errors
    /// As that server answers; [`RoomError::Forbidden`] if the room has changed meanwhile so that it is no
    /// longer allowed.
    pub(crate) async fn send_invite(
        &self,
        room: RoomSn,
        server: &ServerName,
        invite: &Pdu,
    ) -> Result<(), RoomError> {
        let head = self.store.room_head(room).await?.ok_or(RoomError::UnknownRoom)?;
        let shown = self.shown_outside(room, head.state_root, Some(invite.sender())).await?;
        let invite = self.have_signed_for(room, invite.clone()).await?;
        let signed = self.have_signed(server, &invite, &shown).await?;
        self.enter(room, signed, EventFlags::ACCEPTED).await.map(drop)
    }

    async fn have_signed(&self, server: &ServerName, invite: &Pdu, shown: &[Pdu]) -> Result<Pdu, RoomError> {
        let shown = shown.iter().map(|event| Ok(RawStrippedState::Pdu(json(event)?)));
        let request = create_invite::v2::Request::new(
            invite.room_id().to_owned(),
            invite.event_id().to_owned(),
            invite.version().id().clone(),
            json(invite)?,
            shown.collect::<Result<_, RoomError>>()?,
        );
        let answer = match self.others.federation.call(server, request, ASK).await {
            // The endpoint of old is for rooms of versions 1 and 2, of which there are none here.
            Err(error) if error.is_unknown_endpoint() => {
                return Err(RoomError::IncompatibleVersion(invite.version().as_str().to_owned()));
            }
            answer => answer?,
        };
        let event = RawPdu::parse_raw(&answer.event, invite.version()).and_then(RawPdu::check_format);
        let event = event.ok().filter(|event| event.event_id() == invite.event_id());
        let event = event.ok_or_else(|| {
            RoomError::Unreachable(format!("{server} gave another event back than the invitation"))
        })?;
        self.verify_one(event).await
    }
}

/// An event as it is sent.
pub(super) fn json(event: &Pdu) -> Result<Box<RawValue>, RoomError> {
    RawValue::from_string(event.json().to_owned()).map_err(|error| RoomError::InvalidParam(error.to_string()))
}
