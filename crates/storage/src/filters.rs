//! Filters that clients keep to sync by. Equal ones are kept once.

use crate::{
    UserSn,
    error::{CommitError, StorageError},
    statement::statements,
    store::Store,
    value::Value,
    write_set::WriteSet,
};

statements! {
    FILTER = "SELECT definition FROM filters WHERE user_sn = $1 AND filter_id = $2";
    FILTER_BY_HASH = "SELECT filter_id FROM filters WHERE user_sn = $1 AND hash = $2";
    ADD_FILTER(rows of 4, key 2) =
        "INSERT INTO filters (user_sn, filter_id, hash, definition) VALUES {rows} ON CONFLICT DO NOTHING";
}

impl Store {
    /// A user's filter: JSON.
    pub async fn filter(&self, user: UserSn, filter_id: i64) -> Result<Option<String>, StorageError> {
        let row = self.engine.fetch_one(&FILTER, vec![user.into(), filter_id.into()]).await?;
        row.map(|row| row.text(0)).transpose()
    }

    /// Keeps a filter, given as canonical JSON, and gives its id; the id of an equal one if there is one.
    pub async fn add_filter(&self, user: UserSn, definition: &str) -> Result<i64, CommitError> {
        let hash = Value::from(blake3::hash(definition.as_bytes()).as_bytes()[..16].to_vec());
        let find = vec![user.into(), hash.clone()];
        if let Some(row) = self.engine.fetch_one(&FILTER_BY_HASH, find.clone()).await? {
            return Ok(row.int(0)?);
        }
        let mut set = WriteSet::new();
        let filter_id = self.next_number().await?;
        set.write(&ADD_FILTER, vec![user.into(), filter_id.into(), hash, definition.into()]);
        self.commit(set).await?;
        // Another request may have been quicker with an equal one.
        let row = self.engine.fetch_one(&FILTER_BY_HASH, find).await?;
        row.map_or(Ok(filter_id), |row| Ok(row.int(0)?))
    }
}
