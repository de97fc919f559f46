//! `POST /_matrix/client/v3/rooms/{roomId}/report/{eventId}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidreporteventid>).

use parvis_wire::{Call, MatrixError};
use ruma::api::client::room::report_content::v3::{Request, Response};

use crate::{
    ApiError, ClientApi, Session,
    actor::{actor, reader},
};

/// Reports an event. What the user may not see is not there.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    api.limits.reports.check(&call.principal)?;
    let Request { room_id, event_id, reason, .. } = &call.request;
    let event = api.rooms.event(room_id, event_id).await?;
    if !api.view.may_see(reader(&call.principal), &event).await? {
        return Err(MatrixError::not_found("there is no such event, or you are not in its room").into());
    }
    api.rooms.report_event(&actor(&call), &event, reason.as_deref().unwrap_or_default()).await?;
    Ok(Response::new())
}
