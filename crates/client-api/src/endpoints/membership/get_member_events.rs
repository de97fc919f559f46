//! `GET /_matrix/client/v3/rooms/{roomId}/members`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomidmembers>).

use axum::response::Response;
use parvis_rooms::HistoryToken;
use parvis_wire::{Call, MatrixError};
use ruma::{api::client::membership::get_member_events::v3::Request, events::room::member::MembershipState};

use crate::{
    ApiError, ClientApi, Session,
    actor::{actor, reader},
    reply::Reply,
};

/// The membership events of a room, now or at a token of sync.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let Request { room_id, at, membership, not_membership, .. } = &call.request;
    let token =
        |text: &String| HistoryToken::parse(text).ok_or_else(|| MatrixError::invalid_param("bad `at`"));
    let at = at.as_ref().map(token).transpose()?;
    let mut events = api.rooms.members(&actor(&call), room_id, at.map(HistoryToken::position)).await?;
    if membership.is_some() || not_membership.is_some() {
        events.retain(|event| {
            let is = |wanted: &MembershipState| {
                event.pdu.membership().is_some_and(|found| found.as_str() == wanted.as_str())
            };
            membership.as_ref().is_some_and(is) || not_membership.as_ref().is_some_and(|not| !is(not))
        });
    }
    let shown = api.view.show(reader(&call.principal), &events).await?;
    Ok(Reply::new().events("chunk", &shown).done())
}
