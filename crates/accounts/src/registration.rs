//! Making accounts: by people themselves where the organisation lets them, and by its administrators.

use std::fmt;

use parvis_storage::{
    ACCOUNT_IS_NEW, ADDRESS_IS_FREE, ADDRESS_VALIDATION_IS_UNUSED, Account, AddressValidation, CommitError,
    REGISTRATION_TOKEN_IS_GOOD_STILL, StorageError, WriteSet,
};
use ruma::OwnedUserId;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use crate::{
    account_data::PUSH_RULES,
    accounts::{Accounts, plain},
    addresses::AddressError,
    interactive::{Claims, InteractiveError, Operation, Progress, Stage},
    login::LoginError,
    mails::AddressPurpose,
    names::{self, NameError},
    password::{HashError, WeakPassword},
    profiles::DISPLAYNAME,
    push_rules::new_push_rules,
    session::{NewDevice, OpenedSession},
    settings::{AddressAtRegistration, Registration},
};

/// Letters in a user name that we make up.
const MADE_UP_NAME_LENGTH: usize = 12;

/// Why an account is not made.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// The name cannot be a user's.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Somebody has the name, or had it.
    #[error("the user name is taken")]
    Taken,
    /// The name is kept for an application service, or is not one of the service that asks.
    #[error("the user name is kept for an application service")]
    Exclusive,
    /// The password is not accepted.
    #[error(transparent)]
    Password(#[from] WeakPassword),
    /// Passwords cannot be hashed.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// The token for registering was used up meanwhile, or has expired.
    #[error("the registration token is not good any more")]
    Token,
    /// The address that was proved cannot be the new account's.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// An account to be made.
#[derive(Default)]
pub(crate) struct NewAccount<'a> {
    localpart: Option<&'a str>,
    password_hash: Option<String>,
    is_admin: bool,
    guest: bool,
    /// A token that is used for it.
    token: Option<&'a str>,
    /// The proof of its address.
    proof: Option<AddressValidation>,
    /// Whether its user has accepted the terms.
    accepts_terms: bool,
}

impl<'a> NewAccount<'a> {
    /// One whose owner has filled in a page, and accepted the terms.
    pub(crate) fn on_page(localpart: &'a str, password_hash: String, token: Option<&'a str>) -> Self {
        let password_hash = Some(password_hash);
        Self { localpart: Some(localpart), password_hash, token, accepts_terms: true, ..Self::default() }
    }

    /// One with this name, and no password.
    pub(crate) fn named(localpart: &'a str) -> Self {
        Self { localpart: Some(localpart), ..Self::default() }
    }
}

/// What somebody asks for who registers.
#[derive(Clone, Default)]
pub struct RegistrationRequest {
    /// The localpart they want; one is made up if they do not say.
    pub username: Option<String>,
    /// The password they want.
    pub password: Option<String>,
    /// The device to log in on.
    pub device: NewDevice,
    /// Whether to log in at all.
    pub log_in: bool,
}

impl fmt::Debug for RegistrationRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RegistrationRequest")
            .field("username", &self.username)
            .field("device", &self.device)
            .finish_non_exhaustive()
    }
}

/// Somebody has registered.
#[derive(Clone, Debug)]
pub struct Registered {
    /// Who they are now.
    pub user_id: OwnedUserId,
    /// Their session, if they asked for one.
    pub session: Option<OpenedSession>,
}

/// Why somebody cannot register.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// The organisation makes its accounts itself.
    #[error("registration is closed")]
    Closed,
    /// There are no guests.
    #[error("there are no guests here")]
    NoGuests,
    /// There is no password.
    #[error("a password is needed")]
    NoPassword,
    /// The account cannot be made.
    #[error(transparent)]
    Create(#[from] CreateError),
    /// More must be proved, or something is wrong with how it was tried.
    #[error(transparent)]
    Interactive(#[from] InteractiveError),
    /// The account is made, and logging in failed.
    #[error(transparent)]
    Login(#[from] LoginError),
}

impl From<StorageError> for RegisterError {
    fn from(error: StorageError) -> Self {
        Self::Create(error.into())
    }
}

/// What a session of registering keeps from its first request, and at its end.
#[derive(Serialize, Deserialize)]
enum Saved {
    /// What is asked for. A client may leave this out later on.
    Asked { username: Option<String>, password_hash: Option<String> },
    /// Who was registered, for a client that asks again because it had no answer.
    Registered(OwnedUserId),
}

impl Accounts {
    /// Whether a new account could have this localpart.
    ///
    /// # Errors
    /// Why it could not.
    pub async fn is_available(&self, localpart: &str) -> Result<(), CreateError> {
        let user_id = names::new_user_id(localpart, &self.settings.server_name)?;
        if self.settings.services.keep_user_from(&user_id, None) {
            return Err(CreateError::Exclusive);
        }
        self.check_free(&user_id).await
    }

    async fn check_free(&self, user_id: &ruma::UserId) -> Result<(), CreateError> {
        if user_id.localpart() == names::RESERVED {
            return Err(CreateError::Taken);
        }
        if let Some(user) = self.store.find_user(user_id).await?
            && self.store.account(user).await?.is_some()
        {
            return Err(CreateError::Taken);
        }
        Ok(())
    }

    /// Registers somebody, as far as the organisation lets them.
    ///
    /// # Errors
    /// Any [`RegisterError`]: mostly an incomplete authentication, with what to do next.
    pub async fn register(
        &self,
        request: RegistrationRequest,
        operation: Operation<'_>,
    ) -> Result<Registered, RegisterError> {
        let mut progress = self.make_progress(operation, self.registration_flows()?, true).await?;
        let saved = progress.kept.operation.as_ref().and_then(|saved| Saved::deserialize(saved).ok());
        if let Some(Saved::Registered(user_id)) = saved {
            return self.answer_again(user_id, request).await;
        }
        let (username, password_hash) = match saved {
            Some(Saved::Asked { username, password_hash: Some(hash) }) => (username, Some(hash)),
            // Nothing was said yet, or no password.
            _ => (request.username.clone(), self.hash_wanted(&request).await?),
        };
        if !progress.is_complete() {
            keep(&mut progress, &Saved::Asked { username, password_hash })?;
            self.keep_progress(&mut progress).await?;
            return Err(progress.challenge().into());
        }
        let password_hash = password_hash.ok_or(RegisterError::NoPassword)?;
        let Claims { token, proof, terms } = progress.kept.claims.clone();
        let proof = match &proof {
            Some((sid, secret)) => {
                let proof = self.proof(AddressPurpose::Register, sid, secret).await;
                Some(proof.map_err(CreateError::from)?)
            }
            None => None,
        };
        let wanted = NewAccount {
            localpart: username.as_deref(),
            password_hash: Some(password_hash),
            token: token.as_deref(),
            proof,
            accepts_terms: terms,
            ..NewAccount::default()
        };
        let account = self.create_account(wanted).await?;
        if progress.known {
            keep(&mut progress, &Saved::Registered(account.user_id.clone()))?;
            self.keep_progress(&mut progress).await?;
        }
        self.welcome(account, request).await
    }

    /// Lets somebody look around who has neither name nor password.
    ///
    /// # Errors
    /// [`RegisterError::NoGuests`], or what making an account and logging in fail with.
    pub async fn register_guest(&self, device: NewDevice) -> Result<Registered, RegisterError> {
        if !self.settings.guests {
            return Err(RegisterError::NoGuests);
        }
        let account = self.create_account(NewAccount { guest: true, ..NewAccount::default() }).await?;
        // A guest's device is the guest; its name is not theirs to choose.
        let device = NewDevice { device_id: None, ..device };
        let request = RegistrationRequest { device, log_in: true, ..RegistrationRequest::default() };
        self.welcome(account, request).await
    }

    /// The ways to an account.
    fn registration_flows(&self) -> Result<Vec<Vec<Stage>>, RegisterError> {
        let settings = &self.settings;
        let mut flow = match &settings.registration {
            Registration::Closed => return Err(RegisterError::Closed),
            Registration::Token(_) => vec![Stage::RegistrationToken],
            Registration::Open => Vec::new(),
        };
        if !settings.terms.is_empty() {
            flow.push(Stage::Terms);
        }
        let mut with_address = flow.clone();
        with_address.push(Stage::Email(AddressPurpose::Register));
        if flow.is_empty() {
            flow.push(Stage::Dummy);
        }
        Ok(match settings.address_at_registration {
            AddressAtRegistration::No => vec![flow],
            AddressAtRegistration::Optional => vec![flow, with_address],
            AddressAtRegistration::Required => vec![with_address],
        })
    }

    /// Looks at what is asked for before anything is proved, so that nobody goes through the stages in vain.
    async fn hash_wanted(&self, request: &RegistrationRequest) -> Result<Option<String>, RegisterError> {
        if let Some(username) = &request.username {
            self.is_available(username).await?;
        }
        let Some(password) = &request.password else { return Ok(None) };
        self.settings.password_rules.check(password).map_err(CreateError::from)?;
        Ok(Some(self.passwords.hash(password).await.map_err(CreateError::from)?))
    }

    async fn answer_again(
        &self,
        user_id: OwnedUserId,
        request: RegistrationRequest,
    ) -> Result<Registered, RegisterError> {
        let user = self.store.intern_user(&user_id).await?;
        let account = self.store.account(user).await?.ok_or(CreateError::Taken)?;
        self.welcome(account, request).await
    }

    pub(crate) async fn welcome(
        &self,
        account: Account,
        request: RegistrationRequest,
    ) -> Result<Registered, RegisterError> {
        let user_id = account.user_id.clone();
        let session = match request.log_in {
            true => Some(self.enter(account, request.device).await?),
            false => None,
        };
        Ok(Registered { user_id, session })
    }

    /// Makes an account. Without a password there is no login by password.
    ///
    /// # Errors
    /// Any [`CreateError`].
    pub async fn create(
        &self,
        localpart: &str,
        password: Option<&str>,
        is_admin: bool,
    ) -> Result<Account, CreateError> {
        self.is_available(localpart).await?;
        let mut password_hash = None;
        if let Some(password) = password {
            self.settings.password_rules.check(password)?;
            password_hash = Some(self.passwords.hash(password).await?);
        }
        let localpart = Some(localpart);
        self.create_account(NewAccount { localpart, password_hash, is_admin, ..NewAccount::default() }).await
    }

    pub(crate) async fn create_account(&self, wanted: NewAccount<'_>) -> Result<Account, CreateError> {
        let made_up = || self.ambient.chance.text(MADE_UP_NAME_LENGTH).to_lowercase();
        let localpart = wanted.localpart.map_or_else(made_up, str::to_owned);
        let user_id = names::new_user_id(&localpart, &self.settings.server_name)?;
        if self.settings.services.keep_user_from(&user_id, None) {
            return Err(CreateError::Exclusive);
        }
        self.create_account_of(user_id, wanted).await
    }

    /// Makes the account of this user, whoever may have the name.
    pub(crate) async fn create_account_of(
        &self,
        user_id: OwnedUserId,
        wanted: NewAccount<'_>,
    ) -> Result<Account, CreateError> {
        self.check_free(&user_id).await?;
        let NewAccount { localpart: _, password_hash, is_admin, guest, token, proof, accepts_terms } = wanted;
        let account = Account {
            user: self.store.intern_user(&user_id).await?,
            user_id,
            password_hash,
            is_admin,
            locked: false,
            deactivated: false,
            erased: false,
            created_ts: self.now().millis(),
            suspended: false,
            guest,
        };
        let rules = raw(&new_push_rules(&account.user_id))?;
        let mut set = WriteSet::new();
        set.add_account(&account);
        // People see a name from the start; they may choose a better one.
        let localpart = account.user_id.localpart();
        set.put_profile_field(account.user, DISPLAYNAME, &localpart.into());
        if !guest {
            set.put_in_directory(account.user, localpart, Some(localpart));
        }
        set.put_account_data(account.user, None, PUSH_RULES, &rules);
        for (kind, content) in self.settings.policy.now().encryption.account_data_at_registration() {
            set.put_account_data(account.user, None, kind, &raw(&content)?);
        }
        if let Some(token) = token {
            set.use_registration_token(token, account.created_ts);
        }
        if let Some(proof) = &proof {
            self.put_proved_address(&mut set, account.user, proof);
        }
        for terms in self.settings.terms.iter().filter(|_| accepts_terms) {
            set.accept_terms(account.user, &terms.name, &terms.version, account.created_ts);
        }
        match self.store.commit(set).await {
            Ok(_) => Ok(account),
            Err(CommitError::Guard(ACCOUNT_IS_NEW)) => Err(CreateError::Taken),
            Err(CommitError::Guard(REGISTRATION_TOKEN_IS_GOOD_STILL)) => Err(CreateError::Token),
            Err(CommitError::Guard(ADDRESS_IS_FREE)) => Err(AddressError::InUse.into()),
            Err(CommitError::Guard(ADDRESS_VALIDATION_IS_UNUSED)) => Err(AddressError::NotProved.into()),
            Err(error) => Err(plain(error).into()),
        }
    }
}

fn raw(content: &impl Serialize) -> Result<Box<RawValue>, StorageError> {
    to_raw_value(content)
        .map_err(|error| StorageError::Corrupt(format!("account data of a new account: {error}")))
}

fn keep(progress: &mut Progress, saved: &Saved) -> Result<(), StorageError> {
    let saved = serde_json::to_value(saved)
        .map_err(|error| StorageError::Corrupt(format!("a registration session: {error}")))?;
    progress.kept.operation = Some(saved);
    Ok(())
}
