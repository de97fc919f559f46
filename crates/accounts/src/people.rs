//! Whose password it is: of an account that keeps one here, or of somebody whom the organisation's directory knows.
//!
//! Who has a password here is not asked for in the directory, and nobody there comes into their account: so an
//! administrator can still log in when the directory is down. Everybody else is the directory's, which alone keeps and
//! changes their password, and who is gone from there cannot log in any more.

use parvis_peers::Person;
use parvis_storage::{Account, CommitError, UserAddress, WriteSet};

use crate::{
    accounts::{Accounts, plain},
    login::LoginError,
    names,
    profiles::{DISPLAYNAME, LONGEST_DISPLAYNAME},
    registration::{CreateError, NewAccount},
};

impl Accounts {
    /// The account of somebody who gives a name and a password. `account` is the one that is known under that name, if
    /// any; who logs in for the first time and is in the directory gets one.
    ///
    /// # Errors
    /// Any [`LoginError`].
    pub(crate) async fn account_by_password(
        &self,
        account: Option<Account>,
        name: &str,
        password: &str,
    ) -> Result<Account, LoginError> {
        if !self.is_of_directory(account.as_ref()) {
            let hash = account.as_ref().and_then(|account| account.password_hash.clone());
            let right = self.passwords.verify(password, hash).await?;
            return match account {
                Some(account) if right => Ok(account),
                // A closed account has no password any more; to say so gives nothing away but that.
                Some(account) if account.deactivated => Err(LoginError::Deactivated),
                _ => Err(LoginError::WrongPassword),
            };
        }
        let name = account.as_ref().map_or(name, |account| account.user_id.localpart());
        let name = names::known_as(name, &self.settings.server_name)
            .map_or_else(|| name.to_owned(), |user_id| user_id.localpart().to_owned());
        let Some(person) = self.person(&name, password).await? else { return Err(LoginError::WrongPassword) };
        let localpart = person.localpart.to_lowercase();
        match account {
            Some(account) if account.user_id.localpart() == localpart => Ok(account),
            // The directory may know people by more than one name.
            _ => self.account_of_person(&localpart, &person).await,
        }
    }

    /// Whether this is the password of an account.
    ///
    /// # Errors
    /// If passwords cannot be hashed, the directory does not answer, or the store fails.
    pub(crate) async fn has_password(&self, account: Account, password: &str) -> Result<bool, LoginError> {
        let user = account.user;
        match self.account_by_password(Some(account), "", password).await {
            Ok(account) => Ok(account.user == user),
            Err(LoginError::WrongPassword | LoginError::Deactivated) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether the password of an account, or of nobody known yet, is in the directory.
    pub(crate) fn is_of_directory(&self, account: Option<&Account>) -> bool {
        let is_own =
            |account: &Account| account.password_hash.is_some() || account.deactivated || account.guest;
        self.settings.directory.is_some() && !account.is_some_and(is_own)
    }

    async fn person(&self, name: &str, password: &str) -> Result<Option<Person>, LoginError> {
        match &self.settings.directory {
            Some(directory) => Ok(directory.check(name, password).await?),
            None => Ok(None),
        }
    }

    /// The account of somebody whom the directory knows, made where there is none.
    async fn account_of_person(&self, localpart: &str, person: &Person) -> Result<Account, LoginError> {
        if let Some(account) = self.account_known_as(localpart).await? {
            // Somebody else may have had the name here before.
            let is_theirs = self.is_of_directory(Some(&account));
            return if is_theirs { Ok(account) } else { Err(LoginError::WrongPassword) };
        }
        let account = match self.create_account(NewAccount::named(localpart)).await {
            Ok(account) => account,
            Err(CreateError::Storage(error)) => return Err(error.into()),
            Err(error) => {
                tracing::warn!(localpart, %error, "somebody in the organisation's directory cannot have an account");
                return Err(LoginError::WrongPassword);
            }
        };
        self.introduce(&account, person).await?;
        Ok(account)
    }

    /// Takes over what the directory says of somebody new.
    async fn introduce(&self, account: &Account, person: &Person) -> Result<(), LoginError> {
        let localpart = account.user_id.localpart();
        if let Some(display_name) =
            person.display_name.as_deref().filter(|name| name.len() <= LONGEST_DISPLAYNAME)
        {
            let mut set = WriteSet::new();
            set.put_profile_field(account.user, DISPLAYNAME, &display_name.into());
            set.put_in_directory(account.user, localpart, Some(display_name));
            self.store.commit(set).await.map_err(plain)?;
        }
        let Some(address) = &person.address else { return Ok(()) };
        let now = self.now().millis();
        let mut set = WriteSet::new();
        set.add_address(&UserAddress {
            medium: "email".to_owned(),
            address: address.to_lowercase(),
            user: account.user,
            validated_ts: now,
            added_ts: now,
        });
        match self.store.commit(set).await {
            // It may be somebody else's here: then it stays theirs.
            Ok(_) | Err(CommitError::Guard(_)) => Ok(()),
            Err(error) => Err(plain(error).into()),
        }
    }
}
