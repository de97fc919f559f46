//! `PUT /_matrix/federation/v1/3pid/onbind`
//! (<https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv13pidonbind>).

use parvis_rooms::{Bound, ThirdPartyInvite};
use parvis_wire::{Call, MatrixError};
use ruma::api::federation::thirdparty::bind_callback::v1::{Request, Response};
use serde_json::{Value, json};

use crate::{ApiError, FederationApi};

/// Redeems the invitations to an address that has turned out to be a user's of this server. Anybody may call: what
/// counts is the identity server's signature on each invitation, by a key that its room knows.
pub(super) async fn handle(api: FederationApi, call: Call<Request, ()>) -> Result<Response, ApiError> {
    let Request { mxid, invites, .. } = &call.request;
    if mxid.server_name() != api.rooms.server_name() {
        return Err(MatrixError::invalid_param("The user is not of this server.").into());
    }
    let mut bound = Vec::with_capacity(invites.len());
    for invite in invites.iter().filter(|invite| invite.mxid == *mxid) {
        let signed: Value = serde_json::from_str(invite.signed.json().get())
            .map_err(|error| MatrixError::bad_json(format!("`signed`: {error}")))?;
        let invitation = json!({ "display_name": invite.address, "signed": signed });
        let third_party =
            ThirdPartyInvite { sender: invite.sender.clone(), invited: mxid.clone(), invitation };
        bound.push(Bound { room_id: invite.room_id.clone(), invite: third_party });
    }
    api.rooms.redeem(&bound).await;
    Ok(Response::new())
}
