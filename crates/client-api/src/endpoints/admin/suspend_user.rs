//! `PUT /_matrix/client/v1/admin/suspend/{userId}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv1adminsuspenduserid>).

use parvis_wire::Call;
use ruma::api::client::admin::suspend_user::v1::{Request, Response};

use super::check_administers;
use crate::{ApiError, ClientApi, Session};

/// Lets a user do little more than read and leave, or everything again.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    check_administers(&call.principal, &call.request.user_id)?;
    let Request { user_id, suspended, .. } = &call.request;
    api.accounts.account_to_moderate(&call.principal.user_id, user_id).await?;
    let account = api.accounts.set_suspended(user_id.as_str(), *suspended).await?;
    Ok(Response::new(account.suspended))
}
