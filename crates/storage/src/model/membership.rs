//! Memberships as they are kept in memory, seen from the user and from the room.
//!
//! Both views are shared with those who read them, and changed in place when a commit changes a membership.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, PoisonError, RwLock},
};

use parvis_events::Membership;
use ruma::OwnedServerName;

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

impl Member {
    /// Whether the user is in the room.
    pub fn is_joined(&self) -> bool {
        self.membership == Membership::Join
    }
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

/// The servers with users in a room, and how many each has there.
pub type RoomServers = BTreeMap<OwnedServerName, usize>;

#[derive(Debug, Default)]
struct Tally {
    joined: BTreeSet<UserSn>,
    invited: BTreeSet<UserSn>,
    /// The servers of those who are joined, once somebody has asked for them.
    servers: Option<Arc<RoomServers>>,
    /// Where a membership changed last.
    changed: Option<Position>,
}

/// The servers in a room at one moment.
#[derive(Clone, Debug)]
pub(crate) struct ServersNow {
    pub(crate) servers: Arc<RoomServers>,
    /// For the users who were asked for, whether they are joined.
    pub(crate) joined: Vec<bool>,
    /// Where a membership of the room changed last.
    pub(crate) changed: Option<Position>,
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

    /// Where a membership changed last.
    pub fn last_change(&self) -> Option<Position> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).changed
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

    /// Notes a membership. The user's server is asked for only where servers are counted; if it is not known
    /// then, they will be counted anew.
    pub(crate) fn put(
        &self,
        user: UserSn,
        membership: Membership,
        position: Position,
        server: impl FnOnce() -> Option<OwnedServerName>,
    ) {
        let mut tally = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let before = tally.joined.contains(&user);
        tally.put(user, membership);
        tally.changed = tally.changed.max(Some(position));
        let after = membership == Membership::Join;
        if before != after && tally.servers.is_some() {
            tally.count(server(), after);
        }
    }

    /// The servers in the room as of now, if they are counted, and which of these users are joined.
    pub(crate) fn servers_now(&self, users: &[UserSn]) -> Option<ServersNow> {
        let tally = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let joined = users.iter().map(|user| tally.joined.contains(user)).collect();
        let servers = Arc::clone(tally.servers.as_ref()?);
        Some(ServersNow { servers, joined, changed: tally.changed })
    }

    /// Keeps the servers in the room. To be called only while no membership changes.
    pub(crate) fn keep_servers(&self, servers: &Arc<RoomServers>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).servers = Some(Arc::clone(servers));
    }

    pub(crate) fn weight(&self) -> u32 {
        let tally = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let servers = tally.servers.as_ref().map_or(0, |servers| servers.len());
        u32::try_from((tally.joined.len() + tally.invited.len()) * 16 + servers * 80 + 100)
            .unwrap_or(u32::MAX)
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

    /// Counts one user more or less of a server.
    fn count(&mut self, server: Option<OwnedServerName>, more: bool) {
        let (Some(servers), Some(server)) = (&mut self.servers, server) else {
            self.servers = None;
            return;
        };
        let servers = Arc::make_mut(servers);
        if more {
            *servers.entry(server).or_default() += 1;
        } else if let Some(count) = servers.get_mut(&server) {
            *count -= 1;
            if *count == 0 {
                servers.remove(&server);
            }
        }
    }
}

/// A membership that a write set changes, for the views in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) enum MemberChange {
    Put { user: UserSn, room: RoomSn, membership: Membership, event: EventSn, change: u32 },
    Forget { user: UserSn, room: RoomSn },
}
