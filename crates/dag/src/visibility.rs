//! History visibility: which events of a room a user may see.
//!
//! <https://spec.matrix.org/v1.19/client-server-api/#room-history-visibility>

use parvis_events::{Membership, Pdu};
use ruma::UserId;

/// `content.history_visibility` of `m.room.history_visibility`: from when on members see history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum HistoryVisibility {
    /// Everybody sees everything, members or not.
    WorldReadable,
    /// Members see everything, also from before they came. The default.
    #[default]
    Shared,
    /// Members see what was sent since they were invited.
    Invited,
    /// Members see what was sent since they joined.
    Joined,
}

impl HistoryVisibility {
    /// The visibility that a state event sets. Without an event, or with a value that nobody knows, it is
    /// the default.
    pub fn of(event: Option<&Pdu>) -> Self {
        #[derive(serde::Deserialize)]
        struct Content {
            history_visibility: String,
        }
        let content = event.and_then(|event| event.content_as::<Content>().ok());
        content.and_then(|content| Self::from_name(&content.history_visibility)).unwrap_or_default()
    }

    /// The visibility of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "world_readable" => Self::WorldReadable,
            "shared" => Self::Shared,
            "invited" => Self::Invited,
            "joined" => Self::Joined,
            _ => return None,
        })
    }

    /// The name in the protocol.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WorldReadable => "world_readable",
            Self::Shared => "shared",
            Self::Invited => "invited",
            Self::Joined => "joined",
        }
    }
}

/// What held for a reader at an event: the state just before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The room's history visibility before the event.
    pub visibility: HistoryVisibility,
    /// The reader's membership before the event; [`Membership::Leave`] for who was never in.
    pub membership: Membership,
}

/// Whether a reader may see an event.
///
/// `before` is what held just before the event; what the event itself changes is read from it, so that a
/// change of visibility, and a reader's own membership, are seen by whom either side lets see.
/// `joined_later` says whether the reader was ever joined at any time after the event.
pub fn may_see(event: &Pdu, reader: &UserId, before: Standing, joined_later: bool) -> bool {
    before.sees(joined_later) || before.after(event, reader).is_some_and(|after| after.sees(joined_later))
}

impl Standing {
    /// The rules themselves, at one state.
    fn sees(self, joined_later: bool) -> bool {
        match (self.visibility, self.membership) {
            (HistoryVisibility::WorldReadable, _) | (_, Membership::Join) => true,
            (HistoryVisibility::Shared, _) => joined_later,
            (HistoryVisibility::Invited, Membership::Invite) => true,
            (HistoryVisibility::Invited | HistoryVisibility::Joined, _) => false,
        }
    }

    /// What holds after the event, where it changes what matters here.
    fn after(self, event: &Pdu, reader: &UserId) -> Option<Self> {
        if event.is_state_of("m.room.history_visibility", "") {
            Some(Self { visibility: HistoryVisibility::of(Some(event)), ..self })
        } else if event.is_state_of("m.room.member", reader.as_str()) {
            Some(Self { membership: event.membership()?, ..self })
        } else {
            None
        }
    }
}

/// Whether a server may be given an event in full: whether any user of it could see the event.
///
/// `at_event` is the state at the event: the visibility, and the strongest membership that any of the
/// server's users had. Servers of a room with `shared` or `world_readable` history are given everything.
pub fn server_may_see(at_event: Standing) -> bool {
    matches!(at_event.visibility, HistoryVisibility::WorldReadable | HistoryVisibility::Shared)
        || at_event.sees(false)
}
