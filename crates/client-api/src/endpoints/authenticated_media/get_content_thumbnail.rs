//! `GET /_matrix/client/v1/media/thumbnail/{serverName}/{mediaId}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1mediathumbnailservernamemediaid>).

use axum::response::Response;
use parvis_wire::Stream;

use crate::{
    ApiError, ClientApi, Session,
    media_request::{media_uri, thumbnail, thumbnail_request, wait},
};

/// A thumbnail of an image.
pub(super) async fn handle(api: ClientApi, request: Stream<Session>) -> Result<Response, ApiError> {
    let asked = thumbnail_request(&request.parts.uri)?;
    let made = api.media.thumbnail_of(media_uri(&request)?, wait(&request.parts.uri)?, asked).await?;
    thumbnail(made).respond(&api.media, &request.parts.headers).await
}
