//! What a sync is asked, and what it answers: typed values, which the API reads and writes as JSON.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use parvis_storage::{AccountData, DeviceState, Position, Receipt, Token};
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId, presence::PresenceState};

use crate::{filter::Filter, view::ShownEvent};

/// What a client asks of a sync (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3sync>).
#[derive(Clone, Debug)]
pub struct SyncRequest {
    /// The end of the last sync; without it, everything is new.
    pub since: Option<Token>,
    /// How long to wait for news.
    pub timeout: Duration,
    /// Whether to give the whole state of every room.
    pub full_state: bool,
    /// What is wanted.
    pub filter: Arc<Filter>,
    /// The most events of a timeline, whatever the filter says.
    pub most_timeline_events: usize,
    /// Whether the state is to be the one after the timeline rather than the one before it.
    pub state_after: bool,
    /// What the device says of its user's presence.
    pub set_presence: PresenceState,
}

impl SyncRequest {
    /// The request of who wants to know of devices only.
    pub(crate) fn for_devices(since: Position) -> Self {
        Self {
            since: Some(since.into()),
            timeout: Duration::ZERO,
            full_state: false,
            filter: Arc::default(),
            most_timeline_events: 0,
            state_after: false,
            set_presence: PresenceState::Offline,
        }
    }

    /// How many events of a timeline are told.
    pub(crate) fn timeline_limit(&self) -> usize {
        self.filter.timeline.limit.min(self.most_timeline_events)
    }
}

/// What is new.
#[derive(Clone, Debug)]
pub struct SyncAnswer {
    /// Where the next sync begins.
    pub next: Token,
    /// Rooms in which the user is.
    pub joined: Vec<JoinedRoom>,
    /// Rooms to which the user is invited.
    pub invited: Vec<StrippedRoom>,
    /// Rooms at which the user has knocked.
    pub knocked: Vec<StrippedRoom>,
    /// Rooms in which the user is no more.
    pub left: Vec<LeftRoom>,
    /// Account-wide data.
    pub account_data: Vec<Arc<AccountData>>,
    /// Presence of users who share a room with this one.
    pub presence: Vec<PresenceUpdate>,
    /// Messages to the device: events as JSON, oldest first.
    pub to_device: Vec<String>,
    /// Whose devices have changed.
    pub device_lists: DeviceLists,
    /// What the device has left of its keys.
    pub device: Arc<DeviceState>,
    /// Whether that has changed.
    pub device_changed: bool,
    /// Whether the device was taken away.
    pub device_is_gone: bool,
}

/// Whose devices the reader has to look at anew, or need not follow any more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceLists {
    /// Those whose devices or keys have changed, or who have come into one of the reader's rooms.
    pub changed: Vec<OwnedUserId>,
    /// Those with whom the reader shares no room any more.
    pub left: Vec<OwnedUserId>,
}

impl DeviceLists {
    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.left.is_empty()
    }
}

impl SyncAnswer {
    /// An answer that says nothing.
    pub(crate) fn nothing(next: Token, device: Arc<DeviceState>) -> Self {
        Self {
            next,
            joined: Vec::new(),
            invited: Vec::new(),
            knocked: Vec::new(),
            left: Vec::new(),
            account_data: Vec::new(),
            presence: Vec::new(),
            to_device: Vec::new(),
            device_lists: DeviceLists::default(),
            device,
            device_changed: false,
            device_is_gone: false,
        }
    }

    /// Whether there is nothing new.
    pub fn is_empty(&self) -> bool {
        self.joined.is_empty()
            && self.invited.is_empty()
            && self.knocked.is_empty()
            && self.left.is_empty()
            && self.account_data.is_empty()
            && self.presence.is_empty()
            && self.to_device.is_empty()
            && self.device_lists.is_empty()
            && !self.device_changed
    }
}

/// A part of a room's timeline.
#[derive(Clone, Debug)]
pub struct Timeline {
    /// The events, oldest first.
    pub events: Vec<ShownEvent>,
    /// Whether events lie between the last sync and these that are not among them.
    pub limited: bool,
    /// The place before the first of them, from which earlier events can be paged.
    pub start: Position,
}

/// What is new in a room in which the user is.
#[derive(Clone, Debug)]
pub struct JoinedRoom {
    /// The room.
    pub room_id: OwnedRoomId,
    /// New events.
    pub timeline: Timeline,
    /// The state that changed, before the timeline or after it as was asked for.
    pub state: Vec<ShownEvent>,
    /// How the room is to be named, if that may have changed.
    pub summary: Option<Summary>,
    /// What the user has not read. Where threads are counted apart, only of the main timeline.
    pub unread: UnreadCounts,
    /// What is unread in each thread, where they are counted apart.
    pub unread_threads: Option<BTreeMap<OwnedEventId, UnreadCounts>>,
    /// Who is typing, if that changed.
    pub typing: Option<Vec<OwnedUserId>>,
    /// Receipts that moved.
    pub receipts: Vec<Arc<Receipt>>,
    /// The user's data about the room.
    pub account_data: Vec<Arc<AccountData>>,
}

/// The end of the user's time in a room.
#[derive(Clone, Debug)]
pub struct LeftRoom {
    /// The room.
    pub room_id: OwnedRoomId,
    /// Events up to the leaving.
    pub timeline: Timeline,
    /// The state that changed up to the leaving.
    pub state: Vec<ShownEvent>,
    /// The user's data about the room.
    pub account_data: Vec<Arc<AccountData>>,
}

/// A room that the user knows only from outside.
#[derive(Clone, Debug)]
pub struct StrippedRoom {
    /// The room.
    pub room_id: OwnedRoomId,
    /// Stripped state events, as JSON.
    pub state: Vec<Arc<str>>,
}

/// How a room is to be named (<https://spec.matrix.org/v1.19/client-server-api/#calculating-the-display-name-for-a-room>).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Other users after whom to name it; `None` where it has a name of its own.
    pub heroes: Option<Vec<OwnedUserId>>,
    /// How many users are in the room.
    pub joined: u64,
    /// How many are invited.
    pub invited: u64,
}

/// How much is unread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnreadCounts {
    /// Events that notify.
    pub notifications: u64,
    /// Those among them that call for attention.
    pub highlights: u64,
}

/// What is known of a user's presence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresenceUpdate {
    /// Whose.
    pub user_id: OwnedUserId,
    /// The state.
    pub state: PresenceState,
    /// Milliseconds since the user last did something, where known.
    pub last_active_ago_millis: Option<u64>,
    /// What the user says about it.
    pub status_message: Option<String>,
    /// Whether the user is doing something right now.
    pub currently_active: bool,
}
