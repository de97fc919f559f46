//! Opening sessions and ending them.

use std::time::Duration;

use parvis_storage::{
    ACCOUNT_IS_OPEN_AS_BEFORE, Account, CommitError, DEVICE_IS_NEW, DeviceSn, NewSession, SessionSn,
    StorageError, UPSTREAM_SESSION_IS_THERE, UpstreamSn, UserSn, WriteSet,
};
use ruma::{OwnedDeviceId, OwnedUserId};

use crate::{
    accounts::{Accounts, plain},
    secret::{self, TokenKind, new_token},
    session::{NewDevice, OpenedSession, Session},
};

/// How often opening is tried where others make the same device.
const TRIES: usize = 8;

/// The tokens of a session, and the form in which they are kept.
pub(crate) struct NewTokens {
    pub(crate) new: NewSession,
    pub(crate) access_token: String,
    pub(crate) refresh_token: Option<String>,
    pub(crate) expires_in: Option<Duration>,
}

/// With what a session begins.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Origin<'a> {
    /// The app that has it by OAuth 2.0.
    pub(crate) oauth_client: Option<&'a str>,
    /// Its owner's sign-in at an identity provider.
    pub(crate) upstream: Option<UpstreamSn>,
}

impl Accounts {
    /// Opens a session. A device of that name is used again, and its other sessions end. `None` if the account
    /// was closed or locked since it was read, or has another password; or if the sign-in with which it begins has
    /// ended.
    pub(crate) async fn open_session(
        &self,
        account: &Account,
        device: NewDevice,
        upstream: Option<UpstreamSn>,
    ) -> Result<Option<OpenedSession>, StorageError> {
        let origin = Origin { oauth_client: None, upstream };
        match self.open_session_for(account, device, origin, |_, _| {}).await {
            Ok(session) => Ok(Some(session)),
            Err(CommitError::Guard(ACCOUNT_IS_OPEN_AS_BEFORE | UPSTREAM_SESSION_IS_THERE)) => Ok(None),
            Err(error) => Err(plain(error)),
        }
    }

    /// As [`open_session`](Self::open_session), also for an app that has it by OAuth 2.0. `more` adds to the write set what
    /// belongs to it; a guard that it adds comes back as an error.
    pub(crate) async fn open_session_for(
        &self,
        account: &Account,
        device: NewDevice,
        origin: Origin<'_>,
        more: impl Fn(&mut WriteSet, DeviceSn),
    ) -> Result<OpenedSession, CommitError> {
        let user = account.user;
        let NewDevice { device_id, display_name, refreshable, from } = device;
        let device_id = device_id.unwrap_or_else(|| self.new_device_id());
        for _ in 0..TRIES {
            let mut set = WriteSet::new();
            set.demand_open_account(account);
            set.demand_upstream_session(origin.upstream);
            let known = self.store.device(user, &device_id).await?;
            let device = match &known {
                Some(known) => known.device,
                None => DeviceSn(self.store.next_number().await?),
            };
            match &known {
                Some(_) => set.delete_sessions(device),
                None => {
                    let name = display_name.as_deref();
                    set.add_device(user, device, &device_id, name, self.now().millis());
                }
            }
            if let Some(from) = from {
                set.see_device(device, self.now().millis(), Some(&from.to_string()));
            }
            let mut tokens = self.new_tokens(user, device, refreshable).await?;
            tokens.new.oauth_client = origin.oauth_client.map(str::to_owned);
            tokens.new.upstream = origin.upstream;
            set.add_session(&tokens.new);
            more(&mut set, device);
            match self.store.commit(set).await {
                Ok(_) => {}
                // Somebody was quicker in making this device; now it is there.
                Err(CommitError::Guard(DEVICE_IS_NEW)) => continue,
                Err(error) => return Err(error),
            }
            if known.is_some() {
                self.sessions.forget(|session| session.device == device);
            }
            return Ok(tokens.opened(account.user_id.clone(), device_id));
        }
        let restless = "a device is made and taken away all the time".to_owned();
        Err(StorageError::Corrupt(restless).into())
    }

    pub(crate) async fn new_tokens(
        &self,
        user: UserSn,
        device: DeviceSn,
        refreshable: bool,
    ) -> Result<NewTokens, StorageError> {
        let chance = &*self.ambient.chance;
        let access_token = new_token(chance, TokenKind::Access);
        let refresh_token = refreshable.then(|| new_token(chance, TokenKind::Refresh));
        let settings = &self.settings;
        let expires_in = if refreshable {
            settings.refreshable_access_token_lifetime
        } else {
            settings.access_token_lifetime
        };
        let now = self.now();
        let after = |lifetime: Duration| now.plus(lifetime).millis();
        let new = NewSession {
            session: SessionSn(self.store.next_number().await?),
            user,
            device,
            access_hash: secret::hash(&access_token),
            access_expires_ts: expires_in.map(after),
            refresh_hash: refresh_token.as_deref().map(secret::hash),
            refresh_expires_ts: settings.refresh_token_lifetime.filter(|_| refreshable).map(after),
            replaces: None,
            oauth_client: None,
            upstream: None,
        };
        Ok(NewTokens { new, access_token, refresh_token, expires_in })
    }

    fn new_device_id(&self) -> OwnedDeviceId {
        self.ambient.chance.text(12).to_ascii_uppercase().into()
    }

    /// Ends a session and takes its device away.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn logout(&self, session: &Session) -> Result<(), StorageError> {
        let mut set = WriteSet::new();
        set.delete_device(session.user, session.device);
        let device_ids = [session.device_id.clone()];
        self.delete_settings_of_devices(&mut set, session.user, &device_ids).await?;
        self.store.commit(set).await.map_err(plain)?;
        self.sessions.forget(|other| other.device == session.device);
        Ok(())
    }

    /// Ends all of a user's sessions and takes their devices away.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn logout_all(&self, user: UserSn) -> Result<(), StorageError> {
        let mut set = WriteSet::new();
        set.delete_devices_of(user, None);
        let devices = self.store.devices(user).await?;
        let device_ids: Vec<_> = devices.into_iter().map(|device| device.device_id).collect();
        self.delete_settings_of_devices(&mut set, user, &device_ids).await?;
        self.store.commit(set).await.map_err(plain)?;
        self.sessions.forget(|other| other.user == user);
        Ok(())
    }
}

impl NewTokens {
    pub(crate) fn opened(self, user_id: OwnedUserId, device_id: OwnedDeviceId) -> OpenedSession {
        let Self { access_token, refresh_token, expires_in, .. } = self;
        OpenedSession { user_id, device_id, access_token, refresh_token, expires_in }
    }
}
