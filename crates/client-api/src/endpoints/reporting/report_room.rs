//! `POST /_matrix/client/v3/rooms/{roomId}/report`
//! (<https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidreport>).

use parvis_wire::Call;
use ruma::api::client::room::report_room::v3::{Request, Response};

use crate::{ApiError, ClientApi, Session, actor::actor};

/// Reports a room. The answer does not tell whether there is one.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    api.limits.reports.check(&call.principal)?;
    api.rooms.report_room(&actor(&call), &call.request.room_id, &call.request.reason).await?;
    Ok(Response::new())
}
