//! Changing a password and closing an account.
//!
//! Knows nothing of rooms: whoever closes an account lets its user leave them.

use parvis_storage::{ADDRESS_VALIDATION_IS_UNUSED, CommitError, StorageError, UserSn, WriteSet};

use crate::{
    accounts::{Accounts, plain},
    addresses::AddressError,
    interactive::{InteractiveError, Operation, Stage},
    mails::AddressPurpose,
    password::{HashError, WeakPassword},
    session::Session,
};

/// Why a password is not changed.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// There is no such account, or it is closed.
    #[error("there is no such account")]
    NoAccount,
    /// The organisation changes the passwords of its people itself.
    #[error("passwords are managed by the organisation")]
    Managed,
    /// Who has no session proves who they are by mail, and this server sends none.
    #[error("without being logged in, a password is changed by mail alone, and this server sends none")]
    NoMail,
    /// There is no new password.
    #[error("new_password is missing")]
    Missing,
    /// More must be proved.
    #[error(transparent)]
    Interactive(#[from] InteractiveError),
    /// The address that was proved is nobody's any more, or the proof was used.
    #[error(transparent)]
    Address(#[from] AddressError),
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

    /// Whether users change their passwords by themselves.
    ///
    /// # Errors
    /// [`PasswordError::Managed`].
    pub fn check_users_change_passwords(&self) -> Result<(), PasswordError> {
        if self.settings.users_change.password { Ok(()) } else { Err(PasswordError::Managed) }
    }

    /// Gives whoever proves by mail who they are a new password, and ends their sessions if they wish.
    ///
    /// # Errors
    /// Any [`PasswordError`]: mostly an incomplete authentication, with what to do next.
    pub async fn reset_password_by_mail(
        &self,
        operation: Operation<'_>,
        new_password: Option<&str>,
        log_out: bool,
    ) -> Result<(), PasswordError> {
        if self.settings.mail.is_none() {
            return Err(PasswordError::NoMail);
        }
        let purpose = AddressPurpose::ResetPassword;
        let claims = self.confirm_by(operation, vec![vec![Stage::Email(purpose)]]).await?;
        let (sid, client_secret) = claims.proof.ok_or(AddressError::NotProved)?;
        let proof = self.proof(purpose, &sid, &client_secret).await?;
        let user = self.owner_of(&proof.address).await?.ok_or(PasswordError::NoAccount)?;
        let new_password = new_password.ok_or(PasswordError::Missing)?;
        if self.is_of_directory(self.store.account(user).await?.as_ref()) {
            return Err(PasswordError::Managed);
        }
        let hash = self.passwords.hash(new_password).await?;
        let mut set = WriteSet::new();
        set.use_address_validation(&sid);
        set.set_account_password(user, &hash);
        if log_out {
            set.delete_devices_of(user, None);
            let devices = self.store.devices(user).await?;
            let device_ids: Vec<_> = devices.into_iter().map(|device| device.device_id).collect();
            self.delete_settings_of_devices(&mut set, user, &device_ids).await?;
        }
        match self.store.commit(set).await {
            Ok(_) => {}
            Err(CommitError::Guard(ADDRESS_VALIDATION_IS_UNUSED)) => {
                return Err(AddressError::NotProved.into());
            }
            Err(error) => return Err(plain(error).into()),
        }
        if log_out {
            self.sessions.forget(|session| session.user == user);
        }
        Ok(())
    }

    pub(crate) async fn set_password(&self, user: UserSn, password: &str) -> Result<(), PasswordError> {
        self.check_password(password)?;
        let account = self.store.account(user).await?.filter(|account| !account.deactivated);
        let account = account.ok_or(PasswordError::NoAccount)?;
        if self.is_of_directory(Some(&account)) {
            return Err(PasswordError::Managed);
        }
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
        set.delete_addresses(user);
        set.delete_devices_of(user, None);
        set.delete_cross_signing(user);
        set.delete_key_backups(user);
        self.store.commit(set).await.map_err(plain)?;
        self.sessions.forget(|session| session.user == user);
        Ok(())
    }
}
