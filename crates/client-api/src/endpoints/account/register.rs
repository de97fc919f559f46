//! `POST /_matrix/client/v3/register`
//! (<https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3register>).

use axum::response::Response;
use parvis_accounts::{NewDevice, Operation, RegistrationRequest};
use parvis_wire::{MatrixError, Stream, typed_response};
use ruma::{OwnedDeviceId, api::client::account::register::v3::Response as Registered};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{ApiError, ClientApi, RateLimitKey, interactive, session::calling_service};

/// The `type` with which application services register.
const APPLICATION_SERVICE: &str = "m.login.application_service";

#[derive(Deserialize)]
struct Request {
    #[serde(rename = "type")]
    kind: Option<String>,
    username: Option<String>,
    password: Option<String>,
    device_id: Option<OwnedDeviceId>,
    initial_device_display_name: Option<String>,
    #[serde(default)]
    inhibit_login: bool,
    #[serde(default)]
    refresh_token: bool,
}

/// Makes an account for whoever asks, as far as the organisation lets them; and for application services.
pub(super) async fn handle(api: ClientApi, stream: Stream<()>) -> Result<Response, ApiError> {
    let address = stream.client_address().map(|address| address.0);
    let parts = stream.parts;
    let body = interactive::read::<Request>(stream.body).await?;
    let kind = kind(parts.uri.query())?;
    let service = match body.request.kind.as_deref() {
        Some(APPLICATION_SERVICE) => Some(calling_service(&api, &parts)?),
        _ => None,
    };
    if service.is_none() && (kind == Kind::Guest || costs(&body.fields)) {
        api.limits.registration.count(RateLimitKey::Address(address))?;
    }
    let request = RegistrationRequest {
        username: body.request.username,
        password: body.request.password,
        device: NewDevice {
            device_id: body.request.device_id,
            display_name: body.request.initial_device_display_name,
            refreshable: body.request.refresh_token,
            from: address.filter(|_| service.is_none()),
        },
        log_in: !body.request.inhibit_login,
    };
    let name = interactive::operation_name(&parts);
    let operation = Operation { session: None, name: &name, body: &body.fields };
    let registered = match (service, kind) {
        (Some(service), _) => api.accounts.register_for_service(&service, request).await?,
        (None, Kind::Guest) => api.accounts.register_guest(request.device).await?,
        (None, Kind::User) => api.accounts.register(request, operation).await?,
    };
    let mut response = Registered::new(registered.user_id);
    if let Some(session) = registered.session {
        response.access_token = Some(session.access_token);
        response.device_id = Some(session.device_id);
        response.refresh_token = session.refresh_token;
        response.expires_in = session.expires_in;
    }
    Ok(typed_response(response)?)
}

/// Whether a request begins a registration or tries a token; what completes one is not counted again.
fn costs(body: &Map<String, Value>) -> bool {
    let auth = body.get("auth");
    auth.is_none_or(|auth| auth.get("session").is_none() || auth.get("token").is_some())
}

/// What kind of account is wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Guest,
    User,
}

fn kind(query: Option<&str>) -> Result<Kind, MatrixError> {
    let kind = query.unwrap_or_default().split('&').find_map(|pair| pair.strip_prefix("kind="));
    match kind {
        None | Some("user") => Ok(Kind::User),
        Some("guest") => Ok(Kind::Guest),
        Some(_) => Err(MatrixError::invalid_param("`kind` is `user` or `guest`.")),
    }
}
