//! The children of events, and threads.

mod event_relationships;
mod get_relating_events;
mod get_relating_events_with_rel_type;
mod get_relating_events_with_rel_type_and_event_type;
mod get_threads;

use axum::response::Response;
use http::Method;
use parvis_rooms::RelationsQuery;
use parvis_wire::{Endpoint, Endpoints, MatrixError};
use ruma::{EventId, RoomId, UInt, api::Direction};

use crate::{ApiError, ClientApi, Session, actor::reader, endpoints::token, reply::Reply};

pub(super) fn endpoints() -> Endpoints<ClientApi> {
    Endpoints::new()
        .with(Endpoint::with_own_reply(get_relating_events::handle))
        .with(Endpoint::with_own_reply(get_relating_events_with_rel_type::handle))
        .with(Endpoint::with_own_reply(get_relating_events_with_rel_type_and_event_type::handle))
        .with(Endpoint::with_own_reply(get_threads::handle))
        .with(Endpoint::own(Method::POST, event_relationships::PATH, event_relationships::handle))
}

/// What the three endpoints for relations have in common.
struct Asked {
    relation_type: Option<String>,
    kind: Option<String>,
    from: Option<String>,
    to: Option<String>,
    direction: Direction,
    limit: Option<UInt>,
    recurse: bool,
}

async fn answer(
    api: &ClientApi,
    session: &Session,
    room_id: &RoomId,
    parent: &EventId,
    asked: Asked,
) -> Result<Response, ApiError> {
    let (view, reader) = (&api.view, reader(session));
    let event = api.rooms.event(room_id, parent).await?;
    if view.show(reader, &[event]).await?.is_empty() {
        return Err(MatrixError::not_found("there is no such event, or you may not see it").into());
    }
    let limit = asked.limit.and_then(|limit| usize::try_from(u64::from(limit)).ok());
    let query = RelationsQuery {
        relation_type: asked.relation_type,
        kind: asked.kind,
        from: token(asked.from.as_deref(), "from")?,
        to: token(asked.to.as_deref(), "to")?,
        forward: asked.direction == Direction::Forward,
        limit: limit.unwrap_or(20).clamp(1, 100),
        recurse: asked.recurse,
    };
    let (children, next) = api.rooms.relations(room_id, parent, &query).await?;
    let shown = view.show(reader, &children).await?;
    let mut reply = Reply::new().events("chunk", &shown);
    if let Some(next) = next {
        reply = reply.text("next_batch", &next.to_string());
    }
    if let Some(from) = &asked.from {
        reply = reply.text("prev_batch", from);
    }
    if asked.recurse {
        reply = reply.number("recursion_depth", 3);
    }
    Ok(reply.done())
}
