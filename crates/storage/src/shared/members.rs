//! Memberships in memory: both views, kept up to date with each commit.

use std::sync::{Arc, Mutex, PoisonError};

use parvis_cache::Cache;
use ruma::OwnedUserId;

use crate::{
    model::{Member, MemberChange, RoomMembers, RoomServers, UserRooms},
    numbers::{Position, RoomSn, UserSn},
};

/// With how many changes of memberships a room may come whose members are remembered at once.
const SMALL: usize = 32;

/// The rooms of users and the members of rooms that were asked for lately.
#[derive(Debug)]
pub(crate) struct MemberCache {
    rooms_of_user: Cache<UserSn, Arc<UserRooms>>,
    members_of_room: Cache<RoomSn, Arc<RoomMembers>>,
    generation: Mutex<u64>,
}

impl MemberCache {
    /// A cache of at most so many bytes for each of the two views, about.
    pub(crate) fn new(bytes: u64) -> Self {
        Self {
            rooms_of_user: Cache::weighed(bytes, |_, rooms: &Arc<UserRooms>| rooms.weight()),
            members_of_room: Cache::weighed(bytes, |_, members: &Arc<RoomMembers>| members.weight()),
            generation: Mutex::new(0),
        }
    }

    /// The rooms of a user, if memory has them.
    pub(crate) fn rooms_of_user(&self, user: UserSn) -> Option<Arc<UserRooms>> {
        self.rooms_of_user.get(&user)
    }

    /// The members of a room, if memory has them.
    pub(crate) fn members_of_room(&self, room: RoomSn) -> Option<Arc<RoomMembers>> {
        self.members_of_room.get(&room)
    }

    /// How many commits have changed memberships so far; what was read is kept only if none did meanwhile.
    pub(crate) fn generation(&self) -> u64 {
        *self.generation.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the rooms of a user that were read, unless some membership changed since before the reading.
    pub(crate) fn keep_rooms(&self, user: UserSn, rooms: &Arc<UserRooms>, generation: u64) {
        self.keep_if_current(generation, || self.rooms_of_user.insert(user, Arc::clone(rooms)));
    }

    /// Keeps the members of a room that were read, unless some membership changed since before the reading.
    pub(crate) fn keep_members(&self, room: RoomSn, members: &Arc<RoomMembers>, generation: u64) {
        self.keep_if_current(generation, || self.members_of_room.insert(room, Arc::clone(members)));
    }

    fn keep_if_current(&self, generation: u64, keep: impl FnOnce()) {
        let current = self.generation.lock().unwrap_or_else(PoisonError::into_inner);
        if *current == generation {
            keep();
        }
    }

    /// Keeps the servers in a room that were read, unless some membership changed since before the reading.
    pub(crate) fn keep_servers(&self, members: &RoomMembers, servers: &Arc<RoomServers>, generation: u64) {
        self.keep_if_current(generation, || members.keep_servers(servers));
    }

    /// Begins with a room that a commit makes: nobody is in it but those whom these changes put there. A room that comes with
    /// many is left to be read, since memory goes on taking it for as small as it was when it came there.
    pub(crate) fn begin_room(&self, room: RoomSn, changes: &[MemberChange]) {
        if changes.len() > SMALL {
            return;
        }
        let _current = self.generation.lock().unwrap_or_else(PoisonError::into_inner);
        let members = RoomMembers::default();
        members.keep_servers(&Arc::default());
        self.members_of_room.insert(room, Arc::new(members));
    }

    /// Changes the views after a commit whose first change stands after `first`.
    pub(crate) fn apply(
        &self,
        changes: &[MemberChange],
        first: Position,
        user_ids: &Cache<UserSn, OwnedUserId>,
    ) {
        if changes.is_empty() {
            return;
        }
        let mut generation = self.generation.lock().unwrap_or_else(PoisonError::into_inner);
        *generation += 1;
        for change in changes {
            match *change {
                MemberChange::Put { user, room, membership, event, change } => {
                    let position = Position(first.0 + i64::from(change) + 1);
                    if let Some(rooms) = self.rooms_of_user.get(&user) {
                        rooms.put(room, Member { membership, event, forgotten: false, position });
                    }
                    if let Some(members) = self.members_of_room.get(&room) {
                        let server = || user_ids.get(&user).map(|user_id| user_id.server_name().to_owned());
                        members.put(user, membership, position, server);
                    }
                }
                MemberChange::Forget { user, room } => {
                    if let Some(rooms) = self.rooms_of_user.get(&user) {
                        rooms.forget(room);
                    }
                }
            }
        }
    }
}
