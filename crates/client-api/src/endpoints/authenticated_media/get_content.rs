//! `GET /_matrix/client/v1/media/download/{serverName}/{mediaId}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1mediadownloadservernamemediaid>).

use axum::response::Response;
use parvis_wire::Stream;

use crate::{
    ApiError, ClientApi, Session,
    media_request::{download, media_uri, wait},
};

/// A file, under the name that it was uploaded with.
pub(super) async fn handle(api: ClientApi, request: Stream<Session>) -> Result<Response, ApiError> {
    let content = api.media.find(media_uri(&request)?, wait(&request.parts.uri)?).await?;
    download(content, None).respond(&api.media, &request.parts.headers).await
}
