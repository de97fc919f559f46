//! `GET /_matrix/federation/v1/openid/userinfo`
//! (<https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1openiduserinfo>).

use parvis_wire::{Call, MatrixError};
use ruma::api::federation::openid::get_openid_userinfo::v1::{Request, Response};

use crate::{ApiError, FederationApi};

/// Whose token it is. Third parties ask who are no servers and sign nothing, so all are answered, whoever the
/// organisation federates with.
pub(super) async fn handle(api: FederationApi, call: Call<Request, ()>) -> Result<Response, ApiError> {
    let user = api.accounts.openid_user(&call.request.access_token).await?;
    let unknown = || MatrixError::unknown_token(false);
    Ok(Response::new(user.ok_or_else(unknown)?))
}
