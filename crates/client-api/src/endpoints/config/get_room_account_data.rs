//! `GET /_matrix/client/v3/user/{userId}/rooms/{roomId}/account_data/{type}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3useruseridroomsroomidaccount_datatype>).

use parvis_wire::Call;
use ruma::{
    api::client::config::get_room_account_data::v3::{Request, Response},
    serde::Raw,
};

use crate::{ApiError, ClientApi, Session, session::check_own};

/// What the user's clients keep about a room.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    check_own(&call.principal, &call.request.user_id)?;
    let room = api.accounts.room(&call.request.room_id).await?;
    let kind = call.request.event_type.to_string();
    let content = api.accounts.account_data(call.principal.user, Some(room), &kind).await?;
    Ok(Response::new(Raw::from_json(content)))
}
