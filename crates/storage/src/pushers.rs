//! Pushers: where users want to be told when they are not looking, and how far those were told.
//!
//! A pusher's content is kept as the client sent it and not looked into. One number says up to where every pusher was
//! told everything; the few that lag behind have a number of their own in their row.

use ruma::OwnedDeviceId;

use crate::{
    DeviceSn, Position, RoomSn, UserSn,
    changes::Change,
    error::StorageError,
    statement::statements,
    store::Store,
    value::Row,
    write_set::{PendingChange, WriteSet},
};

macro_rules! select_pusher {
    ($rest:literal) => {
        concat!(
            "SELECT p.user_sn, p.app_id, p.pushkey, d.device_id, p.pusher, p.created_ts, p.enabled, p.told_position
             FROM pushers p JOIN devices d ON d.device_sn = p.device_sn ",
            $rest
        )
    };
}

statements! {
    PUSHERS_OF_USER = select_pusher!("WHERE p.user_sn = $1 ORDER BY p.created_ts, p.app_id, p.pushkey");
    PUSHER = select_pusher!("WHERE p.user_sn = $1 AND p.app_id = $2 AND p.pushkey = $3");
    ALL_PUSHERS =
        "SELECT user_sn, app_id, pushkey, told_position FROM pushers WHERE enabled ORDER BY user_sn";
    PUT_PUSHER(rows of 7, key 3) =
        "INSERT INTO pushers (user_sn, app_id, pushkey, device_sn, pusher, created_ts, enabled) VALUES {rows}
         ON CONFLICT (user_sn, app_id, pushkey) DO UPDATE SET device_sn = excluded.device_sn,
             pusher = excluded.pusher, created_ts = excluded.created_ts, enabled = excluded.enabled";
    DELETE_PUSHER = "DELETE FROM pushers WHERE user_sn = $1 AND app_id = $2 AND pushkey = $3";
    DELETE_PUSHERS_OF_OTHERS = "DELETE FROM pushers WHERE user_sn <> $1 AND app_id = $2 AND pushkey = $3";
    PUSH_POSITION = "SELECT value FROM counters WHERE name = 'push'";
    MOVE_PUSH_POSITION = "UPDATE counters SET value = $1 WHERE name = 'push'";
    SET_PUSHER_POSITION =
        "UPDATE pushers SET told_position = $4 WHERE user_sn = $1 AND app_id = $2 AND pushkey = $3";
    LET_ALL_PUSHERS_LAG = "UPDATE pushers SET told_position = $1 WHERE told_position IS NULL";
    INVITES_BETWEEN =
        "SELECT position, user_sn, room_sn FROM members
         WHERE membership = 'invite' AND position > $1 AND position <= $2 ORDER BY position LIMIT $3";
    RECEIPTS_BETWEEN =
        "SELECT DISTINCT user_sn FROM receipts WHERE position > $1 AND position <= $2";
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
    /// Whether it is told anything.
    pub enabled: bool,
}

/// A pusher as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPusher {
    /// Which.
    pub key: PusherKey,
    /// The device that set it.
    pub device_id: OwnedDeviceId,
    /// All of it, as JSON.
    pub pusher: String,
    /// When it was set last, in milliseconds since the Unix epoch.
    pub created_ts: i64,
    /// Whether it is told anything.
    pub enabled: bool,
    /// Where it lags behind, up to where it was told everything.
    pub told: Option<Position>,
}

/// What tells a pusher from all others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PusherKey {
    /// Whose.
    pub user: UserSn,
    /// The app.
    pub app_id: String,
    /// The app's name for the receiver.
    pub pushkey: String,
}

/// The app whose pushers are mail addresses, and not names that gateways know
/// (<https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3pushersset>).
pub const MAIL_APP: &str = "m.email";

impl PusherKey {
    /// Whether mails are sent to this pusher, and no gateway is told.
    pub fn is_mail(&self) -> bool {
        self.app_id == MAIL_APP
    }
}

impl WriteSet {
    /// Sets a pusher.
    pub fn put_pusher(&mut self, new: &NewPusher<'_>) {
        self.announce(PendingChange::Other(Change::Pushers { user: new.user }));
        self.write(
            &PUT_PUSHER,
            vec![
                new.user.into(),
                new.app_id.into(),
                new.pushkey.into(),
                new.device.into(),
                new.pusher.into(),
                new.created_ts.into(),
                new.enabled.into(),
            ],
        );
    }

    /// Takes away a user's pusher.
    pub fn delete_pusher(&mut self, user: UserSn, app_id: &str, pushkey: &str) {
        self.announce(PendingChange::Other(Change::Pushers { user }));
        self.write(&DELETE_PUSHER, vec![user.into(), app_id.into(), pushkey.into()]);
    }

    /// Takes away the pushers that other users have for this app and key. Nobody is told: who pushes there looks
    /// whether the pusher is still there.
    pub fn delete_pushers_of_others(&mut self, user: UserSn, app_id: &str, pushkey: &str) {
        self.write(&DELETE_PUSHERS_OF_OTHERS, vec![user.into(), app_id.into(), pushkey.into()]);
    }

    /// Notes up to where every pusher that does not lag behind was told everything.
    pub fn move_push_position(&mut self, position: Position) {
        self.write(&MOVE_PUSH_POSITION, vec![position.into()]);
    }

    /// Notes that a pusher lags behind, and up to where it was told everything; or that it does not any more.
    pub fn set_pusher_position(&mut self, key: &PusherKey, told: Option<Position>) {
        let told = told.map(|position| position.0);
        let values =
            vec![key.user.into(), key.app_id.as_str().into(), key.pushkey.as_str().into(), told.into()];
        self.write(&SET_PUSHER_POSITION, values);
    }

    /// Notes that every pusher which does not lag behind yet was told everything up to a position, and no more.
    pub fn let_all_pushers_lag(&mut self, told: Position) {
        self.write(&LET_ALL_PUSHERS_LAG, vec![told.into()]);
    }
}

impl Store {
    /// A user's pushers, the oldest first.
    pub async fn pushers(&self, user: UserSn) -> Result<Vec<StoredPusher>, StorageError> {
        let rows = self.engine.fetch(&PUSHERS_OF_USER, vec![user.into()]).await?;
        rows.iter().map(pusher_from).collect()
    }

    /// One pusher.
    pub async fn pusher(&self, key: &PusherKey) -> Result<Option<StoredPusher>, StorageError> {
        let values = vec![key.user.into(), key.app_id.as_str().into(), key.pushkey.as_str().into()];
        self.engine.fetch_one(&PUSHER, values).await?.as_ref().map(pusher_from).transpose()
    }

    /// Every pusher of every user that is to be told anything, and up to where those were told that lag behind.
    pub async fn all_pushers(&self) -> Result<Vec<(PusherKey, Option<Position>)>, StorageError> {
        let rows = self.engine.fetch(&ALL_PUSHERS, Vec::new()).await?;
        let pusher = |row: &Row| {
            let key = PusherKey { user: UserSn(row.int(0)?), app_id: row.text(1)?, pushkey: row.text(2)? };
            Ok((key, row.opt_int(3)?.map(Position)))
        };
        rows.iter().map(pusher).collect()
    }

    /// Up to where every pusher that does not lag behind was told everything.
    pub async fn push_position(&self) -> Result<Position, StorageError> {
        let row = self.engine.fetch_one(&PUSH_POSITION, Vec::new()).await?;
        let missing = || StorageError::Corrupt("the push position is missing".to_owned());
        Ok(Position(row.ok_or_else(missing)?.int(0)?))
    }

    /// Who was invited between two positions (`after` excluded, `until` included) and still is, in order, at most
    /// `limit`: for readers whose cursor lies before what memory holds.
    pub async fn invites_between(
        &self,
        after: Position,
        until: Position,
        limit: usize,
    ) -> Result<Vec<(Position, UserSn, RoomSn)>, StorageError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let values = vec![after.into(), until.into(), limit.into()];
        let rows = self.engine.fetch(&INVITES_BETWEEN, values).await?;
        let invite = |row: &Row| Ok((Position(row.int(0)?), UserSn(row.int(1)?), RoomSn(row.int(2)?)));
        rows.iter().map(invite).collect()
    }

    /// Whose receipts moved last between two positions (`after` excluded, `until` included), private ones among them.
    pub async fn readers_between(
        &self,
        after: Position,
        until: Position,
    ) -> Result<Vec<UserSn>, StorageError> {
        let rows = self.engine.fetch(&RECEIPTS_BETWEEN, vec![after.into(), until.into()]).await?;
        rows.iter().map(|row| row.int(0).map(UserSn)).collect()
    }
}

fn pusher_from(row: &Row) -> Result<StoredPusher, StorageError> {
    Ok(StoredPusher {
        key: PusherKey { user: UserSn(row.int(0)?), app_id: row.text(1)?, pushkey: row.text(2)? },
        device_id: row.text(3)?.into(),
        pusher: row.text(4)?,
        created_ts: row.int(5)?,
        enabled: row.bool(6)?,
        told: row.opt_int(7)?.map(Position),
    })
}
