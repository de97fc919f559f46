//! Browsers in which people are signed in, and forms that only the server's own pages can send.

use std::time::Duration;

use parvis_ambient::Timestamp;
use parvis_storage::{
    ACCOUNT_IS_OPEN_AS_BEFORE, Account, CommitError, StorageError, StoredBrowserSession, UpstreamSession,
    UpstreamSn, UserSn, WriteSet,
};
use ruma::OwnedUserId;
use serde_json::Value;

use crate::{
    accounts::{Accounts, plain},
    login::LoginError,
    secret::{self, TokenKind, new_token},
    settings::Terms,
};

/// How long somebody is signed in.
const LIFETIME: Duration = Duration::from_secs(12 * 3_600);
/// How long a sign-in at an identity provider is remembered at least: longer than anything lives that could
/// begin with it, in milliseconds.
const UPSTREAM_KEPT_MS: i64 = 2 * 24 * 3_600 * 1_000;

/// Somebody who is signed in in a browser.
#[derive(Clone, Debug)]
pub struct BrowserSession {
    /// Who.
    pub user: UserSn,
    /// The user's name.
    pub user_id: OwnedUserId,
    /// When they proved who they are.
    pub proved: Timestamp,
    /// Whether they have a password with which to prove it.
    pub has_password: bool,
    /// Their sign-in at an identity provider, by which they came.
    pub(crate) upstream: Option<UpstreamSn>,
}

/// Somebody has just signed in.
pub struct BrowserSignIn {
    /// What the browser keeps as proof.
    pub secret: String,
    /// Who.
    pub session: BrowserSession,
}

impl std::fmt::Debug for BrowserSignIn {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("BrowserSignIn").field("session", &self.session).finish_non_exhaustive()
    }
}

impl Accounts {
    /// Something for a browser to keep in which nobody is signed in, so that its forms can be told from others.
    pub fn new_browser_secret(&self) -> String {
        new_token(&*self.ambient.chance, TokenKind::Browser)
    }

    /// Signs somebody in with a password. `name` is a localpart, a user id or a mail address.
    ///
    /// # Errors
    /// Any [`LoginError`].
    pub async fn sign_in_by_password(&self, name: &str, password: &str) -> Result<BrowserSignIn, LoginError> {
        let account = self.account_called(name).await?;
        let account = match self.account_by_password(account, name.trim(), password).await {
            Err(LoginError::Deactivated) => return Err(LoginError::WrongPassword),
            other => other?,
        };
        self.sign_in(&account).await
    }

    /// Whether this is the password of somebody who is signed in.
    ///
    /// # Errors
    /// If passwords cannot be hashed, or the store fails.
    pub async fn is_own_password(
        &self,
        session: &BrowserSession,
        password: &str,
    ) -> Result<bool, LoginError> {
        match self.store.account(session.user).await? {
            Some(account) => self.has_password(account, password).await,
            None => Ok(false),
        }
    }

    async fn account_called(&self, name: &str) -> Result<Option<Account>, StorageError> {
        let name = name.trim();
        if name.contains('@') && !name.starts_with('@') {
            return match self.owner_of(name).await? {
                Some(owner) => self.store.account(owner).await,
                None => Ok(None),
            };
        }
        self.account_known_as(name).await
    }

    /// Signs in somebody who has proved who they are.
    ///
    /// # Errors
    /// Any [`LoginError`].
    pub async fn sign_in(&self, account: &Account) -> Result<BrowserSignIn, LoginError> {
        self.sign_in_by(account, None).await
    }

    /// Signs in somebody who has proved who they are, perhaps at an identity provider.
    pub(super) async fn sign_in_by(
        &self,
        account: &Account,
        provider: Option<&UpstreamSession>,
    ) -> Result<BrowserSignIn, LoginError> {
        if account.deactivated {
            return Err(LoginError::Deactivated);
        }
        if account.locked {
            return Err(LoginError::Locked);
        }
        let secret = self.new_browser_secret();
        let now = self.now();
        let upstream = match provider {
            Some(_) => Some(UpstreamSn(self.store.next_number().await?)),
            None => None,
        };
        let stored = StoredBrowserSession {
            user: account.user,
            proved_ts: now.millis(),
            expires_ts: now.plus(LIFETIME).millis(),
            upstream,
        };
        let mut set = WriteSet::new();
        if let (Some(upstream), Some(session)) = (upstream, provider) {
            set.delete_old_upstream_sessions(account.user, now.millis().saturating_sub(UPSTREAM_KEPT_MS));
            set.add_upstream_session(upstream, session);
        }
        set.delete_old_browser_sessions(now.millis());
        set.demand_open_account(account);
        set.add_browser_session(&secret::hash(&secret), stored);
        match self.store.commit(set).await {
            Ok(_) => Ok(BrowserSignIn { secret, session: browser_session(account, stored) }),
            Err(CommitError::Guard(ACCOUNT_IS_OPEN_AS_BEFORE)) => Err(LoginError::WrongPassword),
            Err(error) => Err(plain(error).into()),
        }
    }

    /// A token with which a client can log in as somebody who is signed in in a browser, once.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn login_token_of(&self, session: &BrowserSession) -> Result<String, StorageError> {
        self.new_login_token(session.user, session.upstream).await
    }

    /// Who is signed in in the browser that keeps this.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn browser_session(&self, secret: &str) -> Result<Option<BrowserSession>, StorageError> {
        let Some(stored) = self.store.browser_session(&secret::hash(secret)).await? else { return Ok(None) };
        if stored.expires_ts <= self.now().millis() {
            return Ok(None);
        }
        let account = self.store.account(stored.user).await?;
        let account = account.filter(|account| !account.deactivated && !account.locked);
        Ok(account.map(|account| browser_session(&account, stored)))
    }

    /// Signs a browser out.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn sign_out(&self, secret: &str) -> Result<(), StorageError> {
        let mut set = WriteSet::new();
        set.delete_browser_session(&secret::hash(secret));
        self.store.commit(set).await.map(drop).map_err(plain)
    }

    /// The organisation's terms of which somebody has not accepted the version that is in force.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn terms_to_accept(&self, user: UserSn) -> Result<Vec<Terms>, StorageError> {
        if self.settings.terms.is_empty() {
            return Ok(Vec::new());
        }
        let accepted = self.store.accepted_terms(user).await?;
        let is_accepted = |terms: &Terms| {
            accepted.iter().any(|(name, version, _)| *name == terms.name && *version == terms.version)
        };
        Ok(self.settings.terms.iter().filter(|terms| !is_accepted(terms)).cloned().collect())
    }

    /// Notes that somebody has accepted these versions of the organisation's terms, as far as they are in force.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn accept_terms(&self, user: UserSn, accepted: &[(&str, &str)]) -> Result<(), StorageError> {
        let now = self.now().millis();
        let mut set = WriteSet::new();
        for terms in &self.settings.terms {
            if accepted.contains(&(terms.name.as_str(), terms.version.as_str())) {
                set.accept_terms(user, &terms.name, &terms.version, now);
            }
        }
        self.store.commit(set).await.map(drop).map_err(plain)
    }

    /// Lets a user's devices put other keys for cross-signing in the place of theirs, for a while. Gives for how long.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn allow_cross_signing_reset(&self, user: UserSn) -> Result<Duration, StorageError> {
        const ALLOWED_FOR: Duration = Duration::from_secs(600);
        let mut set = WriteSet::new();
        set.allow_cross_signing_reset(user, self.now().plus(ALLOWED_FOR).millis());
        self.store.commit(set).await.map_err(plain)?;
        Ok(ALLOWED_FOR)
    }

    /// Ends that.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn end_cross_signing_reset(&self, user: UserSn) -> Result<(), StorageError> {
        let mut set = WriteSet::new();
        set.end_cross_signing_reset(user);
        self.store.commit(set).await.map(drop).map_err(plain)
    }

    /// Whether somebody proved who they are within this time.
    pub fn proved_within(&self, session: &BrowserSession, time: Duration) -> bool {
        self.now().since(session.proved) <= time
    }

    /// The display name of somebody who is signed in.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn display_name(&self, user: UserSn) -> Result<Option<String>, StorageError> {
        let mut profile = self.store.profile(user).await?;
        let name = profile.fields.remove(crate::profiles::DISPLAYNAME);
        Ok(name.as_ref().and_then(Value::as_str).map(str::to_owned))
    }
}

fn browser_session(account: &Account, stored: StoredBrowserSession) -> BrowserSession {
    BrowserSession {
        user: account.user,
        user_id: account.user_id.clone(),
        proved: Timestamp(stored.proved_ts),
        has_password: account.password_hash.is_some(),
        upstream: stored.upstream,
    }
}

/// What stands in a form for the browser that keeps this secret. Whoever cannot read the browser's secret cannot make
/// it, so a form with it comes from a page of ours.
pub fn form_token(secret: &str) -> String {
    let key = blake3::derive_key("parvis form of a page", secret.as_bytes());
    key.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a form comes from a page that was shown to the browser that keeps this secret.
pub fn is_form_token(secret: &str, token: &str) -> bool {
    !secret.is_empty() && secret::same(&form_token(secret), token)
}
