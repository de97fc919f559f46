//! Logging in: by password, or by a token that another session asked for.

use std::time::Duration;

use parvis_peers::DirectoryError;
use parvis_storage::{
    Account, CommitError, PASS_IS_UNUSED, Pass, PassPurpose, StorageError, UpstreamSn, UserSn, WriteSet,
};

use crate::{
    accounts::{Accounts, plain},
    names,
    password::HashError,
    secret::{self, TokenKind, new_token},
    session::{NewDevice, OpenedSession, Session},
};

/// How long a login token is good.
const LOGIN_TOKEN_LIFETIME: Duration = Duration::from_secs(120);

/// Why somebody cannot log in.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The name or the password is wrong; which of them is not said.
    #[error("the user name or the password is wrong")]
    WrongPassword,
    /// The login token is wrong, was used, or has expired.
    #[error("the login token is not good")]
    WrongToken,
    /// The account is closed for ever.
    #[error("the account is deactivated")]
    Deactivated,
    /// The user is kept out for now.
    #[error("the account is locked")]
    Locked,
    /// The user is not one of those of the application service that logs in.
    #[error("the user is not one of the application service's")]
    NotIts,
    /// The application service makes devices itself, in place of logging in.
    #[error("the application service is registered as one that makes devices and does not log in")]
    Unsupported,
    /// The device id cannot be one.
    #[error("the device id is too long or empty")]
    BadDeviceId,
    /// The organisation's directory does not answer.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// Passwords cannot be hashed.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Accounts {
    /// Logs in with a password. `name` is a localpart or a user id.
    ///
    /// # Errors
    /// Any [`LoginError`].
    pub async fn login_by_password(
        &self,
        name: &str,
        password: &str,
        device: NewDevice,
    ) -> Result<OpenedSession, LoginError> {
        let account = self.account_known_as(name).await?;
        let account = self.account_by_password(account, name, password).await?;
        self.enter(account, device).await
    }

    /// Logs in with a password, as whoever has this mail address.
    ///
    /// # Errors
    /// Any [`LoginError`].
    pub async fn login_by_address(
        &self,
        address: &str,
        password: &str,
        device: NewDevice,
    ) -> Result<OpenedSession, LoginError> {
        let account = match self.owner_of(address).await? {
            Some(owner) => self.store.account(owner).await?,
            None => None,
        };
        let account = self.account_by_password(account, address, password).await?;
        self.enter(account, device).await
    }

    /// Logs in with a login token, which is used up.
    ///
    /// # Errors
    /// Any [`LoginError`].
    pub async fn login_by_token(&self, token: &str, device: NewDevice) -> Result<OpenedSession, LoginError> {
        let hash = secret::hash(token);
        let pass = self.store.pass(&hash, PassPurpose::Login).await?;
        let pass = pass.filter(|pass| pass.expires_ts > self.now().millis()).ok_or(LoginError::WrongToken)?;
        let mut set = WriteSet::new();
        set.use_pass(&hash, PassPurpose::Login);
        match self.store.commit(set).await {
            Ok(_) => {}
            Err(CommitError::Guard(PASS_IS_UNUSED)) => return Err(LoginError::WrongToken),
            Err(error) => return Err(plain(error).into()),
        }
        let account = self.store.account(pass.user).await?.ok_or(LoginError::WrongToken)?;
        self.enter_with(account, device, pass.upstream).await
    }

    /// A token with which another client can log in as this user, once, and how long it is good.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn login_token(&self, session: &Session) -> Result<(String, Duration), StorageError> {
        let upstream = self.store.upstream_of_session(session.session).await?;
        Ok((self.new_login_token(session.user, upstream).await?, LOGIN_TOKEN_LIFETIME))
    }

    /// A login token for this user. It ends with their sign-in at an identity provider: if that ended a moment ago, it is
    /// good for nothing.
    pub(crate) async fn new_login_token(
        &self,
        user: UserSn,
        upstream: Option<UpstreamSn>,
    ) -> Result<String, StorageError> {
        let token = new_token(&*self.ambient.chance, TokenKind::Login);
        let expires_ts = self.now().plus(LOGIN_TOKEN_LIFETIME).millis();
        let mut set = WriteSet::new();
        set.delete_old_passes(self.now().millis());
        set.add_pass(&secret::hash(&token), PassPurpose::Login, Pass { user, expires_ts, upstream });
        self.store.commit(set).await.map_err(plain)?;
        Ok(token)
    }

    /// Opens a session for somebody who has proved who they are.
    pub(crate) async fn enter(
        &self,
        account: Account,
        device: NewDevice,
    ) -> Result<OpenedSession, LoginError> {
        self.enter_with(account, device, None).await
    }

    /// As [`enter`](Self::enter), by a sign-in at an identity provider.
    async fn enter_with(
        &self,
        account: Account,
        device: NewDevice,
        upstream: Option<UpstreamSn>,
    ) -> Result<OpenedSession, LoginError> {
        if account.deactivated {
            return Err(LoginError::Deactivated);
        }
        if account.locked {
            return Err(LoginError::Locked);
        }
        let fits = |id: &str| (1..=names::LONGEST_DEVICE_ID).contains(&id.len());
        if device.device_id.as_ref().is_some_and(|id| !fits(id.as_str())) {
            return Err(LoginError::BadDeviceId);
        }
        self.open_session(&account, device, upstream).await?.ok_or(LoginError::WrongPassword)
    }

    /// One form for all that a user may log in as, for counting attempts: the localpart if it can be one of a
    /// user here, or else what was said.
    pub fn canonical_name(&self, name: &str) -> String {
        let known = names::known_as(name, &self.settings.server_name);
        known.map_or_else(|| name.chars().take(255).collect(), |user_id| user_id.localpart().to_owned())
    }

    /// The account of whoever says that this is their name.
    pub(crate) async fn account_known_as(&self, name: &str) -> Result<Option<Account>, StorageError> {
        let Some(user_id) = names::known_as(name, &self.settings.server_name) else { return Ok(None) };
        match self.store.find_user(&user_id).await? {
            Some(user) => self.store.account(user).await,
            None => Ok(None),
        }
    }
}
