//! Power: who may do what in a room, read once from its power levels and creators.
//!
//! This view answers our own questions (whom to offer which action, whose redaction counts). What other
//! servers' events may do is decided by the authorisation rules alone.
//! <https://spec.matrix.org/v1.19/client-server-api/#mroompower_levels>

use std::collections::{BTreeMap, BTreeSet};

use parvis_events::{Pdu, RoomVersion};
use ruma::{OwnedUserId, UserId};
use serde_json::{Map, Value};

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

/// The power levels of a room, with the defaults filled in.
#[derive(Debug, Clone)]
pub struct PowerLevels {
    /// Users above every level.
    infinite: BTreeSet<OwnedUserId>,
    users: BTreeMap<String, i64>,
    users_default: i64,
    events: BTreeMap<String, i64>,
    events_default: i64,
    state_default: i64,
    notifications: BTreeMap<String, i64>,
    ban: i64,
    invite: i64,
    kick: i64,
    redact: i64,
}

impl PowerLevels {
    /// Reads the power levels of a room from its create event and, if there is one, its
    /// `m.room.power_levels` event.
    ///
    /// A value that is not a level counts as absent; the authorisation rules have kept such values out.
    pub fn new(create: &Pdu, power_levels: Option<&Pdu>) -> Self {
        let version = create.version();
        let creators = creators(create);
        let mut read = match power_levels {
            Some(event) => Self::from_content(version, &event.content_as().unwrap_or_default()),
            None => Self::without_event(version, &creators),
        };
        if version.creators_have_infinite_power() {
            read.infinite = creators;
        }
        read
    }

    fn without_event(version: RoomVersion, creators: &BTreeSet<OwnedUserId>) -> Self {
        let mut read = Self::from_content(version, &Map::new());
        read.users = creators.iter().map(|creator| (creator.to_string(), 100)).collect();
        read
    }

    fn from_content(version: RoomVersion, content: &Map<String, Value>) -> Self {
        let level = |value: &Value| read_level(version, value);
        let field = |name: &str, default: i64| content.get(name).and_then(level).unwrap_or(default);
        let map = |name: &str| -> BTreeMap<String, i64> {
            let entries = content.get(name).and_then(Value::as_object).into_iter().flatten();
            entries.filter_map(|(key, value)| Some((key.clone(), level(value)?))).collect()
        };
        Self {
            infinite: BTreeSet::new(),
            users: map("users"),
            users_default: field("users_default", 0),
            events: map("events"),
            events_default: field("events_default", 0),
            state_default: field("state_default", 50),
            notifications: map("notifications"),
            ban: field("ban", 50),
            invite: field("invite", 0),
            kick: field("kick", 50),
            redact: field("redact", 50),
        }
    }

    /// A user's power, whether the user is in the room or not.
    pub fn of(&self, user: &UserId) -> Power {
        if self.infinite.contains(user) {
            return Power::Infinite;
        }
        Power::Level(self.users.get(user.as_str()).copied().unwrap_or(self.users_default))
    }

    /// The level needed to send a message event of this type.
    pub fn to_send(&self, kind: &str) -> i64 {
        self.events.get(kind).copied().unwrap_or(self.events_default)
    }

    /// The level needed to send a state event of this type.
    pub fn to_set_state(&self, kind: &str) -> i64 {
        self.events.get(kind).copied().unwrap_or(self.state_default)
    }

    /// The level needed to invite.
    pub fn to_invite(&self) -> i64 {
        self.invite
    }

    /// The level needed to remove somebody.
    pub fn to_kick(&self) -> i64 {
        self.kick
    }

    /// The level needed to ban somebody.
    pub fn to_ban(&self) -> i64 {
        self.ban
    }

    /// The level needed to redact what others sent.
    pub fn to_redact(&self) -> i64 {
        self.redact
    }

    /// The level needed to notify in a way such as `room`.
    pub fn to_notify(&self, key: &str) -> i64 {
        self.notifications.get(key).copied().unwrap_or(50)
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
        self.of(user).reaches(self.invite)
    }

    /// Whether a user has the power to remove another.
    pub fn can_kick(&self, user: &UserId, other: &UserId) -> bool {
        self.of(user).reaches(self.kick) && self.of(user) > self.of(other)
    }

    /// Whether a user has the power to ban another.
    pub fn can_ban(&self, user: &UserId, other: &UserId) -> bool {
        self.of(user).reaches(self.ban) && self.of(user) > self.of(other)
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
            && (self.of(redaction.sender()).reaches(self.redact)
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
            if power.reaches(self.invite) && best.is_none_or(|(most, _)| power > most) {
                best = Some((power, user));
            }
        }
        best.map(|(_, user)| user)
    }
}

/// The creators of a room: whoever the version says made it, and whom the create event adds.
fn creators(create: &Pdu) -> BTreeSet<OwnedUserId> {
    #[derive(serde::Deserialize)]
    struct Content {
        creator: Option<Value>,
        additional_creators: Option<Vec<Value>>,
    }
    let content = create.content_as::<Content>().ok();
    let user = |value: &Value| OwnedUserId::try_from(value.as_str()?).ok();
    let version = create.version();
    let mut creators = BTreeSet::new();
    if version.creator_is_sender() {
        creators.insert(create.owned_sender().clone());
    } else if let Some(creator) = content.as_ref().and_then(|content| user(content.creator.as_ref()?)) {
        creators.insert(creator);
    }
    if version.additional_creators() {
        let additional = content.and_then(|content| content.additional_creators).unwrap_or_default();
        creators.extend(additional.iter().filter_map(user));
    }
    creators
}

/// A level: an integer, or in older rooms also a string of one.
fn read_level(version: RoomVersion, value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) if !version.integer_power_levels() => text.trim().parse().ok(),
        _ => None,
    }
}
