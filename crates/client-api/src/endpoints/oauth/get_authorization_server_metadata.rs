//! `GET /_matrix/client/v1/auth_metadata`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1auth_metadata>).

use axum::response::Response;
use parvis_wire::{Stream, json_response};
use serde_json::json;

use super::{DEVICE, REGISTER, REVOKE, TOKEN, sign_on};
use crate::{
    ApiError, ClientApi,
    pages::{ACCOUNT, AUTHORIZE, absolute, issuer},
};

/// What apps must know to be let in.
pub(super) async fn handle(api: ClientApi, _: Stream<()>) -> Result<Response, ApiError> {
    let sign_on = sign_on(&api)?;
    let url = |path| absolute(&api, path);
    let mut metadata = json!({
        "issuer": issuer(&api),
        "authorization_endpoint": url(AUTHORIZE),
        "token_endpoint": url(TOKEN),
        "registration_endpoint": url(REGISTER),
        "revocation_endpoint": url(REVOKE),
        "device_authorization_endpoint": url(DEVICE),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "fragment"],
        "grant_types_supported": [
            "authorization_code",
            "refresh_token",
            "urn:ietf:params:oauth:grant-type:device_code",
        ],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["none"],
        "revocation_endpoint_auth_methods_supported": ["none"],
        "authorization_response_iss_parameter_supported": true,
        "ui_locales_supported": ["en", "fr", "de", "it"],
        "account_management_uri": url(ACCOUNT),
        "account_management_actions_supported": [
            "org.matrix.profile",
            "org.matrix.devices_list",
            "org.matrix.device_view",
            "org.matrix.device_delete",
            "org.matrix.account_deactivate",
            "org.matrix.cross_signing_reset",
        ],
    });
    if sign_on.registration {
        metadata["prompt_values_supported"] = json!(["create"]);
    }
    Ok(json_response(&metadata))
}
