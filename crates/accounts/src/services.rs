//! Application services act as their users
//! (<https://spec.matrix.org/v1.19/application-service-api/#identity-assertion>).

use std::sync::{Arc, Mutex};

use parvis_ambient::Timestamp;
use parvis_application_services::ApplicationService;
use parvis_storage::{CommitError, DEVICE_IS_NEW, DeviceSn, SessionSn, StorageError, WriteSet};
use ruma::{DeviceId, OwnedDeviceId, UserId};

use crate::{
    accounts::{Accounts, plain},
    cache::KnownSession,
    login::LoginError,
    names,
    registration::{CreateError, NewAccount, RegisterError, Registered, RegistrationRequest},
    secret,
    session::{NewDevice, OpenedSession, Session},
};

/// Why an application service cannot act as somebody.
#[derive(Debug, thiserror::Error)]
pub enum ActError {
    /// The user is not one of the service's.
    #[error("the user is not one of the application service's")]
    NotIts,
    /// The user was never registered, or the account is closed.
    #[error("the user is not registered")]
    NoAccount,
    /// The user has no such device.
    #[error("the user has no such device")]
    NoDevice,
    /// The user is kept out for now.
    #[error("the account is locked")]
    Locked,
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Why an application service cannot register somebody.
#[derive(Debug, thiserror::Error)]
pub enum ServiceRegisterError {
    /// It does not say whom.
    #[error("a user name is needed")]
    NoName,
    /// It wants to log in, and is registered as one that makes devices instead.
    #[error("the application service is registered as one that makes devices and does not log in")]
    LoginUnsupported,
    /// As for everybody who registers.
    #[error(transparent)]
    Register(#[from] RegisterError),
}

impl From<CreateError> for ServiceRegisterError {
    fn from(error: CreateError) -> Self {
        Self::Register(error.into())
    }
}

impl Accounts {
    /// The application service whose token this is.
    pub fn service_by_token(&self, token: &str) -> Option<&Arc<ApplicationService>> {
        self.settings.services.by_token(token)
    }

    /// Whether there are application services.
    pub fn has_services(&self) -> bool {
        !self.settings.services.is_empty()
    }

    /// The session of an application service: as one of its users, on one of their devices; by itself and without a
    /// device where it does not say. Costs no query for one that was used a short while ago.
    ///
    /// # Errors
    /// Any [`ActError`].
    pub async fn act_for(
        &self,
        service: &Arc<ApplicationService>,
        user_id: Option<&str>,
        device_id: Option<&str>,
    ) -> Result<Session, ActError> {
        let now = self.now();
        let user_name = user_id.unwrap_or_else(|| service.sender().as_str());
        let hash = secret::acting_hash(service.id(), user_name, device_id.unwrap_or_default());
        if let Some(known) = self.sessions.get(&hash, now) {
            return Ok(known.session.clone());
        }
        let generation = self.sessions.generation();
        let user_id = UserId::parse(user_name).map_err(|_| ActError::NotIts)?;
        if !service.may_act_as(&user_id) {
            return Err(ActError::NotIts);
        }
        let user = self.store.find_user(&user_id).await?.ok_or(ActError::NoAccount)?;
        let account = self.store.account(user).await?.filter(|account| !account.deactivated);
        let account = account.ok_or(ActError::NoAccount)?;
        if account.locked {
            return Err(ActError::Locked);
        }
        let (device, device_id) = match device_id {
            None => (Session::no_device_of(user), OwnedDeviceId::from("")),
            Some(name) => {
                let name = OwnedDeviceId::from(name);
                (self.store.device(user, &name).await?.ok_or(ActError::NoDevice)?.device, name)
            }
        };
        let session = Session {
            user,
            user_id,
            device,
            device_id,
            session: SessionSn(0),
            is_admin: false,
            suspended: account.suspended,
            guest: false,
            by_oauth: false,
            service: Some(Arc::clone(service)),
        };
        let known = KnownSession {
            session: session.clone(),
            locked: false,
            access_expires: None,
            read: now,
            seen: Mutex::new((Timestamp(0), None)),
        };
        self.sessions.put(generation, hash, &Arc::new(known));
        Ok(session)
    }

    /// Makes an account for one of an application service's users.
    ///
    /// # Errors
    /// Any [`ServiceRegisterError`].
    pub async fn register_for_service(
        &self,
        service: &ApplicationService,
        request: RegistrationRequest,
    ) -> Result<Registered, ServiceRegisterError> {
        if request.log_in && service.registration().makes_devices {
            return Err(ServiceRegisterError::LoginUnsupported);
        }
        let localpart = request.username.as_deref().ok_or(ServiceRegisterError::NoName)?;
        let user_id = names::new_user_id(localpart, &self.settings.server_name).map_err(CreateError::from)?;
        if !service.may_act_as(&user_id) || self.settings.services.keep_user_from(&user_id, Some(service)) {
            return Err(CreateError::Exclusive.into());
        }
        let account = self.create_account_of(user_id, NewAccount::default()).await?;
        Ok(self.welcome(account, request).await?)
    }

    /// Logs in one of an application service's users.
    ///
    /// # Errors
    /// Any [`LoginError`].
    pub async fn login_for_service(
        &self,
        service: &ApplicationService,
        name: &str,
        device: NewDevice,
    ) -> Result<OpenedSession, LoginError> {
        if service.registration().makes_devices {
            return Err(LoginError::Unsupported);
        }
        let known = names::known_as(name, &self.settings.server_name);
        known.filter(|user_id| service.may_act_as(user_id)).ok_or(LoginError::NotIts)?;
        let account = self.account_known_as(name).await?.ok_or(LoginError::NotIts)?;
        self.enter(account, device).await
    }

    /// Makes a device for one of an application service's users, without a session; says whether there was none of
    /// that name before.
    ///
    /// # Errors
    /// [`LoginError::BadDeviceId`], or if the store fails.
    pub async fn make_device(
        &self,
        session: &Session,
        device_id: &DeviceId,
        display_name: Option<&str>,
    ) -> Result<bool, LoginError> {
        if !(1..=names::LONGEST_DEVICE_ID).contains(&device_id.as_str().len()) {
            return Err(LoginError::BadDeviceId);
        }
        if self.store.device(session.user, device_id).await?.is_some() {
            return Ok(false);
        }
        let device = DeviceSn(self.store.next_number().await?);
        let mut set = WriteSet::new();
        set.add_device(session.user, device, device_id, display_name, self.now().millis());
        match self.store.commit(set).await {
            Ok(_) => Ok(true),
            // Another request was quicker.
            Err(CommitError::Guard(DEVICE_IS_NEW)) => Ok(false),
            Err(error) => Err(plain(error).into()),
        }
    }

    /// Whether a user of this server has an account.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn has_account(&self, user_id: &UserId) -> Result<bool, StorageError> {
        match self.store.find_user(user_id).await? {
            Some(user) => Ok(self.store.account(user).await?.is_some()),
            None => Ok(false),
        }
    }

    /// Makes the accounts of the application services' own users, as far as they are not there.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn welcome_services(&self) -> Result<(), StorageError> {
        for service in self.settings.services.iter() {
            let known = self.store.find_user(service.sender()).await?;
            if let Some(user) = known
                && self.store.account(user).await?.is_some()
            {
                continue;
            }
            match self.create_account_of(service.sender().to_owned(), NewAccount::default()).await {
                Ok(_) | Err(CreateError::Taken) => {}
                Err(CreateError::Storage(error)) => return Err(error),
                Err(error) => return Err(StorageError::Corrupt(format!("{}: {error}", service.sender()))),
            }
        }
        Ok(())
    }
}
