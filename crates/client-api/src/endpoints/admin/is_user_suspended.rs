//! `GET /_matrix/client/v1/admin/suspend/{userId}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1adminsuspenduserid>).

use parvis_wire::Call;
use ruma::api::client::admin::is_user_suspended::v1::{Request, Response};

use super::check_administers;
use crate::{ApiError, ClientApi, Session};

/// Whether a user is suspended.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    check_administers(&call.principal, &call.request.user_id)?;
    let account = api.accounts.open_account_of(&call.request.user_id).await?;
    Ok(Response::new(account.suspended))
}
