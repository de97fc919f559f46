//! `POST /_matrix/client/v3/account/password`
//! (<https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountpassword>).

use axum::response::Response;
use parvis_accounts::Operation;
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

/// Gives the user a new password: who is logged in by the old one, who is not by a mail address.
pub(super) async fn handle(api: ClientApi, stream: Stream<Option<Session>>) -> Result<Response, ApiError> {
    let body = interactive::read::<Request>(stream.body).await?;
    let Request { new_password, logout_devices } = body.request;
    api.accounts.check_users_change_passwords()?;
    if let Some(password) = &new_password {
        api.accounts.check_password(password)?;
    }
    let Some(session) = stream.principal else {
        let name = interactive::operation_name(&stream.parts);
        let operation = Operation { session: None, name: &name, body: &body.fields };
        api.accounts.reset_password_by_mail(operation, new_password.as_deref(), logout_devices).await?;
        return Ok(typed_response(Changed::new())?);
    };
    interactive::confirm(&api, &session, &stream.parts, &body.fields).await?;
    let new_password = new_password.ok_or_else(|| MatrixError::missing_param("new_password is missing."))?;
    api.accounts.change_password(&session, &new_password, logout_devices).await?;
    Ok(typed_response(Changed::new())?)
}
