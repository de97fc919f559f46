//! Sessions in memory, so that a request with a token costs no query.
//!
//! Bounded in number. What ends or changes a session on this node forgets it here at once; what another node
//! did is noticed when an entry is asked for again, a minute after it was read at the latest.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use parvis_ambient::Timestamp;
use parvis_cache::Cache;
use tokio::sync::watch;

use crate::{secret::TokenHash, session::Session};

/// How long an entry is believed.
const RECHECK: Duration = Duration::from_secs(60);

/// A session in memory.
#[derive(Debug)]
pub(crate) struct KnownSession {
    pub(crate) session: Session,
    /// Whether the user is kept out.
    pub(crate) locked: bool,
    pub(crate) access_expires: Option<Timestamp>,
    pub(crate) read: Timestamp,
    /// When and from where the device was last noted as used.
    pub(crate) seen: Mutex<(Timestamp, Option<IpAddr>)>,
}

/// The sessions in memory, by the hash of the access token.
#[derive(Debug)]
pub(crate) struct SessionCache {
    sessions: Cache<TokenHash, Arc<KnownSession>>,
    /// How often sessions were forgotten. What was read before that and is put in after it would be stale.
    generation: Mutex<u64>,
    /// Tells those who wait for it that sessions were forgotten.
    forgotten: watch::Sender<()>,
}

impl SessionCache {
    pub(crate) fn new(capacity: u64) -> Self {
        Self { sessions: Cache::new(capacity), generation: Mutex::new(0), forgotten: watch::Sender::new(()) }
    }

    /// The session, if it was read a short while ago.
    pub(crate) fn get(&self, hash: &TokenHash, now: Timestamp) -> Option<Arc<KnownSession>> {
        self.sessions.get(hash).filter(|known| now.since(known.read) < RECHECK)
    }

    /// To be asked before a session is read that is then [put in](Self::put).
    pub(crate) fn generation(&self) -> u64 {
        *self.generation.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a session, unless some were forgotten since before it was read.
    pub(crate) fn put(&self, generation: u64, hash: TokenHash, known: &Arc<KnownSession>) {
        let current = self.generation.lock().unwrap_or_else(PoisonError::into_inner);
        if *current == generation {
            self.sessions.insert(hash, Arc::clone(known));
        }
    }

    /// Forgets the sessions for which `gone` holds. Call it after the change is durable.
    pub(crate) fn forget(&self, gone: impl Fn(&Session) -> bool) {
        let mut generation = self.generation.lock().unwrap_or_else(PoisonError::into_inner);
        *generation += 1;
        // Sessions end rarely, and going over all of them in memory is quick.
        self.sessions.retain(|_, known| !gone(&known.session));
        drop(generation);
        self.forgotten.send_replace(());
    }

    /// Follows the forgetting of sessions.
    pub(crate) fn follow(&self) -> watch::Receiver<()> {
        self.forgotten.subscribe()
    }
}
