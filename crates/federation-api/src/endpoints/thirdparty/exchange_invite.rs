//! `PUT /_matrix/federation/v1/exchange_third_party_invite/{roomId}`
//! (<https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv1exchange_third_party_inviteroomid>).

use parvis_rooms::ThirdPartyInvite;
use parvis_wire::{Call, MatrixError};
use ruma::api::federation::thirdparty::exchange_invite::v1::{Request, Response};
use serde_json::Value;

use crate::{ApiError, FederationApi, Origin};

/// Makes an ordinary invitation of one to a third party that a user has redeemed.
pub(super) async fn handle(api: FederationApi, call: Call<Request, Origin>) -> Result<Response, ApiError> {
    let Request { room_id, sender, state_key, content, .. } = &call.request;
    api.rooms.check_server_acl(room_id, call.principal.server_name()).await?;
    let mut content: Value = serde_json::from_str(content.json().get())
        .map_err(|error| MatrixError::bad_json(format!("`content`: {error}")))?;
    let invitation = content.get_mut("third_party_invite").map(Value::take);
    let invitation =
        invitation.ok_or_else(|| MatrixError::missing_param("`third_party_invite` is missing"))?;
    let invite = ThirdPartyInvite { sender: sender.clone(), invited: state_key.clone(), invitation };
    api.rooms.exchange_third_party_invite(room_id, &invite).await?;
    Ok(Response::new())
}
