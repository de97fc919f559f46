//! `DELETE /_matrix/client/v3/pushrules/global/{kind}/{ruleId}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#delete_matrixclientv3pushrulesglobalkindruleid>).

use parvis_wire::Call;
use ruma::api::client::push::delete_pushrule::v3::{Request, Response};

use crate::{ApiError, ClientApi, Session};

/// Takes away one of the user's own push rules.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let Request { kind, rule_id, .. } = call.request;
    let Session { user, user_id, .. } = &call.principal;
    api.accounts.delete_push_rule(*user, user_id, kind, &rule_id).await?;
    Ok(Response::new())
}
