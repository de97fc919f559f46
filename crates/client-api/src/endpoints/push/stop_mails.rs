//! `GET` and `POST /_matrix/client/unstable/org.parvis.mail/stop`: the link by which whoever reads mails of missed messages
//! gets no more of them, logged in or not.
//!
//! A browser is first asked: programs that look through mail follow links, and shall stop nothing. A mail program with a
//! button for that sends a `POST` at once (RFC 8058).

use axum::{extract::Query, response::Response};
use http::{StatusCode, Uri};
use parvis_accounts::PageKind;
use parvis_wire::{MatrixError, Stream};
use serde::Deserialize;

use crate::{ApiError, ClientApi, RateLimitKey, mail_page::page};

pub(super) const PATH: &str = "/_matrix/client/unstable/org.parvis.mail/stop";

#[derive(Deserialize)]
struct Asked {
    token: String,
}

/// Asks whoever has followed the link whether they meant to.
pub(super) async fn show(api: ClientApi, stream: Stream<()>) -> Result<Response, ApiError> {
    let known =
        api.accounts.can_stop_mails(&token(&stream.parts.uri)?).await.map_err(MatrixError::internal)?;
    // Where there is nothing to stop, nothing is sent any more.
    let kind = if known { PageKind::AskStop } else { PageKind::Stopped };
    Ok(page(&api, &stream.parts.headers, kind, StatusCode::OK))
}

/// Stops the mails.
pub(super) async fn stop(api: ClientApi, stream: Stream<()>) -> Result<Response, ApiError> {
    let address = stream.client_address().map(|address| address.0);
    api.limits.login.count(RateLimitKey::Address(address))?;
    api.accounts.stop_mails(&token(&stream.parts.uri)?).await.map_err(MatrixError::internal)?;
    Ok(page(&api, &stream.parts.headers, PageKind::Stopped, StatusCode::OK))
}

fn token(uri: &Uri) -> Result<String, MatrixError> {
    let query = Query::<Asked>::try_from_uri(uri);
    query.map(|query| query.0.token).map_err(|rejection| MatrixError::missing_param(rejection.body_text()))
}
