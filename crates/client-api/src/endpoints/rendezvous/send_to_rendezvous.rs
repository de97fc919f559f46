//! `PUT /_matrix/client/unstable/org.matrix.msc4108/rendezvous/{rendezvous_id}`: leaves a message.

use axum::response::Response;
use http::{StatusCode, header};
use parvis_accounts::LARGEST_RENDEZVOUS_MESSAGE;
use parvis_wire::{MatrixError, Stream, read_body};

use super::{answer, demand_text, id, refused, switched_on};
use crate::{ApiError, ClientApi};

/// Leaves it in the place of the one that the device has seen.
pub(super) async fn handle(api: ClientApi, stream: Stream<()>) -> Result<Response, ApiError> {
    switched_on(&api)?;
    let headers = &stream.parts.headers;
    demand_text(headers)?;
    let seen = headers.get(header::IF_MATCH).and_then(|etag| etag.to_str().ok());
    let seen = seen.ok_or_else(|| MatrixError::missing_param("The header If-Match is missing."))?.to_owned();
    let content = read_body(stream.body, LARGEST_RENDEZVOUS_MESSAGE).await?;
    let place = id(&stream.path);
    let message = api.accounts.leave_at_rendezvous(place, &seen, content.to_vec()).map_err(refused)?;
    Ok(answer(StatusCode::ACCEPTED, &message, ()))
}
