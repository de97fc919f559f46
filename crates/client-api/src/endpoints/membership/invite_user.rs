//! `POST /_matrix/client/v3/rooms/{roomId}/invite`
//! (<https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidinvite>).

use crate::{ApiError, ClientApi, Session, actor::actor, services::provide_user};
use parvis_rooms::Action;
use parvis_wire::Call;
use parvis_wire::MatrixError;
use ruma::api::client::membership::invite_user::v3::{InvitationRecipient, InviteUserId, Request, Response};

/// Invites a user.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let actor = actor(&call);
    api.limits.invites.check(&call.principal)?;
    let InvitationRecipient::UserId(InviteUserId { user_id, reason, .. }) = &call.request.recipient else {
        return Err(MatrixError::forbidden("only users can be invited here, by their ids").into());
    };
    provide_user(&api, Some(&call.principal), user_id).await?;
    let room = api.rooms.find(&call.request.room_id).await?;
    api.rooms.act_on_member(&actor, room, user_id, Action::Invite, reason.as_deref()).await?;
    Ok(Response::new())
}
