//! The organisation's encryption switch: which rooms may, must or must not be end-to-end encrypted.
//!
//! A change of policy never changes a room that exists. State that comes from another server is not this module's
//! business: a server that alters it splits the room.

use serde::{Deserialize, Serialize};

use crate::{ClientKind, Decision, RoomClass};

/// What holds for a class of rooms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// New rooms are plain; whoever has the power in a room may turn encryption on later.
    #[default]
    Off,
    /// The client decides.
    Client,
    /// New rooms are encrypted.
    Required,
    /// No room becomes encrypted.
    Forbidden,
}

impl Level {
    /// All levels.
    pub const ALL: [Self; 4] = [Self::Off, Self::Client, Self::Required, Self::Forbidden];

    /// The name of this level in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Client => "client",
            Self::Required => "required",
            Self::Forbidden => "forbidden",
        }
    }
}

/// From whose new rooms encryption is left out where the level is [`Level::Off`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StripFor {
    /// From everyone's. A choice made in the dialogue for a new room has no effect; it can be made in the room.
    #[default]
    Everyone,
    /// Only from those of clients which would encrypt of their own accord.
    ClientsThatIgnoreThePublishedDefault,
}

/// The section `encryption` of the configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EncryptionSettings {
    /// What holds for direct conversations.
    pub direct: Level,
    /// What holds for rooms one must be invited to.
    pub private: Level,
    /// What holds for rooms open to all.
    pub public: Level,
    /// From whose new rooms encryption is left out where the level is `off`.
    pub strip_for: StripFor,
}

/// What becomes of `m.room.encryption` in the `initial_state` of a new room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AtCreation {
    /// It stays as the client has it: there, or absent.
    Keep,
    /// It is left out, and the call succeeds: some clients cannot make a room any more where it is refused.
    LeaveOut,
    /// The server adds it.
    Add,
}

/// Whether `m.room.encryption` may be set in a room that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StateChange {
    /// It may, if the room's own rules allow it.
    Allow,
    /// It may not; the decision's rule is the message for the client.
    Forbid,
}

/// The facts of an attempt to set `m.room.encryption` in a room that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StateChangeFacts {
    /// The room's class.
    pub class: RoomClass,
    /// Whether the room is encrypted already.
    pub already_encrypted: bool,
    /// Whether the new content names an `algorithm`, without which it turns nothing on.
    pub has_algorithm: bool,
}

/// What becomes of encryption when a room is upgraded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AtUpgrade {
    /// The new room gets the old room's `m.room.encryption`.
    CarryOver,
    /// The old room had none, so the new one has none.
    LeavePlain,
}

/// What `/.well-known/matrix/client` says to Element under `io.element.e2ee` and `im.vector.riot.e2ee`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct PublishedDefault {
    /// Whether clients encrypt new private rooms and conversations unless told otherwise.
    pub default: bool,
    /// Whether clients hide encryption altogether.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub force_disable: bool,
}

/// The power level for `m.room.encryption` at which clients stop offering it: above everyone's.
pub const OUT_OF_REACH_POWER_LEVEL: i64 = 101;

impl EncryptionSettings {
    /// What holds for rooms of this class.
    pub fn level(&self, class: RoomClass) -> Level {
        match class {
            RoomClass::Direct => self.direct,
            RoomClass::Private => self.private,
            RoomClass::Public => self.public,
        }
    }

    fn setting(&self, class: RoomClass) -> String {
        format!("encryption.{} = {:?}", class.name(), self.level(class).name())
    }

    /// What to do with `m.room.encryption` when a room is created, `requested` or not.
    pub fn at_creation(&self, class: RoomClass, requested: bool, client: ClientKind) -> Decision<AtCreation> {
        let (outcome, rule) = match (self.level(class), requested) {
            (Level::Required, false) => (AtCreation::Add, "new rooms of this class are encrypted"),
            (Level::Required, true) => (AtCreation::Keep, "new rooms of this class are encrypted"),
            (Level::Client, _) => (AtCreation::Keep, "the client decides about encryption"),
            (Level::Off | Level::Forbidden, false) => (AtCreation::Keep, "no encryption was asked for"),
            (Level::Forbidden, true) => (AtCreation::LeaveOut, "rooms of this class are never encrypted"),
            (Level::Off, true) => return self.off_at_creation(class, client),
        };
        Decision::new(outcome, rule, self.setting(class))
    }

    fn off_at_creation(&self, class: RoomClass, client: ClientKind) -> Decision<AtCreation> {
        let level = self.setting(class);
        match (self.strip_for, client) {
            (StripFor::Everyone, _) => Decision::new(
                AtCreation::LeaveOut,
                "new rooms of this class begin plain; encryption can be turned on in the room",
                level,
            ),
            (StripFor::ClientsThatIgnoreThePublishedDefault, ClientKind::IgnoresPublishedDefault) => {
                Decision::new(
                    AtCreation::LeaveOut,
                    "this client asks for encryption of its own accord; it can be turned on in the room",
                    level,
                )
            }
            (StripFor::ClientsThatIgnoreThePublishedDefault, ClientKind::FollowsPublishedDefault) => {
                Decision::new(
                    AtCreation::Keep,
                    "this client asks for encryption only where a person chose it",
                    "encryption.strip_for = \"clients_that_ignore_the_published_default\"",
                )
            }
        }
    }

    /// Whether a local sender may set `m.room.encryption` in a room that exists. Application services and
    /// administrators are local senders too.
    pub fn at_state_change(&self, facts: StateChangeFacts) -> Decision<StateChange> {
        let (outcome, rule) = match (self.level(facts.class), facts.already_encrypted) {
            (Level::Required, _) if !facts.has_algorithm => {
                (StateChange::Forbid, "Encryption cannot be turned off in rooms of this kind.")
            }
            (_, true) => (StateChange::Allow, "the room is encrypted already, and stays so"),
            (Level::Forbidden, false) => {
                (StateChange::Forbid, "This organisation does not allow encryption in rooms of this kind.")
            }
            (Level::Off, false) => (StateChange::Allow, "whoever has the power may turn encryption on"),
            (Level::Client, false) => (StateChange::Allow, "the client decides about encryption"),
            (Level::Required, false) => (StateChange::Allow, "rooms of this class should be encrypted"),
        };
        Decision::new(outcome, rule, self.setting(facts.class))
    }

    /// The power level to set for `m.room.encryption` in a new room, after all else has been merged, so that
    /// clients do not offer what would be refused. Room creators who stand above all levels still see it.
    pub fn power_level_at_creation(&self, class: RoomClass) -> Decision<Option<i64>> {
        let (outcome, rule) = match self.level(class) {
            Level::Forbidden => {
                (Some(OUT_OF_REACH_POWER_LEVEL), "clients should not offer what would be refused")
            }
            _ => (None, "encryption may be set by whoever has the power"),
        };
        Decision::new(outcome, rule, self.setting(class))
    }

    /// What happens to encryption when a room is upgraded, whatever the policy is now.
    pub fn at_upgrade(&self, encrypted: bool) -> Decision<AtUpgrade> {
        let outcome = if encrypted { AtUpgrade::CarryOver } else { AtUpgrade::LeavePlain };
        Decision::new(outcome, "an upgrade never changes whether a room is encrypted", "always so")
    }

    /// What to publish in `/.well-known/matrix/client`; nothing where clients are to decide for themselves.
    ///
    /// Clients know one default for conversations and private rooms together, so `off` for either means off.
    /// Encryption is hidden altogether only where it is forbidden everywhere.
    pub fn published_default(&self) -> Decision<Option<PublishedDefault>> {
        let forbidden = RoomClass::ALL.iter().all(|class| self.level(*class) == Level::Forbidden);
        let plain = |class| matches!(self.level(class), Level::Off | Level::Forbidden);
        let required = |class| self.level(class) == Level::Required;
        let default = if plain(RoomClass::Direct) {
            Some((false, RoomClass::Direct))
        } else if plain(RoomClass::Private) {
            Some((false, RoomClass::Private))
        } else if required(RoomClass::Direct) {
            Some((true, RoomClass::Direct))
        } else if required(RoomClass::Private) {
            Some((true, RoomClass::Private))
        } else {
            None
        };
        match default {
            Some((default, class)) => Decision::new(
                Some(PublishedDefault { default, force_disable: forbidden }),
                "clients are told the organisation's default",
                self.setting(class),
            ),
            None => Decision::new(None, "clients decide for themselves", self.setting(RoomClass::Private)),
        }
    }

    /// The flags for `unstable_features` of `/versions` which say that the server encrypts rooms made with a
    /// preset. `trusted_private_chat` is what clients use for conversations.
    pub fn forced_presets(&self) -> [(&'static str, bool); 3] {
        let forced = |class| self.level(class) == Level::Required;
        [
            ("io.element.e2ee_forced.public", forced(RoomClass::Public)),
            ("io.element.e2ee_forced.private", forced(RoomClass::Private)),
            ("io.element.e2ee_forced.trusted_private", forced(RoomClass::Direct)),
        ]
    }
}
