//! Templates from residents, of whom nothing is believed: an event of our user is made by us, and only where it
//! stands in the graph is theirs to say.

use parvis_events::{EventDraft, MAX_AUTH_EVENTS, MAX_PREV_EVENTS, Pdu, RoomVersion};
use ruma::{OwnedEventId, OwnedUserId, RoomId, UserId};
use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};

use crate::{
    RoomError, Rooms,
    content::{AUTHORISER, raw},
};

/// What is taken from a template.
#[derive(Debug)]
pub(super) struct Given {
    pub(super) version: RoomVersion,
    prev_events: Vec<OwnedEventId>,
    pub(super) auth_events: Vec<OwnedEventId>,
    depth: i64,
    authoriser: Option<OwnedUserId>,
}

#[derive(Deserialize)]
struct Fields {
    #[serde(rename = "type")]
    kind: String,
    room_id: String,
    sender: String,
    state_key: String,
    content: Content,
    prev_events: Vec<OwnedEventId>,
    auth_events: Vec<OwnedEventId>,
    depth: i64,
}

#[derive(Deserialize)]
struct Content {
    membership: String,
    join_authorised_via_users_server: Option<OwnedUserId>,
}

impl Given {
    /// Reads a template that was asked for.
    ///
    /// # Errors
    /// [`RoomError::IncompatibleVersion`], or [`RoomError::Unreachable`] where it is not what was asked for.
    pub(super) fn read(
        rooms: &Rooms,
        version: Option<&str>,
        template: &RawValue,
        room_id: &RoomId,
        user_id: &UserId,
        membership: &str,
    ) -> Result<Self, RoomError> {
        // What names no version is of a server from before there were others.
        let version = rooms.version_to_enter(version.unwrap_or("1"))?;
        let fields: Fields = serde_json::from_str(template.get())
            .map_err(|error| RoomError::Unreachable(format!("the template cannot be read: {error}")))?;
        let is_as_asked = fields.kind == "m.room.member"
            && fields.room_id == room_id.as_str()
            && fields.sender == user_id.as_str()
            && fields.state_key == user_id.as_str()
            && fields.content.membership == membership;
        let has_place = fields.prev_events.len() <= MAX_PREV_EVENTS
            && fields.auth_events.len() <= MAX_AUTH_EVENTS
            && !fields.prev_events.is_empty()
            && fields.depth >= 0;
        if !is_as_asked || !has_place {
            return Err(RoomError::Unreachable("the template is not what was asked for".to_owned()));
        }
        let authoriser = fields.content.join_authorised_via_users_server;
        Ok(Self {
            version,
            prev_events: fields.prev_events,
            auth_events: fields.auth_events,
            depth: fields.depth,
            authoriser: authoriser.filter(|_| version.restricted() && membership == "join"),
        })
    }

    /// Makes our event.
    pub(super) fn complete(
        self,
        rooms: &Rooms,
        room_id: &RoomId,
        user_id: &UserId,
        mut content: Map<String, Value>,
    ) -> Result<Pdu, RoomError> {
        if let Some(authoriser) = self.authoriser {
            content.insert(AUTHORISER.to_owned(), authoriser.as_str().into());
        }
        let draft = EventDraft {
            room_id: Some(room_id.to_owned()),
            sender: user_id.to_owned(),
            kind: "m.room.member".to_owned(),
            state_key: Some(user_id.to_string()),
            content: raw(&content),
            redacts: None,
            prev_events: self.prev_events,
            auth_events: self.auth_events,
            depth: self.depth,
            origin_server_ts: rooms.ambient.now().millis(),
        };
        Ok(draft.sign(self.version, &rooms.identity.key)?)
    }
}
