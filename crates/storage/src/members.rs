//! Memberships: who is in which room, seen from the user and from the room.
//!
//! Both views are kept in memory and changed with each commit, so that neither a join into a large room nor
//! the sync of a member of many rooms reads them again.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, PoisonError, RwLock},
};

use parvis_events::Membership;

use crate::{
    EventSn, Position, RoomSn, UserSn,
    changes::Change,
    error::StorageError,
    statement::statements,
    store::Store,
    value::Value,
    write_set::{PendingChange, WriteSet},
};

statements! {
    PUT_MEMBER(rows of 6, key 2) =
        "INSERT INTO members (user_sn, room_sn, membership, event_sn, forgotten, position) VALUES {rows}
         ON CONFLICT (user_sn, room_sn) DO UPDATE SET membership = excluded.membership,
             event_sn = excluded.event_sn, forgotten = excluded.forgotten, position = excluded.position";
    FORGET = "UPDATE members SET forgotten = TRUE WHERE user_sn = $1 AND room_sn = $2";
    ROOMS_OF_USER =
        "SELECT room_sn, membership, event_sn, forgotten, position FROM members WHERE user_sn = $1";
    USERS_OF_ROOM = "SELECT user_sn, membership FROM members WHERE room_sn = $1";
}

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
    /// Every room that the user has had a membership of.
    pub fn all(&self) -> Vec<(RoomSn, Member)> {
        let rooms = self.0.read().unwrap_or_else(PoisonError::into_inner);
        rooms.iter().map(|(room, member)| (*room, *member)).collect()
    }

    /// The user's membership of one room.
    pub fn get(&self, room: RoomSn) -> Option<Member> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&room).copied()
    }

    fn put(&self, room: RoomSn, member: Member) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(room, member);
    }

    fn forget(&self, room: RoomSn) {
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

    fn put(&self, user: UserSn, membership: Membership) {
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

impl WriteSet {
    /// Changes a membership. Call it right after [`add_event`](Self::add_event) with the membership event: it
    /// takes that event's position.
    pub fn put_member(&mut self, user: UserSn, room: RoomSn, membership: Membership, event: EventSn) {
        let change = self.next_change().saturating_sub(1);
        let position = Value::Position(change);
        let row =
            vec![user.into(), room.into(), membership.as_str().into(), event.into(), false.into(), position];
        self.write(&PUT_MEMBER, row);
        self.members.push(MemberChange::Put { user, room, membership, event, change });
    }

    /// Lets a user forget a room that they have left.
    pub fn forget_room(&mut self, user: UserSn, room: RoomSn) {
        self.write(&FORGET, vec![user.into(), room.into()]);
        self.announce(PendingChange::Other(Change::Forgotten { user, room }));
        self.members.push(MemberChange::Forget { user, room });
    }
}

impl Store {
    /// The rooms of a user, whatever the membership.
    pub async fn rooms_of_user(&self, user: UserSn) -> Result<Arc<UserRooms>, StorageError> {
        if let Some(rooms) = self.shared.user_rooms.get(&user) {
            return Ok(rooms);
        }
        let generation = self.shared.member_generation();
        let mut rooms = HashMap::new();
        for row in self.engine.fetch(&ROOMS_OF_USER, vec![user.into()]).await? {
            let member = Member {
                membership: membership_from(&row.text(1)?)?,
                event: EventSn(row.int(2)?),
                forgotten: row.bool(3)?,
                position: Position(row.int(4)?),
            };
            rooms.insert(RoomSn(row.int(0)?), member);
        }
        let rooms = Arc::new(UserRooms(RwLock::new(rooms)));
        self.shared.keep_if_current(generation, || self.shared.user_rooms.insert(user, Arc::clone(&rooms)));
        Ok(rooms)
    }

    /// A user's membership of a room.
    pub async fn member(&self, user: UserSn, room: RoomSn) -> Result<Option<Member>, StorageError> {
        Ok(self.rooms_of_user(user).await?.get(room))
    }

    /// The joined and invited users of a room.
    pub async fn members_of_room(&self, room: RoomSn) -> Result<Arc<RoomMembers>, StorageError> {
        if let Some(members) = self.shared.room_members.get(&room) {
            return Ok(members);
        }
        let generation = self.shared.member_generation();
        let mut tally = Tally::default();
        for row in self.engine.fetch(&USERS_OF_ROOM, vec![room.into()]).await? {
            tally.put(UserSn(row.int(0)?), membership_from(&row.text(1)?)?);
        }
        let members = Arc::new(RoomMembers(RwLock::new(tally)));
        self.shared
            .keep_if_current(generation, || self.shared.room_members.insert(room, Arc::clone(&members)));
        Ok(members)
    }
}

impl crate::store::Shared {
    /// Changes the views in memory after a commit whose first change stands after `first`.
    pub(crate) fn apply_members(&self, changes: &[MemberChange], first: Position) {
        for change in changes {
            match *change {
                MemberChange::Put { user, room, membership, event, change } => {
                    let position = Position(first.0 + i64::from(change) + 1);
                    if let Some(rooms) = self.user_rooms.get(&user) {
                        rooms.put(room, Member { membership, event, forgotten: false, position });
                    }
                    if let Some(members) = self.room_members.get(&room) {
                        members.put(user, membership);
                    }
                }
                MemberChange::Forget { user, room } => {
                    if let Some(rooms) = self.user_rooms.get(&user) {
                        rooms.forget(room);
                    }
                }
            }
        }
    }
}

fn membership_from(word: &str) -> Result<Membership, StorageError> {
    word.parse().map_err(|()| StorageError::Corrupt("a membership".to_owned()))
}
