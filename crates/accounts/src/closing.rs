//! Changing a password and closing an account.
//!
//! Knows nothing of rooms: whoever closes an account lets its user leave them.

use parvis_storage::{StorageError, UserSn, WriteSet};

use crate::{
    accounts::{Accounts, plain},
    password::{HashError, WeakPassword},
    session::Session,
};

/// Why a password is not changed.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// There is no such account, or it is closed.
    #[error("there is no such account")]
    NoAccount,
    /// The new password is not accepted.
    #[error(transparent)]
    Weak(#[from] WeakPassword),
    /// Passwords cannot be hashed.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Accounts {
    /// Checks a new password, before anybody proves anything for its sake.
    ///
    /// # Errors
    /// Says which rule it breaks.
    pub fn check_password(&self, password: &str) -> Result<(), WeakPassword> {
        self.settings.password_rules.check(password)
    }

    /// Gives a user a new password, and ends their other sessions if they wish.
    ///
    /// # Errors
    /// Any [`PasswordError`].
    pub async fn change_password(
        &self,
        session: &Session,
        new_password: &str,
        log_out_others: bool,
    ) -> Result<(), PasswordError> {
        self.set_password(session.user, new_password).await?;
        if log_out_others {
            let mut set = WriteSet::new();
            set.delete_devices_of(session.user, Some(session.device));
            let mut devices = self.store.devices(session.user).await?;
            devices.retain(|device| device.device != session.device);
            let device_ids: Vec<_> = devices.into_iter().map(|device| device.device_id).collect();
            self.delete_settings_of_devices(&mut set, session.user, &device_ids).await?;
            self.store.commit(set).await.map_err(plain)?;
            self.sessions.forget(|other| other.user == session.user && other.device != session.device);
        }
        Ok(())
    }

    pub(crate) async fn set_password(&self, user: UserSn, password: &str) -> Result<(), PasswordError> {
        self.check_password(password)?;
        let account = self.store.account(user).await?.filter(|account| !account.deactivated);
        account.ok_or(PasswordError::NoAccount)?;
        let mut set = WriteSet::new();
        set.set_account_password(user, &self.passwords.hash(password).await?);
        self.store.commit(set).await.map_err(plain)?;
        Ok(())
    }

    /// Closes an account for ever: nobody can log in, the profile is gone, the name is never given again. With
    /// `erase`, the user also wishes that their messages be forgotten as far as possible.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn deactivate(&self, user: UserSn, erase: bool) -> Result<(), StorageError> {
        let mut set = WriteSet::new();
        set.close_account(user, erase);
        set.delete_profile(user);
        set.delete_passes(user);
        set.delete_devices_of(user, None);
        set.delete_cross_signing(user);
        set.delete_key_backups(user);
        self.store.commit(set).await.map_err(plain)?;
        self.sessions.forget(|session| session.user == user);
        Ok(())
    }
}
