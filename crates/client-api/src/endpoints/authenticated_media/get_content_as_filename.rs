//! `GET /_matrix/client/v1/media/download/{serverName}/{mediaId}/{fileName}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1mediadownloadservernamemediaidfilename>).

use axum::response::Response;
use parvis_wire::Stream;

use crate::{
    ApiError, ClientApi, Session,
    media_request::{download, media_uri, wait},
};

/// A file, under the name that is asked for.
pub(super) async fn handle(api: ClientApi, request: Stream<Session>) -> Result<Response, ApiError> {
    let content = api.media.find(media_uri(&request)?, wait(&request.parts.uri)?).await?;
    let filename = request.path.get(2).map(String::as_str);
    download(content, filename).respond(&api.media, &request.parts.headers).await
}
