//! `GET /_matrix/client/v3/pushrules/`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3pushrules>).

use parvis_wire::Call;
use ruma::api::client::push::get_pushrules_all::v3::{Request, Response};

use crate::{ApiError, ClientApi, Session};

/// All of the user's push rules.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    Ok(Response::new(api.accounts.push_rules(call.principal.user, &call.principal.user_id).await?))
}
