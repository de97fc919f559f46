//! OAuth 2.0: how apps are let in by people's browsers
//! (<https://spec.matrix.org/v1.19/client-server-api/#oauth-20-api>).
//!
//! Where the organisation has not switched it on, none of these endpoints exists.

mod authorize;
mod back_channel_logout;
mod device_authorization;
mod get_authorization_server_metadata;
mod register;
mod revoke;
mod token;

use axum::response::{IntoResponse as _, Response};
use http::{Method, StatusCode, header};
use parvis_wire::{Endpoint, Endpoints, MatrixError, json_response};
use serde_json::json;

use crate::{
    ApiError, ClientApi,
    pages::{AUTHORIZE, page},
    sign_on::SignOn,
};

const REGISTER: &str = "/_parvis/oauth/register";
const TOKEN: &str = "/_parvis/oauth/token";
const REVOKE: &str = "/_parvis/oauth/revoke";
const DEVICE: &str = "/_parvis/oauth/device";
const BACK_CHANNEL_LOGOUT: &str = "/_parvis/oauth/back_channel_logout/{provider}";
const METADATA: [&str; 2] =
    ["/_matrix/client/v1/auth_metadata", "/_matrix/client/unstable/org.matrix.msc2965/auth_metadata"];

pub(super) fn endpoints() -> Endpoints<ClientApi> {
    let [metadata, unstable_metadata] = METADATA;
    let metadata = Endpoint::open(Method::GET, metadata, get_authorization_server_metadata::handle);
    Endpoints::new()
        .with(metadata.also_at(unstable_metadata))
        .with(Endpoint::open(Method::POST, REGISTER, register::handle))
        .with(Endpoint::open(Method::POST, TOKEN, token::handle))
        .with(Endpoint::open(Method::POST, REVOKE, revoke::handle))
        .with(Endpoint::open(Method::POST, DEVICE, device_authorization::handle))
        .with(Endpoint::open(Method::POST, BACK_CHANNEL_LOGOUT, back_channel_logout::handle))
        .with(page(Method::GET, AUTHORIZE, authorize::ask))
        .with(page(Method::POST, AUTHORIZE, authorize::answer))
}

/// How people sign in.
///
/// # Errors
/// `M_UNRECOGNIZED` where the organisation does not let apps in this way.
fn sign_on(api: &ClientApi) -> Result<&SignOn, ApiError> {
    api.sign_on.as_deref().ok_or_else(|| MatrixError::unrecognized().into())
}

/// An error in the form of RFC 6749, section 5.2.
fn refusal(status: StatusCode, error: &str, description: &str) -> Response {
    let mut response = unkept(json_response(&json!({ "error": error, "error_description": description })));
    *response.status_mut() = status;
    response
}

/// An answer with secrets, which nobody on the way may keep.
fn unkept(response: Response) -> Response {
    ([(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")], response).into_response()
}
