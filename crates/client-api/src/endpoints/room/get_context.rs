//! `GET /_matrix/client/v3/rooms/{roomId}/context/{eventId}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomidcontexteventid>).

use axum::response::Response;
use parvis_sync::EventFilter;
use parvis_wire::{Call, MatrixError};
use ruma::api::client::{context::get_context::v3::Request, filter::LazyLoadOptions};

use crate::{ApiError, ClientApi, Session, actor::reader, reply::Reply};

/// An event among its neighbours, with the state at the last of them.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let Request { room_id, event_id, limit, filter, .. } = &call.request;
    let limit = usize::try_from(u64::from(*limit)).unwrap_or(100).min(100);
    let wanted = EventFilter::of_room(filter);
    let lazy = matches!(filter.lazy_load_options, LazyLoadOptions::Enabled { .. });
    let (view, reader) = (&api.view, reader(&call.principal));
    let mut context = api.rooms.context(room_id, event_id, limit).await?;
    let shown = view.show(reader, std::slice::from_ref(&context.event)).await?;
    let missing = || MatrixError::not_found("there is no such event, or you may not see it");
    let event = shown.into_iter().next().ok_or_else(missing)?;
    context.before.retain(|event| wanted.wants(&event.pdu));
    context.after.retain(|event| wanted.wants(&event.pdu));
    let before = view.show(reader, &context.before).await?;
    let after = view.show(reader, &context.after).await?;
    let senders =
        before.iter().chain([&event]).chain(&after).map(|shown| shown.event.pdu.owned_sender().clone());
    let senders = lazy.then(|| senders.collect());
    let state = api.rooms.state_at(context.room, context.state_root, senders.as_ref()).await?;
    let state = view.show_state(reader, &state);
    Ok(Reply::new()
        .text("start", &context.start.to_string())
        .text("end", &context.end.to_string())
        .event("event", &event)
        .events("events_before", &before)
        .events("events_after", &after)
        .events("state", &state)
        .done())
}
