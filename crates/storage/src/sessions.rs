//! Devices and sessions: who is logged in, by the hashes of their tokens.
//!
//! Knows nothing of how tokens are made, or of when a session has expired: it only keeps the times.

use std::collections::HashMap;

use ruma::{OwnedDeviceId, OwnedUserId};

use crate::{
    DeviceSn, SessionSn, UpstreamSn, UserSn,
    changes::{Change, GoneDevices},
    error::StorageError,
    statement::statements,
    store::Store,
    value::{Row, Value},
    write_set::{PendingChange, WriteSet},
};

macro_rules! select_session {
    ($column:literal) => {
        concat!(
            "SELECT s.session_sn, s.user_sn, u.user_id, s.device_sn, d.device_id, a.is_admin, a.locked,
                 s.access_expires_ts, s.refresh_expires_ts, s.replaces_sn, d.last_seen_ts, d.last_seen_ip,
                 a.suspended, a.guest, s.oauth_client, s.upstream_sn
             FROM sessions s JOIN users u ON u.user_sn = s.user_sn JOIN accounts a ON a.user_sn = s.user_sn
                 JOIN devices d ON d.device_sn = s.device_sn
             WHERE s.",
            $column,
            " = $1"
        )
    };
}

macro_rules! select_device {
    ($rest:literal) => {
        concat!(
            "SELECT device_sn, device_id, display_name, last_seen_ts, last_seen_ip FROM devices WHERE ",
            $rest
        )
    };
}

/// Deletes what belongs to all of a user's devices but one.
macro_rules! delete_of_devices {
    ($table:literal) => {
        concat!(
            "DELETE FROM ",
            $table,
            " WHERE device_sn IN (SELECT device_sn FROM devices WHERE user_sn = $1 AND device_sn <> $2)"
        )
    };
}

statements! {
    DEVICE = select_device!("user_sn = $1 AND device_id = $2");
    DEVICES = select_device!("user_sn = $1 ORDER BY device_sn");
    DEVICE_EXISTS = "SELECT 1 FROM devices WHERE user_sn = $1 AND device_id = $2";
    DEVICE_IS = "SELECT 1 FROM devices WHERE device_sn = $1";
    ADD_DEVICE(rows of 5, key 1) =
        "INSERT INTO devices (device_sn, user_sn, device_id, display_name, created_ts) VALUES {rows}";
    RENAME_DEVICE = "UPDATE devices SET display_name = $2 WHERE device_sn = $1";
    SEE_DEVICE = "UPDATE devices SET last_seen_ts = $2, last_seen_ip = $3 WHERE device_sn = $1";
    DELETE_DEVICE = "DELETE FROM devices WHERE device_sn = $1";
    DELETE_PUSHERS_OF_DEVICE = "DELETE FROM pushers WHERE device_sn = $1";
    CHANGE_DEVICE =
        "INSERT INTO device_changes (user_sn, device_id, position)
         SELECT user_sn, device_id, CAST($2 AS BIGINT) FROM devices WHERE device_sn = $1
         ON CONFLICT (user_sn, device_id) DO UPDATE SET position = excluded.position";
    CHANGE_DEVICES_OF_USER =
        "INSERT INTO device_changes (user_sn, device_id, position)
         SELECT user_sn, device_id, CAST($3 AS BIGINT) FROM devices WHERE user_sn = $1 AND device_sn <> $2
         ON CONFLICT (user_sn, device_id) DO UPDATE SET position = excluded.position";
    DELETE_KEYS_OF_DEVICE = "DELETE FROM device_keys WHERE user_sn = $1 AND device_sn = $2";
    DELETE_KEYS_OF_DEVICES = "DELETE FROM device_keys WHERE user_sn = $1 AND device_sn <> $2";
    DELETE_DEVICE_SIGNATURES = "DELETE FROM key_signatures WHERE target_sn = $1
        AND target = (SELECT device_id FROM devices WHERE device_sn = $2)";
    DELETE_DEVICE_SIGNATURES_OF_USER = "DELETE FROM key_signatures WHERE target_sn = $1
        AND target IN (SELECT device_id FROM devices WHERE user_sn = $1 AND device_sn <> $2)";
    DELETE_ONE_TIME_KEYS_OF_DEVICES = delete_of_devices!("one_time_keys");
    DELETE_FALLBACK_KEYS_OF_DEVICES = delete_of_devices!("fallback_keys");
    DELETE_TO_DEVICE_OF_DEVICES = delete_of_devices!("to_device");
    DELETE_DEHYDRATED_OF_DEVICES = delete_of_devices!("dehydrated_devices");
    DELETE_DEHYDRATED = "DELETE FROM dehydrated_devices WHERE device_sn = $1";
    DELETE_ALL_TO_DEVICE = "DELETE FROM to_device WHERE device_sn = $1";
    DELETE_DEVICES_OF_USER = "DELETE FROM devices WHERE user_sn = $1 AND device_sn <> $2";
    DELETE_PUSHERS_OF_DEVICES = "DELETE FROM pushers WHERE user_sn = $1 AND device_sn <> $2";
    DELETE_SESSIONS_OF_USER = "DELETE FROM sessions WHERE user_sn = $1 AND device_sn <> $2";
    SESSION_BY_ACCESS = select_session!("access_hash");
    SESSION_BY_REFRESH = select_session!("refresh_hash");
    SESSION_EXISTS = "SELECT 1 FROM sessions WHERE session_sn = $1";
    ADD_SESSION(rows of 10, key 1) =
        "INSERT INTO sessions (session_sn, user_sn, device_sn, access_hash, access_expires_ts, refresh_hash,
             refresh_expires_ts, replaces_sn, oauth_client, upstream_sn) VALUES {rows}";
    SESSION_IS_USED = "UPDATE sessions SET replaces_sn = NULL WHERE session_sn = $1";
    DELETE_SESSIONS = "DELETE FROM sessions WHERE device_sn = $1";
    DELETE_OTHER_SESSIONS = "DELETE FROM sessions WHERE device_sn = $1 AND session_sn <> $2";
}

/// The guard of [`WriteSet::add_device`]: the user has such a device already.
pub const DEVICE_IS_NEW: &str = "device_is_new";
/// The guard of [`WriteSet::demand_device`]: the device is gone.
pub const DEVICE_IS_THERE: &str = "device_is_there";
/// The guard of [`WriteSet::demand_session`]: the session is gone.
pub const SESSION_IS_THERE: &str = "session_is_there";

/// A device of a local user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// The device.
    pub device: DeviceSn,
    /// Its name among the user's devices.
    pub device_id: OwnedDeviceId,
    /// What people call it.
    pub display_name: Option<String>,
    /// When it was last used, about, in milliseconds since the Unix epoch.
    pub last_seen_ts: Option<i64>,
    /// From which address it was last used.
    pub last_seen_ip: Option<String>,
}

/// A session to be kept. Tokens are given as hashes; times are milliseconds since the Unix epoch, and without
/// one a token lives for ever.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// The session.
    pub session: SessionSn,
    /// Whose.
    pub user: UserSn,
    /// On which device.
    pub device: DeviceSn,
    /// The access token.
    pub access_hash: [u8; 32],
    /// Until when the access token is good.
    pub access_expires_ts: Option<i64>,
    /// The refresh token, if there is one.
    pub refresh_hash: Option<[u8; 32]>,
    /// Until when the refresh token is good.
    pub refresh_expires_ts: Option<i64>,
    /// The session that this one replaces once it is used.
    pub replaces: Option<SessionSn>,
    /// The app that has it by OAuth 2.0.
    pub oauth_client: Option<String>,
    /// The sign-in at an identity provider with which it began.
    pub upstream: Option<UpstreamSn>,
}

/// A session as it was found by one of its tokens.
#[derive(Clone, Debug)]
pub struct StoredSession {
    /// The session.
    pub session: SessionSn,
    /// Whose.
    pub user: UserSn,
    /// The user's name.
    pub user_id: OwnedUserId,
    /// On which device.
    pub device: DeviceSn,
    /// The device's name.
    pub device_id: OwnedDeviceId,
    /// Whether the user administers this homeserver.
    pub is_admin: bool,
    /// Whether the user is kept out.
    pub locked: bool,
    /// Whether the user may do little more than read and leave.
    pub suspended: bool,
    /// Whether the user is a guest.
    pub guest: bool,
    /// Until when the access token is good.
    pub access_expires_ts: Option<i64>,
    /// Until when the refresh token is good.
    pub refresh_expires_ts: Option<i64>,
    /// The session that this one replaces; `None` once it was used.
    pub replaces: Option<SessionSn>,
    /// When the device was last used, as far as it is written down.
    pub last_seen_ts: Option<i64>,
    /// From which address the device was last used, as far as it is written down.
    pub last_seen_ip: Option<String>,
    /// The app that has it by OAuth 2.0.
    pub oauth_client: Option<String>,
    /// The sign-in at an identity provider with which it began.
    pub upstream: Option<UpstreamSn>,
}

impl WriteSet {
    /// Makes a device, and demands that the user has none of that name. See [`DEVICE_IS_NEW`].
    pub fn add_device(
        &mut self,
        user: UserSn,
        device: DeviceSn,
        device_id: &ruma::DeviceId,
        display_name: Option<&str>,
        created_ts: i64,
    ) {
        let name = device_id.as_str();
        self.demand_absent(DEVICE_IS_NEW, &DEVICE_EXISTS, vec![user.into(), name.into()]);
        self.write(
            &ADD_DEVICE,
            vec![device.into(), user.into(), name.into(), display_name.into(), created_ts.into()],
        );
        self.change_devices(user, Some(device_id));
    }

    /// Demands that a device is still there. See [`DEVICE_IS_THERE`].
    pub fn demand_device(&mut self, device: DeviceSn) {
        self.demand_present(DEVICE_IS_THERE, &DEVICE_IS, vec![device.into()]);
    }

    /// Gives a device another name for people.
    pub fn rename_device(&mut self, user: UserSn, device: DeviceSn, display_name: Option<&str>) {
        self.write(&RENAME_DEVICE, vec![device.into(), display_name.into()]);
        let position = self.announce(PendingChange::Other(Change::Devices { user, gone: GoneDevices::None }));
        self.write(&CHANGE_DEVICE, vec![device.into(), position]);
    }

    /// Notes when and from where a device was used.
    pub fn see_device(&mut self, device: DeviceSn, ts: i64, ip: Option<&str>) {
        self.write(&SEE_DEVICE, vec![device.into(), ts.into(), ip.into()]);
    }

    /// Takes away a device, its sessions, its pushers, its keys and the messages that wait for it.
    pub fn delete_device(&mut self, user: UserSn, device: DeviceSn) {
        self.delete_sessions(device);
        self.delete_one_time_keys(user, device);
        let position =
            self.announce(PendingChange::Other(Change::Devices { user, gone: GoneDevices::One(device) }));
        self.write(&CHANGE_DEVICE, vec![device.into(), position]);
        self.write(&DELETE_ALL_TO_DEVICE, vec![device.into()]);
        self.write(&DELETE_DEHYDRATED, vec![device.into()]);
        self.write(&DELETE_DEVICE_SIGNATURES, vec![user.into(), device.into()]);
        self.write(&DELETE_KEYS_OF_DEVICE, vec![user.into(), device.into()]);
        self.write(&DELETE_PUSHERS_OF_DEVICE, vec![device.into()]);
        self.write(&DELETE_DEVICE, vec![device.into()]);
    }

    /// Takes away all of a user's devices but `kept`, with all that belongs to them: also those which were made a
    /// moment ago and which nobody has read yet.
    pub fn delete_devices_of(&mut self, user: UserSn, kept: Option<DeviceSn>) {
        let gone = GoneDevices::AllBut(kept);
        // No device has the number 0.
        let kept = kept.map_or(0, |device| device.0);
        let position = self.announce(PendingChange::Other(Change::Devices { user, gone }));
        self.write(&CHANGE_DEVICES_OF_USER, vec![user.into(), kept.into(), position]);
        for statement in [
            &DELETE_ONE_TIME_KEYS_OF_DEVICES,
            &DELETE_FALLBACK_KEYS_OF_DEVICES,
            &DELETE_TO_DEVICE_OF_DEVICES,
            &DELETE_DEHYDRATED_OF_DEVICES,
            &DELETE_DEVICE_SIGNATURES_OF_USER,
            &DELETE_KEYS_OF_DEVICES,
            &DELETE_SESSIONS_OF_USER,
            &DELETE_PUSHERS_OF_DEVICES,
            &DELETE_DEVICES_OF_USER,
        ] {
            self.write(statement, vec![user.into(), kept.into()]);
        }
    }

    /// Adds a session.
    pub fn add_session(&mut self, new: &NewSession) {
        let replaces = new.replaces.map(|session| session.0);
        self.write(
            &ADD_SESSION,
            vec![
                new.session.into(),
                new.user.into(),
                new.device.into(),
                new.access_hash.as_slice().into(),
                new.access_expires_ts.into(),
                new.refresh_hash.map(|hash| hash.to_vec()).into(),
                new.refresh_expires_ts.into(),
                replaces.into(),
                new.oauth_client.as_deref().into(),
                new.upstream.into(),
            ],
        );
    }

    /// Demands that a session is still there. See [`SESSION_IS_THERE`].
    pub fn demand_session(&mut self, session: SessionSn) {
        self.demand_present(SESSION_IS_THERE, &SESSION_EXISTS, vec![session.into()]);
    }

    /// Ends all sessions of a device.
    pub fn delete_sessions(&mut self, device: DeviceSn) {
        self.write(&DELETE_SESSIONS, vec![device.into()]);
    }

    /// Notes that a session was used: it is the device's only one from now on. That the refresh token of the one
    /// that it replaces is spent is remembered until a time, where an app has it by OAuth 2.0.
    pub fn settle_session(&mut self, session: &StoredSession, now: i64, spent_until: i64) {
        let StoredSession { session, device, replaces, .. } = session;
        let (session, device) = (*session, *device);
        if let Some(replaced) = replaces {
            self.spend_refresh_token(*replaced, now, spent_until);
        }
        self.write(&DELETE_OTHER_SESSIONS, vec![device.into(), session.into()]);
        self.write(&SESSION_IS_USED, vec![session.into()]);
    }
}

impl Store {
    /// A user's device by its name.
    pub async fn device(
        &self,
        user: UserSn,
        device_id: &ruma::DeviceId,
    ) -> Result<Option<Device>, StorageError> {
        let values = vec![user.into(), device_id.as_str().into()];
        self.engine.fetch_one(&DEVICE, values).await?.map(|row| device_from_row(&row)).transpose()
    }

    /// A user's devices, the oldest first.
    pub async fn devices(&self, user: UserSn) -> Result<Vec<Device>, StorageError> {
        self.engine.fetch(&DEVICES, vec![user.into()]).await?.iter().map(device_from_row).collect()
    }

    /// A user's devices by name.
    pub async fn devices_by_id(&self, user: UserSn) -> Result<HashMap<OwnedDeviceId, Device>, StorageError> {
        let devices = self.devices(user).await?;
        Ok(devices.into_iter().map(|device| (device.device_id.clone(), device)).collect())
    }

    /// The session that has the access token with this hash.
    pub async fn session_by_access(&self, hash: &[u8; 32]) -> Result<Option<StoredSession>, StorageError> {
        let row = self.engine.fetch_one(&SESSION_BY_ACCESS, vec![Value::from(hash.as_slice())]).await?;
        row.map(|row| session_from_row(&row)).transpose()
    }

    /// The session that has the refresh token with this hash.
    pub async fn session_by_refresh(&self, hash: &[u8; 32]) -> Result<Option<StoredSession>, StorageError> {
        let row = self.engine.fetch_one(&SESSION_BY_REFRESH, vec![Value::from(hash.as_slice())]).await?;
        row.map(|row| session_from_row(&row)).transpose()
    }
}

fn device_from_row(row: &Row) -> Result<Device, StorageError> {
    Ok(Device {
        device: DeviceSn(row.int(0)?),
        device_id: row.text(1)?.into(),
        display_name: row.opt_text(2)?,
        last_seen_ts: row.opt_int(3)?,
        last_seen_ip: row.opt_text(4)?,
    })
}

fn session_from_row(row: &Row) -> Result<StoredSession, StorageError> {
    let user_id = OwnedUserId::try_from(row.text(2)?);
    Ok(StoredSession {
        session: SessionSn(row.int(0)?),
        user: UserSn(row.int(1)?),
        user_id: user_id.map_err(|_| StorageError::Corrupt("a user id".to_owned()))?,
        device: DeviceSn(row.int(3)?),
        device_id: row.text(4)?.into(),
        is_admin: row.bool(5)?,
        locked: row.bool(6)?,
        access_expires_ts: row.opt_int(7)?,
        refresh_expires_ts: row.opt_int(8)?,
        replaces: row.opt_int(9)?.map(SessionSn),
        last_seen_ts: row.opt_int(10)?,
        last_seen_ip: row.opt_text(11)?,
        suspended: row.bool(12)?,
        guest: row.bool(13)?,
        oauth_client: row.opt_text(14)?,
        upstream: row.opt_int(15)?.map(UpstreamSn),
    })
}
