//! `PUT /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/enabled`
//! (<https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3pushrulesglobalkindruleidenabled>).

use parvis_wire::Call;
use ruma::api::client::push::set_pushrule_enabled::v3::{Request, Response};

use crate::{ApiError, ClientApi, Session};

/// Switches one of the user's push rules on or off.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let Request { kind, rule_id, enabled, .. } = call.request;
    let Session { user, user_id, .. } = &call.principal;
    api.accounts.set_push_rule_enabled(*user, user_id, kind, &rule_id, enabled).await?;
    Ok(Response::new())
}
