//! `GET` and `POST /_matrix/client/unstable/org.parvis.mail/submit_token`: the link in a mail.
//!
//! A browser is first asked: programs that look through mail follow links, and shall confirm nothing. A client may
//! also send the token as JSON, as to an identity server
//! (<https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv2validateemailsubmittoken>).

use axum::{
    extract::Query,
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, StatusCode, Uri, header};
use parvis_accounts::{AddressError, PageKind};
use parvis_wire::{MatrixError, Stream, json_response, parse_json, read_body};
use serde::Deserialize;
use serde_json::json;

use crate::{ApiError, ClientApi, RateLimitKey, mail_page::page};

pub(super) const PATH: &str = "/_matrix/client/unstable/org.parvis.mail/submit_token";

/// The largest body.
const BODY_LIMIT_BYTES: usize = 8 << 10;

#[derive(Deserialize)]
struct Submitted {
    sid: String,
    client_secret: String,
    token: String,
}

/// Asks whoever has followed the link whether they meant to.
pub(super) async fn show(api: ClientApi, stream: Stream<()>) -> Result<Response, ApiError> {
    let Submitted { sid, client_secret, token } = of_query(&stream.parts.uri)?;
    match api.accounts.check_mail_token(&sid, &client_secret, &token).await {
        Ok(()) => Ok(page(&api, &stream.parts.headers, PageKind::Ask, StatusCode::OK)),
        Err(error) => failed(&api, &stream.parts.headers, error),
    }
}

/// Uses the token.
pub(super) async fn submit(api: ClientApi, stream: Stream<()>) -> Result<Response, ApiError> {
    let address = stream.client_address().map(|address| address.0);
    api.limits.login.count(RateLimitKey::Address(address))?;
    let headers = stream.parts.headers;
    let body = read_body(stream.body, BODY_LIMIT_BYTES).await?;
    let is_json = body.first() == Some(&b'{');
    let submitted = if is_json { parse_json(&body)? } else { of_query(&stream.parts.uri)? };
    let Submitted { sid, client_secret, token } = submitted;
    match api.accounts.prove_address(&sid, &client_secret, &token).await {
        Ok(_) if is_json => Ok(json_response(&json!({ "success": true }))),
        Ok(Some(next_link)) => Ok((StatusCode::SEE_OTHER, [(header::LOCATION, next_link)]).into_response()),
        Ok(None) => Ok(page(&api, &headers, PageKind::Done, StatusCode::OK)),
        Err(error) if is_json => Err(error.into()),
        Err(error) => failed(&api, &headers, error),
    }
}

fn failed(api: &ClientApi, headers: &HeaderMap, error: AddressError) -> Result<Response, ApiError> {
    match error {
        AddressError::WrongToken => Ok(page(api, headers, PageKind::Failed, StatusCode::BAD_REQUEST)),
        other => Err(other.into()),
    }
}

fn of_query(uri: &Uri) -> Result<Submitted, MatrixError> {
    let query = Query::<Submitted>::try_from_uri(uri);
    query.map(|query| query.0).map_err(|rejection| MatrixError::missing_param(rejection.body_text()))
}
