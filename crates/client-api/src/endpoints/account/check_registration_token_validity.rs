//! `GET /_matrix/client/v1/register/m.login.registration_token/validity`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1registermloginregistration_tokenvalidity>).

use parvis_wire::Call;
use ruma::api::client::account::check_registration_token_validity::v1::{Request, Response};

use crate::{ApiError, ClientApi, RateLimitKey};

/// Whether a token lets its holder register.
pub(super) async fn handle(api: ClientApi, call: Call<Request, ()>) -> Result<Response, ApiError> {
    let address = call.client_address().map(|address| address.0);
    api.limits.registration.count(RateLimitKey::Address(address))?;
    Ok(Response::new(api.accounts.may_register_with(&call.request.token).await?))
}
