//! Memberships as they are kept in memory, seen from the user and from the room.
//!
//! Both views are shared with those who read them, and changed in place when a commit changes a membership.

use std::{
    collections::{HashMap, HashSet},
    sync::{PoisonError, RwLock},
};

use parvis_events::Membership;

use crate::numbers::{EventSn, Position, RoomSn, UserSn};

/// One user's relation to one room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// The membership.
    pub membership: Membership,
    /// The membership event.
    pub event: EventSn,
    /// Whether the user has forgotten the room since leaving it.
    pub forgotten: bool,
    /// Where the membership changed last.
    pub position: Position,
}

/// The rooms of a user. Shared, and kept up to date as commits happen.
#[derive(Debug, Default)]
pub struct UserRooms(RwLock<HashMap<RoomSn, Member>>);

impl UserRooms {
    /// The view that these memberships make.
    pub(crate) fn new(rooms: HashMap<RoomSn, Member>) -> Self {
        Self(RwLock::new(rooms))
    }

    /// Every room that the user has had a membership of.
    pub fn all(&self) -> Vec<(RoomSn, Member)> {
        let rooms = self.0.read().unwrap_or_else(PoisonError::into_inner);
        rooms.iter().map(|(room, member)| (*room, *member)).collect()
    }

    /// The user's membership of one room.
    pub fn get(&self, room: RoomSn) -> Option<Member> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&room).copied()
    }

    pub(crate) fn put(&self, room: RoomSn, member: Member) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(room, member);
    }

    pub(crate) fn forget(&self, room: RoomSn) {
        if let Some(member) = self.0.write().unwrap_or_else(PoisonError::into_inner).get_mut(&room) {
            member.forgotten = true;
        }
    }

    pub(crate) fn weight(&self) -> u32 {
        let rooms = self.0.read().unwrap_or_else(PoisonError::into_inner).len();
        u32::try_from(rooms * 64 + 100).unwrap_or(u32::MAX)
    }
}

/// The members of a room. Shared, and kept up to date as commits happen.
#[derive(Debug, Default)]
pub struct RoomMembers(RwLock<Tally>);

#[derive(Debug, Default)]
struct Tally {
    joined: HashSet<UserSn>,
    invited: HashSet<UserSn>,
}

impl RoomMembers {
    /// Whether a user is joined.
    pub fn is_joined(&self, user: UserSn) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).joined.contains(&user)
    }

    /// Everybody who is joined, in no order.
    pub fn joined(&self) -> Vec<UserSn> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).joined.iter().copied().collect()
    }

    /// Everybody who is invited, in no order.
    pub fn invited(&self) -> Vec<UserSn> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).invited.iter().copied().collect()
    }

    /// How many are joined, and how many are invited.
    pub fn counts(&self) -> (usize, usize) {
        let tally = self.0.read().unwrap_or_else(PoisonError::into_inner);
        (tally.joined.len(), tally.invited.len())
    }

    /// Calls `visit` with each joined user, without copying the list.
    pub fn for_each_joined(&self, mut visit: impl FnMut(UserSn)) {
        let tally = self.0.read().unwrap_or_else(PoisonError::into_inner);
        tally.joined.iter().for_each(|user| visit(*user));
    }

    pub(crate) fn put(&self, user: UserSn, membership: Membership) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).put(user, membership);
    }

    pub(crate) fn weight(&self) -> u32 {
        let tally = self.0.read().unwrap_or_else(PoisonError::into_inner);
        u32::try_from((tally.joined.len() + tally.invited.len()) * 16 + 100).unwrap_or(u32::MAX)
    }
}

impl Tally {
    fn put(&mut self, user: UserSn, membership: Membership) {
        self.joined.remove(&user);
        self.invited.remove(&user);
        match membership {
            Membership::Join => drop(self.joined.insert(user)),
            Membership::Invite => drop(self.invited.insert(user)),
            Membership::Knock | Membership::Leave | Membership::Ban => {}
        }
    }
}

/// A membership that a write set changes, for the views in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) enum MemberChange {
    Put { user: UserSn, room: RoomSn, membership: Membership, event: EventSn, change: u32 },
    Forget { user: UserSn, room: RoomSn },
}
