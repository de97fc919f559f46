//! `POST /_matrix/client/v3/login`
//! (<https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3login>).
//!
//! The body is read here: ruma's type cannot read one without a `type`.

use std::net::IpAddr;

use axum::response::Response;
use parvis_accounts::{LoginError, NewDevice, OpenedSession};
use parvis_wire::{MatrixError, Stream, parse_json, read_body, typed_response};
use ruma::{OwnedDeviceId, api::client::session::login::v3::Response as LoggedIn};
use serde::Deserialize;

use crate::{ApiError, ClientApi, RateLimitKey, session::calling_service};

/// The largest body of a login.
const BODY_LIMIT_BYTES: usize = 16 << 10;

#[derive(Deserialize)]
struct Request {
    #[serde(rename = "type")]
    kind: String,
    identifier: Option<Identifier>,
    /// The identifier of old.
    user: Option<String>,
    password: Option<String>,
    token: Option<String>,
    medium: Option<String>,
    address: Option<String>,
    device_id: Option<OwnedDeviceId>,
    initial_device_display_name: Option<String>,
    #[serde(default)]
    refresh_token: bool,
    /// Where it came from.
    #[serde(skip)]
    from: Option<IpAddr>,
}

#[derive(Deserialize)]
struct Identifier {
    #[serde(rename = "type")]
    kind: String,
    user: Option<String>,
    medium: Option<String>,
    address: Option<String>,
}

/// How somebody says who they are.
enum Named<'a> {
    User(&'a str),
    Address(&'a str),
}

/// Opens a session for whoever proves who they are.
pub(super) async fn handle(api: ClientApi, stream: Stream<()>) -> Result<Response, ApiError> {
    let address = stream.client_address().map(|address| address.0);
    let mut request: Request = parse_json(&read_body(stream.body, BODY_LIMIT_BYTES).await?)?;
    if request.kind == "m.login.application_service" {
        let service = calling_service(&api, &stream.parts)?;
        let session = api.accounts.login_for_service(&service, user(&request)?, device(&request)).await?;
        return answer(session);
    }
    api.limits.login.count(RateLimitKey::Address(address))?;
    request.from = address;
    let session = match request.kind.as_str() {
        "m.login.password" if !api.passwords_in_apps() => {
            return Err(unknown("Sign in with your browser here.").into());
        }
        "m.login.password" => by_password(&api, request).await?,
        "m.login.token" => by_token(&api, request).await?,
        _ => return Err(unknown("This way of logging in is not known here.").into()),
    };
    answer(session)
}

fn answer(session: OpenedSession) -> Result<Response, ApiError> {
    let OpenedSession { user_id, device_id, access_token, refresh_token, expires_in } = session;
    let mut response = LoggedIn::new(user_id, access_token, device_id);
    response.refresh_token = refresh_token;
    response.expires_in = expires_in;
    Ok(typed_response(response)?)
}

async fn by_password(api: &ClientApi, request: Request) -> Result<OpenedSession, ApiError> {
    let named = named(&request)?;
    let password = request.password.as_deref();
    let password = password.ok_or_else(|| MatrixError::missing_param("The password is missing."))?;
    let account = RateLimitKey::Account(match named {
        Named::User(name) => api.accounts.canonical_name(name),
        Named::Address(address) => address.to_lowercase().chars().take(255).collect(),
    });
    api.limits.login.peek(&account)?;
    let outcome = match named {
        Named::User(name) => api.accounts.login_by_password(name, password, device(&request)).await,
        Named::Address(address) => api.accounts.login_by_address(address, password, device(&request)).await,
    };
    if let Err(LoginError::WrongPassword) = outcome {
        api.limits.login.count(account)?;
    }
    Ok(outcome?)
}

/// Who somebody says they are: by name, or by mail address, in the form of today or of old.
fn named(request: &Request) -> Result<Named<'_>, MatrixError> {
    let (kind, user) = match &request.identifier {
        Some(identifier) if identifier.kind == "m.id.thirdparty" => {
            return by_address(identifier.medium.as_deref(), identifier.address.as_deref());
        }
        Some(identifier) => (identifier.kind.as_str(), identifier.user.as_deref()),
        None if request.user.is_none() && request.address.is_some() => {
            return by_address(request.medium.as_deref(), request.address.as_deref());
        }
        None => ("m.id.user", request.user.as_deref()),
    };
    if kind != "m.id.user" {
        return Err(MatrixError::forbidden("Users are known by their names and mail addresses."));
    }
    user.map(Named::User).ok_or_else(|| MatrixError::missing_param("The user is missing."))
}

fn by_address<'a>(medium: Option<&str>, address: Option<&'a str>) -> Result<Named<'a>, MatrixError> {
    match (medium, address) {
        (Some("email"), Some(address)) => Ok(Named::Address(address)),
        (Some(_), Some(_)) => {
            Err(MatrixError::forbidden("Users are known by their names and mail addresses."))
        }
        _ => Err(MatrixError::missing_param("The medium or the address is missing.")),
    }
}

/// The user whom an application service wants to log in.
fn user(request: &Request) -> Result<&str, MatrixError> {
    match named(request)? {
        Named::User(name) => Ok(name),
        Named::Address(_) => {
            Err(MatrixError::forbidden("An application service names its users by their names."))
        }
    }
}

async fn by_token(api: &ClientApi, request: Request) -> Result<OpenedSession, ApiError> {
    let token = request.token.as_deref();
    let token = token.ok_or_else(|| MatrixError::missing_param("The token is missing."))?;
    Ok(api.accounts.login_by_token(token, device(&request)).await?)
}

fn device(request: &Request) -> NewDevice {
    NewDevice {
        device_id: request.device_id.clone(),
        display_name: request.initial_device_display_name.clone(),
        refreshable: request.refresh_token,
        from: request.from,
    }
}

fn unknown(message: &'static str) -> MatrixError {
    MatrixError::new(http::StatusCode::BAD_REQUEST, ruma::api::error::ErrorCode::Unknown, message)
}
