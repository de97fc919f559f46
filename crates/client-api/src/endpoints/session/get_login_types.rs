//! `GET /_matrix/client/v3/login`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3login>).

use parvis_wire::Call;
use ruma::api::client::session::get_login_types::v3::{
    ApplicationServiceLoginType, LoginType, PasswordLoginType, Request, Response, TokenLoginType,
};

use crate::{ApiError, ClientApi};

/// The ways of logging in.
pub(super) async fn handle(api: ClientApi, _: Call<Request, ()>) -> Result<Response, ApiError> {
    let mut token = TokenLoginType::new();
    token.get_login_token = true;
    let mut types = vec![LoginType::Token(token)];
    if api.passwords_in_apps() {
        types.insert(0, LoginType::Password(PasswordLoginType::new()));
    }
    if api.accounts.has_services() {
        types.push(LoginType::ApplicationService(ApplicationServiceLoginType::new()));
    }
    Ok(Response::new(types))
}
