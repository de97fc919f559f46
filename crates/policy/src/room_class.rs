//! The classes of room that an organisation tells apart.

use serde::{Deserialize, Serialize};

/// A class of room, for which the organisation sets what holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoomClass {
    /// A conversation between people, begun as such (`is_direct`).
    Direct,
    /// A room for those who are invited.
    Private,
    /// A room that anyone may join, or that is listed for all.
    Public,
}

/// The `preset` of `POST /createRoom`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Preset {
    /// `private_chat`
    PrivateChat,
    /// `trusted_private_chat`
    TrustedPrivateChat,
    /// `public_chat`
    PublicChat,
}

impl RoomClass {
    /// All classes.
    pub const ALL: [Self; 3] = [Self::Direct, Self::Private, Self::Public];

    /// The class of a room that is being created. Whatever opens the room to all weighs more than `is_direct`.
    pub fn of_new_room(preset: Option<Preset>, listed_in_directory: bool, is_direct: bool) -> Self {
        if listed_in_directory || preset == Some(Preset::PublicChat) {
            Self::Public
        } else if is_direct {
            Self::Direct
        } else {
            Self::Private
        }
    }

    /// The class of a room that exists, from its present state.
    pub fn of_existing_room(anyone_may_join: bool, listed_in_directory: bool, is_direct: bool) -> Self {
        let preset = anyone_may_join.then_some(Preset::PublicChat);
        Self::of_new_room(preset, listed_in_directory, is_direct)
    }

    /// The name of this class in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Private => "private",
            Self::Public => "public",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn class_of_a_new_room_follows_preset_visibility_and_directness() {
        use Preset::{PrivateChat, PublicChat, TrustedPrivateChat};
        let table = [
            (None, false, false, RoomClass::Private),
            (Some(PrivateChat), false, false, RoomClass::Private),
            (Some(TrustedPrivateChat), false, false, RoomClass::Private),
            (Some(TrustedPrivateChat), false, true, RoomClass::Direct),
            (None, false, true, RoomClass::Direct),
            (Some(PublicChat), false, false, RoomClass::Public),
            (Some(PublicChat), false, true, RoomClass::Public),
            (Some(PrivateChat), true, false, RoomClass::Public),
            (None, true, true, RoomClass::Public),
        ];
        for (preset, listed, direct, class) in table {
            assert_eq!(RoomClass::of_new_room(preset, listed, direct), class, "{preset:?} {listed} {direct}");
        }
    }

    #[test]
    fn class_of_an_existing_room_follows_its_state() {
        assert_eq!(RoomClass::of_existing_room(true, false, false), RoomClass::Public);
        assert_eq!(RoomClass::of_existing_room(false, true, true), RoomClass::Public);
        assert_eq!(RoomClass::of_existing_room(false, false, true), RoomClass::Direct);
        assert_eq!(RoomClass::of_existing_room(false, false, false), RoomClass::Private);
    }
}
