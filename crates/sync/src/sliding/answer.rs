//! What a sliding sync answers: typed values, whatever the form in which they are written.

use std::{collections::BTreeMap, sync::Arc};

use parvis_events::Membership;
use parvis_storage::{AccountData, DeviceState, Position, Receipt};
use ruma::{OwnedRoomId, OwnedUserId};

use crate::{
    answer::{DeviceLists, Timeline, UnreadCounts},
    followed::FollowedThread,
    view::ShownEvent,
};

/// What is new on a connection.
#[derive(Clone, Debug, Default)]
pub struct SlidingAnswer {
    /// Where the connection stands now.
    pub pos: String,
    /// How many rooms are on each list, in its windows or not.
    pub lists: BTreeMap<String, usize>,
    /// What is new in rooms.
    pub rooms: Vec<SlidingRoom>,
    /// Messages to the device.
    pub to_device: Option<ToDeviceNews>,
    /// What encryption needs.
    pub e2ee: Option<E2eeNews>,
    /// The user's own data.
    pub account_data: Option<AccountDataNews>,
    /// Receipts that moved, by room.
    pub receipts: Option<Vec<(OwnedRoomId, Vec<Arc<Receipt>>)>>,
    /// Who is typing, in rooms where that changed.
    pub typing: Option<Vec<(OwnedRoomId, Vec<OwnedUserId>)>>,
    /// Which threads the user follows, where that changed.
    pub threads: Option<ThreadNews>,
}

/// Which threads the user follows.
#[derive(Clone, Debug)]
pub struct ThreadNews {
    /// What has changed, the newest first.
    pub changes: Vec<FollowedThread>,
    /// The place before which more has changed.
    pub rest: Option<Position>,
}

/// Messages to the device.
#[derive(Clone, Debug)]
pub struct ToDeviceNews {
    /// Up to where they were told.
    pub next: Position,
    /// The messages: events as JSON, oldest first.
    pub events: Vec<String>,
}

/// What encryption needs.
#[derive(Clone, Debug)]
pub struct E2eeNews {
    /// Whose devices have changed since the last answer; nothing at the beginning.
    pub device_lists: Option<DeviceLists>,
    /// What the device has left of its keys.
    pub device: Arc<DeviceState>,
}

/// The user's own data that changed.
#[derive(Clone, Debug, Default)]
pub struct AccountDataNews {
    /// Account-wide.
    pub global: Vec<Arc<AccountData>>,
    /// About rooms.
    pub rooms: Vec<(OwnedRoomId, Vec<Arc<AccountData>>)>,
}

/// What is new in a room.
#[derive(Clone, Debug)]
pub struct SlidingRoom {
    /// The room.
    pub room_id: OwnedRoomId,
    /// What the user is to the room.
    pub membership: Membership,
    /// The lists in whose windows it is.
    pub lists: Vec<String>,
    /// Whether it is told for the first time on this connection.
    pub initial: bool,
    /// Whether the timeline is told again from further back, since more of it was asked for.
    pub expanded: bool,
    /// New events; nothing of rooms that are seen from outside.
    pub timeline: Option<Timeline>,
    /// How many of them came after the connection's last answer.
    pub live: usize,
    /// State that was asked for and that the client does not have.
    pub state: Vec<ShownEvent>,
    /// State that was asked for and that is gone: types and state keys.
    pub gone: Vec<(String, String)>,
    /// What somebody outside is shown, of a room to which the user is invited or at which they have knocked:
    /// stripped state events as JSON.
    pub stripped: Option<Vec<Arc<str>>>,
    /// The room's name, where that is news: the inner `None` if there is none any more.
    pub name: Option<Option<String>>,
    /// The room's picture, where that is news: the inner `None` if there is none any more.
    pub avatar: Option<Option<String>>,
    /// After whom to name it, where that is news and it has no name.
    pub heroes: Option<Vec<Hero>>,
    /// Whether the user calls it a direct chat.
    pub is_dm: bool,
    /// How many are joined and how many are invited, where that may have changed.
    pub counts: Option<(usize, usize)>,
    /// Where the newest event is by which the room rises.
    pub bump: Option<Position>,
    /// What the user has not read.
    pub unread: Option<UnreadCounts>,
}

/// Somebody after whom a room is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hero {
    /// Who.
    pub user_id: OwnedUserId,
    /// Their name in the room.
    pub display_name: Option<String>,
    /// Their picture in the room.
    pub avatar: Option<String>,
}

impl SlidingAnswer {
    /// Whether there is anything for which a client should not be left waiting, the lists apart.
    pub(crate) fn has_news(&self) -> bool {
        let e2ee = |news: &E2eeNews| news.device_lists.as_ref().is_some_and(|lists| !lists.is_empty());
        !self.rooms.is_empty()
            || self.to_device.as_ref().is_some_and(|news| !news.events.is_empty())
            || self.e2ee.as_ref().is_some_and(e2ee)
            || self
                .account_data
                .as_ref()
                .is_some_and(|data| !data.global.is_empty() || !data.rooms.is_empty())
            || self.receipts.as_ref().is_some_and(|rooms| !rooms.is_empty())
            || self.threads.is_some()
            || self.typing.as_ref().is_some_and(|rooms| !rooms.is_empty())
    }
}

impl SlidingRoom {
    /// A room of which nothing is told yet.
    pub(crate) fn nothing(room_id: OwnedRoomId, membership: Membership) -> Self {
        Self {
            room_id,
            membership,
            lists: Vec::new(),
            initial: false,
            expanded: false,
            timeline: None,
            live: 0,
            state: Vec::new(),
            gone: Vec::new(),
            stripped: None,
            name: None,
            avatar: None,
            heroes: None,
            is_dm: false,
            counts: None,
            bump: None,
            unread: None,
        }
    }
}
