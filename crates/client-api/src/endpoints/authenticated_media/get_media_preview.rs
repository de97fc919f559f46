//! `GET /_matrix/client/v1/media/preview_url`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1mediapreview_url>), and its older form.

use axum::response::Response;
use http::header::ACCEPT_LANGUAGE;
use parvis_wire::Call;
use serde::Deserialize;

use crate::{ApiError, ClientApi, Session, query::parse_query, reply};

pub(super) const PATH: &str = "/_matrix/client/v1/media/preview_url";
/// The form that is deprecated.
pub(super) const OLD: &str = "/_matrix/media/v3/preview_url";
/// The form before that.
pub(super) const OLDER: &str = "/_matrix/media/r0/preview_url";

/// The query string. `ts` is ignored: pages are looked at as they are.
#[derive(Deserialize)]
struct Asked {
    url: String,
}

/// What a page says of itself.
pub(super) async fn handle(api: ClientApi, call: Call<Vec<String>, Session>) -> Result<Response, ApiError> {
    let asked: Asked = parse_query(&call.parts.uri)?;
    let languages = call.parts.headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let preview = api.media.preview(&asked.url, languages, &call.principal.user_id).await?;
    Ok(reply::json(preview.to_string()))
}
