//! Apps without a browser: their user grants what they ask for on another machine
//! (<https://spec.matrix.org/v1.19/client-server-api/#device-authorisation-flow>).

use std::time::Duration;

use parvis_storage::{
    CommitError, OAUTH_DEVICE_GRANT_IS_UNANSWERED, OAUTH_USER_CODE_IS_NEW, OAuthDeviceGrant, StorageError,
    WriteSet,
};
use ruma::OwnedDeviceId;

use super::{
    browser::BrowserSession,
    clients::{DEVICE_CODE, RegisteredClient},
    scope::Scope,
    tokens::{IssueError, POLL_EVERY},
};
use crate::{
    accounts::{Accounts, plain},
    secret::{self, TokenKind, new_token},
};

/// How long somebody has to grant it.
const LIFETIME: Duration = Duration::from_secs(15 * 60);
/// How many wait for an answer at most.
const MOST_WAITING: i64 = 10_000;
/// Letters that are not mistaken for one another, and make no words (RFC 8628, section 6.1).
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
/// How many of them a user types: 34 bits, which together with the limit on attempts is out of reach of guessing.
const USER_CODE_LENGTH: usize = 8;
/// How often a code is made up that nobody else has.
const TRIES: usize = 8;

/// What an app without a browser is told.
#[derive(Debug)]
pub struct DeviceRequest {
    /// With what it asks for its tokens.
    pub device_code: String,
    /// What its user types.
    pub user_code: String,
    /// How long both are good.
    pub lifetime: Duration,
    /// How often it may ask.
    pub interval: Duration,
}

/// What stands behind a code that a user has typed.
#[derive(Clone, Debug)]
pub struct UserCodeState {
    /// The code, as it is shown.
    pub user_code: String,
    /// Which app asks.
    pub client: RegisteredClient,
    /// The device that it is to have.
    pub device_id: OwnedDeviceId,
}

impl Accounts {
    /// Begins letting in an app without a browser.
    ///
    /// # Errors
    /// Any [`IssueError`].
    pub async fn ask_on_another_machine(
        &self,
        client_id: &str,
        scope: &str,
    ) -> Result<DeviceRequest, IssueError> {
        let client = self.oauth_client(client_id).await?.ok_or(IssueError::InvalidClient)?;
        if !client.may(DEVICE_CODE) {
            return Err(IssueError::UnauthorizedClient);
        }
        let scope =
            Scope::parse(scope).ok_or(IssueError::InvalidRequest("the scope is the API and one device"))?;
        let now = self.now();
        for _ in 0..TRIES {
            let device_code = new_token(&*self.ambient.chance, TokenKind::DeviceCode);
            let user_code = self.new_user_code();
            let grant = OAuthDeviceGrant {
                user_code: user_code.clone(),
                client_id: client_id.to_owned(),
                device_id: scope.device_id.clone(),
                scope: scope.granted.clone(),
                expires_ts: now.plus(LIFETIME).millis(),
                asked_ts: 0,
                user: None,
                denied: false,
                upstream: None,
            };
            let mut set = WriteSet::new();
            set.delete_old_oauth_device_grants(now.millis());
            set.add_oauth_device_grant(&secret::hash(&device_code), &grant);
            if self.store.count_oauth_device_grants().await? >= MOST_WAITING {
                return Err(IssueError::SlowDown);
            }
            match self.store.commit(set).await {
                Ok(_) => {
                    let user_code = shown(&user_code);
                    return Ok(DeviceRequest {
                        device_code,
                        user_code,
                        lifetime: LIFETIME,
                        interval: POLL_EVERY,
                    });
                }
                Err(CommitError::Guard(OAUTH_USER_CODE_IS_NEW)) => {}
                Err(error) => return Err(plain(error).into()),
            }
        }
        Err(IssueError::SlowDown)
    }

    fn new_user_code(&self) -> String {
        let mut code = String::with_capacity(USER_CODE_LENGTH);
        while code.len() < USER_CODE_LENGTH {
            let mut bytes = [0; 16];
            self.ambient.chance.fill(&mut bytes);
            // Above the largest multiple of 20 some letters would be likelier.
            let letters =
                bytes.iter().filter(|byte| **byte < 240).map(|byte| usize::from(*byte) % LETTERS.len());
            let left = USER_CODE_LENGTH - code.len();
            code.extend(
                letters.filter_map(|index| LETTERS.get(index)).take(left).map(|byte| char::from(*byte)),
            );
        }
        code
    }

    /// What stands behind a code that somebody has typed; `None` if it is not good.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn user_code(&self, typed: &str) -> Result<Option<UserCodeState>, StorageError> {
        let Some(code) = read(typed) else { return Ok(None) };
        let grant = self.store.oauth_device_grant_by_user_code(&code).await?;
        let waits = |grant: &OAuthDeviceGrant| {
            grant.expires_ts > self.now().millis() && grant.user.is_none() && !grant.denied
        };
        let Some(grant) = grant.filter(waits) else { return Ok(None) };
        let client = self.oauth_client(&grant.client_id).await?;
        let OAuthDeviceGrant { device_id, user_code, .. } = grant;
        Ok(client.map(|client| UserCodeState { user_code: shown(&user_code), client, device_id }))
    }

    /// Grants an app without a browser what it asks for, or denies it. `false` if the code is not good any more.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn answer_user_code(
        &self,
        typed: &str,
        session: &BrowserSession,
        granted: bool,
    ) -> Result<bool, StorageError> {
        if self.user_code(typed).await?.is_none() {
            return Ok(false);
        }
        let code = read(typed).unwrap_or_default();
        let mut set = WriteSet::new();
        set.answer_oauth_device_grant(&code, session.user, !granted, session.upstream);
        match self.store.commit(set).await {
            Ok(_) => Ok(true),
            Err(CommitError::Guard(OAUTH_DEVICE_GRANT_IS_UNANSWERED)) => Ok(false),
            Err(error) => Err(plain(error)),
        }
    }
}

/// A code as it was made, from what somebody typed.
fn read(typed: &str) -> Option<String> {
    let letters = typed.chars().filter(char::is_ascii_alphabetic).take(USER_CODE_LENGTH + 1);
    let code: String = letters.map(|letter| letter.to_ascii_uppercase()).collect();
    (code.len() == USER_CODE_LENGTH && typed.len() <= 64).then_some(code)
}

/// A code as people read it.
fn shown(code: &str) -> String {
    match code.split_at_checked(USER_CODE_LENGTH / 2) {
        Some((front, back)) => format!("{front}-{back}"),
        None => code.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{read, shown};

    #[test]
    fn code_is_read_however_it_is_typed() {
        assert_eq!(shown("BCDFGHJK"), "BCDF-GHJK");
        for typed in ["BCDF-GHJK", "bcdfghjk", " bcdf ghjk "] {
            assert_eq!(read(typed).as_deref(), Some("BCDFGHJK"), "{typed}");
        }
        for typed in ["", "BCDF", "BCDF-GHJKL"] {
            assert_eq!(read(typed), None, "{typed}");
        }
    }
}
