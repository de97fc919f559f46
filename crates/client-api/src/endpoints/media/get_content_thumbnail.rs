//! `GET /_matrix/media/v3/thumbnail/{serverName}/{mediaId}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixmediav3thumbnailservernamemediaid>).

use axum::response::Response;
use parvis_wire::Stream;

use crate::{
    ApiError, ClientApi,
    media_request::{media_uri, old_request, thumbnail, thumbnail_request},
};

/// A thumbnail of an image from before the organisation closed this way.
pub(super) async fn handle(api: ClientApi, request: Stream<()>) -> Result<Response, ApiError> {
    let asked = thumbnail_request(&request.parts.uri)?;
    let (wait, ask_others) = old_request(&request.parts.uri)?;
    let content = api.media.find_open(media_uri(&request)?, wait, ask_others).await?;
    let made = api.media.thumbnail(&content, asked).await?;
    thumbnail(made).respond(&api.media, &request.parts.headers).await
}
