//! `PUT /_matrix/media/v3/upload/{serverName}/{mediaId}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#put_matrixmediav3uploadservernamemediaid>).

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use parvis_wire::Stream;

use crate::{
    ApiError, ClientApi, Session,
    media_request::{media_uri, offer},
};

/// Keeps a file as the content of a URI that was given out before.
pub(super) async fn handle(api: ClientApi, mut request: Stream<Session>) -> Result<Response, ApiError> {
    let offer = offer(&request.parts.uri, &request.parts.headers)?;
    let body = std::mem::take(&mut request.body).into_data_stream();
    let uri = media_uri(&request)?;
    api.media.upload_to(&request.principal.user_id, uri, &offer, body).await?;
    Ok(([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], "{}").into_response())
}
