//! `GET /_matrix/media/v3/download/{serverName}/{mediaId}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixmediav3downloadservernamemediaid>).

use axum::response::Response;
use parvis_wire::Stream;

use crate::{
    ApiError, ClientApi,
    media_request::{download, media_uri, old_request},
};

/// A file from before the organisation closed this way.
pub(super) async fn handle(api: ClientApi, request: Stream<()>) -> Result<Response, ApiError> {
    let (wait, ask_others) = old_request(&request.parts.uri)?;
    let content = api.media.find_open(media_uri(&request)?, wait, ask_others).await?;
    download(content, None).respond(&api.media, &request.parts.headers).await
}
