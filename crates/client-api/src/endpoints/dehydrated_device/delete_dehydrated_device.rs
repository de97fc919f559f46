//! `DELETE /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device`

use axum::response::Response;
use parvis_wire::Stream;
use ruma::api::{auth_scheme::AccessToken, metadata};

use crate::{ApiError, ClientApi, Session, actor::caller, reply::Reply};

/// Stands for the request in the table of endpoints; it has no content.
#[derive(Debug)]
pub(super) struct Request;

metadata! {
    method: DELETE,
    rate_limited: false,
    authentication: AccessToken,
    path: "/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device",
}

/// Takes away the device that the caller has laid by.
pub(super) async fn handle(api: ClientApi, request: Stream<Session>) -> Result<Response, ApiError> {
    let device_id = api.e2ee.take_away_laid_by(&caller(&request.principal)).await?;
    Ok(Reply::new().text("device_id", device_id.as_str()).done())
}
