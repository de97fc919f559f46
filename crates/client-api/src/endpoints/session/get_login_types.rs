//! `GET /_matrix/client/v3/login`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3login>).

use axum::response::Response;
use parvis_wire::{Call, MatrixError, json_response};
use ruma::api::client::session::get_login_types::v3::{
    ApplicationServiceLoginType, IdentityProvider, LoginType, PasswordLoginType, Request, SsoLoginType,
    TokenLoginType,
};

use serde_json::json;

use crate::{ApiError, ClientApi};

/// By browser, for clients that do not know OAuth. Those that know it by this alone are told that it is meant for them
/// (<https://spec.matrix.org/v1.19/client-server-api/#oauth-20-aware-clients>).
fn sso(api: &ClientApi) -> LoginType {
    let mut sso = SsoLoginType::new();
    sso.oauth_aware_preferred = true;
    let provider = |(id, name): (&str, &str)| IdentityProvider::new(id.to_owned(), name.to_owned());
    sso.identity_providers = api.accounts.providers().map(provider).collect();
    LoginType::Sso(sso)
}

/// What some clients know of `oauth_aware_preferred`, which was called so before it was settled.
const OLDER_NAME: &str = "org.matrix.msc3824.delegated_oidc_compatibility";

/// The ways of logging in.
pub(super) async fn handle(api: ClientApi, _: Call<Request, ()>) -> Result<Response, ApiError> {
    let mut token = TokenLoginType::new();
    token.get_login_token = true;
    let mut types = vec![LoginType::Token(token)];
    if api.passwords_in_apps() {
        types.insert(0, LoginType::Password(PasswordLoginType::new()));
    }
    if api.sign_on.is_some() {
        types.push(sso(&api));
    }
    if api.accounts.has_services() {
        types.push(LoginType::ApplicationService(ApplicationServiceLoginType::new()));
    }
    let mut flows = Vec::with_capacity(types.len());
    for login in &types {
        let mut flow = serde_json::to_value(login).map_err(MatrixError::internal)?;
        if matches!(login, LoginType::Sso(_)) {
            flow[OLDER_NAME] = true.into();
        }
        flows.push(flow);
    }
    Ok(json_response(&json!({ "flows": flows })))
}
