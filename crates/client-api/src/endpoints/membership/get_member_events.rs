//! `GET /_matrix/client/v3/rooms/{roomId}/members`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomidmembers>).

use std::sync::Arc;

use axum::response::Response;
use parvis_events::Membership;
use parvis_rooms::{HistoryToken, StoredEvent};
use parvis_wire::{Call, MatrixError};
use ruma::{api::client::membership::get_member_events::v3::Request, events::room::member::MembershipState};

use crate::{
    ApiError, ClientApi, Session,
    actor::{actor, reader},
    reply::Reply,
};

/// The membership events of a room, now or at a token of sync: all of them, for who may read that state. What the room
/// says about its history's visibility is about its timeline; whoever is in the room must know who else is.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let Request { room_id, at, membership, not_membership, .. } = &call.request;
    let token =
        |text: &String| HistoryToken::parse(text).ok_or_else(|| MatrixError::invalid_param("bad `at`"));
    let at = at.as_ref().map(token).transpose()?;
    let mut events = api.rooms.members(&actor(&call), room_id, at.map(HistoryToken::position)).await?;
    let is_reader_in = |event: &Arc<StoredEvent>| {
        event.pdu.state_key() == Some(call.principal.user_id.as_str())
            && event.pdu.membership() == Some(Membership::Join)
    };
    let sees_all = at.is_none() || events.iter().any(is_reader_in);
    if membership.is_some() || not_membership.is_some() {
        events.retain(|event| {
            let is = |wanted: &MembershipState| {
                event.pdu.membership().is_some_and(|found| found.as_str() == wanted.as_str())
            };
            membership.as_ref().is_some_and(is) || not_membership.as_ref().is_some_and(|not| !is(not))
        });
    }
    let reader = reader(&call.principal);
    let shown = match sees_all {
        true => api.view.show_state(reader, &events),
        false => api.view.show(reader, &events).await?,
    };
    Ok(Reply::new().events("chunk", &shown).done())
}
