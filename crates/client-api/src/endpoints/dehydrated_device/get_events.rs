//! `POST /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device/{device_id}/events`

use axum::response::Response;
use parvis_e2ee::Position;
use parvis_wire::{MatrixError, Stream, parse_json, read_body};
use ruma::{
    DeviceId,
    api::{auth_scheme::AccessToken, metadata},
};
use serde::Deserialize;

use crate::{ApiError, ClientApi, Session, actor::caller, reply::json};

const BODY_LIMIT_BYTES: usize = 4 << 10;

/// Stands for the request in the table of endpoints; what it holds is read by the handler.
#[derive(Debug)]
pub(super) struct Request;

metadata! {
    method: POST,
    rate_limited: false,
    authentication: AccessToken,
    path: "/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device/{device_id}/events",
}

#[derive(Deserialize)]
struct Content {
    next_batch: Option<String>,
}

/// The place that a token of this endpoint names: `d` and a position.
fn place(token: &str) -> Option<Position> {
    token.strip_prefix('d')?.parse().ok().map(Position)
}

/// The messages to the device that the caller has laid by, page by page. They stay until the device goes.
pub(super) async fn handle(api: ClientApi, request: Stream<Session>) -> Result<Response, ApiError> {
    let content: Content = parse_json(&read_body(request.body, BODY_LIMIT_BYTES).await?)?;
    let bad = || MatrixError::invalid_param("`next_batch` is no token of this endpoint");
    let after = content.next_batch.as_deref().map(|token| place(token).ok_or_else(bad)).transpose()?;
    let device_id: &DeviceId = request.path.first().map(String::as_str).unwrap_or_default().into();
    let caller = caller(&request.principal);
    let found = api.e2ee.messages_laid_by(&caller, device_id, after.unwrap_or(Position::START)).await?;
    Ok(json(format!(r#"{{"events":[{}],"next_batch":"d{}"}}"#, found.events.join(","), found.next.0)))
}
