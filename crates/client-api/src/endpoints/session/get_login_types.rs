//! `GET /_matrix/client/v3/login`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3login>).

use parvis_wire::Call;
use ruma::api::client::session::get_login_types::v3::{
    LoginType, PasswordLoginType, Request, Response, TokenLoginType,
};

use crate::{ApiError, ClientApi};

/// The ways of logging in.
pub(super) async fn handle(_: ClientApi, _: Call<Request, ()>) -> Result<Response, ApiError> {
    let mut token = TokenLoginType::new();
    token.get_login_token = true;
    Ok(Response::new(vec![LoginType::Password(PasswordLoginType::new()), LoginType::Token(token)]))
}
