//! The resident's first half: the template of an event by which another server's user joins, knocks or leaves.
//! <https://spec.matrix.org/v1.19/server-server-api/#joining-rooms>

use parvis_events::{Pdu, RoomVersion};
use ruma::{RoomId, RoomVersionId, ServerName, UserId};
use serde_json::{Map, Value, json, value::RawValue};

use crate::{
    RoomError, Rooms,
    admit::{Draft, Turn},
    content::raw,
};

/// An event that its sender's server completes and signs.
#[derive(Clone, Debug)]
pub struct Template {
    /// The version of the room.
    pub version: RoomVersion,
    /// The event, without hashes and signatures.
    pub event: Box<RawValue>,
}

impl Rooms {
    /// The template of a join, for a server that knows rooms of these versions.
    /// <https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1make_joinroomiduserid>
    ///
    /// # Errors
    /// [`RoomError::Forbidden`] if the room does not let the user in,
    /// [`RoomError::IncompatibleVersion`], [`RoomError::UnableToAuthoriseJoin`],
    /// [`RoomError::UnableToGrantJoin`], [`RoomError::UnknownRoom`].
    pub async fn make_join(
        &self,
        origin: &ServerName,
        room_id: &RoomId,
        user_id: &UserId,
        versions: &[RoomVersionId],
    ) -> Result<Template, RoomError> {
        let mut turn = self.turn_for(origin, room_id, user_id).await?;
        must_know(turn.head.version, versions)?;
        let mut content = json!({ "membership": "join" });
        if let Some(authoriser) = self.authoriser(&mut turn, user_id).await? {
            content["join_authorised_via_users_server"] = authoriser.as_str().into();
        }
        self.template(&mut turn, user_id, &content).await
    }

    /// The template of a knock, for a server that knows rooms of these versions.
    /// <https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1make_knockroomiduserid>
    ///
    /// # Errors
    /// As [`make_join`](Self::make_join).
    pub async fn make_knock(
        &self,
        origin: &ServerName,
        room_id: &RoomId,
        user_id: &UserId,
        versions: &[RoomVersionId],
    ) -> Result<Template, RoomError> {
        let mut turn = self.turn_for(origin, room_id, user_id).await?;
        must_know(turn.head.version, versions)?;
        self.template(&mut turn, user_id, &json!({ "membership": "knock" })).await
    }

    /// The template of a departure: from the room, or from before its door.
    /// <https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1make_leaveroomiduserid>
    ///
    /// # Errors
    /// [`RoomError::Forbidden`] for who is not there, [`RoomError::UnknownRoom`].
    pub async fn make_leave(
        &self,
        origin: &ServerName,
        room_id: &RoomId,
        user_id: &UserId,
    ) -> Result<Template, RoomError> {
        let mut turn = self.turn_for(origin, room_id, user_id).await?;
        self.template(&mut turn, user_id, &json!({ "membership": "leave" })).await
    }

    /// A turn at a room that this server is in, for another server's user.
    async fn turn_for(
        &self,
        origin: &ServerName,
        room_id: &RoomId,
        user_id: &UserId,
    ) -> Result<Turn<'_>, RoomError> {
        if user_id.server_name() != origin {
            return Err(RoomError::forbidden("the user belongs to another server"));
        }
        let room = self.residence(room_id).await?.ok_or(RoomError::UnknownRoom)?;
        self.turn(room).await
    }

    async fn template(
        &self,
        turn: &mut Turn<'_>,
        user_id: &UserId,
        content: &Value,
    ) -> Result<Template, RoomError> {
        let draft = Draft::state("m.room.member", user_id.as_str(), raw(content));
        let event = turn.rehearse(user_id, draft).await?;
        Ok(Template { version: turn.head.version, event: unsigned(&event)? })
    }
}

/// Refuses a server that does not know the room's version.
fn must_know(version: RoomVersion, versions: &[RoomVersionId]) -> Result<(), RoomError> {
    match versions.contains(version.id()) {
        true => Ok(()),
        false => Err(RoomError::IncompatibleVersion(version.as_str().to_owned())),
    }
}

/// An event without what its sender's server adds in the end.
fn unsigned(event: &Pdu) -> Result<Box<RawValue>, RoomError> {
    let mut fields: Map<String, Value> =
        serde_json::from_str(event.json()).map_err(|error| RoomError::InvalidParam(error.to_string()))?;
    fields.remove("hashes");
    fields.remove("signatures");
    fields.insert("origin".to_owned(), event.sender().server_name().as_str().into());
    Ok(raw(&fields))
}
