//! What can be set: levels, who may turn encryption on, from whose rooms it is left out, and for whom else holds.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What holds for a class of rooms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// New rooms are plain; encryption may be turned on in a room.
    #[default]
    Off,
    /// The client decides.
    Client,
    /// New rooms are encrypted, unless a person chose otherwise in a client that offers the choice.
    On,
    /// New rooms are encrypted.
    Required,
    /// No room becomes encrypted.
    Forbidden,
}

impl Level {
    /// All levels.
    pub const ALL: [Self; 5] = [Self::Off, Self::Client, Self::On, Self::Required, Self::Forbidden];

    /// The name of this level in settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Client => "client",
            Self::On => "on",
            Self::Required => "required",
            Self::Forbidden => "forbidden",
        }
    }
}

/// Who may turn encryption on where the level is [`Level::Off`]. The room's own rules hold besides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "OneOrMany", try_from = "OneOrMany")]
pub enum WhoMayTurnOn {
    /// Whoever has the power in the room.
    #[default]
    AnyoneWithPower,
    /// Those of them who moderate the room.
    Moderators,
    /// Those of them who have one of these roles in the organisation.
    Roles(Vec<String>),
    /// Nobody.
    Nobody,
}

/// How it is written: a word, or a list of roles.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// What was written is none of the values that there are.
#[derive(Debug)]
struct NotOneOfThese;

impl fmt::Display for NotOneOfThese {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("expected \"anyone_with_power\", \"moderators\", \"nobody\", or a list of roles")
    }
}

impl TryFrom<OneOrMany> for WhoMayTurnOn {
    type Error = NotOneOfThese;

    fn try_from(written: OneOrMany) -> Result<Self, NotOneOfThese> {
        match written {
            OneOrMany::Many(roles) => Ok(Self::Roles(roles)),
            OneOrMany::One(word) => match word.as_str() {
                "anyone_with_power" => Ok(Self::AnyoneWithPower),
                "moderators" => Ok(Self::Moderators),
                "nobody" => Ok(Self::Nobody),
                _ => Err(NotOneOfThese),
            },
        }
    }
}

impl From<WhoMayTurnOn> for OneOrMany {
    fn from(who: WhoMayTurnOn) -> Self {
        match who {
            WhoMayTurnOn::AnyoneWithPower => Self::One("anyone_with_power".to_owned()),
            WhoMayTurnOn::Moderators => Self::One("moderators".to_owned()),
            WhoMayTurnOn::Roles(roles) => Self::Many(roles),
            WhoMayTurnOn::Nobody => Self::One("nobody".to_owned()),
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

/// Whether people may enter rooms of other servers that are encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EncryptedElsewhere {
    /// They may.
    #[default]
    Join,
    /// They may not; who is in one stays.
    Refuse,
}

/// A role in the organisation and the people who have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// The user ids of those who have it.
    pub users: Vec<String>,
}

/// A level that holds for what one person does, in rooms of every class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// The person's user id.
    pub user: String,
    /// The level.
    pub level: Level,
}
