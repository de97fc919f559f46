//! `GET /_matrix/client/unstable/org.matrix.msc4108/rendezvous/{rendezvous_id}`: what was left last.

use axum::response::Response;
use http::{StatusCode, header};
use parvis_accounts::RendezvousError;
use parvis_wire::Stream;

use super::{TEXT, answer, id, refused, switched_on};
use crate::{ApiError, ClientApi};

/// Gives it, unless whoever asks has it.
pub(super) async fn handle(api: ClientApi, stream: Stream<()>) -> Result<Response, ApiError> {
    switched_on(&api)?;
    let message = api.accounts.rendezvous(id(&stream.path)).ok_or(RendezvousError::Gone).map_err(refused)?;
    let has = stream.parts.headers.get(header::IF_NONE_MATCH);
    if has.is_some_and(|etag| etag.as_bytes() == message.etag().as_bytes()) {
        return Ok(answer(StatusCode::NOT_MODIFIED, &message, ()));
    }
    Ok(answer(StatusCode::OK, &message, ([(header::CONTENT_TYPE, TEXT)], message.content.clone())))
}
