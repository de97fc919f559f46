//! Power: who may do what in a room, read once from its power levels and creators.
//!
//! <https://spec.matrix.org/v1.19/client-server-api/#mroompower_levels>

use std::{collections::BTreeMap, sync::Arc};

use parvis_events::{Pdu, RoomVersion};
use ruma::UserId;
use serde_json::{Map, Value};

use crate::{create::CreateFacts, error::AuthError};

/// The greatest power level; the least is its negative.
const MAX_LEVEL: i64 = (1 << 53) - 1;

/// How much power a user has. Every level is below [`Power::Infinite`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Power {
    /// A level, as power levels give it.
    Level(i64),
    /// More than any level: a creator's, since room version 12.
    Infinite,
}

impl Power {
    /// Whether the power is enough for what requires this level.
    pub fn reaches(self, level: i64) -> bool {
        self >= Self::Level(level)
    }
}

impl std::fmt::Display for Power {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Level(level) => level.fmt(f),
            Self::Infinite => f.write_str("infinite"),
        }
    }
}

/// A field of power levels that holds one level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LevelField {
    Ban,
    EventsDefault,
    Invite,
    Kick,
    Redact,
    StateDefault,
    UsersDefault,
}

impl LevelField {
    pub(crate) const ALL: [Self; 7] = [
        Self::Ban,
        Self::EventsDefault,
        Self::Invite,
        Self::Kick,
        Self::Redact,
        Self::StateDefault,
        Self::UsersDefault,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ban => "ban",
            Self::EventsDefault => "events_default",
            Self::Invite => "invite",
            Self::Kick => "kick",
            Self::Redact => "redact",
            Self::StateDefault => "state_default",
            Self::UsersDefault => "users_default",
        }
    }

    /// The level where the field is absent.
    pub(crate) fn default(self) -> i64 {
        match self {
            Self::EventsDefault | Self::Invite | Self::UsersDefault => 0,
            Self::Ban | Self::Kick | Self::Redact | Self::StateDefault => 50,
        }
    }
}

/// What an `m.room.power_levels` event says, and no more: nothing is filled in.
#[derive(Debug, Clone, Default)]
pub(crate) struct LevelContent {
    fields: [Option<i64>; LevelField::ALL.len()],
    pub(crate) events: BTreeMap<String, i64>,
    pub(crate) notifications: BTreeMap<String, i64>,
    pub(crate) users: BTreeMap<String, i64>,
}

impl LevelContent {
    /// Reads a power levels event; remembered with it.
    pub(crate) fn of(event: &Pdu) -> Arc<Result<Self, AuthError>> {
        event.remembered(|event| {
            let content: Map<String, Value> = event.content_as().unwrap_or_default();
            Self::read(event.version(), &content)
        })
    }

    /// Reads the content, all of which must be levels and maps of levels.
    fn read(version: RoomVersion, content: &Map<String, Value>) -> Result<Self, AuthError> {
        let mut fields = [None; LevelField::ALL.len()];
        for (field, level) in LevelField::ALL.into_iter().zip(&mut fields) {
            if let Some(value) = content.get(field.name()) {
                *level = Some(read_level(version, value, field.name())?);
            }
        }
        let map = |name: &str| -> Result<BTreeMap<String, i64>, AuthError> {
            let Some(value) = content.get(name) else { return Ok(BTreeMap::new()) };
            let entries = value
                .as_object()
                .ok_or_else(|| AuthError::new(format!("`{name}` in power levels is not an object")))?;
            entries.iter().map(|(key, value)| Ok((key.clone(), read_level(version, value, key)?))).collect()
        };
        let users = map("users")?;
        if let Some(user) = users.keys().find(|user| <&UserId>::try_from(user.as_str()).is_err()) {
            return Err(AuthError::new(format!(
                "`users` in power levels names `{user}`, which is no user id"
            )));
        }
        Ok(Self { fields, events: map("events")?, notifications: map("notifications")?, users })
    }

    /// A field, where the event has it.
    pub(crate) fn field(&self, field: LevelField) -> Option<i64> {
        let position = LevelField::ALL.iter().position(|other| *other == field)?;
        self.fields.get(position).copied().flatten()
    }

    /// A field with its default.
    fn field_or_default(&self, field: LevelField) -> i64 {
        self.field(field).unwrap_or_else(|| field.default())
    }
}

/// A level: an integer, or in older rooms also a string of one.
fn read_level(version: RoomVersion, value: &Value, name: &str) -> Result<i64, AuthError> {
    let level = match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) if !version.integer_power_levels() => text.trim().parse().ok(),
        _ => None,
    };
    level
        .filter(|level| (-MAX_LEVEL..=MAX_LEVEL).contains(level))
        .ok_or_else(|| AuthError::new(format!("the power level of `{name}` is not an integer")))
}

/// The power levels of a room, with the defaults filled in. Cheap to make and to clone.
#[derive(Debug, Clone)]
pub struct PowerLevels {
    create: Arc<CreateFacts>,
    creators_are_infinite: bool,
    /// What the room's power levels event says, if there is one.
    content: Option<Arc<Result<LevelContent, AuthError>>>,
}

impl PowerLevels {
    /// Reads the power levels of a room from its create event and, if there is one, its
    /// `m.room.power_levels` event. Both are parsed once and remembered.
    ///
    /// Levels that cannot be read count as absent; the authorisation rules have kept such events out.
    pub fn new(create: &Pdu, power_levels: Option<&Pdu>) -> Self {
        Self {
            create: CreateFacts::of(create),
            creators_are_infinite: create.version().creators_have_infinite_power(),
            content: power_levels.map(LevelContent::of),
        }
    }

    /// Like [`PowerLevels::new`], but levels that cannot be read are an error.
    pub(crate) fn checked(create: &Pdu, power_levels: Option<&Pdu>) -> Result<Self, AuthError> {
        let levels = Self::new(create, power_levels);
        match levels.content.as_deref() {
            Some(Err(error)) => Err(error.clone()),
            _ => Ok(levels),
        }
    }

    /// What the room's power levels event says.
    pub(crate) fn content(&self) -> Option<&LevelContent> {
        self.content.as_deref()?.as_ref().ok()
    }

    pub(crate) fn create(&self) -> &CreateFacts {
        &self.create
    }

    fn field(&self, field: LevelField) -> i64 {
        self.content().map_or_else(|| field.default(), |content| content.field_or_default(field))
    }

    /// A user's power, whether the user is in the room or not.
    pub fn of(&self, user: &UserId) -> Power {
        let is_creator = || self.create.creators.contains(user);
        if self.creators_are_infinite && is_creator() {
            return Power::Infinite;
        }
        Power::Level(match self.content() {
            Some(content) => match content.users.get(user.as_str()) {
                Some(level) => *level,
                None => content.field_or_default(LevelField::UsersDefault),
            },
            None if is_creator() => 100,
            None => LevelField::UsersDefault.default(),
        })
    }

    fn of_event_type(&self, kind: &str, default: LevelField) -> i64 {
        let explicit = self.content().and_then(|content| content.events.get(kind));
        explicit.copied().unwrap_or_else(|| self.field(default))
    }

    /// The level needed to send a message event of this type.
    pub fn to_send(&self, kind: &str) -> i64 {
        self.of_event_type(kind, LevelField::EventsDefault)
    }

    /// The level needed to send a state event of this type.
    pub fn to_set_state(&self, kind: &str) -> i64 {
        self.of_event_type(kind, LevelField::StateDefault)
    }

    /// The level needed to invite.
    pub fn to_invite(&self) -> i64 {
        self.field(LevelField::Invite)
    }

    /// The level needed to remove somebody.
    pub fn to_kick(&self) -> i64 {
        self.field(LevelField::Kick)
    }

    /// The level needed to ban somebody.
    pub fn to_ban(&self) -> i64 {
        self.field(LevelField::Ban)
    }

    /// The level needed to redact what others sent.
    pub fn to_redact(&self) -> i64 {
        self.field(LevelField::Redact)
    }

    /// The level needed to notify in a way such as `room`.
    pub fn to_notify(&self, key: &str) -> i64 {
        self.content().and_then(|content| content.notifications.get(key)).copied().unwrap_or(50)
    }

    /// Whether a user has the power to send a message event of this type.
    pub fn can_send(&self, user: &UserId, kind: &str) -> bool {
        self.of(user).reaches(self.to_send(kind))
    }

    /// Whether a user has the power to send a state event of this type.
    pub fn can_set_state(&self, user: &UserId, kind: &str) -> bool {
        self.of(user).reaches(self.to_set_state(kind))
    }

    /// Whether a user has the power to invite.
    pub fn can_invite(&self, user: &UserId) -> bool {
        self.of(user).reaches(self.to_invite())
    }

    /// Whether a user has the power to remove another.
    pub fn can_kick(&self, user: &UserId, other: &UserId) -> bool {
        self.of(user).reaches(self.to_kick()) && self.of(user) > self.of(other)
    }

    /// Whether a user has the power to ban another.
    pub fn can_ban(&self, user: &UserId, other: &UserId) -> bool {
        self.of(user).reaches(self.to_ban()) && self.of(user) > self.of(other)
    }

    /// Whether a user has the power to notify in a way such as `room`.
    pub fn can_notify(&self, user: &UserId, key: &str) -> bool {
        self.of(user).reaches(self.to_notify(key))
    }

    /// Whether a redaction takes effect: its sender has the power to redact, or is of the server whose user
    /// sent the target. An accepted redaction without effect stays in the room as it is.
    ///
    /// <https://spec.matrix.org/v1.19/rooms/v3/#handling-redactions>
    pub fn redaction_takes_effect(&self, redaction: &Pdu, target: &Pdu) -> bool {
        redaction.room_id() == target.room_id()
            && (self.of(redaction.sender()).reaches(self.to_redact())
                || redaction.sender().server_name() == target.sender().server_name())
    }

    /// Of joined users, the one with most power among those who may invite: by that user's right, others
    /// can join a restricted room (`join_authorised_via_users_server`). Ties go to the first.
    pub fn who_may_authorise_joins<'a>(
        &self,
        joined: impl IntoIterator<Item = &'a UserId>,
    ) -> Option<&'a UserId> {
        let mut best: Option<(Power, &'a UserId)> = None;
        for user in joined {
            let power = self.of(user);
            if power.reaches(self.to_invite()) && best.is_none_or(|(most, _)| power > most) {
                best = Some((power, user));
            }
        }
        best.map(|(_, user)| user)
    }
}
