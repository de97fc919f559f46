//! `PUT /_matrix/client/v3/user/{userId}/account_data/{type}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3useruseridaccount_datatype>).

use parvis_wire::Call;
use ruma::api::client::config::set_global_account_data::v3::{Request, Response};

use crate::{ApiError, ClientApi, Session, session::check_own};

/// Keeps something about the account for the user's clients.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    check_own(&call.principal, &call.request.user_id)?;
    let kind = call.request.event_type.to_string();
    let content = call.request.data.json();
    api.accounts.set_account_data(call.principal.user, None, &kind, content).await?;
    Ok(Response::new())
}
