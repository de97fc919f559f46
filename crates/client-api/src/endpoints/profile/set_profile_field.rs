//! `PUT /_matrix/client/v3/profile/{userId}/{keyName}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3profileuseridkeyname>).

use axum::response::Response;
use parvis_wire::{MatrixError, Stream, json_response, parse_json, read_body};
use ruma::UserId;
use serde_json::{Map, Value, json};

use super::tell_rooms;
use crate::{ApiError, ClientApi, Session, actor::actor_of, completion::to_its_end, session::check_own};

/// The largest body: more than a profile may have, so that the profile's own limit is told.
const BODY_LIMIT_BYTES: usize = 128 << 10;

/// Sets a field of the user's profile. The body is read here, since ruma does not take a name that is null.
pub(super) async fn handle(api: ClientApi, stream: Stream<Session>) -> Result<Response, ApiError> {
    let [user_id, field] = &*stream.path else {
        return Err(MatrixError::unrecognized().into());
    };
    let user_id = <&UserId>::try_from(user_id.as_str());
    let user_id = user_id.map_err(|error| MatrixError::invalid_param(error.to_string()))?;
    check_own(&stream.principal, user_id)?;
    let mut body: Map<String, Value> = parse_json(&read_body(stream.body, BODY_LIMIT_BYTES).await?)?;
    let value = body.remove(field);
    let value = value.ok_or_else(|| MatrixError::missing_param(format!("`{field}` is missing.")))?;
    let (actor, field) = (actor_of(&stream.principal, None), field.clone());
    to_its_end(async move {
        api.accounts.set_profile_field(actor.user, &actor.user_id, &field, value).await?;
        tell_rooms(&api, &actor, &field).await
    })
    .await?;
    Ok(json_response(&json!({})))
}
