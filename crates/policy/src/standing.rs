//! The policy as it stands now, in the hands of everyone who asks it.

use std::sync::{Arc, PoisonError, RwLock};

use crate::Policy;

/// The policy as it stands now. Clones share it: what one replaces, all see.
#[derive(Clone, Debug, Default)]
pub struct Standing(Arc<RwLock<Arc<Policy>>>);

impl Standing {
    /// A policy that stands.
    pub fn new(policy: Policy) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(policy))))
    }

    /// The policy. One question is to be decided by one and the same, so ask once.
    pub fn now(&self) -> Arc<Policy> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts another policy in its place.
    pub fn replace(&self, policy: Policy) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(policy);
    }
}
