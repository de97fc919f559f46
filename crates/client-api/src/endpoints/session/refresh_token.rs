//! `POST /_matrix/client/v3/refresh`
//! (<https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3refresh>).

use parvis_wire::Call;
use ruma::api::client::session::refresh_token::v3::{Request, Response};

use crate::{ApiError, ClientApi};

/// A new pair of tokens for an old one.
pub(super) async fn handle(api: ClientApi, call: Call<Request, ()>) -> Result<Response, ApiError> {
    let session = api.accounts.refresh(&call.request.refresh_token).await?;
    let mut response = Response::new(session.access_token);
    response.refresh_token = session.refresh_token;
    response.expires_in_ms = session.expires_in;
    Ok(response)
}
