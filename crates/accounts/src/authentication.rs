//! Whose token this is: with each request, so mostly from memory.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use parvis_ambient::Timestamp;
use parvis_storage::{CommitError, SESSION_IS_THERE, StorageError, StoredSession, WriteSet};

use crate::{
    accounts::{Accounts, plain},
    cache::KnownSession,
    secret::{self, TokenHash},
    session::Session,
};

/// How often it is written down that a device was used.
const SEEN_EVERY: Duration = Duration::from_secs(300);
/// How often it is written down if the address has changed.
const SEEN_ELSEWHERE_EVERY: Duration = Duration::from_secs(60);

/// How long it is remembered that a refresh token is spent.
const SPENT_FOR: Duration = Duration::from_secs(24 * 3_600);

/// Why a token does not let its holder in.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// Nobody has this token.
    #[error("the access token is not known")]
    Unknown,
    /// The token was good; its holder may refresh it or log in again and go on with what the device has.
    #[error("the access token has expired")]
    Expired,
    /// The user is kept out for now. The session is theirs: they may still log out.
    #[error("the account is locked")]
    Locked(Box<Session>),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Accounts {
    /// Whose token this is. `from` is the address from which the request came.
    ///
    /// Costs no query for a session that was used a short while ago. The first use of a session that came of
    /// a refresh ends the one before it.
    ///
    /// # Errors
    /// Any [`AuthError`].
    pub async fn authenticate(&self, token: &str, from: Option<IpAddr>) -> Result<Session, AuthError> {
        let hash = secret::hash(token);
        let now = self.now();
        let known = match self.sessions.get(&hash, now) {
            Some(known) => known,
            None => self.read_session(hash, now).await?,
        };
        if known.access_expires.is_some_and(|expires| expires <= now) {
            return Err(AuthError::Expired);
        }
        if known.locked {
            return Err(AuthError::Locked(Box::new(known.session.clone())));
        }
        self.note_seen(&known, from, now).await;
        Ok(known.session.clone())
    }

    /// Waits until a token that was good is so no more: its session has ended, or its user is kept out. For
    /// requests that last long. What happens on another node is not noticed.
    pub async fn until_ended(&self, token: &str) -> AuthError {
        let mut forgotten = self.sessions.follow();
        loop {
            // Boxed, since thousands wait here, and none of them needs room for the question while it waits.
            match Box::pin(self.authenticate(token, None)).await {
                // A database that fails for a moment ends no session.
                Ok(_) | Err(AuthError::Storage(_)) => {}
                Err(error) => return error,
            }
            if forgotten.changed().await.is_err() {
                return AuthError::Unknown;
            }
        }
    }

    async fn read_session(&self, hash: TokenHash, now: Timestamp) -> Result<Arc<KnownSession>, AuthError> {
        let generation = self.sessions.generation();
        let mut stored = self.store.session_by_access(&hash).await?.ok_or(AuthError::Unknown)?;
        let expired = stored.access_expires_ts.is_some_and(|expires| expires <= now.millis());
        let mut fit_to_keep = true;
        if stored.replaces.is_some() && !expired {
            self.settle(&stored).await?;
            stored.replaces = None;
            // Settling forgets the sessions before this one, so this one is kept the next time.
            fit_to_keep = false;
        }
        let known = Arc::new(known_session(stored, now));
        if fit_to_keep && !expired {
            self.sessions.put(generation, hash, &known);
        }
        Ok(known)
    }

    /// A session that came of a refresh is used for the first time: the ones before it end.
    pub(crate) async fn settle(&self, session: &StoredSession) -> Result<(), AuthError> {
        let mut set = WriteSet::new();
        set.demand_session(session.session);
        let now = self.now();
        set.settle_session(session, now.millis(), now.plus(SPENT_FOR).millis());
        match self.store.commit(set).await {
            Ok(_) => {}
            Err(CommitError::Guard(SESSION_IS_THERE)) => return Err(AuthError::Unknown),
            Err(error) => return Err(plain(error).into()),
        }
        let (device, current) = (session.device, session.session);
        self.sessions.forget(|other| other.device == device && other.session != current);
        Ok(())
    }

    /// Writes down that a device is used, now and then. Nobody waits for it, and losing it does no harm.
    async fn note_seen(&self, known: &KnownSession, from: Option<IpAddr>, now: Timestamp) {
        let from = {
            let mut seen = known.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let from = from.or(seen.1);
            let every = if from == seen.1 { SEEN_EVERY } else { SEEN_ELSEWHERE_EVERY };
            if now.since(seen.0) < every {
                return;
            }
            *seen = (now, from);
            from
        };
        let mut set = WriteSet::new();
        let from = from.map(|address| address.to_string());
        set.see_device(known.session.device, now.millis(), from.as_deref());
        drop(self.store.submit(set).await);
    }
}

fn known_session(stored: StoredSession, now: Timestamp) -> KnownSession {
    let seen_ip = stored.last_seen_ip.and_then(|address| address.parse().ok());
    KnownSession {
        session: Session {
            user: stored.user,
            user_id: stored.user_id,
            device: stored.device,
            device_id: stored.device_id,
            session: stored.session,
            is_admin: stored.is_admin,
            suspended: stored.suspended,
            guest: stored.guest,
            by_oauth: stored.oauth_client.is_some(),
            service: None,
        },
        locked: stored.locked,
        access_expires: stored.access_expires_ts.map(Timestamp),
        read: now,
        seen: Mutex::new((Timestamp(stored.last_seen_ts.unwrap_or(0)), seen_ip)),
    }
}
