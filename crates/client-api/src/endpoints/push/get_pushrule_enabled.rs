//! `GET /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/enabled`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3pushrulesglobalkindruleidenabled>).

use parvis_wire::Call;
use ruma::api::client::push::get_pushrule_enabled::v3::{Request, Response};

use super::no_such_rule;
use crate::{ApiError, ClientApi, Session};

/// Whether one of the user's push rules is on.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let Request { kind, rule_id, .. } = call.request;
    let rules = api.accounts.push_rules(call.principal.user, &call.principal.user_id).await?;
    let rule = rules.get(kind, &rule_id).ok_or_else(no_such_rule)?;
    Ok(Response::new(rule.enabled()))
}
