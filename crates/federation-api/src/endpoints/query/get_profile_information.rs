//! `GET /_matrix/federation/v1/query/profile`
//! (<https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1queryprofile>).

use parvis_wire::{Call, MatrixError};
use ruma::api::federation::query::get_profile_information::v1::{Request, Response};

use crate::{ApiError, FederationApi, Origin};

/// A local user's profile, or one field of it.
pub(super) async fn handle(api: FederationApi, call: Call<Request, Origin>) -> Result<Response, ApiError> {
    let Request { user_id, field, .. } = &call.request;
    if user_id.server_name() != api.rooms.server_name() {
        return Err(MatrixError::invalid_param("The user is not of this server.").into());
    }
    if api.services.may_have_user(user_id) && !api.accounts.has_account(user_id).await? {
        // An application service may make the user now.
        api.services.has_user(user_id).await;
    }
    let profile = api.accounts.profile(user_id).await?;
    let wanted = |name: &str| field.as_ref().is_none_or(|field| field.as_str() == name);
    Ok(profile.fields.into_iter().filter(|(name, _)| wanted(name)).collect())
}
