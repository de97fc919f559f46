//! `GET /_matrix/client/v1/rooms/{roomId}/relations/{eventId}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1roomsroomidrelationseventid>).

use axum::response::Response;
use parvis_wire::Call;
use ruma::api::client::relations::get_relating_events::v1::Request;

use crate::{
    ApiError, ClientApi, Session,
    endpoints::relations::{Asked, answer},
};

/// The children of an event.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let request = call.request;
    let asked = Asked {
        relation_type: None,
        kind: None,
        from: request.from,
        to: request.to,
        direction: request.dir,
        limit: request.limit,
        recurse: request.recurse,
    };
    answer(&api, &call.principal, &request.room_id, &request.event_id, asked).await
}
