//! The resident's second half: an event that another server has completed and signed is taken into the room.
//! <https://spec.matrix.org/v1.19/server-server-api/#joining-rooms>

use std::sync::Arc;

use parvis_events::{Membership, Pdu, RawPdu, RoomVersion, WellFormedPdu, canonical};
use parvis_storage::{EventFlags, RoomSn, StoredEvent};
use ruma::{EventId, OwnedUserId, RoomId, ServerName};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::JoinAnswer;
use crate::{RoomError, Rooms};

/// What an event says of itself, before anybody has vouched for it.
#[derive(Deserialize)]
pub(super) struct Claimed {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) sender: String,
    pub(super) state_key: Option<String>,
    #[serde(default)]
    content: ClaimedContent,
}

#[derive(Default, Deserialize)]
struct ClaimedContent {
    membership: Option<String>,
    join_authorised_via_users_server: Option<OwnedUserId>,
}

impl Claimed {
    /// Reads what an event says of itself, and checks that it gives somebody this membership.
    ///
    /// # Errors
    /// [`RoomError::InvalidParam`].
    pub(super) fn read(event: &RawValue, membership: Membership) -> Result<Self, RoomError> {
        let claimed: Self =
            serde_json::from_str(event.get()).map_err(|error| RoomError::InvalidParam(error.to_string()))?;
        let fits = claimed.kind == "m.room.member"
            && claimed.state_key.is_some()
            && claimed.content.membership.as_deref() == Some(membership.as_str());
        match fits {
            true => Ok(claimed),
            false => {
                Err(RoomError::InvalidParam(format!("the event must be one of membership `{membership}`")))
            }
        }
    }
}

/// Reads an event and checks that it is the one that the path names.
///
/// # Errors
/// [`RoomError::Format`] or [`RoomError::InvalidParam`].
pub(super) fn read_event(
    event: &RawValue,
    version: RoomVersion,
    room_id: &RoomId,
    event_id: &EventId,
) -> Result<WellFormedPdu, RoomError> {
    let event = RawPdu::parse_raw(event, version)?.check_format()?;
    if event.room_id() != room_id {
        return Err(RoomError::InvalidParam("the event is of another room".to_owned()));
    }
    if event.event_id() != event_id {
        return Err(RoomError::InvalidParam("the event has another id".to_owned()));
    }
    Ok(event)
}

impl Rooms {
    /// Takes another server's user into the room.
    /// <https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv2send_joinroomideventid>
    ///
    /// # Errors
    /// [`RoomError::InvalidParam`] for any event but a join of a user of that server, [`RoomError::Forbidden`] if
    /// the room does not let the user in, and as [`make_join`](Self::make_join).
    pub async fn send_join(
        &self,
        origin: &ServerName,
        room_id: &RoomId,
        event_id: &EventId,
        event: &RawValue,
        omit_members: bool,
    ) -> Result<JoinAnswer, RoomError> {
        let join = self.take_sent(origin, room_id, event_id, event, Membership::Join).await?;
        self.join_answer(&join, omit_members).await
    }

    /// Lets another server's user out of the room, or from before its door.
    /// <https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv2send_leaveroomideventid>
    ///
    /// # Errors
    /// As [`send_join`](Self::send_join).
    pub async fn send_leave(
        &self,
        origin: &ServerName,
        room_id: &RoomId,
        event_id: &EventId,
        event: &RawValue,
    ) -> Result<(), RoomError> {
        self.take_sent(origin, room_id, event_id, event, Membership::Leave).await.map(drop)
    }

    /// Lets another server's user knock; gives what they are shown of the room, the create event first.
    /// <https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv1send_knockroomideventid>
    ///
    /// # Errors
    /// As [`send_join`](Self::send_join).
    pub async fn send_knock(
        &self,
        origin: &ServerName,
        room_id: &RoomId,
        event_id: &EventId,
        event: &RawValue,
    ) -> Result<Vec<Pdu>, RoomError> {
        let knock = self.take_sent(origin, room_id, event_id, event, Membership::Knock).await?;
        self.shown_outside(knock.room, knock.state_root, None).await
    }

    async fn take_sent(
        &self,
        origin: &ServerName,
        room_id: &RoomId,
        event_id: &EventId,
        event: &RawValue,
        membership: Membership,
    ) -> Result<Arc<StoredEvent>, RoomError> {
        let claimed = Claimed::read(event, membership)?;
        let sender = OwnedUserId::try_from(claimed.sender.as_str()).ok();
        let sender = sender.filter(|sender| {
            sender.server_name() == origin && claimed.state_key.as_deref() == Some(sender.as_str())
        });
        let sender = sender.ok_or_else(|| {
            RoomError::InvalidParam(
                "the event must be by and about a user of the server that sends it".to_owned(),
            )
        })?;
        let room = self.residence(room_id).await?.ok_or(RoomError::UnknownRoom)?;
        let head = self.store.room_head(room).await?.ok_or(RoomError::UnknownRoom)?;
        let read = read_event(event, head.version, room_id, event_id)?;
        let read = match &claimed.content.join_authorised_via_users_server {
            Some(authoriser) if self.vouches_for(authoriser, membership, head.version) => {
                self.vouch(room, &sender, event, read).await?
            }
            _ => read,
        };
        let pdu = self.verify_one(read).await?;
        let pdu = self.have_signed_for(room, pdu).await?;
        self.enter(room, pdu, EventFlags::RELAYED).await
    }

    /// Whether a user's right, by which another joins, is for this server to sign for.
    fn vouches_for(&self, authoriser: &OwnedUserId, membership: Membership, version: RoomVersion) -> bool {
        membership == Membership::Join
            && version.restricted()
            && authoriser.server_name() == self.identity.server_name
    }

    /// Signs a join that a user of this server has the right to allow, if the newcomer still may join.
    async fn vouch(
        &self,
        room: RoomSn,
        sender: &OwnedUserId,
        event: &RawValue,
        read: WellFormedPdu,
    ) -> Result<WellFormedPdu, RoomError> {
        {
            let mut turn = self.turn(room).await?;
            self.authoriser(&mut turn, sender).await?;
        }
        let version = read.version();
        let mut object = canonical::parse_raw_object(event)?;
        object.remove("unsigned");
        let text = canonical::to_text(&object);
        let pdu = Pdu::from_stored(read.event_id().to_owned(), read.room_id().to_owned(), version, text);
        let signed = pdu.and_then(|pdu| pdu.cosign(&self.identity.server_name, &self.identity.key));
        let signed = signed.map_err(|error| RoomError::InvalidParam(error.to_string()))?;
        Ok(RawPdu::parse(signed.json().as_bytes(), version)?.check_format()?)
    }
}
