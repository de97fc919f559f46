//! `POST /_matrix/client/v1/login/get_token`
//! (<https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv1loginget_token>).

use axum::response::Response;
use parvis_wire::{Stream, typed_response};
use ruma::api::client::session::get_login_token::v1::Response as LoginToken;
use serde::Deserialize;

use crate::{ApiError, ClientApi, Session, interactive};

#[derive(Deserialize)]
struct Request {}

/// A token with which another client can log in as this user.
pub(super) async fn handle(api: ClientApi, stream: Stream<Session>) -> Result<Response, ApiError> {
    let body = interactive::read::<Request>(stream.body).await?;
    interactive::confirm(&api, &stream.principal, &stream.parts, &body.fields).await?;
    let (token, lifetime) = api.accounts.login_token(&stream.principal).await?;
    Ok(typed_response(LoginToken::new(lifetime, token))?)
}
