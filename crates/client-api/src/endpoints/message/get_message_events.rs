//! `GET /_matrix/client/v3/rooms/{roomId}/messages`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomidmessages>).

use axum::response::Response;
use parvis_rooms::{Direction, MessagesPage};
use parvis_sync::{EventFilter, RelationFilter};
use parvis_wire::{MatrixError, Stream};
use ruma::{
    RoomId,
    api::client::filter::{LazyLoadOptions, RoomEventFilter},
};
use serde::Deserialize;

use crate::{
    ApiError, ClientApi, Session,
    actor::{actor_of, reader},
    endpoints::token,
    query::parse_query,
    reply::Reply,
};

/// How many pages are read at most to find events that pass the filter.
const PAGES: usize = 10;

/// A page of a room's timeline. Pages on past events that the reader may not see or does not want, a while.
///
/// The query is read here and not by ruma, since clients may leave `dir` out.
pub(super) async fn handle(api: ClientApi, call: Stream<Session>) -> Result<Response, ApiError> {
    let room_id = call.path.first().map(String::as_str).unwrap_or_default();
    let room_id = &RoomId::parse(room_id).map_err(|_| MatrixError::invalid_param("not a room id"))?;
    let asked: Asked = parse_query(&call.parts.uri)?;
    let limit = asked.limit.unwrap_or(10).clamp(1, api.bounds.most_messages);
    let direction = direction(asked.dir.as_deref())?;
    let (mut from, to) = (token(asked.from.as_deref(), "from")?, token(asked.to.as_deref(), "to")?);
    let filter = filter(asked.filter.as_deref())?;
    let (wanted, related) = (EventFilter::of_room(&filter), relation_filter(asked.filter.as_deref())?);
    let lazy = matches!(filter.lazy_load_options, LazyLoadOptions::Enabled { .. });
    let actor = actor_of(&call.principal, call.user_agent());
    let reader = reader(&call.principal);
    let mut start = None;
    let mut shown = Vec::new();
    let mut next = None;
    for _ in 0..PAGES {
        let page = api.rooms.messages(&actor, room_id, from, to, direction, limit - shown.len()).await?;
        let MessagesPage { mut events, start: page_start, end } = page;
        start.get_or_insert(page_start);
        let is_empty = events.is_empty();
        events.retain(|event| wanted.wants(&event.pdu));
        api.view.retain_related(&related, &mut events).await?;
        shown.extend(api.view.show(reader, &events).await?);
        // Where these pages were the last, one more says so by being empty.
        next = end.or(next);
        from = end;
        if end.is_none() || is_empty || shown.len() >= limit {
            break;
        }
    }
    let mut reply = Reply::new().events("chunk", &shown);
    if lazy {
        let senders = shown.iter().map(|shown| shown.event.pdu.owned_sender().clone()).collect();
        if let Some(newest) = shown.iter().map(|shown| &shown.event).max_by_key(|event| event.place) {
            let members = api.rooms.member_events(newest.room, newest.room_root, &senders).await?;
            reply = reply.events("state", &api.view.show_state(reader, &members));
        }
    }
    if let Some(start) = start {
        reply = reply.text("start", &start.to_string());
    }
    if let Some(next) = next {
        reply = reply.text("end", &next.to_string());
    }
    Ok(reply.done())
}

/// The query string.
#[derive(Deserialize)]
struct Asked {
    from: Option<String>,
    to: Option<String>,
    dir: Option<String>,
    limit: Option<usize>,
    filter: Option<String>,
}

fn direction(dir: Option<&str>) -> Result<Direction, MatrixError> {
    match dir {
        None | Some("b") => Ok(Direction::Backward),
        Some("f") => Ok(Direction::Forward),
        Some(_) => Err(MatrixError::invalid_param("`dir` is `b` or `f`")),
    }
}

fn filter(json: Option<&str>) -> Result<RoomEventFilter, MatrixError> {
    let Some(json) = json else { return Ok(RoomEventFilter::default()) };
    serde_json::from_str(json).map_err(|error| MatrixError::invalid_param(format!("`filter`: {error}")))
}

/// What the same filter says about relations, which ruma does not read.
fn relation_filter(json: Option<&str>) -> Result<RelationFilter, MatrixError> {
    let Some(json) = json else { return Ok(RelationFilter::default()) };
    serde_json::from_str(json).map_err(|error| MatrixError::invalid_param(format!("`filter`: {error}")))
}
