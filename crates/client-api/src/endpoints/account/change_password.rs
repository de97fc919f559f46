//! `POST /_matrix/client/v3/account/password`
//! (<https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountpassword>).

use axum::response::Response;
use parvis_wire::{MatrixError, Stream, typed_response};
use ruma::api::client::account::change_password::v3::Response as Changed;
use serde::Deserialize;

use crate::{ApiError, ClientApi, Session, interactive};

#[derive(Deserialize)]
struct Request {
    new_password: Option<String>,
    #[serde(default = "yes")]
    logout_devices: bool,
}

fn yes() -> bool {
    true
}

/// Gives the user a new password.
pub(super) async fn handle(api: ClientApi, stream: Stream<Option<Session>>) -> Result<Response, ApiError> {
    let session = stream.principal.ok_or_else(|| MatrixError::missing_token("An access token is needed."))?;
    let body = interactive::read::<Request>(stream.body).await?;
    if let Some(password) = &body.request.new_password {
        api.accounts.check_password(password)?;
    }
    interactive::confirm(&api, &session, &stream.parts, &body.fields).await?;
    let new_password = body.request.new_password;
    let new_password = new_password.ok_or_else(|| MatrixError::missing_param("new_password is missing."))?;
    api.accounts.change_password(&session, &new_password, body.request.logout_devices).await?;
    Ok(typed_response(Changed::new())?)
}
