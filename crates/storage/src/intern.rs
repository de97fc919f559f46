//! Interned names: the numbers of users and event types, and where new numbers come from.

use std::collections::{HashMap, HashSet};

use ruma::{OwnedUserId, UserId};

use crate::{
    TypeSn, UserSn,
    error::{CommitError, StorageError},
    shared::BLOCK,
    statement::statements,
    store::Store,
    write_set::WriteSet,
};

statements! {
    USER_SN = "SELECT user_sn FROM users WHERE user_id = $1";
    USER_SNS(list after 0) = "SELECT user_id, user_sn FROM users WHERE user_id IN ({list})";
    USER_IDS(list after 0) = "SELECT user_sn, user_id FROM users WHERE user_sn IN ({list})";
    ADD_USER(rows of 2, key 1) = "INSERT INTO users (user_sn, user_id) VALUES {rows} ON CONFLICT DO NOTHING";
    TYPE_SN = "SELECT type_sn FROM types WHERE name = $1";
    ADD_TYPE(rows of 2, key 1) = "INSERT INTO types (type_sn, name) VALUES {rows} ON CONFLICT DO NOTHING";
}

impl Store {
    /// A number that nothing has had before. Costs a write once in a thousand times.
    pub async fn next_number(&self) -> Result<i64, StorageError> {
        loop {
            if let Some(number) = self.shared.numbers.take() {
                return Ok(number);
            }
            let _turn = self.numbers_turn.lock().await;
            if let Some(number) = self.shared.numbers.take() {
                return Ok(number);
            }
            let last = self.writer.reserve_numbers(BLOCK).await?;
            self.shared.numbers.refill(last);
        }
    }

    /// Numbers in a row that nothing has had before; gives the first.
    pub async fn next_numbers(&self, count: usize) -> Result<i64, StorageError> {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        Ok(self.writer.reserve_numbers(count).await? - count + 1)
    }

    /// The number of a user who was seen before.
    pub async fn find_user(&self, user_id: &UserId) -> Result<Option<UserSn>, StorageError> {
        if let Some(user) = self.shared.user_sns.get(user_id) {
            return Ok(Some(user));
        }
        let Some(row) = self.engine.fetch_one(&USER_SN, vec![user_id.as_str().into()]).await? else {
            return Ok(None);
        };
        let user = UserSn(row.int(0)?);
        self.shared.remember_user(user, &user_id.to_owned());
        Ok(Some(user))
    }

    /// The number of a user, given now if it has none.
    pub async fn intern_user(&self, user_id: &UserId) -> Result<UserSn, StorageError> {
        loop {
            if let Some(user) = self.find_user(user_id).await? {
                return Ok(user);
            }
            let mut set = WriteSet::new();
            set.write(&ADD_USER, vec![self.next_number().await?.into(), user_id.as_str().into()]);
            self.commit(set).await.map_err(plain)?;
        }
    }

    /// The numbers of users, given now to those who have none: for many at once.
    pub async fn intern_users(
        &self,
        user_ids: &HashSet<OwnedUserId>,
    ) -> Result<HashMap<OwnedUserId, UserSn>, StorageError> {
        let mut found = HashMap::with_capacity(user_ids.len());
        self.find_users(user_ids, &mut found).await?;
        let mut unknown: Vec<&OwnedUserId> =
            user_ids.iter().filter(|user_id| !found.contains_key(*user_id)).collect();
        unknown.sort();
        if unknown.is_empty() {
            return Ok(found);
        }
        let mut set = WriteSet::new();
        let first = self.next_numbers(unknown.len()).await?;
        for (number, user_id) in (first..).zip(unknown) {
            set.write(&ADD_USER, vec![number.into(), user_id.as_str().into()]);
        }
        self.commit(set).await.map_err(plain)?;
        // Somebody else may have been first with some of them.
        self.find_users(user_ids, &mut found).await?;
        Ok(found)
    }

    /// Adds those of the users that were seen before and are not among the found.
    async fn find_users(
        &self,
        user_ids: &HashSet<OwnedUserId>,
        found: &mut HashMap<OwnedUserId, UserSn>,
    ) -> Result<(), StorageError> {
        let mut asked = Vec::new();
        for user_id in user_ids {
            if found.contains_key(user_id) {
                continue;
            }
            match self.shared.user_sns.get(user_id) {
                Some(user) => drop(found.insert(user_id.clone(), user)),
                None => asked.push(user_id.as_str()),
            }
        }
        for row in self.engine.fetch_list(&USER_SNS, Vec::new(), asked).await? {
            let corrupt = |_| StorageError::Corrupt("a user id".to_owned());
            let user_id = OwnedUserId::try_from(row.text(0)?).map_err(corrupt)?;
            let user = UserSn(row.int(1)?);
            self.shared.remember_user(user, &user_id);
            found.insert(user_id, user);
        }
        Ok(())
    }

    /// The id of a user, from its number.
    pub async fn user_id(&self, user: UserSn) -> Result<OwnedUserId, StorageError> {
        let mut found = self.user_ids(&[user]).await?;
        found.pop().ok_or_else(|| StorageError::Corrupt("a user number without a user".to_owned()))
    }

    /// The ids of users, in the order asked for.
    pub async fn user_ids(&self, users: &[UserSn]) -> Result<Vec<OwnedUserId>, StorageError> {
        let unknown: Vec<UserSn> =
            users.iter().copied().filter(|user| !self.shared.user_ids.contains_key(user)).collect();
        let mut read = HashMap::new();
        for row in self.engine.fetch_list(&USER_IDS, Vec::new(), unknown).await? {
            let corrupt = |_| StorageError::Corrupt("a user id".to_owned());
            let user_id = OwnedUserId::try_from(row.text(1)?).map_err(corrupt)?;
            let user = UserSn(row.int(0)?);
            self.shared.remember_user(user, &user_id);
            read.insert(user, user_id);
        }
        let missing = || StorageError::Corrupt("a user number without a user".to_owned());
        let find = |user: &UserSn| read.get(user).cloned().or_else(|| self.shared.user_ids.get(user));
        users.iter().map(|user| find(user).ok_or_else(missing)).collect()
    }

    /// The number of an event type that was seen before.
    pub async fn find_type(&self, name: &str) -> Result<Option<TypeSn>, StorageError> {
        if let Some(kind) = self.shared.types.get(name) {
            return Ok(Some(kind));
        }
        let absent = &self.shared.absent_types;
        if absent.contains(name) {
            return Ok(None);
        }
        let generation = absent.generation();
        let Some(row) = self.engine.fetch_one(&TYPE_SN, vec![name.into()]).await? else {
            absent.keep(name, generation);
            return Ok(None);
        };
        let kind = TypeSn(row.int(0)?);
        self.shared.types.insert(name.into(), kind);
        Ok(Some(kind))
    }

    /// The number of an event type, given now if it has none.
    pub async fn intern_type(&self, name: &str) -> Result<TypeSn, StorageError> {
        loop {
            if let Some(kind) = self.find_type(name).await? {
                return Ok(kind);
            }
            let mut set = WriteSet::new();
            set.write(&ADD_TYPE, vec![self.next_number().await?.into(), name.into()]);
            self.commit(set).await.map_err(plain)?;
            self.shared.absent_types.apply(name);
        }
    }
}

/// The error of a set that has no guards.
fn plain(error: CommitError) -> StorageError {
    match error {
        CommitError::Storage(error) => error,
        other => StorageError::Corrupt(format!("a write without guards was refused: {other}")),
    }
}
