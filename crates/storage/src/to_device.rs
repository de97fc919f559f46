//! Messages to single devices: each is kept until the device has said that it has it.
//!
//! Whether anything waits for a device, and how many keys it has left, is kept in memory, so that a sync of a
//! device for which nothing waits costs no query.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    DeviceSn, Position, UserSn,
    changes::Change,
    error::StorageError,
    model::DeviceState,
    statement::statements,
    store::Store,
    write_set::{PendingChange, WriteSet},
};

statements! {
    ADD_TO_DEVICE(rows of 4, key 2) =
        "INSERT INTO to_device (device_sn, position, message, sender_sn) VALUES {rows}
         ON CONFLICT (device_sn, position) DO UPDATE SET message = excluded.message,
             sender_sn = excluded.sender_sn";
    TO_DEVICE =
        "SELECT position, message FROM to_device WHERE device_sn = $1 AND position > $2 AND position <= $3
         ORDER BY position LIMIT $4";
    DELETE_TO_DEVICE = "DELETE FROM to_device WHERE device_sn = $1 AND position <= $2";
    WAITING_BY_SENDER =
        "SELECT sender_sn, COUNT(*), SUM(LENGTH(message)) FROM to_device WHERE device_sn = $1
         GROUP BY sender_sn ORDER BY sender_sn";
    THIN_OUT_TO_DEVICE =
        "DELETE FROM to_device WHERE device_sn = $1 AND sender_sn = $2 AND position <=
             (SELECT MAX(newest.position) FROM
                 (SELECT position, COUNT(*) OVER back AS number, SUM(LENGTH(message)) OVER back AS size
                  FROM to_device WHERE device_sn = $1 AND sender_sn = $2
                  WINDOW back AS (ORDER BY position DESC)) AS newest
              WHERE newest.number > $3 OR newest.size > $4)";
    DEVICE_STATE =
        "SELECT 'count', algorithm, COUNT(*) FROM one_time_keys
             WHERE device_sn = $1 AND claimed_ts IS NULL GROUP BY algorithm
         UNION ALL
         SELECT 'fallback', algorithm, 1 FROM fallback_keys WHERE device_sn = $1 AND used = FALSE
         UNION ALL
         SELECT 'waiting', '', MIN(position) FROM to_device WHERE device_sn = $1";
}

/// What waits for a device of one sender's messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitingMessages {
    /// Whose.
    pub sender: UserSn,
    /// How many.
    pub count: u64,
    /// How many characters they have together.
    pub size: u64,
}

impl WriteSet {
    /// Puts messages of a sender into the boxes of devices here, one for each device at most: user, device, and
    /// the event as the client gets it, as JSON.
    pub fn send_to_devices(&mut self, sender: UserSn, messages: Vec<(UserSn, DeviceSn, String)>) {
        if messages.is_empty() {
            return;
        }
        let devices: Arc<[_]> = messages.iter().map(|(user, device, _)| (*user, *device)).collect();
        let position = self.announce(PendingChange::Other(Change::ToDevice { devices }));
        for (_, device, message) in messages {
            self.touched_devices.push(device);
            let row = vec![device.into(), position.clone(), message.into(), sender.into()];
            self.write(&ADD_TO_DEVICE, row);
        }
    }

    /// Throws away the oldest messages of a sender to a device, until no more than `most` are left, with no more
    /// than `most_size` characters together.
    pub fn thin_out_to_device(&mut self, device: DeviceSn, sender: UserSn, most: u64, most_size: u64) {
        self.touched_devices.push(device);
        let limit = |limit: u64| i64::try_from(limit).unwrap_or(i64::MAX);
        let values = vec![device.into(), sender.into(), limit(most).into(), limit(most_size).into()];
        self.write(&THIN_OUT_TO_DEVICE, values);
    }

    /// Throws away the messages to a device up to a position: it has them.
    pub fn delete_to_device(&mut self, device: DeviceSn, until: Position) {
        self.touched_devices.push(device);
        self.write(&DELETE_TO_DEVICE, vec![device.into(), until.into()]);
    }
}

impl Store {
    /// The messages to a device after one position, up to another, oldest first: at most `limit` of them, each
    /// with its position.
    pub async fn to_device(
        &self,
        device: DeviceSn,
        after: Position,
        until: Position,
        limit: usize,
    ) -> Result<Vec<(Position, String)>, StorageError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let values = vec![device.into(), after.into(), until.into(), limit.into()];
        let rows = self.engine.fetch(&TO_DEVICE, values).await?;
        rows.iter().map(|row| Ok((Position(row.int(0)?), row.text(1)?))).collect()
    }

    /// How much waits for a device, by sender.
    pub async fn waiting_by_sender(&self, device: DeviceSn) -> Result<Vec<WaitingMessages>, StorageError> {
        let rows = self.engine.fetch(&WAITING_BY_SENDER, vec![device.into()]).await?;
        let number = |value: i64| u64::try_from(value).unwrap_or_default();
        let waiting = |row: &crate::value::Row| {
            let (count, size) = (number(row.int(1)?), number(row.int(2)?));
            Ok(WaitingMessages { sender: UserSn(row.int(0)?), count, size })
        };
        rows.iter().map(waiting).collect()
    }

    /// What a device has left of its keys, and whether messages wait for it.
    pub async fn device_state(&self, device: DeviceSn) -> Result<Arc<DeviceState>, StorageError> {
        let cache = &self.shared.device_states;
        if let Some(state) = cache.get(device) {
            return Ok(state);
        }
        let generation = cache.generation();
        let mut state =
            DeviceState { one_time_keys: BTreeMap::new(), unused_fallback: Vec::new(), waiting: None };
        for row in self.engine.fetch(&DEVICE_STATE, vec![device.into()]).await? {
            match row.text(0)?.as_str() {
                "count" => {
                    let count = u64::try_from(row.int(2)?).unwrap_or_default();
                    state.one_time_keys.insert(row.text(1)?, count);
                }
                "fallback" => state.unused_fallback.push(row.text(1)?),
                _ => state.waiting = row.opt_int(2)?.map(Position),
            }
        }
        let state = Arc::new(state);
        cache.keep(device, &state, generation);
        Ok(state)
    }
}
