//! `GET /_matrix/client/v3/rooms/{roomId}/messages`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomidmessages>).

use axum::response::Response;
use parvis_rooms::{Direction, MessagesPage};
use parvis_sync::EventFilter;
use parvis_wire::Call;
use ruma::api::{
    Direction as Asked,
    client::{filter::LazyLoadOptions, message::get_message_events::v3::Request},
};

use crate::{
    ApiError, ClientApi, Session,
    actor::{actor, reader},
    endpoints::token,
    reply::Reply,
};

/// How many pages are read at most to find events that pass the filter.
const PAGES: usize = 10;

/// A page of a room's timeline. Pages on past events that the reader may not see or does not want, a while.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let Request { room_id, from, to, dir, limit, filter, .. } = &call.request;
    let limit = usize::try_from(u64::from(*limit)).unwrap_or(usize::MAX).clamp(1, api.bounds.most_messages);
    let direction = if *dir == Asked::Forward { Direction::Forward } else { Direction::Backward };
    let (mut from, to) = (token(from.as_deref(), "from")?, token(to.as_deref(), "to")?);
    let wanted = EventFilter::of_room(filter);
    let lazy = matches!(filter.lazy_load_options, LazyLoadOptions::Enabled { .. });
    let (actor, reader) = (actor(&call), reader(&call.principal));
    let mut start = None;
    let mut shown = Vec::new();
    let mut next = None;
    for _ in 0..PAGES {
        let page = api.rooms.messages(&actor, room_id, from, to, direction, limit - shown.len()).await?;
        let MessagesPage { mut events, start: page_start, end } = page;
        start.get_or_insert(page_start);
        events.retain(|event| wanted.wants(&event.pdu));
        shown.extend(api.view.show(reader, &events).await?);
        next = end;
        from = end;
        if end.is_none() || shown.len() >= limit {
            break;
        }
    }
    let mut reply = Reply::new().events("chunk", &shown);
    if lazy {
        let senders = shown.iter().map(|shown| shown.event.pdu.owned_sender().clone()).collect();
        if let Some(last) = shown.last() {
            let members = api.rooms.member_events(last.event.room, last.event.room_root, &senders).await?;
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
