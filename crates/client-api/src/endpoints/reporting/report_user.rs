//! `POST /_matrix/client/v3/users/{userId}/report`
//! (<https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3usersuseridreport>).

use parvis_wire::Call;
use ruma::api::client::reporting::report_user::v3::{Request, Response};

use crate::{ApiError, ClientApi, Session, actor::actor};

/// Reports a user. The answer does not tell whether there is one.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    api.limits.reports.check(&call.principal)?;
    api.rooms.report_user(&actor(&call), &call.request.user_id, &call.request.reason).await?;
    Ok(Response::new())
}
