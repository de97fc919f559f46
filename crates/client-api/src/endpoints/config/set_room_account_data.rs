//! `PUT /_matrix/client/v3/user/{userId}/rooms/{roomId}/account_data/{type}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3useruseridroomsroomidaccount_datatype>).

use parvis_wire::Call;
use ruma::api::client::config::set_room_account_data::v3::{Request, Response};

use crate::{ApiError, ClientApi, Session, session::check_own};

/// Keeps something about a room for the user's clients.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    check_own(&call.principal, &call.request.user_id)?;
    let room = api.accounts.room(&call.request.room_id).await?;
    let kind = call.request.event_type.to_string();
    let content = call.request.data.json();
    api.accounts.set_account_data(call.principal.user, Some(room), &kind, content).await?;
    Ok(Response::new())
}
