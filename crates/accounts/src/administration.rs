//! What an administrator does with other people's accounts.
//!
//! Whether somebody may administer is for whoever calls: the command line, or an API that has asked.

use parvis_storage::{Account, StorageError, WriteSet};
use ruma::UserId;

use crate::{
    accounts::{Accounts, plain},
    password::{HashError, WeakPassword},
};

/// Why an account cannot be changed.
#[derive(Debug, thiserror::Error)]
pub enum AdministrationError {
    /// Nobody here has this name.
    #[error("there is no such user here")]
    NoSuchUser,
    /// The account is closed for ever.
    #[error("the account is deactivated")]
    Deactivated,
    /// Administrators are not locked or suspended by one another, or by themselves.
    #[error("the account is an administrator's")]
    NotAllowed,
    /// The password is not good enough.
    #[error(transparent)]
    Weak(#[from] WeakPassword),
    /// The password cannot be hashed.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Accounts {
    /// Accounts in order of user id, from behind `after` (empty for the first), `limit` at most.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn list(&self, after: &str, limit: u32) -> Result<Vec<Account>, StorageError> {
        self.store.accounts(after, limit).await
    }

    /// Keeps a user out, or lets them in again. Their sessions stay. `name` is a localpart or a whole user id.
    ///
    /// # Errors
    /// Any [`AdministrationError`].
    pub async fn set_locked(&self, name: &str, locked: bool) -> Result<Account, AdministrationError> {
        let account = self.open_account(name).await?;
        let mut set = WriteSet::new();
        set.set_account_locked(account.user, locked);
        self.store.commit(set).await.map_err(plain)?;
        self.sessions.forget(|session| session.user == account.user);
        Ok(Account { locked, ..account })
    }

    /// Lets a user do little more than read and leave, or everything again. `name` is a localpart or a whole user id.
    ///
    /// # Errors
    /// Any [`AdministrationError`].
    pub async fn set_suspended(&self, name: &str, suspended: bool) -> Result<Account, AdministrationError> {
        let account = self.open_account(name).await?;
        let mut set = WriteSet::new();
        set.set_account_suspended(account.user, suspended);
        self.store.commit(set).await.map_err(plain)?;
        self.sessions.forget(|session| session.user == account.user);
        Ok(Account { suspended, ..account })
    }

    /// The account of a user of this server that is not closed.
    ///
    /// # Errors
    /// [`AdministrationError::NoSuchUser`], also where it is closed.
    pub async fn open_account_of(&self, user_id: &UserId) -> Result<Account, AdministrationError> {
        let Some(user) = self.store.find_user(user_id).await? else {
            return Err(AdministrationError::NoSuchUser);
        };
        let account = self.store.account(user).await?.filter(|account| !account.deactivated);
        account.ok_or(AdministrationError::NoSuchUser)
    }

    /// The account that an administrator may lock or suspend: neither their own nor another administrator's.
    ///
    /// # Errors
    /// [`AdministrationError::NotAllowed`], or as [`open_account_of`](Self::open_account_of).
    pub async fn account_to_moderate(
        &self,
        administrator: &UserId,
        user_id: &UserId,
    ) -> Result<Account, AdministrationError> {
        let account = self.open_account_of(user_id).await?;
        if account.is_admin || account.user_id == administrator {
            return Err(AdministrationError::NotAllowed);
        }
        Ok(account)
    }

    /// Which terms a user has accepted: name, version and when, in milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// [`AdministrationError::NoSuchUser`], or if the store fails.
    pub async fn accepted_terms(
        &self,
        user_id: &UserId,
    ) -> Result<Vec<(String, String, i64)>, AdministrationError> {
        let account = self.open_account_of(user_id).await?;
        Ok(self.store.accepted_terms(account.user).await?)
    }

    /// Makes a user an administrator, or one no more. `name` is a localpart or a whole user id.
    ///
    /// # Errors
    /// Any [`AdministrationError`].
    pub async fn set_admin(&self, name: &str, is_admin: bool) -> Result<Account, AdministrationError> {
        let account = self.open_account(name).await?;
        let mut set = WriteSet::new();
        set.set_account_admin(account.user, is_admin);
        self.store.commit(set).await.map_err(plain)?;
        self.sessions.forget(|session| session.user == account.user);
        Ok(Account { is_admin, ..account })
    }

    /// Gives a user a new password, and unless `keep_sessions` ends their sessions. `name` is a localpart or a
    /// whole user id.
    ///
    /// # Errors
    /// Any [`AdministrationError`].
    pub async fn reset_password(
        &self,
        name: &str,
        password: &str,
        keep_sessions: bool,
    ) -> Result<Account, AdministrationError> {
        let account = self.open_account(name).await?;
        self.settings.password_rules.check(password)?;
        let password_hash = self.passwords.hash(password).await?;
        let mut set = WriteSet::new();
        set.set_account_password(account.user, &password_hash);
        self.store.commit(set).await.map_err(plain)?;
        if !keep_sessions {
            self.logout_all(account.user).await?;
        }
        Ok(account)
    }

    async fn open_account(&self, name: &str) -> Result<Account, AdministrationError> {
        let account = self.account_known_as(name).await?.ok_or(AdministrationError::NoSuchUser)?;
        if account.deactivated { Err(AdministrationError::Deactivated) } else { Ok(account) }
    }
}
