//! Pushers: where users want to be told when they are not looking.
//!
//! A pusher's content is kept as the client sent it and not looked into.

use crate::{
    DeviceSn, UserSn, error::StorageError, statement::statements, store::Store, write_set::WriteSet,
};

statements! {
    PUSHERS = "SELECT pusher FROM pushers WHERE user_sn = $1 ORDER BY created_ts, app_id, pushkey";
    PUT_PUSHER(rows of 6, key 3) =
        "INSERT INTO pushers (user_sn, app_id, pushkey, device_sn, pusher, created_ts) VALUES {rows}
         ON CONFLICT (user_sn, app_id, pushkey) DO UPDATE SET device_sn = excluded.device_sn,
             pusher = excluded.pusher";
    DELETE_PUSHER = "DELETE FROM pushers WHERE user_sn = $1 AND app_id = $2 AND pushkey = $3";
    DELETE_PUSHERS_OF_OTHERS = "DELETE FROM pushers WHERE user_sn <> $1 AND app_id = $2 AND pushkey = $3";
}

/// A pusher to be kept. A user has one for each app and key.
#[derive(Clone, Debug)]
pub struct NewPusher<'a> {
    /// Whose.
    pub user: UserSn,
    /// The device that set it; with it the pusher goes.
    pub device: DeviceSn,
    /// The app.
    pub app_id: &'a str,
    /// The app's name for the receiver.
    pub pushkey: &'a str,
    /// All of it, as JSON.
    pub pusher: &'a str,
    /// When it was set, in milliseconds since the Unix epoch.
    pub created_ts: i64,
}

impl WriteSet {
    /// Sets a pusher.
    pub fn put_pusher(&mut self, new: &NewPusher<'_>) {
        self.write(
            &PUT_PUSHER,
            vec![
                new.user.into(),
                new.app_id.into(),
                new.pushkey.into(),
                new.device.into(),
                new.pusher.into(),
                new.created_ts.into(),
            ],
        );
    }

    /// Takes away a user's pusher.
    pub fn delete_pusher(&mut self, user: UserSn, app_id: &str, pushkey: &str) {
        self.write(&DELETE_PUSHER, vec![user.into(), app_id.into(), pushkey.into()]);
    }

    /// Takes away the pushers that other users have for this app and key.
    pub fn delete_pushers_of_others(&mut self, user: UserSn, app_id: &str, pushkey: &str) {
        self.write(&DELETE_PUSHERS_OF_OTHERS, vec![user.into(), app_id.into(), pushkey.into()]);
    }
}

impl Store {
    /// A user's pushers, each as JSON, the oldest first.
    pub async fn pushers(&self, user: UserSn) -> Result<Vec<String>, StorageError> {
        let rows = self.engine.fetch(&PUSHERS, vec![user.into()]).await?;
        rows.iter().map(|row| row.text(0)).collect()
    }
}
