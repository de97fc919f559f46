//! `GET /_matrix/client/v1/admin/lock/{userId}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1adminlockuserid>).

use parvis_wire::Call;
use ruma::api::client::admin::is_user_locked::v1::{Request, Response};

use super::check_administers;
use crate::{ApiError, ClientApi, Session};

/// Whether a user is locked.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    check_administers(&call.principal, &call.request.user_id)?;
    let account = api.accounts.open_account_of(&call.request.user_id).await?;
    Ok(Response::new(account.locked))
}
