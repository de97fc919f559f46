//! Which events notify a user: their push rules, tried on events
//! (<https://spec.matrix.org/v1.19/client-server-api/#push-rules>).
//!
//! Rules are parsed once for as long as they do not change, and kept once for all who have the same; an event is taken
//! apart once for all its readers, and what a rule asks about a room is found once for each state of the room.

use std::sync::Arc;

use parvis_cache::Cache;
use parvis_events::current_push_rules;
use parvis_storage::{AccountData, EventSn, RoomSn, StateRoot, StorageError, Store, StoredEvent, UserSn};
use ruma::{
    UInt, UserId,
    events::{
        push_rules::PushRulesEventContent,
        room::power_levels::{RoomPowerLevels, RoomPowerLevelsEventContent, RoomPowerLevelsSource},
    },
    push::{
        Action, AnyPushRule, AnyPushRuleRef, FlattenedJson, PushConditionPowerLevelsCtx,
        PushConditionRoomCtx, Ruleset,
    },
    serde::Raw,
};
use serde::Deserialize;
use serde_json::value::RawValue;

/// How many users' rules are kept parsed.
const RULES: u64 = 10_000;
/// How many rules are kept that users may have alike.
const ALIKE: u64 = 2_000;
/// How many bytes of events are kept taken apart, about: those that arrive while their readers are told.
const EVENTS: u64 = 4 << 20;
/// How many users' names are kept, each for one state of a room.
const NAMES: u64 = 50_000;
/// Of how many states of rooms the power levels are kept.
const LEVELS: u64 = 2_000;

/// What a user's rules say of an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) notify: bool,
    pub(crate) highlight: bool,
}

/// An event taken apart, and how long its text was.
type Flattened = (Arc<FlattenedJson>, u32);

/// A user's rules in the order in which they are tried, without those that are switched off.
type Rules = Arc<[Arc<AnyPushRule>]>;

type Parsed = (Option<Arc<AccountData>>, Rules);

/// The push rules of all users. Cheap to clone; all clones share what they remember.
#[derive(Clone, Debug)]
pub(crate) struct PushRules {
    store: Store,
    rules: Cache<UserSn, Parsed>,
    /// Rules of which users have the same: nearly all of most people's. By all that they say.
    alike: Cache<Box<str>, Arc<AnyPushRule>>,
    events: Cache<EventSn, Flattened>,
    names: Cache<(UserSn, RoomSn, StateRoot), Arc<str>>,
    levels: Cache<(RoomSn, StateRoot), Arc<PushConditionPowerLevelsCtx>>,
}

impl PushRules {
    pub(crate) fn new(store: Store) -> Self {
        Self {
            store,
            rules: Cache::new(RULES),
            alike: Cache::new(ALIKE),
            events: Cache::weighed(EVENTS, |_, (_, length): &Flattened| {
                length.saturating_mul(4).saturating_add(1_000)
            }),
            names: Cache::new(NAMES),
            levels: Cache::new(LEVELS),
        }
    }

    /// What a user's rules of now say of an event that somebody else sent.
    pub(crate) async fn verdict(
        &self,
        user: UserSn,
        user_id: &UserId,
        event: &Arc<StoredEvent>,
    ) -> Result<Verdict, StorageError> {
        let verdict = |rule: AnyPushRuleRef<'_>| Verdict {
            notify: rule.triggers_notification(),
            highlight: rule.triggers_highlight(),
        };
        Ok(self.first_match(user, user_id, event, verdict).await?.unwrap_or_default())
    }

    /// What a user's rules of now have done about an event that somebody else sent; nothing where it does not
    /// notify.
    pub(crate) async fn actions(
        &self,
        user: UserSn,
        user_id: &UserId,
        event: &Arc<StoredEvent>,
    ) -> Result<Vec<Action>, StorageError> {
        let actions = |rule: AnyPushRuleRef<'_>| match rule.triggers_notification() {
            true => rule.actions().to_vec(),
            false => Vec::new(),
        };
        Ok(self.first_match(user, user_id, event, actions).await?.unwrap_or_default())
    }

    /// What the first rule says that matches, if one does.
    async fn first_match<T>(
        &self,
        user: UserSn,
        user_id: &UserId,
        event: &Arc<StoredEvent>,
        says: impl Fn(AnyPushRuleRef<'_>) -> T,
    ) -> Result<Option<T>, StorageError> {
        let rules = self.rules_of(user, user_id).await?;
        let flattened = self.flattened(event);
        // Rules look for the user's name in the text, and nowhere else.
        let name = match flattened.get_str("content.body") {
            Some(_) => self.name(user, user_id, event).await?.to_string(),
            None => String::new(),
        };
        let context = self.context(user_id, name, event).await?;
        for rule in rules.iter() {
            if rule.applies(&flattened, &context).await {
                return Ok(Some(says(AnyPushRule::as_ref(rule))));
            }
        }
        Ok(None)
    }

    async fn rules_of(&self, user: UserSn, user_id: &UserId) -> Result<Rules, StorageError> {
        let data = self.store.account_data(user, None, "m.push_rules").await?;
        if let Some((source, rules)) = self.rules.get(&user)
            && source.as_ref().map(Arc::as_ptr) == data.as_ref().map(Arc::as_ptr)
        {
            return Ok(rules);
        }
        let stored =
            data.as_ref().map(|data| serde_json::from_str::<PushRulesEventContent>(data.content.get()));
        let stored = stored.and_then(Result::ok).map(|content| content.global);
        let rules = self.shared(&current_push_rules(stored, user_id));
        self.rules.insert(user, (data, Arc::clone(&rules)));
        Ok(rules)
    }

    /// The rules that may apply, each one kept only once for all who have it.
    fn shared(&self, rules: &Ruleset) -> Rules {
        let enabled = rules.iter().filter(|rule| rule.enabled());
        let share = |rule: AnyPushRuleRef<'_>| {
            self.alike.get_with(format!("{rule:?}").into_boxed_str(), || Arc::new(rule.to_owned()))
        };
        enabled.map(share).collect()
    }

    fn flattened(&self, event: &Arc<StoredEvent>) -> Arc<FlattenedJson> {
        let flatten = || {
            let mut json = event.pdu.client_form().as_str().to_owned();
            json.push('}');
            let length = u32::try_from(json.len()).unwrap_or(u32::MAX);
            // A client form and its closing brace are JSON.
            let raw = RawValue::from_string(json).unwrap_or_else(|_| RawValue::NULL.to_owned());
            (Arc::new(FlattenedJson::from_raw(&Raw::<serde_json::Value>::from_json(raw))), length)
        };
        self.events.get_with(event.sn, flatten).0
    }

    /// What rules ask about the room, at the event.
    async fn context(
        &self,
        user_id: &UserId,
        name: String,
        event: &Arc<StoredEvent>,
    ) -> Result<PushConditionRoomCtx, StorageError> {
        let (joined, _) = self.store.members_of_room(event.room).await?.counts();
        let context = PushConditionRoomCtx::new(
            event.pdu.owned_room_id().clone(),
            UInt::try_from(joined).unwrap_or(UInt::MAX),
            user_id.to_owned(),
            name,
        );
        Ok(match self.levels(event).await? {
            Some(levels) => context.with_power_levels(of_sender(&levels, event)),
            None => context,
        })
    }

    /// The user's name in the room.
    async fn name(
        &self,
        user: UserSn,
        user_id: &UserId,
        event: &Arc<StoredEvent>,
    ) -> Result<Arc<str>, StorageError> {
        let key = (user, event.room, event.state_root);
        if let Some(name) = self.names.get(&key) {
            return Ok(name);
        }
        let store = &self.store;
        let member =
            store.state_event(event.room, event.state_root, "m.room.member", user_id.as_str()).await?;
        let name = member.as_ref().and_then(|event| event.pdu.member_content()?.displayname);
        let name: Arc<str> = name.as_deref().unwrap_or(user_id.localpart()).into();
        self.names.insert(key, Arc::clone(&name));
        Ok(name)
    }

    /// The power levels of the room.
    async fn levels(
        &self,
        event: &Arc<StoredEvent>,
    ) -> Result<Option<Arc<PushConditionPowerLevelsCtx>>, StorageError> {
        let (store, room, root) = (&self.store, event.room, event.state_root);
        if let Some(levels) = self.levels.get(&(room, root)) {
            return Ok(Some(levels));
        }
        let Some(create) = store.state_event(room, root, "m.room.create", "").await? else { return Ok(None) };
        let levels = store.state_event(room, root, "m.room.power_levels", "").await?;
        let levels = Arc::new(power_levels(&create, levels.as_deref()));
        self.levels.insert((room, root), Arc::clone(&levels));
        Ok(Some(levels))
    }
}

/// The power levels as far as they speak of who sent an event: rules ask about nobody else.
fn of_sender(levels: &PushConditionPowerLevelsCtx, event: &StoredEvent) -> PushConditionPowerLevelsCtx {
    let sender = event.pdu.owned_sender();
    let level = levels.users.get(sender).map(|level| (sender.clone(), *level));
    PushConditionPowerLevelsCtx::new(
        level.into_iter().collect(),
        levels.users_default,
        levels.notifications.clone(),
        levels.rules.clone(),
    )
}

fn power_levels(create: &StoredEvent, levels: Option<&StoredEvent>) -> PushConditionPowerLevelsCtx {
    #[derive(Deserialize)]
    struct Creators {
        #[serde(default)]
        additional_creators: Vec<ruma::OwnedUserId>,
    }
    let more = create.pdu.content_as::<Creators>().map(|content| content.additional_creators);
    let mut creators = more.unwrap_or_default();
    creators.push(create.pdu.owned_sender().clone());
    let levels = levels.and_then(|event| event.pdu.content_as::<RoomPowerLevelsEventContent>().ok());
    let source = RoomPowerLevelsSource::from(levels);
    RoomPowerLevels::new(source, &create.pdu.version().rules().authorization, creators).into()
}
