//! `GET /_matrix/client/v3/profile/{userId}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3profileuserid>).

use parvis_wire::Call;
use ruma::api::client::profile::get_profile::v3::{Request, Response};

use crate::{ApiError, ClientApi};

/// A user's whole profile.
pub(super) async fn handle(api: ClientApi, call: Call<Request, ()>) -> Result<Response, ApiError> {
    let profile = api.accounts.profile(&call.request.user_id).await?;
    Ok(profile.fields.into_iter().collect())
}
