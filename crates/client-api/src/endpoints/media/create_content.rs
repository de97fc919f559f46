//! `POST /_matrix/media/v3/upload`
//! (<https://spec.matrix.org/v1.19/client-server-api/#post_matrixmediav3upload>).

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use parvis_wire::Stream;

use crate::{ApiError, ClientApi, Session, media_request::offer};

/// Keeps a file.
pub(super) async fn handle(api: ClientApi, request: Stream<Session>) -> Result<Response, ApiError> {
    let offer = offer(&request.parts.uri, &request.parts.headers)?;
    let body = request.body.into_data_stream();
    let content_uri = api.media.upload(&request.principal.user_id, &offer, body).await?;
    let json = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(([json], serde_json::json!({ "content_uri": content_uri }).to_string()).into_response())
}
