//! `GET /_matrix/client/v3/notifications`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3notifications>).

use axum::response::Response;
use parvis_sync::Token;
use parvis_wire::{Call, MatrixError};
use ruma::api::client::push::get_notifications::v3::Request;

use crate::{
    ApiError, ClientApi, Session,
    actor::reader,
    reply::{Reply, notifications},
};

/// How many notifications are in a page, if nobody says, and at most.
const USUAL: usize = 20;
const MOST: usize = 100;

/// What the user was notified of, the newest first: found again in the timelines of their rooms by their rules of
/// now, at the cost that [`parvis_sync::Notices::page`] names.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let Request { from, limit, only, .. } = &call.request;
    let bad = |_| MatrixError::invalid_param("`from` is no token of this server");
    let from = from.as_deref().map(str::parse::<Token>).transpose().map_err(bad)?;
    let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(USUAL).clamp(1, MOST);
    let only_highlights = only.as_deref() == Some("highlight");
    let notices = api.sync.notices();
    let page = notices.page(reader(&call.principal), from, limit, only_highlights).await;
    let page = page.map_err(MatrixError::internal)?;
    let mut reply = Reply::new();
    if let Some(next) = page.next {
        reply = reply.text("next_token", &next.to_string());
    }
    Ok(notifications(reply, &page.notifications).done())
}
