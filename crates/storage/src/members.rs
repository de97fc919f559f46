//! Memberships: who is in which room, seen from the user and from the room.
//!
//! Both views are kept in memory and changed with each commit, so that neither a join into a large room nor
//! the sync of a member of many rooms reads them again.

use std::{collections::HashMap, sync::Arc};

use parvis_events::Membership;

use crate::{
    EventSn, Position, RoomSn, UserSn,
    changes::Change,
    error::StorageError,
    model::{Member, MemberChange, RoomMembers, UserRooms},
    statement::statements,
    store::Store,
    value::{Row, Value},
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
    USERS_OF_ROOM = "SELECT user_sn, membership, position FROM members WHERE room_sn = $1";
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

    /// Changes a membership by an event that is in no timeline, such as an invitation to a room elsewhere.
    pub fn put_outside_member(&mut self, user: UserSn, room: RoomSn, membership: Membership, event: EventSn) {
        self.put_resolved_member(user, room, membership, event);
    }

    /// Changes a membership that another event brought about, where forks of the room met: `event` is the
    /// membership event that counts now, or the last one where none does.
    pub fn put_resolved_member(
        &mut self,
        user: UserSn,
        room: RoomSn,
        membership: Membership,
        event: EventSn,
    ) {
        self.announce(PendingChange::Other(Change::Membership { user, room }));
        self.put_member(user, room, membership, event);
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
        if let Some(rooms) = self.shared.members.rooms_of_user(user) {
            return Ok(rooms);
        }
        let generation = self.shared.members.generation();
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
        let rooms = Arc::new(UserRooms::new(rooms));
        self.shared.members.keep_rooms(user, &rooms, generation);
        Ok(rooms)
    }

    /// A user's membership of a room.
    pub async fn member(&self, user: UserSn, room: RoomSn) -> Result<Option<Member>, StorageError> {
        Ok(self.rooms_of_user(user).await?.get(room))
    }

    /// Everybody who was ever a member of a room, with the membership as it is and where it changed last. Reads all of
    /// them from the database.
    pub async fn memberships_of_room(
        &self,
        room: RoomSn,
    ) -> Result<Vec<(UserSn, Membership, Position)>, StorageError> {
        let rows = self.engine.fetch(&USERS_OF_ROOM, vec![room.into()]).await?;
        let member =
            |row: &Row| Ok((UserSn(row.int(0)?), membership_from(&row.text(1)?)?, Position(row.int(2)?)));
        rows.iter().map(member).collect()
    }

    /// The joined and invited users of a room.
    pub async fn members_of_room(&self, room: RoomSn) -> Result<Arc<RoomMembers>, StorageError> {
        if let Some(members) = self.shared.members.members_of_room(room) {
            return Ok(members);
        }
        let generation = self.shared.members.generation();
        let members = RoomMembers::default();
        for row in self.engine.fetch(&USERS_OF_ROOM, vec![room.into()]).await? {
            members.put(UserSn(row.int(0)?), membership_from(&row.text(1)?)?, Position(row.int(2)?), || None);
        }
        let members = Arc::new(members);
        self.shared.members.keep_members(room, &members, generation);
        Ok(members)
    }
}

fn membership_from(word: &str) -> Result<Membership, StorageError> {
    word.parse().map_err(|()| StorageError::Corrupt("a membership".to_owned()))
}
