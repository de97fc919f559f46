//! What the create event says once and for all about a room.

use std::{collections::BTreeSet, sync::Arc};

use parvis_events::{Pdu, RoomVersion};
use ruma::{OwnedUserId, UserId};
use serde_json::{Map, Value};

use crate::error::AuthError;

/// The lasting facts of a room.
#[derive(Debug)]
pub(crate) struct CreateFacts {
    /// Whether users of other servers than the create event's sender's may take part.
    pub(crate) federated: bool,
    /// Who made the room, and joins it first.
    pub(crate) creator: Option<OwnedUserId>,
    /// The creator and whoever the version lets share that place.
    pub(crate) creators: BTreeSet<OwnedUserId>,
}

impl CreateFacts {
    /// Reads a create event; remembered with it.
    pub(crate) fn of(create: &Pdu) -> Arc<Self> {
        create.remembered(|create| {
            let version = create.version();
            let content: Map<String, Value> = create.content_as().unwrap_or_default();
            let creator = if version.creator_is_sender() {
                Some(create.owned_sender().clone())
            } else {
                content.get("creator").and_then(user)
            };
            let mut creators: BTreeSet<OwnedUserId> = creator.iter().cloned().collect();
            if version.additional_creators()
                && let Some(additional) = content.get("additional_creators").and_then(Value::as_array)
            {
                creators.extend(additional.iter().filter_map(user));
            }
            let federated = content.get("m.federate") != Some(&Value::Bool(false));
            Self { federated, creator, creators }
        })
    }
}

/// The rules for the create event itself.
pub(crate) fn check_create(create: &Pdu) -> Result<(), AuthError> {
    let version = create.version();
    let content: Map<String, Value> = create.content_as().unwrap_or_default();
    if !create.prev_events().is_empty() {
        return Err(AuthError::new("a create event follows no other event"));
    }
    // Since version 12, an event with a `room_id` here has been refused as malformed.
    if !version.room_id_is_create_hash()
        && create.room_id().server_name() != Some(create.sender().server_name())
    {
        return Err(AuthError::new("the room id is not of the server of the create event's sender"));
    }
    if let Some(named) = content.get("room_version")
        && named.as_str().is_none_or(|named| named.parse::<RoomVersion>().is_err())
    {
        return Err(AuthError::new("the create event names a room version that nobody knows"));
    }
    if !version.creator_is_sender() && !content.contains_key("creator") {
        return Err(AuthError::new("the create event names no creator"));
    }
    if version.additional_creators()
        && let Some(additional) = content.get("additional_creators")
        && additional.as_array().is_none_or(|users| users.iter().any(|value| user(value).is_none()))
    {
        return Err(AuthError::new("additional_creators is not a list of user ids"));
    }
    Ok(())
}

fn user(value: &Value) -> Option<OwnedUserId> {
    Some(<&UserId>::try_from(value.as_str()?).ok()?.to_owned())
}
