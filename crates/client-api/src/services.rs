//! Users and aliases that only an application service knows, until somebody asks for them
//! (<https://spec.matrix.org/v1.19/application-service-api/#querying>).

use parvis_rooms::RoomError;
use ruma::{OwnedRoomId, OwnedServerName, RoomAliasId, UserId};

use crate::{ApiError, ClientApi, Session};

/// Has an application service make a user of this server who is not there yet; says whether one did. A service that
/// acts by itself is not asked for its own users.
pub(crate) async fn provide_user(
    api: &ClientApi,
    asking: Option<&Session>,
    user_id: &UserId,
) -> Result<bool, ApiError> {
    let acting = asking.and_then(|session| session.service.as_ref());
    if acting.is_some_and(|service| service.may_act_as(user_id))
        || !api.services.may_have_user(user_id)
        || api.accounts.has_account(user_id).await?
    {
        return Ok(false);
    }
    Ok(api.services.has_user(user_id).await)
}

/// The room that an alias names, and servers that are in it. An alias of this server that is not there may be one that
/// an application service makes when it is asked.
pub(crate) async fn locate_alias(
    api: &ClientApi,
    alias: &RoomAliasId,
) -> Result<(OwnedRoomId, Vec<OwnedServerName>), ApiError> {
    let found = api.rooms.locate_alias(alias).await;
    let is_provided = matches!(found, Err(RoomError::NotFound(_)))
        && alias.server_name() == api.rooms.server_name()
        && api.services.may_have_alias(alias)
        && api.services.has_alias(alias).await;
    Ok(if is_provided { api.rooms.locate_alias(alias).await? } else { found? })
}
