//! `GET /_matrix/client/v3/user/{userId}/account_data/{type}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3useruseridaccount_datatype>).

use parvis_wire::Call;
use ruma::{
    api::client::config::get_global_account_data::v3::{Request, Response},
    serde::Raw,
};

use crate::{ApiError, ClientApi, Session, session::check_own};

/// What the user's clients keep about the account.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    check_own(&call.principal, &call.request.user_id)?;
    let kind = call.request.event_type.to_string();
    let content = api.accounts.account_data(call.principal.user, None, &kind).await?;
    Ok(Response::new(Raw::from_json(content)))
}
