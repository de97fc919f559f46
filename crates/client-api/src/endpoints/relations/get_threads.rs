//! `GET /_matrix/client/v1/rooms/{roomId}/threads`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1roomsroomidthreads>).

use axum::response::Response;
use parvis_sync::ShownEvent;
use parvis_wire::Call;
use ruma::api::client::threads::get_threads::v1::{IncludeThreads, Request};

use crate::{
    ApiError, ClientApi, Session,
    actor::{actor, reader},
    endpoints::token,
    reply::Reply,
};

/// The threads of a room, those with the newest replies first.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let Request { room_id, from, include, limit, .. } = &call.request;
    let limit = limit.and_then(|limit| usize::try_from(u64::from(limit)).ok()).unwrap_or(20).clamp(1, 100);
    let from = token(from.as_deref(), "from")?;
    let (roots, next) = api.rooms.threads(&actor(&call), room_id, from, limit).await?;
    let mut shown = api.view.show(reader(&call.principal), &roots).await?;
    if *include == IncludeThreads::Participated {
        shown.retain(participated);
    }
    let mut reply = Reply::new().events("chunk", &shown);
    if let Some(next) = next {
        reply = reply.text("next_batch", &next.to_string());
    }
    Ok(reply.done())
}

/// Whether the reader wrote in the thread that begins with this event.
fn participated(root: &ShownEvent) -> bool {
    let thread = root.relations.as_ref().and_then(|relations| relations.thread.as_ref());
    thread.is_some_and(|thread| thread.participated)
}
