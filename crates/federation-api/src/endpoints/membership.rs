//! How users of other servers come into rooms of this one, knock at them and leave them, and how users of this one
//! are invited. <https://spec.matrix.org/v1.19/server-server-api/#joining-rooms>

mod create_invite;
mod create_invite_v1;
mod create_join_event;
mod create_knock_event;
mod create_leave_event;
mod prepare_join_event;
mod prepare_knock_event;
mod prepare_leave_event;

use parvis_events::Pdu;
use parvis_rooms::RoomError;
use parvis_wire::{Endpoint, Endpoints};
use ruma::RoomId;
use serde_json::value::RawValue;

use crate::{ApiError, FederationApi, Origin};

/// The older forms of endpoints, which answer `[200, {…}]`.
const SEND_JOIN_V1: &str = "/_matrix/federation/v1/send_join/{room_id}/{event_id}";
const SEND_LEAVE_V1: &str = "/_matrix/federation/v1/send_leave/{room_id}/{event_id}";

pub(super) fn endpoints() -> Endpoints<FederationApi> {
    Endpoints::new()
        .with(Endpoint::typed(create_invite::handle))
        .with(Endpoint::typed(create_invite_v1::handle))
        .with(Endpoint::with_own_reply(create_join_event::handle))
        .with(Endpoint::with_own_reply(create_join_event::handle_v1).only_at(SEND_JOIN_V1))
        .with(Endpoint::typed(create_knock_event::handle))
        .with(Endpoint::typed(create_leave_event::handle))
        .with(Endpoint::with_own_reply(create_leave_event::handle_v1).only_at(SEND_LEAVE_V1))
        .with(Endpoint::typed(prepare_join_event::handle))
        .with(Endpoint::typed(prepare_knock_event::handle))
        .with(Endpoint::typed(prepare_leave_event::handle))
}

/// Refuses a server that the room's access control list shuts out.
async fn check_acl(api: &FederationApi, origin: &Origin, room_id: &RoomId) -> Result<(), ApiError> {
    Ok(api.rooms.check_server_acl(room_id, origin.server_name()).await?)
}

/// An event as it is kept.
fn raw(pdu: &Pdu) -> Result<Box<RawValue>, ApiError> {
    RawValue::from_string(pdu.json().to_owned())
        .map_err(|error| RoomError::InvalidParam(error.to_string()).into())
}
