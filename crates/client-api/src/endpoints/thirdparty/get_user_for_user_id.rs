//! `GET /_matrix/client/v3/thirdparty/user`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3thirdpartyuser>).

use axum::response::Response;
use parvis_outbound::ThirdParty;
use parvis_wire::{Call, json_response};
use ruma::api::client::thirdparty::get_user_for_user_id::v3::Request;

use super::question;
use crate::{ApiError, ClientApi, Session};

/// Who a user is in other networks.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let question = question(&call.parts, &call.principal);
    let found = api.services.third_party(ThirdParty::User, None, &question).await;
    Ok(json_response(&found))
}
