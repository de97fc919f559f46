//! `GET /_matrix/client/v3/profile/{userId}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3profileuserid>).

use parvis_wire::Call;
use ruma::api::client::profile::get_profile::v3::{Request, Response};

use crate::{ApiError, ClientApi, services::provide_user};

/// A user's whole profile.
pub(super) async fn handle(api: ClientApi, call: Call<Request, ()>) -> Result<Response, ApiError> {
    let user_id = &call.request.user_id;
    if user_id.server_name() != api.rooms.server_name() {
        return Ok(api.rooms.profile_elsewhere(user_id).await?.into_iter().collect());
    }
    provide_user(&api, None, user_id).await?;
    let profile = api.accounts.profile(user_id).await?;
    Ok(profile.fields.into_iter().collect())
}
