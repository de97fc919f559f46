//! `GET /_matrix/client/v3/user/{userId}/filter/{filterId}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3useruseridfilterfilterid>).

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use parvis_wire::Call;
use ruma::api::client::filter::get_filter::v3::Request;

use crate::{ApiError, ClientApi, Session, session::check_own};

/// A filter that the user's clients keep here.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    check_own(&call.principal, &call.request.user_id)?;
    let filter = api.accounts.filter(call.principal.user, &call.request.filter_id).await?;
    let json = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(([json], filter).into_response())
}
