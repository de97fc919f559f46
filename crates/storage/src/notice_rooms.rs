//! The room in which the server speaks to a user: one for each.

use crate::{RoomSn, UserSn, error::StorageError, statement::statements, store::Store, write_set::WriteSet};

statements! {
    NOTICE_ROOM = "SELECT room_sn FROM notice_rooms WHERE user_sn = $1";
    PUT_NOTICE_ROOM(rows of 2, key 1) = "INSERT INTO notice_rooms (user_sn, room_sn) VALUES {rows}";
}

/// The guard of [`WriteSet::put_notice_room`]: the user has one.
pub const NOTICE_ROOM_IS_NEW: &str = "notice_room_is_new";

impl WriteSet {
    /// Gives a user the room in which the server speaks to them, and demands that they have none. See
    /// [`NOTICE_ROOM_IS_NEW`].
    pub fn put_notice_room(&mut self, user: UserSn, room: RoomSn) {
        self.demand_absent(NOTICE_ROOM_IS_NEW, &NOTICE_ROOM, vec![user.into()]);
        self.write(&PUT_NOTICE_ROOM, vec![user.into(), room.into()]);
    }
}

impl Store {
    /// The room in which the server speaks to a user, if it ever has.
    pub async fn notice_room(&self, user: UserSn) -> Result<Option<RoomSn>, StorageError> {
        let row = self.engine.fetch_one(&NOTICE_ROOM, vec![user.into()]).await?;
        row.map(|row| Ok(RoomSn(row.int(0)?))).transpose()
    }
}
