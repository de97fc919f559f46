//! Push rules: which events a user is told of
//! (<https://spec.matrix.org/v1.19/client-server-api/#push-rules>).
//!
//! Kept as account data, and so told to all of a user's devices.

use parvis_events::{current_push_rules, default_push_rules};
use parvis_storage::{StorageError, UserSn};
use ruma::{
    RoomId, UserId,
    events::push_rules::PushRulesEventContent,
    push::{
        Action, InsertPushRuleError, NewPushRule, NewSimplePushRule, RemovePushRuleError, RuleKind, Ruleset,
    },
};
use serde_json::value::to_raw_value;

use crate::{
    account_data::{AccountDataError, PUSH_RULES},
    accounts::Accounts,
};

/// How many rules a user may add. Each is tried for each event.
const MOST_OWN_RULES: usize = 1_000;

/// Why push rules are not changed.
#[derive(Debug, thiserror::Error)]
pub enum PushRuleError {
    /// There is no such rule.
    #[error("there is no such push rule")]
    NotFound,
    /// The rule named by `before` or `after` is not there.
    #[error("the rule named by before or after is not there")]
    NeighbourNotFound,
    /// The rule or its place cannot be had: a sentence for people.
    #[error("{0}")]
    Invalid(String),
    /// The rules could not be read or written.
    #[error(transparent)]
    AccountData(#[from] AccountDataError),
}

impl From<StorageError> for PushRuleError {
    fn from(error: StorageError) -> Self {
        Self::AccountData(error.into())
    }
}

impl Accounts {
    /// A user's push rules: those of the server as the user has set them, and the user's own.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn push_rules(&self, user: UserSn, user_id: &UserId) -> Result<Ruleset, StorageError> {
        let stored = self.store.account_data(user, None, PUSH_RULES).await?;
        let content = stored.and_then(|data| serde_json::from_str(data.content.get()).ok());
        Ok(current_rules(content, user_id))
    }

    /// Sets one of the user's own rules.
    ///
    /// # Errors
    /// Any [`PushRuleError`].
    pub async fn set_push_rule(
        &self,
        user: UserSn,
        user_id: &UserId,
        rule: NewPushRule,
        after: Option<&str>,
        before: Option<&str>,
    ) -> Result<(), PushRuleError> {
        self.change_rules(user, user_id, |rules| insert(rules, rule.clone(), after, before)).await
    }

    /// Takes away one of the user's own rules.
    ///
    /// # Errors
    /// Any [`PushRuleError`].
    pub async fn delete_push_rule(
        &self,
        user: UserSn,
        user_id: &UserId,
        kind: RuleKind,
        rule_id: &str,
    ) -> Result<(), PushRuleError> {
        let remove = |rules: &mut Ruleset| {
            rules.remove(kind.clone(), rule_id).map_err(|error| match error {
                RemovePushRuleError::NotFound => PushRuleError::NotFound,
                other => PushRuleError::Invalid(other.to_string()),
            })
        };
        self.change_rules(user, user_id, remove).await
    }

    /// Switches a rule on or off.
    ///
    /// # Errors
    /// Any [`PushRuleError`].
    pub async fn set_push_rule_enabled(
        &self,
        user: UserSn,
        user_id: &UserId,
        kind: RuleKind,
        rule_id: &str,
        enabled: bool,
    ) -> Result<(), PushRuleError> {
        let set = |rules: &mut Ruleset| {
            rules.set_enabled(kind.clone(), rule_id, enabled).map_err(|_| PushRuleError::NotFound)
        };
        self.change_rules(user, user_id, set).await
    }

    /// Sets what is done where a rule matches.
    ///
    /// # Errors
    /// Any [`PushRuleError`].
    pub async fn set_push_rule_actions(
        &self,
        user: UserSn,
        user_id: &UserId,
        kind: RuleKind,
        rule_id: &str,
        actions: Vec<Action>,
    ) -> Result<(), PushRuleError> {
        let set = |rules: &mut Ruleset| {
            let actions = actions.clone();
            rules.set_actions(kind.clone(), rule_id, actions).map_err(|_| PushRuleError::NotFound)
        };
        self.change_rules(user, user_id, set).await
    }

    /// Gives a user's own rule for a room to the room that has taken its place, if the user has none for that.
    ///
    /// # Errors
    /// Any [`PushRuleError`].
    pub async fn carry_room_rule(
        &self,
        user: UserSn,
        user_id: &UserId,
        from: &RoomId,
        to: &RoomId,
    ) -> Result<(), PushRuleError> {
        let rules = self.push_rules(user, user_id).await?;
        let rule_of = |room: &RoomId| rules.room.iter().find(|rule| rule.rule_id == room);
        let (Some(rule), None) = (rule_of(from), rule_of(to)) else { return Ok(()) };
        let carried = NewSimplePushRule::new(to.to_owned(), rule.actions.clone());
        self.set_push_rule(user, user_id, NewPushRule::Room(carried), None, None).await
    }

    async fn change_rules(
        &self,
        user: UserSn,
        user_id: &UserId,
        change: impl Fn(&mut Ruleset) -> Result<(), PushRuleError>,
    ) -> Result<(), PushRuleError> {
        self.change_account_data(user, None, PUSH_RULES, |stored| {
            let mut rules =
                current_rules(stored.and_then(|stored| serde_json::from_str(stored).ok()), user_id);
            change(&mut rules)?;
            let content = PushRulesEventContent::new(rules);
            let content = to_raw_value(&content).map_err(|error| PushRuleError::Invalid(error.to_string()));
            content.map(Some)
        })
        .await
    }
}

/// The server's rules for a new user.
pub(crate) fn new_push_rules(user_id: &UserId) -> PushRulesEventContent {
    PushRulesEventContent::new(default_push_rules(user_id))
}

/// The stored rules, with the server's rules of today as the user has set them.
fn current_rules(stored: Option<PushRulesEventContent>, user_id: &UserId) -> Ruleset {
    current_push_rules(stored.map(|stored| stored.global), user_id)
}

/// Puts a user's rule into its place.
fn insert(
    rules: &mut Ruleset,
    rule: NewPushRule,
    after: Option<&str>,
    before: Option<&str>,
) -> Result<(), PushRuleError> {
    let (kind, rule_id) = (rule.kind(), rule.rule_id().to_owned());
    let known = rules.get(kind.clone(), &rule_id).map(|known| known.enabled());
    if known.is_none() && rules.iter().filter(|rule| !rule.is_server_default()).count() >= MOST_OWN_RULES {
        return Err(PushRuleError::Invalid(format!("There are {MOST_OWN_RULES} rules already.")));
    }
    if [after, before].contains(&Some(rule_id.as_str())) {
        return Err(PushRuleError::NeighbourNotFound);
    }
    if known.is_some() && (after.is_some() || before.is_some()) {
        // Moving within the set counts places while the rule still has its old one: take it out first.
        rules.remove(kind.clone(), &rule_id).map_err(|error| PushRuleError::Invalid(error.to_string()))?;
    }
    rules.insert(rule, after, before).map_err(|error| match error {
        InsertPushRuleError::UnknownRuleId => PushRuleError::NeighbourNotFound,
        other => PushRuleError::Invalid(other.to_string()),
    })?;
    if known == Some(false) {
        rules.set_enabled(kind, &rule_id, false).map_err(|_| PushRuleError::NotFound)?;
    }
    Ok(())
}
