//! Account data: what clients keep about the account and about rooms. Push rules and tags are such data too.

use std::sync::Arc;

use ruma::exports::serde_json::value::RawValue;

use crate::{
    Position, RoomSn, UserSn,
    changes::Change,
    error::StorageError,
    model::{AccountData, AccountDataChange},
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
    ACCOUNT_DATA_EXISTS = "SELECT 1 FROM account_data WHERE user_sn = $1 AND room_sn = $2 AND type = $3";
    ACCOUNT_DATA_IS = "SELECT 1 FROM account_data
        WHERE user_sn = $1 AND room_sn = $2 AND type = $3 AND content = $4";
    ACCOUNT_DATA_OF_TYPE = "SELECT room_sn, type, content FROM account_data WHERE user_sn = $1 AND type = $2";
    ACCOUNT_DATA_OF_ROOMS(list after 1) =
        "SELECT room_sn, type, content FROM account_data WHERE user_sn = $1 AND room_sn IN ({list})";
    ACCOUNT_DATA_CHANGED = "SELECT room_sn, type, content FROM account_data
        WHERE user_sn = $1 AND position > $2 AND position <= $3 ORDER BY position";
}

/// The room number that account-wide data is stored under.
const NO_ROOM: RoomSn = RoomSn(0);

/// The guard of [`WriteSet::demand_account_data`]: somebody else has changed it.
pub const ACCOUNT_DATA_IS_UNCHANGED: &str = "account_data_is_unchanged";

impl WriteSet {
    /// Demands that a piece of account data has this content, to the letter; `None` for one that does not
    /// exist. See [`ACCOUNT_DATA_IS_UNCHANGED`].
    pub fn demand_account_data(
        &mut self,
        user: UserSn,
        room: Option<RoomSn>,
        kind: &str,
        content: Option<&RawValue>,
    ) {
        const NAME: &str = ACCOUNT_DATA_IS_UNCHANGED;
        let mut values = vec![user.into(), room.unwrap_or(NO_ROOM).into(), kind.into()];
        match content {
            None => self.demand_absent(NAME, &ACCOUNT_DATA_EXISTS, values),
            Some(content) => {
                values.push(content.get().into());
                self.demand_present(NAME, &ACCOUNT_DATA_IS, values);
            }
        }
    }

    /// Sets a piece of account data.
    pub fn put_account_data(&mut self, user: UserSn, room: Option<RoomSn>, kind: &str, content: &RawValue) {
        let position =
            self.announce(PendingChange::Other(Change::AccountData { user, room, kind: kind.into() }));
        let data = AccountData { room, kind: kind.to_owned(), content: content.to_owned() };
        self.account_data.push(AccountDataChange { user, data: Arc::new(data) });
        let room = room.unwrap_or(NO_ROOM);
        self.write(
            &PUT_ACCOUNT_DATA,
            vec![user.into(), room.into(), kind.into(), content.get().into(), position],
        );
    }
}

impl Store {
    /// One piece of account data, as last committed. The same `Arc` for as long as it does not change.
    pub async fn account_data(
        &self,
        user: UserSn,
        room: Option<RoomSn>,
        kind: &str,
    ) -> Result<Option<Arc<AccountData>>, StorageError> {
        let cache = &self.shared.account_data;
        let key = (user, room, Box::from(kind));
        if let Some(known) = cache.get(&key) {
            return Ok(known);
        }
        let generation = cache.generation();
        let values = vec![user.into(), room.unwrap_or(NO_ROOM).into(), kind.into()];
        let row = self.engine.fetch_one(&ACCOUNT_DATA, values).await?;
        let data = row.map(|row| from_row(&row).map(Arc::new)).transpose()?;
        cache.keep(key, data.clone(), generation);
        Ok(data)
    }

    /// Everything of one type in a user's account data, of the account and of rooms.
    pub async fn account_data_of_type(
        &self,
        user: UserSn,
        kind: &str,
    ) -> Result<Vec<AccountData>, StorageError> {
        let rows = self.engine.fetch(&ACCOUNT_DATA_OF_TYPE, vec![user.into(), kind.into()]).await?;
        rows.iter().map(from_row).collect()
    }

    /// All of a user's account data about these rooms.
    pub async fn account_data_of_rooms(
        &self,
        user: UserSn,
        rooms: &[RoomSn],
    ) -> Result<Vec<AccountData>, StorageError> {
        let list = rooms.iter().copied();
        let rows = self.engine.fetch_list(&ACCOUNT_DATA_OF_ROOMS, vec![user.into()], list).await?;
        rows.iter().map(from_row).collect()
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
