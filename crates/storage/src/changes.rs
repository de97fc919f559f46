//! The stream of changes: what was committed, at which position, and who is told.
//!
//! Readers (sync, sending to others) wait for the head to move and then read what is new from their own
//! cursor. The newest changes are kept in memory, so that a reader who is nearly up to date costs no query.

use std::{
    collections::VecDeque,
    sync::{Arc, PoisonError, RwLock},
};

use ruma::OwnedServerName;

use crate::{
    DeviceSn, EventSn, Position, RoomSn, UserSn,
    head::{Head, HeadFollower},
};

/// Something that became visible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// An event entered a room's timeline.
    Event {
        /// The room.
        room: RoomSn,
        /// The event.
        event: EventSn,
        /// For a membership event, the user whose membership it is.
        member: Option<UserSn>,
    },
    /// A user's account data changed, for a room or for the account.
    AccountData {
        /// Whose.
        user: UserSn,
        /// In which room; `None` for account-wide data.
        room: Option<RoomSn>,
        /// The event type of the data.
        kind: Arc<str>,
    },
    /// A read receipt moved.
    Receipt {
        /// The room.
        room: RoomSn,
        /// Who read.
        user: UserSn,
        /// Whether only the user's own devices may know (`m.read.private`).
        private: bool,
    },
    /// A user's membership of a room changed without an event in the room's timeline: an invitation to a room that
    /// is elsewhere came or went, or forks met.
    Membership {
        /// Whose.
        user: UserSn,
        /// In which room.
        room: RoomSn,
    },
    /// A user's list of devices changed, or their keys for cross-signing.
    Devices {
        /// Whose.
        user: UserSn,
        /// The devices that were taken away.
        gone: GoneDevices,
    },
    /// A user signed a key. Only the signer may know.
    Signed {
        /// Who signed.
        signer: UserSn,
        /// Whose key.
        target: UserSn,
    },
    /// The one-time keys or the fallback keys of a device are others now.
    OneTimeKeys {
        /// Whose.
        user: UserSn,
        /// The device.
        device: DeviceSn,
    },
    /// Messages came for single devices.
    ToDevice {
        /// For whom.
        devices: Arc<[(UserSn, DeviceSn)]>,
    },
    /// A user forgot a room.
    Forgotten {
        /// Who.
        user: UserSn,
        /// Which room.
        room: RoomSn,
    },
    /// A user has other pushers now.
    Pushers {
        /// Whose.
        user: UserSn,
    },
    /// A user follows a thread, or no longer.
    ThreadSubscriptions {
        /// Who.
        user: UserSn,
    },
    /// Something was put down for another server that is no event.
    OutgoingEdu {
        /// The server.
        server: OwnedServerName,
    },
}

/// Which of a user's devices were taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GoneDevices {
    /// None.
    None,
    /// This one.
    One(DeviceSn),
    /// All but the one that is named, if one is.
    AllBut(Option<DeviceSn>),
}

impl GoneDevices {
    /// Whether a device of that user is among them.
    pub fn has(self, device: DeviceSn) -> bool {
        match self {
            Self::None => false,
            Self::One(gone) => gone == device,
            Self::AllBut(kept) => kept != Some(device),
        }
    }
}

/// A change and its position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announced {
    /// Where in the stream.
    pub position: Position,
    /// What changed.
    pub change: Change,
}

/// How many changes are kept in memory.
const RING: usize = 65_536;

/// The newest changes and the head of the stream.
#[derive(Debug)]
pub(crate) struct Stream {
    ring: RwLock<Ring>,
    head: Head,
}

#[derive(Debug)]
struct Ring {
    /// Everything after this position is in `changes`.
    from: Position,
    changes: VecDeque<Announced>,
}

impl Stream {
    /// A stream whose head stands at `head`, with nothing in memory.
    pub(crate) fn new(head: Position) -> Self {
        Self { ring: RwLock::new(Ring { from: head, changes: VecDeque::new() }), head: Head::new(head) }
    }

    /// Makes changes visible. They are in order and follow the head.
    pub(crate) fn publish(&self, changes: Vec<Announced>) {
        let Some(last) = changes.last().map(|change| change.position) else { return };
        {
            let mut ring = self.ring.write().unwrap_or_else(PoisonError::into_inner);
            ring.changes.extend(changes);
            while ring.changes.len() > RING {
                if let Some(gone) = ring.changes.pop_front() {
                    ring.from = gone.position;
                }
            }
        }
        self.head.move_to(last);
    }

    /// The newest visible position.
    pub(crate) fn head(&self) -> Position {
        self.head.get()
    }

    /// Follows the head.
    pub(crate) fn subscribe(&self) -> HeadFollower {
        self.head.follow()
    }

    /// The changes after `since` up to `until`, if memory reaches back that far.
    pub(crate) fn between(&self, since: Position, until: Position) -> Option<Vec<Announced>> {
        let mut changes = Vec::new();
        self.visit(since, until, |change| changes.push(change.clone())).then_some(changes)
    }

    /// Shows the changes after `since` up to `until` one by one, if memory reaches back that far; says whether
    /// it does.
    pub(crate) fn visit(&self, since: Position, until: Position, visit: impl FnMut(&Announced)) -> bool {
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner);
        if since < ring.from {
            return false;
        }
        let start = ring.changes.partition_point(|change| change.position <= since);
        let end = ring.changes.partition_point(|change| change.position <= until);
        ring.changes.range(start..end.max(start)).for_each(visit);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(position: i64) -> Announced {
        Announced {
            position: Position(position),
            change: Change::Forgotten { user: UserSn(1), room: RoomSn(2) },
        }
    }

    #[test]
    fn reader_gets_what_lies_behind_its_cursor() {
        let stream = Stream::new(Position(10));
        stream.publish(vec![change(11), change(12), change(13)]);
        assert_eq!(stream.head(), Position(13));
        assert_eq!(stream.between(Position(11), Position(12)).unwrap(), [change(12)]);
        assert_eq!(stream.between(Position(10), Position(13)).unwrap().len(), 3);
        assert_eq!(stream.between(Position(9), Position(13)), None, "memory does not reach back so far");
    }

    #[test]
    fn oldest_changes_leave_a_full_ring() {
        let stream = Stream::new(Position(0));
        stream.publish((1..=65_546).map(change).collect());
        assert_eq!(stream.between(Position(9), Position(65_546)), None);
        assert_eq!(stream.between(Position(10), Position(65_546)).unwrap().len(), 65_536);
    }
}
