//! How far lists of devices were told to other servers, or heard from them; and the places of those who follow
//! the stream on their own.

use crate::{
    Position, UserSn, error::StorageError, statement::statements, store::Store, write_set::WriteSet,
};

statements! {
    DEVICE_LIST = "SELECT stream_id, stale FROM device_lists WHERE user_sn = $1";
    DEVICE_LISTS(list after 0) = "SELECT user_sn, stream_id, stale FROM device_lists WHERE user_sn IN ({list})";
    PUT_DEVICE_LIST(rows of 3, key 1) =
        "INSERT INTO device_lists (user_sn, stream_id, stale) VALUES {rows}
         ON CONFLICT (user_sn) DO UPDATE SET stream_id = excluded.stream_id, stale = excluded.stale";
    SKIP_STREAM_IDS =
        "INSERT INTO device_lists (user_sn, stream_id, stale)
         SELECT user_sn, CAST($1 AS BIGINT), FALSE FROM accounts WHERE TRUE
         ON CONFLICT (user_sn) DO UPDATE SET stream_id = device_lists.stream_id + excluded.stream_id";
    DELETE_DEVICE_LIST = "DELETE FROM device_lists WHERE user_sn = $1";
    STALE_DEVICE_LISTS = "SELECT user_sn FROM device_lists WHERE stale = TRUE ORDER BY user_sn LIMIT $1";
    CURSOR = "SELECT position FROM cursors WHERE reader = $1";
    PUT_CURSOR(rows of 2, key 1) =
        "INSERT INTO cursors (reader, position) VALUES {rows}
         ON CONFLICT (reader) DO UPDATE SET position = excluded.position";
}

/// How far a list of devices was told or heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceList {
    /// Whose.
    pub user: UserSn,
    /// The number of the last change that was told to others, or heard.
    pub stream_id: i64,
    /// Whether a change was missed: the list must be asked for again.
    pub stale: bool,
}

impl WriteSet {
    /// Notes how far a list was told or heard.
    pub fn put_device_list(&mut self, list: DeviceList) {
        self.write(&PUT_DEVICE_LIST, vec![list.user.into(), list.stream_id.into(), list.stale.into()]);
    }

    /// Has the lists of all users here go on with higher numbers, so that nobody who heard of higher ones than this
    /// store knows takes what is new for old.
    pub fn skip_stream_ids(&mut self, by: i64) {
        self.write(&SKIP_STREAM_IDS, vec![by.into()]);
    }

    /// Forgets how far a list was heard: it is not followed any more.
    pub fn delete_device_list(&mut self, user: UserSn) {
        self.write(&DELETE_DEVICE_LIST, vec![user.into()]);
    }

    /// Notes how far somebody has come in the stream.
    pub fn put_cursor(&mut self, reader: &str, position: Position) {
        self.write(&PUT_CURSOR, vec![reader.into(), position.into()]);
    }
}

impl Store {
    /// How far the list of a user was told or heard.
    pub async fn device_list(&self, user: UserSn) -> Result<Option<DeviceList>, StorageError> {
        let row = self.engine.fetch_one(&DEVICE_LIST, vec![user.into()]).await?;
        row.map(|row| Ok(DeviceList { user, stream_id: row.int(0)?, stale: row.bool(1)? })).transpose()
    }

    /// How far the lists of users were told or heard, those that ever were.
    pub async fn device_lists(&self, users: &[UserSn]) -> Result<Vec<DeviceList>, StorageError> {
        let rows = self.engine.fetch_list(&DEVICE_LISTS, Vec::new(), users.iter().copied()).await?;
        let list = |row: &crate::value::Row| {
            Ok(DeviceList { user: UserSn(row.int(0)?), stream_id: row.int(1)?, stale: row.bool(2)? })
        };
        rows.iter().map(list).collect()
    }

    /// Users whose lists must be asked for again, at most `limit`.
    pub async fn stale_device_lists(&self, limit: usize) -> Result<Vec<UserSn>, StorageError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = self.engine.fetch(&STALE_DEVICE_LISTS, vec![limit.into()]).await?;
        rows.iter().map(|row| row.int(0).map(UserSn)).collect()
    }

    /// How far somebody has come in the stream, if they ever said.
    pub async fn cursor(&self, reader: &str) -> Result<Option<Position>, StorageError> {
        let row = self.engine.fetch_one(&CURSOR, vec![reader.into()]).await?;
        row.map(|row| row.int(0).map(Position)).transpose()
    }
}
