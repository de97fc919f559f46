//! `POST /_matrix/client/v3/rooms/{roomId}/upgrade`
//! (<https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidupgrade>).

use parvis_wire::Call;
use ruma::api::client::room::upgrade_room::v3::{Request, Response};

use crate::{ApiError, ClientApi, Session, actor::actor};

/// Makes a room of another version that takes this one's place.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let Request { room_id, new_version, additional_creators, .. } = &call.request;
    let creators: Vec<String> = additional_creators.iter().map(ToString::to_string).collect();
    let replacement = api.rooms.upgrade(&actor(&call), room_id, new_version.as_str(), &creators).await?;
    for (user, user_id) in api.rooms.local_members(room_id).await? {
        if let Err(error) = api.accounts.carry_room_rule(user, &user_id, room_id, &replacement).await {
            tracing::warn!(user = user.0, %error, "a push rule was not carried into an upgraded room");
        }
    }
    Ok(Response::new(replacement))
}
