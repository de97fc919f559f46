//! The classes of room that an organisation tells apart.

use serde::{Deserialize, Serialize};

/// A class of room, for which the organisation sets what holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoomClass {
    /// A conversation among the organisation's own people, begun as such (`is_direct`).
    Direct,
    /// A conversation with somebody of another server.
    DirectWithPartner,
    /// A room of the organisation's own people for those who are invited.
    Private,
    /// A room for those who are invited, among them people of other servers.
    PrivateWithOutsiders,
    /// A room that anyone may join, or that is listed for all.
    Public,
    /// A space: a room that holds other rooms.
    Space,
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

/// What tells the class of a room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RoomTraits {
    /// Its type is `m.space`.
    pub is_space: bool,
    /// Anyone may join, or it is listed for all.
    pub is_open: bool,
    /// It was begun as a conversation.
    pub is_direct: bool,
    /// Somebody of another server is in it, or is invited.
    pub has_outsiders: bool,
}

impl RoomClass {
    /// All classes.
    pub const ALL: [Self; 6] = [
        Self::Direct,
        Self::DirectWithPartner,
        Self::Private,
        Self::PrivateWithOutsiders,
        Self::Public,
        Self::Space,
    ];

    /// The class of a room. A space is one whoever may join it, and whatever opens a room to all weighs more than
    /// how it was begun.
    pub fn of(traits: RoomTraits) -> Self {
        match traits {
            RoomTraits { is_space: true, .. } => Self::Space,
            RoomTraits { is_open: true, .. } => Self::Public,
            RoomTraits { is_direct: true, has_outsiders: true, .. } => Self::DirectWithPartner,
            RoomTraits { is_direct: true, .. } => Self::Direct,
            RoomTraits { has_outsiders: true, .. } => Self::PrivateWithOutsiders,
            RoomTraits { .. } => Self::Private,
        }
    }

    /// The name of this class in settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::DirectWithPartner => "direct_with_partner",
            Self::Private => "private",
            Self::PrivateWithOutsiders => "private_with_outsiders",
            Self::Public => "public",
            Self::Space => "space",
        }
    }

    /// Whether a room that was made as one of this class, by its [name](Self::name), was begun as a conversation.
    pub fn was_begun_as_conversation(name: &str) -> bool {
        name == Self::Direct.name() || name == Self::DirectWithPartner.name()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn class_follows_what_tells_it() {
        // space, open, direct, outsiders
        let table = [
            ([false, false, false, false], RoomClass::Private),
            ([false, false, false, true], RoomClass::PrivateWithOutsiders),
            ([false, false, true, false], RoomClass::Direct),
            ([false, false, true, true], RoomClass::DirectWithPartner),
            ([false, true, false, false], RoomClass::Public),
            ([false, true, false, true], RoomClass::Public),
            ([false, true, true, true], RoomClass::Public),
            ([true, false, false, false], RoomClass::Space),
            ([true, true, false, true], RoomClass::Space),
        ];
        for ([is_space, is_open, is_direct, has_outsiders], class) in table {
            let traits = RoomTraits { is_space, is_open, is_direct, has_outsiders };
            assert_eq!(RoomClass::of(traits), class, "{traits:?}");
        }
    }

    #[test]
    fn conversations_are_known_by_the_name_of_their_class() {
        let begun: Vec<_> = RoomClass::ALL
            .into_iter()
            .filter(|class| RoomClass::was_begun_as_conversation(class.name()))
            .collect();
        assert_eq!(begun, [RoomClass::Direct, RoomClass::DirectWithPartner]);
    }
}
