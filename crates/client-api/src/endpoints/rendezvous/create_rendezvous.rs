//! `POST /_matrix/client/unstable/org.matrix.msc4108/rendezvous`: makes a place where two devices meet.

use axum::response::Response;
use http::StatusCode;
use parvis_accounts::LARGEST_RENDEZVOUS_MESSAGE;
use parvis_wire::{Stream, json_response, read_body};
use serde_json::json;

use super::{PLACES, answer, demand_text, refused, switched_on};
use crate::{ApiError, ClientApi, RateLimitKey, pages::absolute};

/// Makes one, and says where it is. Anybody may, as often as they may log in.
pub(super) async fn handle(api: ClientApi, stream: Stream<()>) -> Result<Response, ApiError> {
    switched_on(&api)?;
    api.limits.login.count(RateLimitKey::Address(stream.client_address().map(|address| address.0)))?;
    demand_text(&stream.parts.headers)?;
    let content = read_body(stream.body, LARGEST_RENDEZVOUS_MESSAGE).await?;
    let (id, message) = api.accounts.begin_rendezvous(content.to_vec()).map_err(refused)?;
    let url = absolute(&api, &format!("{PLACES}/{id}"));
    Ok(answer(StatusCode::CREATED, &message, json_response(&json!({ "url": url }))))
}
