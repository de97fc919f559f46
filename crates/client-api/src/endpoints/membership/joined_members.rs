//! `GET /_matrix/client/v3/rooms/{roomId}/joined_members`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomidjoined_members>).

use std::{borrow::Cow, sync::Arc};

use axum::response::Response;
use parvis_rooms::StoredEvent;
use parvis_wire::{Call, MatrixError};
use ruma::api::client::membership::joined_members::v3::Request;
use serde::{Serialize, Serializer};

use crate::{ApiError, ClientApi, Session, actor::actor, reply};

#[derive(Serialize)]
struct Answer<'a> {
    joined: Members<'a>,
}

/// Membership events, written as profiles by user.
struct Members<'a>(&'a [Arc<StoredEvent>]);

#[derive(Serialize)]
struct Profile<'a> {
    display_name: Option<Cow<'a, str>>,
    avatar_url: Option<Cow<'a, str>>,
}

impl Serialize for Members<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().filter_map(|event| {
            let user_id = event.pdu.state_key()?;
            let content = event.pdu.member_content()?;
            Some((user_id, Profile { display_name: content.displayname, avatar_url: content.avatar_url }))
        }))
    }
}

/// The joined members of a room, with their names and pictures; `null` for who has none.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let members = api.rooms.joined_members(&actor(&call), &call.request.room_id).await?;
    let answer = Answer { joined: Members(&members) };
    Ok(reply::json(serde_json::to_vec(&answer).map_err(MatrixError::internal)?))
}
