//! Making a room: the fixed order of its first events, all of them in one write.
//!
//! <https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3createroom>

use parvis_events::RoomVersion;
use parvis_policy::{
    Preset, RoomClass, RoomTraits,
    encryption::{AtCreation, CreationFacts},
};
use parvis_storage::{CommitError, Position, RoomHead, RoomSn, StateRoot};
use ruma::{OwnedRoomAliasId, OwnedRoomId, OwnedUserId, RoomId, UserId};
use serde_json::{Map, Value, json, value::RawValue};

use crate::{
    Actor, RoomError, Rooms,
    admit::{Draft, Turn},
    content::{member, raw},
    encryption::{ENCRYPTION, has_algorithm},
};

/// A state event of `initial_state`.
#[derive(Clone, Debug)]
pub struct InitialState {
    /// The event type.
    pub kind: String,
    /// The state key.
    pub state_key: String,
    /// The content: a JSON object.
    pub content: Box<RawValue>,
}

/// What a new room is to be like; the fields of `POST /createRoom`.
#[derive(Clone, Debug, Default)]
pub struct CreateRoom {
    /// Whether the room is listed in the public directory.
    pub listed: bool,
    /// `room_alias_name`: the local part of the room's alias.
    pub alias_name: Option<String>,
    /// The name.
    pub name: Option<String>,
    /// The topic.
    pub topic: Option<String>,
    /// Who is invited.
    pub invite: Vec<OwnedUserId>,
    /// The room version; the organisation's default where there is none.
    pub room_version: Option<String>,
    /// Additions to the content of `m.room.create`.
    pub creation_content: Map<String, Value>,
    /// State to set after the preset's.
    pub initial_state: Vec<InitialState>,
    /// The preset; where there is none it follows from `listed`.
    pub preset: Option<Preset>,
    /// Whether the invitations are to a conversation.
    pub is_direct: bool,
    /// Whether the room is not encrypted whatever the policy: for the server's own.
    pub plain: bool,
    /// Additions to the content of `m.room.power_levels`; each replaces the field of the same name.
    pub power_levels: Map<String, Value>,
}

const ALGORITHM: &str = "m.megolm.v1.aes-sha2";

impl Rooms {
    /// Makes a room and gives its id.
    ///
    /// # Errors
    /// [`RoomError`], with nothing made.
    pub async fn create(&self, actor: &Actor, wanted: CreateRoom) -> Result<OwnedRoomId, RoomError> {
        let version = self.version_of(wanted.room_version.as_deref())?;
        let alias = self.alias_of(actor, &wanted).await?;
        check_invites(actor, &wanted)?;
        let preset =
            wanted.preset.unwrap_or(if wanted.listed { Preset::PublicChat } else { Preset::PrivateChat });
        let class = self.class_of_new(&wanted, preset);
        let mut turn = self.first_turn(self.empty_head(version, class).await?).await;

        self.stage_beginning(&mut turn, actor, &wanted, preset, class).await?;
        if let Some(alias) = &alias {
            turn.set.add_alias(alias, turn.head.room, actor.user);
            let content = json!({ "alias": alias });
            turn.stage_for(actor, Draft::state("m.room.canonical_alias", "", raw(&content))).await?;
        }
        self.stage_state(&mut turn, actor, &wanted, preset, class).await?;
        self.stage_invites(&mut turn, actor, &wanted).await?;
        if wanted.listed && self.settings.may_publish {
            turn.set.publish_room(turn.head.room, true);
        }
        let (room, room_id) = (turn.room(), turn.head.room_id.clone());
        match turn.submit().await.land().await {
            Ok(_) => {}
            Err(CommitError::Guard("alias_free")) => return Err(RoomError::AliasInUse),
            Err(error) => return Err(error.into()),
        }
        self.send_invites(room, actor, &wanted).await;
        Ok(room_id)
    }

    fn class_of_new(&self, wanted: &CreateRoom, preset: Preset) -> RoomClass {
        let own = &self.identity.server_name;
        RoomClass::of(RoomTraits {
            is_space: wanted.creation_content.get("type").and_then(Value::as_str) == Some("m.space"),
            is_open: wanted.listed || preset == Preset::PublicChat,
            is_direct: wanted.is_direct,
            has_outsiders: wanted.invite.iter().any(|user| user.server_name() != own),
        })
    }

    pub(crate) fn version_of(&self, wanted: Option<&str>) -> Result<RoomVersion, RoomError> {
        let Some(wanted) = wanted else { return Ok(self.settings.default_version) };
        let version = wanted.parse::<RoomVersion>().ok();
        let version = version.filter(|version| self.settings.allowed_versions.contains(version));
        version.ok_or_else(|| RoomError::UnsupportedVersion(wanted.to_owned()))
    }

    async fn alias_of(
        &self,
        actor: &Actor,
        wanted: &CreateRoom,
    ) -> Result<Option<OwnedRoomAliasId>, RoomError> {
        let Some(name) = &wanted.alias_name else { return Ok(None) };
        let text = format!("#{name}:{}", self.identity.server_name);
        let bad = name.contains([':', '\0', '#']) || name.chars().any(char::is_whitespace) || name.is_empty();
        let parsed =
            OwnedRoomAliasId::try_from(text).ok().filter(|alias| !bad && alias.as_str().len() <= 255);
        let alias =
            parsed.ok_or_else(|| RoomError::InvalidParam("room_alias_name cannot be an alias".to_owned()))?;
        self.check_alias_is_free_to(actor, &alias)?;
        match self.store.alias(&alias).await? {
            Some(_) => Err(RoomError::AliasInUse),
            None => Ok(Some(alias)),
        }
    }

    pub(crate) async fn empty_head(
        &self,
        version: RoomVersion,
        class: RoomClass,
    ) -> Result<RoomHead, RoomError> {
        let room = RoomSn(self.store.next_number().await?);
        // Where the version takes the room id from the create event, that event replaces this one.
        let name = format!("!{}:{}", self.ambient.chance.text(18), self.identity.server_name);
        let room_id = RoomId::parse(name).map_err(|error| RoomError::InvalidParam(error.to_string()))?;
        Ok(RoomHead {
            room,
            room_id,
            version,
            class: class.name().to_owned(),
            head_version: 0,
            heads: Vec::new(),
            state_root: StateRoot::EMPTY,
            depth: 0,
            next_slot: 0,
            next_state_index: 0,
            last_position: Position::START,
        })
    }

    /// The create event, the creator's membership, the power levels.
    async fn stage_beginning(
        &self,
        turn: &mut Turn<'_>,
        actor: &Actor,
        wanted: &CreateRoom,
        preset: Preset,
        class: RoomClass,
    ) -> Result<(), RoomError> {
        let content = create_content(turn.head.version, actor, wanted, preset)?;
        let creators = creators_of(&content);
        turn.stage_for(actor, Draft::state("m.room.create", "", raw(&content))).await?;
        self.stage_own_join(turn, actor).await?;
        let mut levels = default_power_levels(turn.head.version, actor, wanted, preset);
        for (field, value) in &wanted.power_levels {
            levels.insert(field.clone(), value.clone());
        }
        refuse_creators_in_users(turn.head.version, &levels, &actor.user_id, &creators)?;
        let policy = self.settings.policy.now();
        if let Some(level) = policy.encryption.power_level_at_creation(class, actor.user_id.as_str()).outcome
            && let Some(events) = levels.entry("events").or_insert_with(|| json!({})).as_object_mut()
        {
            events.insert("m.room.encryption".to_owned(), level.into());
        }
        turn.stage_for(actor, Draft::state("m.room.power_levels", "", raw(&levels))).await?;
        Ok(())
    }

    pub(crate) async fn stage_own_join(&self, turn: &mut Turn<'_>, actor: &Actor) -> Result<(), RoomError> {
        let profile = self.store.profile(actor.user).await?;
        let content = member("join", profile.displayname(), profile.avatar_url(), None);
        turn.stage_for(actor, Draft::state("m.room.member", actor.user_id.as_str(), raw(&content))).await?;
        Ok(())
    }

    /// The preset's state, the initial state as the policy has it, name and topic.
    async fn stage_state(
        &self,
        turn: &mut Turn<'_>,
        actor: &Actor,
        wanted: &CreateRoom,
        preset: Preset,
        class: RoomClass,
    ) -> Result<(), RoomError> {
        let given = |kind: &str| {
            wanted.initial_state.iter().any(|state| state.kind == kind && state.state_key.is_empty())
        };
        for (kind, content) in preset_state(preset) {
            if !given(kind) {
                turn.stage_for(actor, Draft::state(kind, "", raw(&content))).await?;
            }
        }
        let is_encryption = |state: &InitialState| state.kind == ENCRYPTION && state.state_key.is_empty();
        let mut asked = wanted.initial_state.iter().filter(|state| is_encryption(state));
        let requested = asked.any(|state| has_algorithm(&state.content));
        let facts = CreationFacts { class, requested, client: actor.client, user: actor.user_id.as_str() };
        let decision = self.settings.policy.now().encryption.at_creation(facts);
        for state in &wanted.initial_state {
            if is_encryption(state) && decision.outcome != AtCreation::Keep {
                tracing::info!(rule = decision.rule, setting = %decision.setting, "encryption left out of a new room");
                continue;
            }
            let draft = Draft::state(&state.kind, &state.state_key, state.content.clone());
            turn.stage_for(actor, draft).await?;
        }
        if decision.outcome == AtCreation::Add && !wanted.plain {
            let content = json!({ "algorithm": ALGORITHM });
            turn.stage_for(actor, Draft::state(ENCRYPTION, "", raw(&content))).await?;
        }
        if let Some(name) = &wanted.name {
            turn.stage_for(actor, Draft::state("m.room.name", "", raw(&json!({ "name": name })))).await?;
        }
        if let Some(topic) = &wanted.topic {
            let content = json!({ "topic": topic, "m.topic": { "m.text": [{ "body": topic }] } });
            turn.stage_for(actor, Draft::state("m.room.topic", "", raw(&content))).await?;
        }
        Ok(())
    }

    async fn stage_invites(
        &self,
        turn: &mut Turn<'_>,
        actor: &Actor,
        wanted: &CreateRoom,
    ) -> Result<(), RoomError> {
        let own = &self.identity.server_name;
        for user_id in wanted.invite.iter().filter(|user| user.server_name() == own) {
            let user = self.store.intern_user(user_id).await?;
            match self.must_take_invitations(user, &actor.user_id).await {
                // The room is made all the same.
                Err(RoomError::InviteBlocked) => continue,
                other => other?,
            }
            let profile = self.store.profile(user).await?;
            let mut content = member("invite", profile.displayname(), profile.avatar_url(), None);
            if wanted.is_direct {
                content["is_direct"] = Value::Bool(true);
            }
            turn.stage_for(actor, Draft::state("m.room.member", user_id.as_str(), raw(&content))).await?;
        }
        Ok(())
    }

    /// Invites users of other servers. The room is there, also if one of those servers does not answer.
    async fn send_invites(&self, room: RoomSn, actor: &Actor, wanted: &CreateRoom) {
        let own = &self.identity.server_name;
        for user_id in wanted.invite.iter().filter(|user| user.server_name() != own) {
            if let Err(error) = self.send_invite_to(room, actor, user_id, wanted.is_direct).await {
                tracing::info!(room = room.0, %user_id, %error, "an invitation to a new room was not delivered");
            }
        }
    }

    async fn send_invite_to(
        &self,
        room: RoomSn,
        actor: &Actor,
        user_id: &OwnedUserId,
        is_direct: bool,
    ) -> Result<(), RoomError> {
        let mut content = member("invite", None, None, None);
        if is_direct {
            content["is_direct"] = Value::Bool(true);
        }
        let draft = Draft::state("m.room.member", user_id.as_str(), raw(&content));
        let invite = self.turn(room).await?.rehearse(&actor.user_id, draft).await?;
        self.send_invite(room, user_id.server_name(), &invite).await
    }
}

fn check_invites(actor: &Actor, wanted: &CreateRoom) -> Result<(), RoomError> {
    match wanted.invite.contains(&actor.user_id) {
        true => Err(RoomError::InvalidParam("you cannot invite yourself".to_owned())),
        false => Ok(()),
    }
}

fn create_content(
    version: RoomVersion,
    actor: &Actor,
    wanted: &CreateRoom,
    preset: Preset,
) -> Result<Map<String, Value>, RoomError> {
    let mut content = wanted.creation_content.clone();
    content.insert("room_version".to_owned(), version.as_str().into());
    content.remove("creator");
    if version.additional_creators() {
        check_additional_creators(&content)?;
    }
    if !version.creator_is_sender() {
        content.insert("creator".to_owned(), actor.user_id.as_str().into());
    }
    if version.additional_creators() && preset == Preset::TrustedPrivateChat && !wanted.invite.is_empty() {
        let mut creators: Vec<String> = creators_of(&content);
        creators.extend(wanted.invite.iter().map(ToString::to_string));
        creators.sort();
        creators.dedup();
        content.insert("additional_creators".to_owned(), creators.into());
    }
    Ok(content)
}

/// Refuses additional creators that are no users.
fn check_additional_creators(content: &Map<String, Value>) -> Result<(), RoomError> {
    let Some(named) = content.get("additional_creators") else { return Ok(()) };
    let is_user = |named: &Value| named.as_str().is_some_and(|name| <&UserId>::try_from(name).is_ok());
    match named.as_array().is_some_and(|named| named.iter().all(is_user)) {
        true => Ok(()),
        false => {
            Err(RoomError::InvalidParam("additional_creators must be a list of ids of users".to_owned()))
        }
    }
}

/// The users that the content of a create event names as additional creators.
pub(crate) fn creators_of(content: &Map<String, Value>) -> Vec<String> {
    let listed = content.get("additional_creators").and_then(Value::as_array);
    listed.into_iter().flatten().filter_map(Value::as_str).map(ToOwned::to_owned).collect()
}

/// A creator's power is above all levels since room version 12, and may not be written down.
pub(crate) fn refuse_creators_in_users(
    version: RoomVersion,
    levels: &Map<String, Value>,
    creator: &UserId,
    additional: &[String],
) -> Result<(), RoomError> {
    if !version.creators_have_infinite_power() {
        return Ok(());
    }
    let users = levels.get("users").and_then(Value::as_object);
    let is_creator = |user: &String| user == creator.as_str() || additional.contains(user);
    match users.into_iter().flatten().any(|(user, _)| is_creator(user)) {
        true => {
            Err(RoomError::BadState("power levels of this room version may not name its creators".to_owned()))
        }
        false => Ok(()),
    }
}

fn default_power_levels(
    version: RoomVersion,
    actor: &Actor,
    wanted: &CreateRoom,
    preset: Preset,
) -> Map<String, Value> {
    let infinite = version.creators_have_infinite_power();
    let mut users = Map::new();
    if !infinite {
        users.insert(actor.user_id.to_string(), 100.into());
        if preset == Preset::TrustedPrivateChat {
            users.extend(wanted.invite.iter().map(|user| (user.to_string(), 100.into())));
        }
    }
    let tombstone = if infinite { 150 } else { 100 };
    let invite = if preset == Preset::PublicChat { 50 } else { 0 };
    let levels = json!({
        "users": users,
        "users_default": 0,
        "events": {
            "m.room.name": 50,
            "m.room.power_levels": 100,
            "m.room.history_visibility": 100,
            "m.room.canonical_alias": 50,
            "m.room.avatar": 50,
            "m.room.tombstone": tombstone,
            "m.room.server_acl": 100,
            "m.room.encryption": 100,
            // Whoever is in a room takes part in its calls.
            "m.call.member": 0,
            "org.matrix.msc3401.call.member": 0,
        },
        "events_default": 0,
        "state_default": 50,
        "ban": 50,
        "kick": 50,
        "redact": 50,
        "invite": invite,
    });
    levels.as_object().cloned().unwrap_or_default()
}

fn preset_state(preset: Preset) -> Vec<(&'static str, Value)> {
    let is_private = preset != Preset::PublicChat;
    let join_rule = if is_private { "invite" } else { "public" };
    let mut state = vec![
        ("m.room.join_rules", json!({ "join_rule": join_rule })),
        ("m.room.history_visibility", json!({ "history_visibility": "shared" })),
    ];
    if is_private {
        // Without such an event guests are kept out, which is what a public room wants.
        state.push(("m.room.guest_access", json!({ "guest_access": "can_join" })));
    }
    state
}
