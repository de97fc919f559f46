//! `GET /_matrix/client/v3/register/available`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3registeravailable>).

use parvis_wire::Call;
use ruma::api::client::account::get_username_availability::v3::{Request, Response};

use crate::{ApiError, ClientApi};

/// Whether a user name can be had.
pub(super) async fn handle(api: ClientApi, call: Call<Request, ()>) -> Result<Response, ApiError> {
    api.accounts.is_available(&call.request.username).await?;
    Ok(Response::new(true))
}
