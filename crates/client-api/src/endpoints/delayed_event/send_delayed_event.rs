//! `PUT /_matrix/client/v3/rooms/{roomId}/delayed_event/{eventType}/{txnId}`

use std::time::Duration;

use axum::response::Response;
use parvis_rooms::NewDelayedEvent;
use parvis_wire::{Call, MatrixError};
use ruma::RoomId;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::answer_later;
use crate::{ApiError, ClientApi, Session, actor::actor};

#[derive(Deserialize)]
struct Body {
    delay: u64,
    content: Box<RawValue>,
    state_key: Option<String>,
}

/// Takes an event that is to be sent later.
pub(super) async fn handle(api: ClientApi, call: Call<Vec<String>, Session>) -> Result<Response, ApiError> {
    api.limits.messages.check(&call.principal)?;
    let [room_id, kind, transaction_id] = call.request.as_slice() else {
        return Err(MatrixError::unrecognized().into());
    };
    let room_id = RoomId::parse(room_id).map_err(|_| MatrixError::invalid_param("This is no room id."))?;
    let body: Body =
        serde_json::from_slice(&call.body).map_err(|error| MatrixError::bad_json(error.to_string()))?;
    let new = NewDelayedEvent {
        kind: kind.clone(),
        state_key: body.state_key,
        content: body.content,
        transaction_id: Some(transaction_id.clone()),
        delay: Duration::from_millis(body.delay),
    };
    answer_later(&api, &actor(&call), &room_id, new).await
}
