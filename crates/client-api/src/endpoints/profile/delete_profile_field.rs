//! `DELETE /_matrix/client/v3/profile/{userId}/{keyName}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#delete_matrixclientv3profileuseridkeyname>).

use parvis_wire::Call;
use ruma::api::client::profile::delete_profile_field::v3::{Request, Response};

use crate::{ApiError, ClientApi, Session, session::check_own};

/// Takes a field out of the user's profile.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let Request { user_id, field, .. } = &call.request;
    check_own(&call.principal, user_id)?;
    api.accounts.delete_profile_field(call.principal.user, user_id, field.as_str()).await?;
    Ok(Response::new())
}
