//! `POST /_matrix/client/v1/delayed_events/{delayId}/{action}`, and its older form with the action in the body.
//!
//! Without an access token: whoever was told the name may act, such as the server of a call that sees its member fall
//! silent.

use axum::{body::to_bytes, response::Response};
use parvis_rooms::DelayedAction;
use parvis_wire::{MatrixError, Stream, json_response};
use serde::Deserialize;
use serde_json::json;

use crate::{ApiError, ClientApi};

/// The largest body.
const BODY_BYTES: usize = 4_096;

#[derive(Deserialize)]
struct Body {
    action: String,
}

/// Acts on a delayed event as the body says.
pub(super) async fn in_body(api: ClientApi, call: Stream<()>) -> Result<Response, ApiError> {
    let bytes = to_bytes(call.body, BODY_BYTES).await;
    let bytes =
        bytes.map_err(|_| MatrixError::too_large(format!("the body has more than {BODY_BYTES} bytes")))?;
    let body: Body =
        serde_json::from_slice(&bytes).map_err(|error| MatrixError::bad_json(error.to_string()))?;
    let action = DelayedAction::parse(&body.action);
    let action = action.ok_or_else(|| MatrixError::invalid_param("`action` is cancel, restart or send"))?;
    act(&api, call.path.first(), action).await
}

/// Acts on a delayed event as the path says.
pub(super) async fn in_path(api: ClientApi, call: Stream<()>) -> Result<Response, ApiError> {
    let action = call.path.get(1).and_then(|action| DelayedAction::parse(action));
    act(&api, call.path.first(), action.ok_or_else(MatrixError::unrecognized)?).await
}

async fn act(
    api: &ClientApi,
    delay_id: Option<&String>,
    action: DelayedAction,
) -> Result<Response, ApiError> {
    api.rooms.act_on_delayed(delay_id.map_or("", String::as_str), action).await?;
    Ok(json_response(&json!({})))
}
