//! `GET /_matrix/client/v3/thirdparty/user/{protocol}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3thirdpartyuserprotocol>).

use axum::response::Response;
use parvis_outbound::ThirdParty;
use parvis_wire::{Call, json_response};
use ruma::api::client::thirdparty::get_user_for_protocol::v3::Request;

use super::question;
use crate::{ApiError, ClientApi, Session};

/// Users of another network, by the fields that the network has.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let question = question(&call.parts, &call.principal);
    let found = api.services.third_party(ThirdParty::User, Some(&call.request.protocol), &question).await;
    Ok(json_response(&found))
}
