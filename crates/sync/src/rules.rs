//! Which events notify a user: their push rules, tried on events
//! (<https://spec.matrix.org/v1.19/client-server-api/#push-rules>).
//!
//! Rules are parsed once for as long as they do not change, an event is taken apart once for all its readers,
//! and what a rule asks about a room is found once for each state of the room.

use std::{sync::Arc, time::Duration};

use moka::sync::Cache;
use parvis_events::current_push_rules;
use parvis_storage::{AccountData, EventSn, RoomSn, StateRoot, StorageError, Store, StoredEvent, UserSn};
use ruma::{
    UInt, UserId,
    events::{
        push_rules::PushRulesEventContent,
        room::power_levels::{RoomPowerLevels, RoomPowerLevelsEventContent, RoomPowerLevelsSource},
    },
    push::{FlattenedJson, PushConditionPowerLevelsCtx, PushConditionRoomCtx, Ruleset},
    serde::Raw,
};
use serde::Deserialize;
use serde_json::value::RawValue;

/// How many users' rules are kept parsed.
const RULES: u64 = 10_000;
/// How many events are kept taken apart: those that arrive while their readers are told.
const EVENTS: u64 = 1_000;
/// How many (user, state) pairs are kept with what rules ask about them.
const CONTEXTS: u64 = 20_000;

/// What a user's rules say of an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) notify: bool,
    pub(crate) highlight: bool,
}

type Parsed = (Option<Arc<AccountData>>, Arc<Ruleset>);

/// The push rules of all users. Cheap to clone; all clones share what they remember.
#[derive(Clone, Debug)]
pub(crate) struct PushRules {
    store: Store,
    rules: Cache<UserSn, Parsed>,
    events: Cache<EventSn, Arc<FlattenedJson>>,
    contexts: Cache<(UserSn, RoomSn, StateRoot), Arc<PushConditionRoomCtx>>,
}

impl PushRules {
    pub(crate) fn new(store: Store) -> Self {
        Self {
            store,
            rules: Cache::new(RULES),
            events: Cache::builder().max_capacity(EVENTS).time_to_live(Duration::from_secs(60)).build(),
            contexts: Cache::new(CONTEXTS),
        }
    }

    /// What a user's rules of now say of an event that somebody else sent.
    pub(crate) async fn verdict(
        &self,
        user: UserSn,
        user_id: &UserId,
        event: &Arc<StoredEvent>,
    ) -> Result<Verdict, StorageError> {
        let rules = self.rules_of(user, user_id).await?;
        let context = self.context(user, user_id, event).await?;
        let flattened = self.flattened(event);
        for rule in rules.iter() {
            if rule.applies(&flattened, &context).await {
                let highlight = rule.triggers_highlight();
                return Ok(Verdict { notify: rule.triggers_notification(), highlight });
            }
        }
        Ok(Verdict::default())
    }

    async fn rules_of(&self, user: UserSn, user_id: &UserId) -> Result<Arc<Ruleset>, StorageError> {
        let data = self.store.account_data(user, None, "m.push_rules").await?;
        if let Some((source, rules)) = self.rules.get(&user)
            && source.as_ref().map(Arc::as_ptr) == data.as_ref().map(Arc::as_ptr)
        {
            return Ok(rules);
        }
        let stored =
            data.as_ref().map(|data| serde_json::from_str::<PushRulesEventContent>(data.content.get()));
        let stored = stored.and_then(Result::ok).map(|content| content.global);
        let rules = Arc::new(current_push_rules(stored, user_id));
        self.rules.insert(user, (data, Arc::clone(&rules)));
        Ok(rules)
    }

    fn flattened(&self, event: &Arc<StoredEvent>) -> Arc<FlattenedJson> {
        self.events.get_with(event.sn, || {
            let mut json = event.pdu.client_form().as_str().to_owned();
            json.push('}');
            // A client form and its closing brace are JSON.
            let raw = RawValue::from_string(json).unwrap_or_else(|_| RawValue::NULL.to_owned());
            Arc::new(FlattenedJson::from_raw(&Raw::<serde_json::Value>::from_json(raw)))
        })
    }

    /// What rules ask about the room, at the event.
    async fn context(
        &self,
        user: UserSn,
        user_id: &UserId,
        event: &Arc<StoredEvent>,
    ) -> Result<Arc<PushConditionRoomCtx>, StorageError> {
        let key = (user, event.room, event.state_root);
        if let Some(context) = self.contexts.get(&key) {
            return Ok(context);
        }
        let state = async |kind: &str, state_key: &str| {
            self.store.state_event(event.room, event.state_root, kind, state_key).await
        };
        let member = state("m.room.member", user_id.as_str()).await?;
        let name = member.as_ref().and_then(|event| event.pdu.member_content()?.displayname);
        let (joined, _) = self.store.members_of_room(event.room).await?.counts();
        let mut context = PushConditionRoomCtx::new(
            event.pdu.owned_room_id().clone(),
            UInt::try_from(joined).unwrap_or(UInt::MAX),
            user_id.to_owned(),
            name.map_or_else(|| user_id.localpart().to_owned(), std::borrow::Cow::into_owned),
        );
        if let Some(create) = state("m.room.create", "").await? {
            let levels = state("m.room.power_levels", "").await?;
            context = context.with_power_levels(power_levels(&create, levels.as_deref()));
        }
        let context = Arc::new(context);
        self.contexts.insert(key, Arc::clone(&context));
        Ok(context)
    }
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
