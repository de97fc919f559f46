//! `DELETE /_matrix/client/v3/profile/{userId}/{keyName}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#delete_matrixclientv3profileuseridkeyname>).

use parvis_wire::Call;
use ruma::api::client::profile::delete_profile_field::v3::{Request, Response};

use super::tell_rooms;
use crate::{ApiError, ClientApi, Session, actor::actor, completion::to_its_end, session::check_own};

/// Takes a field out of the user's profile.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let Request { user_id, field, .. } = &call.request;
    check_own(&call.principal, user_id)?;
    let (actor, field) = (actor(&call), field.to_string());
    to_its_end(async move {
        api.accounts.delete_profile_field(actor.user, &actor.user_id, &field).await?;
        tell_rooms(&api, &actor, &field).await
    })
    .await?;
    Ok(Response::new())
}
