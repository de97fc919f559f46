//! `PUT /_matrix/client/v1/admin/lock/{userId}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv1adminlockuserid>).

use parvis_wire::Call;
use ruma::api::client::admin::lock_user::v1::{Request, Response};

use super::check_administers;
use crate::{ApiError, ClientApi, Session};

/// Keeps a user out, or lets them in again. Their sessions stay.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    check_administers(&call.principal, &call.request.user_id)?;
    let Request { user_id, locked, .. } = &call.request;
    api.accounts.account_to_moderate(&call.principal.user_id, user_id).await?;
    let account = api.accounts.set_locked(user_id.as_str(), *locked).await?;
    Ok(Response::new(account.locked))
}
