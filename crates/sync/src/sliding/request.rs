//! What a client asks of a sliding sync: typed values, whatever the form in which they came.

use std::{collections::BTreeMap, collections::BTreeSet, sync::Arc, time::Duration};

use parvis_storage::Position;
use ruma::{OwnedRoomId, UserId, presence::PresenceState};

/// One request of a connection.
#[derive(Clone, Debug)]
pub struct SlidingRequest {
    /// The client's name for the connection; empty for the one that it does not name.
    pub connection: String,
    /// Where the connection stands, as the last answer said; without it the connection begins anew.
    pub pos: Option<String>,
    /// How long to wait for news.
    pub timeout: Duration,
    /// What the device says of its user's presence.
    pub set_presence: PresenceState,
    /// Windows on the list of rooms, by name.
    pub lists: BTreeMap<String, ListWanted>,
    /// Rooms that are wanted wherever they stand.
    pub subscriptions: BTreeMap<OwnedRoomId, Arc<RoomWanted>>,
    /// What is wanted beside rooms.
    pub extensions: ExtensionsWanted,
}

/// A window on the list of rooms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListWanted {
    /// From which place to which, both included, counted from zero.
    pub ranges: Vec<(usize, usize)>,
    /// Which rooms are on the list.
    pub filter: RoomFilter,
    /// What is wanted of each room in the window.
    pub room: Arc<RoomWanted>,
}

/// What is wanted of a room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoomWanted {
    /// How many events of the timeline at most.
    pub timeline_limit: usize,
    /// Which state.
    pub state: Arc<StateWanted>,
}

/// Which state events are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateWanted {
    /// The events that are wanted.
    pub patterns: BTreeSet<StatePattern>,
    /// Those among them that are not.
    pub excluded: BTreeSet<StatePattern>,
    /// Whether the memberships are wanted of those who have to do with the timeline.
    pub lazy_members: bool,
}

/// State events of one type or of all, with one state key or with all.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StatePattern {
    /// The type; `None` for every type.
    pub kind: Option<String>,
    /// The state key.
    pub key: KeyWanted,
}

/// Which state key is wanted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyWanted {
    /// Every one.
    Any,
    /// The reader's own user id.
    Own,
    /// This one.
    Is(String),
}

/// Which rooms are on a list. What is `None` is not asked for; all that is asked for must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoomFilter {
    /// Whether the user calls them direct chats.
    pub is_dm: Option<bool>,
    /// Whether they are encrypted.
    pub is_encrypted: Option<bool>,
    /// Whether the user is invited to them.
    pub is_invite: Option<bool>,
    /// Which type they have, where `None` is that of a room without a type.
    pub room_types: Option<Vec<Option<String>>>,
    /// Which types they do not have. This weighs more.
    pub not_room_types: Option<Vec<Option<String>>>,
    /// Of which spaces they are children, of one at least.
    pub spaces: Option<Vec<OwnedRoomId>>,
    /// Which tags the user has given them, one at least.
    pub tags: Option<Vec<String>>,
    /// Which tags they do not have. This weighs more.
    pub not_tags: Option<Vec<String>>,
}

/// What is wanted beside rooms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExtensionsWanted {
    /// Messages to the device.
    pub to_device: Option<ToDeviceWanted>,
    /// Whose devices have changed, and what the device has left of its keys.
    pub e2ee: bool,
    /// The user's own data.
    pub account_data: Option<Scope>,
    /// How far others have read.
    pub receipts: Option<Scope>,
    /// Who is typing.
    pub typing: Option<Scope>,
    /// Which threads the user follows: how many changes of it at most.
    pub threads: Option<usize>,
}

/// Which messages to the device are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToDeviceWanted {
    /// How many at most.
    pub limit: usize,
    /// Up to where the device has them.
    pub since: Option<Position>,
}

/// Of which of the rooms in windows or subscriptions something is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// The names of the lists; `None` for all.
    pub lists: Option<BTreeSet<String>>,
    /// The subscribed rooms; `None` for all.
    pub rooms: Option<BTreeSet<OwnedRoomId>>,
}

impl Scope {
    /// Whether nothing is left out.
    pub(crate) fn is_everything(&self) -> bool {
        self.lists.is_none() && self.rooms.is_none()
    }
}

impl RoomFilter {
    /// Whether it depends on the state of other rooms.
    pub(crate) fn looks_elsewhere(&self) -> bool {
        self.spaces.is_some()
    }
}

impl RoomWanted {
    /// What both want together.
    pub(crate) fn merged(self: &Arc<Self>, other: &Arc<Self>) -> Arc<Self> {
        if Arc::ptr_eq(self, other) || self == other {
            return Arc::clone(self);
        }
        Arc::new(Self {
            timeline_limit: self.timeline_limit.max(other.timeline_limit),
            state: Arc::new(StateWanted {
                patterns: self.state.patterns.union(&other.state.patterns).cloned().collect(),
                excluded: self.state.excluded.intersection(&other.state.excluded).cloned().collect(),
                lazy_members: self.state.lazy_members || other.state.lazy_members,
            }),
        })
    }
}

impl StatePattern {
    fn matches(&self, kind: &str, key: &str, own: &UserId) -> bool {
        self.kind.as_deref().is_none_or(|wanted| wanted == kind)
            && match &self.key {
                KeyWanted::Any => true,
                KeyWanted::Own => key == own.as_str(),
                KeyWanted::Is(wanted) => wanted == key,
            }
    }
}

impl StateWanted {
    /// Whether an event with this type and state key is wanted, whoever has to do with the timeline.
    pub(crate) fn wants(&self, kind: &str, key: &str, own: &UserId) -> bool {
        // Where members are loaded lazily, a pattern for everything does not mean all of them.
        let is_lazy = self.lazy_members && kind == "m.room.member";
        let any = |patterns: &BTreeSet<StatePattern>| {
            patterns.iter().any(|pattern| {
                let too_wide = is_lazy && pattern.key == KeyWanted::Any && pattern.kind.is_none();
                !too_wide && pattern.matches(kind, key, own)
            })
        };
        any(&self.patterns) && !self.excluded.iter().any(|pattern| pattern.matches(kind, key, own))
    }

    /// What this wants and `other` did not; `None` if nothing.
    pub(crate) fn beyond(&self, other: &Self) -> Option<Self> {
        if self == other {
            return None;
        }
        let fewer_excluded = !other.excluded.is_subset(&self.excluded);
        let patterns: BTreeSet<_> = match fewer_excluded {
            true => self.patterns.clone(),
            false => self.patterns.difference(&other.patterns).cloned().collect(),
        };
        let lazy_members = self.lazy_members && !other.lazy_members;
        let more = !patterns.is_empty() || lazy_members;
        more.then(|| Self { patterns, excluded: self.excluded.clone(), lazy_members })
    }
}

#[cfg(test)]
mod tests {
    use ruma::user_id;

    use super::*;

    fn pattern(kind: &str, key: KeyWanted) -> StatePattern {
        StatePattern { kind: (kind != "*").then(|| kind.to_owned()), key }
    }

    #[test]
    fn pattern_for_everything_does_not_mean_all_members_where_they_are_loaded_lazily() {
        let own = user_id!("@me:x");
        let mut wanted = StateWanted::default();
        wanted.patterns.insert(pattern("*", KeyWanted::Any));
        assert!(wanted.wants("m.room.member", "@other:x", own));
        wanted.lazy_members = true;
        assert!(!wanted.wants("m.room.member", "@other:x", own));
        wanted.patterns.insert(pattern("m.room.member", KeyWanted::Own));
        assert!(wanted.wants("m.room.member", "@me:x", own) && wanted.wants("m.room.topic", "", own));
    }

    #[test]
    fn only_what_was_not_wanted_before_lies_beyond() {
        let mut before = StateWanted::default();
        before.patterns.insert(pattern("m.room.name", KeyWanted::Is(String::new())));
        let mut after = before.clone();
        assert_eq!(after.beyond(&before), None);
        after.patterns.insert(pattern("m.room.topic", KeyWanted::Any));
        let more = after.beyond(&before).unwrap();
        assert_eq!(more.patterns.len(), 1);
        assert_eq!(before.beyond(&after), None, "what is not wanted any more is no news");
    }
}
