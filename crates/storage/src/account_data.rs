//! Account data: what clients keep about the account and about rooms. Push rules and tags are such data too.

use ruma::exports::serde_json::value::RawValue;

use crate::{
    Position, RoomSn, UserSn,
    changes::Change,
    error::StorageError,
    statement::statements,
    store::Store,
    value::Row,
    write_set::{PendingChange, WriteSet},
};

statements! {
    PUT_ACCOUNT_DATA(rows of 5, key 3) =
        "INSERT INTO account_data (user_sn, room_sn, type, content, position) VALUES {rows}
         ON CONFLICT (user_sn, room_sn, type) DO UPDATE SET content = excluded.content,
             position = excluded.position";
    ACCOUNT_DATA = "SELECT room_sn, type, content FROM account_data WHERE user_sn = $1 AND room_sn = $2 AND type = $3";
    ACCOUNT_DATA_CHANGED = "SELECT room_sn, type, content FROM account_data
        WHERE user_sn = $1 AND position > $2 AND position <= $3 ORDER BY position";
}

/// The room number that account-wide data is stored under.
const NO_ROOM: RoomSn = RoomSn(0);

/// One piece of account data.
#[derive(Clone, Debug)]
pub struct AccountData {
    /// The room, or `None` for account-wide data.
    pub room: Option<RoomSn>,
    /// The event type.
    pub kind: String,
    /// The content, as JSON.
    pub content: Box<RawValue>,
}

impl WriteSet {
    /// Sets a piece of account data.
    pub fn put_account_data(&mut self, user: UserSn, room: Option<RoomSn>, kind: &str, content: &RawValue) {
        let position =
            self.announce(PendingChange::Other(Change::AccountData { user, room, kind: kind.into() }));
        let room = room.unwrap_or(NO_ROOM);
        self.write(
            &PUT_ACCOUNT_DATA,
            vec![user.into(), room.into(), kind.into(), content.get().into(), position],
        );
    }
}

impl Store {
    /// One piece of account data.
    pub async fn account_data(
        &self,
        user: UserSn,
        room: Option<RoomSn>,
        kind: &str,
    ) -> Result<Option<AccountData>, StorageError> {
        let values = vec![user.into(), room.unwrap_or(NO_ROOM).into(), kind.into()];
        self.engine.fetch_one(&ACCOUNT_DATA, values).await?.map(|row| from_row(&row)).transpose()
    }

    /// What changed in a user's account data after one position, up to another: in order of change.
    /// From [`Position::START`], that is all of it.
    pub async fn account_data_between(
        &self,
        user: UserSn,
        after: Position,
        until: Position,
    ) -> Result<Vec<AccountData>, StorageError> {
        let rows =
            self.engine.fetch(&ACCOUNT_DATA_CHANGED, vec![user.into(), after.into(), until.into()]).await?;
        rows.iter().map(from_row).collect()
    }
}

fn from_row(row: &Row) -> Result<AccountData, StorageError> {
    let room = RoomSn(row.int(0)?);
    let content = RawValue::from_string(row.text(2)?);
    Ok(AccountData {
        room: (room != NO_ROOM).then_some(room),
        kind: row.text(1)?,
        content: content.map_err(|_| StorageError::Corrupt("account data".to_owned()))?,
    })
}
