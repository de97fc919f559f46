//! `GET /_matrix/client/v3/pushrules/global/`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3pushrulesglobal>).

use parvis_wire::Call;
use ruma::api::client::push::get_pushrules_global_scope::v3::{Request, Response};

use crate::{ApiError, ClientApi, Session};

/// The user's push rules, of the one scope that there is.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    Ok(Response::new(api.accounts.push_rules(call.principal.user, &call.principal.user_id).await?))
}
