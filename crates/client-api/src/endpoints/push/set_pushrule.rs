//! `PUT /_matrix/client/v3/pushrules/global/{kind}/{ruleId}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3pushrulesglobalkindruleid>).

use axum::response::Response;
use parvis_wire::{MatrixError, Stream, parse_json, read_body, typed_response};
use ruma::{
    api::client::push::set_pushrule::v3::Response as Set,
    push::{
        Action, NewConditionalPushRule, NewPatternedPushRule, NewPushRule, NewSimplePushRule, PushCondition,
    },
};
use serde::Deserialize;

use crate::{ApiError, ClientApi, Session, query::parse_query};

/// The largest push rule.
const BODY_LIMIT_BYTES: usize = 64 << 10;

#[derive(Deserialize)]
struct Query {
    before: Option<String>,
    after: Option<String>,
}

/// What a rule says. The body is read here, since in ruma's type the conditions cannot be left out.
#[derive(Deserialize)]
struct Rule {
    actions: Vec<Action>,
    #[serde(default)]
    conditions: Vec<PushCondition>,
    pattern: Option<String>,
}

/// Sets one of the user's own push rules.
pub(super) async fn handle(api: ClientApi, stream: Stream<Session>) -> Result<Response, ApiError> {
    let [kind, rule_id] = &*stream.path else {
        return Err(MatrixError::unrecognized().into());
    };
    let Query { before, after } = parse_query(&stream.parts.uri)?;
    let rule = parse_json(&read_body(stream.body, BODY_LIMIT_BYTES).await?)?;
    let rule = new_rule(kind, rule_id.clone(), rule)?;
    let Session { user, user_id, .. } = &stream.principal;
    api.accounts.set_push_rule(*user, user_id, rule, after.as_deref(), before.as_deref()).await?;
    Ok(typed_response(Set::new())?)
}

fn new_rule(kind: &str, rule_id: String, rule: Rule) -> Result<NewPushRule, MatrixError> {
    let Rule { actions, conditions, pattern } = rule;
    let conditional = |rule_id| NewConditionalPushRule::new(rule_id, conditions, actions.clone());
    Ok(match kind {
        "override" => NewPushRule::Override(conditional(rule_id)),
        "underride" => NewPushRule::Underride(conditional(rule_id)),
        "content" => {
            let pattern = pattern.ok_or_else(|| MatrixError::missing_param("The pattern is missing."))?;
            NewPushRule::Content(NewPatternedPushRule::new(rule_id, pattern, actions))
        }
        "room" => NewPushRule::Room(NewSimplePushRule::new(parse_id(rule_id)?, actions)),
        "sender" => NewPushRule::Sender(NewSimplePushRule::new(parse_id(rule_id)?, actions)),
        _ => return Err(MatrixError::invalid_param("There is no such kind of push rules.")),
    })
}

fn parse_id<T: TryFrom<String>>(rule_id: String) -> Result<T, MatrixError> {
    T::try_from(rule_id)
        .map_err(|_| MatrixError::invalid_param("The rule id does not fit this kind of rules."))
}
