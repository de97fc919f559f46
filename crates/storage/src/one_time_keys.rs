//! One-time keys and fallback keys of local devices.
//!
//! Taking a key is one statement of the writer, in a write set that announces it: the lock on the counter of
//! positions, held to the commit, lets no two takers see the same key, also on several nodes.

use crate::{
    DeviceSn, UserSn,
    changes::Change,
    error::StorageError,
    statement::statements,
    store::Store,
    value::Value,
    write_set::{PendingChange, Returned, WriteSet},
};

statements! {
    PUT_ONE_TIME_KEY(rows of 7, key 3) =
        "INSERT INTO one_time_keys (device_sn, algorithm, key_id, key, position, ordinal, claimed_ts) VALUES {rows}
         ON CONFLICT (device_sn, algorithm, key_id) DO UPDATE SET key = excluded.key, position = excluded.position,
             ordinal = excluded.ordinal, claimed_ts = excluded.claimed_ts";
    CLAIM_ONE_TIME_KEY =
        "UPDATE one_time_keys SET claimed_ts = $3
         WHERE device_sn = $1 AND algorithm = $2 AND claimed_ts IS NULL AND key_id =
             (SELECT key_id FROM one_time_keys WHERE device_sn = $1 AND algorithm = $2 AND claimed_ts IS NULL
              ORDER BY position, ordinal LIMIT 1)
         RETURNING key_id, key";
    ONE_TIME_KEYS(list after 1) =
        "SELECT algorithm, key_id, key, claimed_ts FROM one_time_keys
         WHERE device_sn = $1 AND key_id IN ({list})";
    DELETE_CLAIMED_ONE_TIME_KEYS =
        "DELETE FROM one_time_keys WHERE device_sn = $1 AND claimed_ts IS NOT NULL AND claimed_ts < $2";
    DELETE_ONE_TIME_KEYS = "DELETE FROM one_time_keys WHERE device_sn = $1";
    PUT_FALLBACK_KEY(rows of 5, key 2) =
        "INSERT INTO fallback_keys (device_sn, algorithm, key_id, key, used) VALUES {rows}
         ON CONFLICT (device_sn, algorithm) DO UPDATE SET key_id = excluded.key_id, key = excluded.key,
             used = excluded.used";
    FALLBACK_KEYS(list after 0) =
        "SELECT device_sn, algorithm, key_id, key, used FROM fallback_keys WHERE device_sn IN ({list})";
    USE_FALLBACK_KEY =
        "UPDATE fallback_keys SET used = TRUE WHERE device_sn = $1 AND algorithm = $2 AND key_id = $3";
    VOID_ONE_TIME_KEYS = "UPDATE one_time_keys SET claimed_ts = $1 WHERE claimed_ts IS NULL";
    VOID_FALLBACK_KEYS = "UPDATE fallback_keys SET used = TRUE WHERE used = FALSE";
    DELETE_FALLBACK_KEYS = "DELETE FROM fallback_keys WHERE device_sn = $1";
}

/// A one-time key that a device has uploaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneTimeKey {
    /// The algorithm: the part of the name before the colon.
    pub algorithm: String,
    /// The part of the name behind the colon.
    pub key_id: String,
    /// The key, as JSON.
    pub key: String,
    /// Whether somebody has it already.
    pub claimed: bool,
}

/// The key that is there for when no one-time key is left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FallbackKey {
    /// The device.
    pub device: DeviceSn,
    /// The algorithm: the part of the name before the colon.
    pub algorithm: String,
    /// The part of the name behind the colon.
    pub key_id: String,
    /// The key, as JSON.
    pub key: String,
    /// Whether somebody has it already.
    pub used: bool,
}

/// A one-time key that a write set takes. It may be looked at once the set is durable, and not before.
#[derive(Debug)]
pub struct ClaimedKey(Returned);

impl ClaimedKey {
    /// The key's id and the key, as JSON; nothing, if none was left.
    ///
    /// # Errors
    /// If the row cannot be read.
    pub fn into_key(self) -> Result<Option<(String, String)>, StorageError> {
        self.0.first(|row| Ok((row.text(0)?, row.text(1)?)))
    }
}

impl WriteSet {
    /// Notes that the one-time keys or fallback keys of a device are others now; gives the position of that, for
    /// [`put_one_time_key`](Self::put_one_time_key).
    fn change_one_time_keys(&mut self, user: UserSn, device: DeviceSn) -> Value {
        self.touched_devices.push(device);
        self.announce(PendingChange::Other(Change::OneTimeKeys { user, device }))
    }

    /// Keeps one-time keys, to be given away in this order: algorithm, key id, and the key as JSON.
    pub fn put_one_time_keys<'a>(
        &mut self,
        user: UserSn,
        device: DeviceSn,
        keys: impl IntoIterator<Item = (&'a str, &'a str, &'a str)>,
    ) {
        let position = self.change_one_time_keys(user, device);
        for (ordinal, (algorithm, key_id, key)) in (0_i64..).zip(keys) {
            let row = vec![
                device.into(),
                algorithm.into(),
                key_id.into(),
                key.into(),
                position.clone(),
                ordinal.into(),
                Value::NO_INT,
            ];
            self.write(&PUT_ONE_TIME_KEY, row);
        }
    }

    /// Takes the oldest one-time key of a device: nobody else gets it. `now` is in milliseconds since the epoch.
    pub fn claim_one_time_key(
        &mut self,
        user: UserSn,
        device: DeviceSn,
        algorithm: &str,
        now: i64,
    ) -> ClaimedKey {
        self.change_one_time_keys(user, device);
        let values = vec![device.into(), algorithm.into(), now.into()];
        ClaimedKey(self.write_returning(&CLAIM_ONE_TIME_KEY, values))
    }

    /// Forgets the one-time keys of a device that were claimed before a time, in milliseconds since the epoch.
    pub fn delete_claimed_one_time_keys(&mut self, device: DeviceSn, before: i64) {
        self.write(&DELETE_CLAIMED_ONE_TIME_KEYS, vec![device.into(), before.into()]);
    }

    /// Forgets all one-time keys and fallback keys of a device.
    pub fn delete_one_time_keys(&mut self, user: UserSn, device: DeviceSn) {
        self.change_one_time_keys(user, device);
        self.write(&DELETE_ONE_TIME_KEYS, vec![device.into()]);
        self.write(&DELETE_FALLBACK_KEYS, vec![device.into()]);
    }

    /// Takes every one-time key for claimed, and every fallback key for used: a database that was restored does
    /// not know what was given away after the backup. Devices upload others when they hear that none is left. Not
    /// for a store on which anybody works: nobody is told. `now` is in milliseconds since the epoch.
    pub fn void_one_time_keys(&mut self, now: i64) {
        self.write(&VOID_ONE_TIME_KEYS, vec![now.into()]);
        self.write(&VOID_FALLBACK_KEYS, Vec::new());
    }

    /// Keeps a fallback key that nobody has used, in place of the device's others of this algorithm.
    pub fn put_fallback_key(
        &mut self,
        user: UserSn,
        device: DeviceSn,
        (algorithm, key_id, key): (&str, &str, &str),
    ) {
        self.change_one_time_keys(user, device);
        let row = vec![device.into(), algorithm.into(), key_id.into(), key.into(), false.into()];
        self.write(&PUT_FALLBACK_KEY, row);
    }

    /// Notes that a fallback key was given to somebody.
    pub fn use_fallback_key(&mut self, user: UserSn, key: &FallbackKey) {
        self.change_one_time_keys(user, key.device);
        let values = vec![key.device.into(), key.algorithm.as_str().into(), key.key_id.as_str().into()];
        self.write(&USE_FALLBACK_KEY, values);
    }
}

impl Store {
    /// The one-time keys of a device that have one of these ids, whatever the algorithm, claimed or not.
    pub async fn one_time_keys(
        &self,
        device: DeviceSn,
        key_ids: &[&str],
    ) -> Result<Vec<OneTimeKey>, StorageError> {
        let list = key_ids.iter().copied();
        let rows = self.engine.fetch_list(&ONE_TIME_KEYS, vec![device.into()], list).await?;
        let key = |row: &crate::value::Row| {
            Ok(OneTimeKey {
                algorithm: row.text(0)?,
                key_id: row.text(1)?,
                key: row.text(2)?,
                claimed: row.opt_int(3)?.is_some(),
            })
        };
        rows.iter().map(key).collect()
    }

    /// The fallback keys of devices.
    pub async fn fallback_keys(&self, devices: &[DeviceSn]) -> Result<Vec<FallbackKey>, StorageError> {
        let rows = self.engine.fetch_list(&FALLBACK_KEYS, Vec::new(), devices.iter().copied()).await?;
        let key = |row: &crate::value::Row| {
            Ok(FallbackKey {
                device: DeviceSn(row.int(0)?),
                algorithm: row.text(1)?,
                key_id: row.text(2)?,
                key: row.text(3)?,
                used: row.bool(4)?,
            })
        };
        rows.iter().map(key).collect()
    }
}
