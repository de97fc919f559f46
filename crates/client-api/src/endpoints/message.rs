//! Sending, redacting, and paging through what was sent.

mod get_message_events;
mod redact_event;
mod send_message_event;

use parvis_wire::{Endpoint, Endpoints, MatrixError};
use ruma::{
    EventId, OwnedEventId, RoomId, api::client::message::get_message_events::v3 as get_message_events_v3,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{ApiError, ClientApi, Session, permitted};

pub(super) fn endpoints() -> Endpoints<ClientApi> {
    Endpoints::new()
        .with(Endpoint::streaming::<get_message_events_v3::Request, _, _, _>(get_message_events::handle))
        .with(Endpoint::typed(redact_event::handle))
        .with(Endpoint::with_own_reply(send_message_event::handle))
}

/// Returns if the user has sent this event: who is suspended may redact nothing else.
async fn check_sent_by(
    api: &ClientApi,
    session: &Session,
    room_id: &RoomId,
    event_id: &EventId,
) -> Result<(), ApiError> {
    let event = api.rooms.event(room_id, event_id).await?;
    if event.pdu.sender() == session.user_id { Ok(()) } else { Err(permitted::suspended().into()) }
}

/// As [`check_sent_by`], for a redaction that is sent as an event.
async fn check_redacts_own(
    api: &ClientApi,
    session: &Session,
    room_id: &RoomId,
    content: &RawValue,
) -> Result<(), ApiError> {
    #[derive(Deserialize)]
    struct Content {
        redacts: OwnedEventId,
    }
    let content: Content =
        serde_json::from_str(content.get()).map_err(|error| MatrixError::bad_json(error.to_string()))?;
    check_sent_by(api, session, room_id, &content.redacts).await
}
