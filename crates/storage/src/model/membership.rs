//! Memberships as they are kept in memory, seen from the user and from the room.
//!
//! Both views are shared with those who read them, and changed in place when a commit changes a membership.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard},
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
pub struct UserRooms(RwLock<RoomsByChange>);

#[derive(Debug, Default)]
struct RoomsByChange {
    rooms: HashMap<RoomSn, Member>,
    /// All of them, by where the membership changed last.
    by_change: BTreeSet<(Position, RoomSn)>,
}

impl UserRooms {
    /// The view that these memberships make.
    pub(crate) fn new(rooms: HashMap<RoomSn, Member>) -> Self {
        let by_change = rooms.iter().map(|(room, member)| (member.position, *room)).collect();
        Self(RwLock::new(RoomsByChange { rooms, by_change }))
    }

    /// Every room that the user has had a membership of.
    pub fn all(&self) -> Vec<(RoomSn, Member)> {
        self.read().rooms.iter().map(|(room, member)| (*room, *member)).collect()
    }

    /// The rooms in which the user's membership has changed after a position.
    pub fn changed_after(&self, position: Position) -> Vec<(RoomSn, Member)> {
        let view = self.read();
        let changed = view.by_change.range((Position(position.0.saturating_add(1)), RoomSn(i64::MIN))..);
        changed.filter_map(|(_, room)| Some((*room, *view.rooms.get(room)?))).collect()
    }

    /// The user's membership of one room.
    pub fn get(&self, room: RoomSn) -> Option<Member> {
        self.read().rooms.get(&room).copied()
    }

    pub(crate) fn put(&self, room: RoomSn, member: Member) {
        let mut view = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = view.rooms.insert(room, member) {
            view.by_change.remove(&(before.position, room));
        }
        view.by_change.insert((member.position, room));
    }

    pub(crate) fn forget(&self, room: RoomSn) {
        let mut view = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(member) = view.rooms.get_mut(&room) {
            member.forgotten = true;
        }
    }

    pub(crate) fn weight(&self) -> u32 {
        u32::try_from(self.read().rooms.len() * 90 + 100).unwrap_or(u32::MAX)
    }

    fn read(&self) -> RwLockReadGuard<'_, RoomsByChange> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn member(position: i64) -> Member {
        let (membership, event) = (Membership::Join, EventSn(1));
        Member { membership, event, forgotten: false, position: Position(position) }
    }

    #[test]
    fn changed_rooms_are_found_by_their_newest_change() {
        let rooms = UserRooms::new(HashMap::from([(RoomSn(1), member(5)), (RoomSn(2), member(7))]));
        rooms.put(RoomSn(1), member(9));
        rooms.put(RoomSn(3), member(8));
        assert_eq!(rooms.changed_after(Position(7)), [(RoomSn(3), member(8)), (RoomSn(1), member(9))]);
        assert_eq!(rooms.changed_after(Position(9)), []);
        assert_eq!(rooms.changed_after(Position::START).len(), 3, "each once");
    }
}
