//! `GET /_matrix/media/v3/download/{serverName}/{mediaId}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixmediav3downloadservernamemediaid>).

use axum::response::Response;
use parvis_wire::Stream;

use crate::{
    ApiError, ClientApi,
    media_request::{download, media_uri, wait},
};

/// A file from before the organisation closed this way.
pub(super) async fn handle(api: ClientApi, request: Stream<()>) -> Result<Response, ApiError> {
    let content = api.media.find_open(media_uri(&request)?, wait(&request.parts.uri)?).await?;
    download(content, None).respond(&api.media, &request.parts.headers).await
}
