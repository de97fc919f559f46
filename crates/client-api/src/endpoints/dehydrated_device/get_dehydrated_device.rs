//! `GET /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device`

use axum::response::Response;
use parvis_wire::{Stream, json_response};
use ruma::api::{auth_scheme::AccessToken, metadata};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::{ApiError, ClientApi, Session, actor::caller};

/// Stands for the request in the table of endpoints; it has no content.
#[derive(Debug)]
pub(super) struct Request;

metadata! {
    method: GET,
    rate_limited: false,
    authentication: AccessToken,
    path: "/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device",
}

#[derive(Serialize)]
struct Answer<'a> {
    device_id: &'a str,
    device_data: &'a RawValue,
}

/// The device that the caller has laid by, and what wakes it.
pub(super) async fn handle(api: ClientApi, request: Stream<Session>) -> Result<Response, ApiError> {
    let found = api.e2ee.laid_by(&caller(&request.principal)).await?;
    Ok(json_response(&Answer { device_id: found.device_id.as_str(), device_data: &found.device_data }))
}
