//! `GET /_matrix/client/v3/rooms/{roomId}/joined_members`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomidjoined_members>).

use crate::{ApiError, ClientApi, Session, actor::actor};
use parvis_wire::Call;
use ruma::OwnedUserId;
use ruma::api::client::membership::joined_members::v3::{Request, Response, RoomMember};

/// The joined members of a room, with their names and pictures.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let members = api.rooms.joined_members(&actor(&call), &call.request.room_id).await?;
    let joined = members.iter().filter_map(|event| {
        let user_id = OwnedUserId::try_from(event.pdu.state_key()?).ok()?;
        let content = event.pdu.member_content()?;
        let mut member = RoomMember::new();
        member.display_name = content.displayname.map(Into::into);
        member.avatar_url = content.avatar_url.map(|url| url.as_ref().into());
        Some((user_id, member))
    });
    Ok(Response::new(joined.collect()))
}
