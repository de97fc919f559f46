//! `POST /_matrix/client/v3/user/{userId}/openid/request_token`
//! (<https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3useruseridopenidrequest_token>).

use parvis_wire::Call;
use ruma::{
    api::client::account::request_openid_token::v3::{Request, Response},
    authentication::TokenType,
};

use crate::{ApiError, ClientApi, Session, session::check_own};

/// A token with which the user can show a third party who they are.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    check_own(&call.principal, &call.request.user_id)?;
    let (token, lifetime) = api.accounts.openid_token(&call.principal).await?;
    let server_name = call.principal.user_id.server_name().to_owned();
    Ok(Response::new(token, TokenType::Bearer, server_name, lifetime))
}
