//! `PUT /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/actions`
//! (<https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3pushrulesglobalkindruleidactions>).

use parvis_wire::Call;
use ruma::api::client::push::set_pushrule_actions::v3::{Request, Response};

use crate::{ApiError, ClientApi, Session};

/// Sets what one of the user's push rules does.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let Request { kind, rule_id, actions, .. } = call.request;
    let Session { user, user_id, .. } = &call.principal;
    api.accounts.set_push_rule_actions(*user, user_id, kind, &rule_id, actions).await?;
    Ok(Response::new())
}
